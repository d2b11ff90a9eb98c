/** Section `blocking`: who blocks whom, from the root of each chain on. */
import { duration, plural } from "../../common/units.ts";
import { visible } from "../../common/visible.ts";
import type { Cell } from "../database.ts";
import {
  type Assessment,
  exceeds,
  type Finding,
  millisecondsSince,
  numberOf,
  type Section,
} from "./section.ts";
import { describeSession, holder, partiesOf, sessionColumns } from "./sessions.ts";

// pg_blocking_pids looks at the whole lock table: it is asked only about sessions that wait, and not about all of them.
const waitingSql = `
select w.pid, w.mode, w.what, w.waited_ms, array_to_string(pg_blocking_pids(w.pid), ',') as blockers, w.total
from (
  select l.pid, l.mode, ${millisecondsSince("l.waitstart")} as waited_ms, count(*) over () as total,
    case when l.relation is not null and l.database = d.oid then coalesce((
        select format('%I.%I', n.nspname, c.relname) from pg_catalog.pg_class c
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.oid = l.relation), l.locktype)
      when l.locktype = 'transactionid' then 'a row that the other changed' else l.locktype end as what
  from pg_catalog.pg_locks l, pg_catalog.pg_database d
  where not l.granted and d.datname = current_database() order by l.waitstart nulls last limit 200
) w`;

const sessionsSql = `
select ${sessionColumns} from pg_catalog.pg_stat_activity a where a.pid = any($1::int[])`;

interface Wait {
  readonly pid: string;
  readonly ms: number;
  readonly mode: string;
  readonly what: string;
  readonly blockers: readonly string[];
}

/** Lines of one chain; chains of a report. */
const LINES = 8;
const CHAINS = 3;

/** A chain is a tree: its root waits for nobody, so that only what the root does can end it. */
export const blocking: Section = {
  name: "blocking",
  async assess(ask, _server, limits): Promise<Assessment> {
    const { rows, sessions } = await ask(async (transaction) => {
      const rows = await transaction.query(waitingSql);
      const pids = new Set(rows.flatMap((row) => [row.pid ?? "", ...(row.blockers ?? "").split(",")]));
      const known = [...pids].filter((pid) => /^[1-9]\d*$/.test(pid));
      const sessions = rows.length === 0
        ? []
        : await transaction.query(sessionsSql, [`{${known.join(",")}}`]);
      return { rows, sessions };
    });
    const waits = readWaits(rows);
    if (waits.size === 0) return { summary: "nobody waits for a lock", findings: [] };
    const bySession = new Map(sessions.map((row) => [row.pid ?? "", row]));
    const chains = chainsOf(waits).sort((a, b) => b.longestMs - a.longestMs);
    const findings = chains.flatMap((chain): Finding[] => {
      const verdict = exceeds(chain.longestMs, limits.lockWait);
      return verdict === undefined ? [] : [{ verdict, ...describeChain(chain, bySession) }];
    });
    const longest = Math.max(...[...waits.values()].map(({ ms }) => ms));
    const total = numberOf(rows[0]?.total) ?? waits.size;
    return {
      summary: `${plural(total, "session waits", "sessions wait")} for a lock, the longest for ${
        duration(longest)
      }, behind ${plural(chains.length, "session")}`,
      findings,
      details: chains.slice(0, CHAINS).flatMap((chain) => [
        `behind ${bySession.has(chain.root) ? `pid ${chain.root}` : rootName(chain.root)}:`,
        ...chain.lines.slice(0, LINES),
        ...(chain.lines.length > LINES
          ? [`  … and ${plural(chain.lines.length - LINES, "more session")}`]
          : []),
      ]),
    };
  },
};

function readWaits(rows: readonly Readonly<Record<string, Cell>>[]): ReadonlyMap<string, Wait> {
  const waits = new Map<string, Wait>();
  for (const row of rows) {
    const pid = row.pid ?? "";
    const blockers = [...new Set((row.blockers ?? "").split(","))].filter((other) =>
      other !== "" && other !== pid
    );
    // It got its lock between the two looks.
    if (blockers.length === 0) continue;
    waits.set(pid, {
      pid,
      ms: numberOf(row.waited_ms) ?? 0,
      mode: row.mode ?? "",
      what: visible(row.what ?? ""),
      blockers,
    });
  }
  return waits;
}

interface Chain {
  readonly root: string;
  /** Their pids. */
  readonly waiting: readonly string[];
  readonly longestMs: number;
  readonly lines: readonly string[];
}

function chainsOf(waits: ReadonlyMap<string, Wait>): Chain[] {
  const behind = new Map<string, Wait[]>();
  for (const wait of waits.values()) {
    for (const blocker of wait.blockers) behind.set(blocker, [...(behind.get(blocker) ?? []), wait]);
  }
  const reached = new Set<string>();
  const follow = (root: string): Chain => {
    const seen = new Set([root]);
    const lines: string[] = [];
    let longestMs = 0;
    const descend = (pid: string, depth: number) => {
      for (const wait of behind.get(pid) ?? []) {
        if (seen.has(wait.pid)) continue;
        seen.add(wait.pid);
        longestMs = Math.max(longestMs, wait.ms);
        lines.push(
          `${"  ".repeat(depth)}pid ${wait.pid} waits for ${
            duration(wait.ms)
          } for ${wait.mode} on ${wait.what}`,
        );
        descend(wait.pid, Math.min(depth + 1, 6));
      }
    };
    descend(root, 1);
    seen.forEach((pid) => reached.add(pid));
    return { root, waiting: [...seen].filter((pid) => pid !== root), longestMs, lines };
  };
  const chains = [...behind.keys()].filter((pid) => !waits.has(pid)).map(follow);
  // What is left waits in a circle, until deadlock_timeout ends it.
  for (const pid of waits.keys()) if (!reached.has(pid)) chains.push(follow(pid));
  return chains;
}

function rootName(pid: string): string {
  return pid === "0" ? "a prepared transaction (see pg_prepared_xacts)" : `pid ${pid}, which has ended since`;
}

/** Names of those that wait, in a report. */
const WAITING = 2;

function describeChain(
  chain: Chain,
  sessions: ReadonlyMap<string, Readonly<Record<string, Cell>>>,
): Omit<Finding, "verdict"> {
  const root = sessions.get(chain.root);
  const waiting = chain.waiting.map((pid) => sessions.get(pid)).filter((row) => row !== undefined);
  const names = [
    ...Map.groupBy(waiting, ({ usename, application_name }) => holder(usename, application_name)),
  ]
    .toSorted(([, a], [, b]) => b.length - a.length).map(([name]) => name);
  const more = names.length > WAITING ? " and others" : "";
  const whose = names.length === 0 ? "" : ` of ${names.slice(0, WAITING).join(", ")}${more}`;
  const text = `${root === undefined ? rootName(chain.root) : describeSession(root)}; it blocks ${
    plural(chain.waiting.length, "session")
  }${whose}, the longest for ${duration(chain.longestMs)}`;
  const parties = partiesOf([...(root === undefined ? [] : [root]), ...waiting]);
  if (root === undefined) return { text, parties };
  const active = root.state === "active";
  return {
    text,
    parties,
    statements: [
      active ? `SELECT pg_cancel_backend(${chain.root});` : `SELECT pg_terminate_backend(${chain.root});`,
    ],
    caution: active
      ? "cancels its statement: ask its owner first"
      : root.hidden === "t"
      ? "ends a session whose work is unseen: look at it as a member of pg_monitor first"
      : "ends the session and rolls its work back: ask its owner first",
  };
}
