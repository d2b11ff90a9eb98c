/** Section `connections`: how many of the server's connections are taken, and who holds them. */
import { count, duration, percent } from "../../common/units.ts";
import {
  type Assessment,
  exceeds,
  type Finding,
  millisecondsSince,
  numberOf,
  type Section,
} from "./section.ts";
import { clientSession, holder, partiesOf } from "./sessions.ts";

// superuser_reserved_connections and, since 16, reserved_connections are not for ordinary roles.
const limitSql = `
select current_setting('max_connections')::int as maximum,
  current_setting('superuser_reserved_connections')::int + coalesce(current_setting('reserved_connections', true)::int, 0) as reserved`;

const holdersSql = `
select a.usename, quote_ident(a.usename) as role_sql, quote_literal(a.usename) as role_text,
  a.application_name, a.state, count(*) as sessions, a.query is not distinct from '<insufficient privilege>' as hidden,
  max(${millisecondsSince("a.state_change")}) as longest_ms
from pg_catalog.pg_stat_activity a where ${clientSession}
group by 1, 2, 3, 4, 5, 7`;

const ownLimitsSql = `
select 'role ' || quote_ident(r.rolname) as name, r.rolname as party, format('ALTER ROLE %I CONNECTION LIMIT %s;', r.rolname, 2 * r.rolconnlimit) as sql,
  r.rolconnlimit as maximum, count(a.pid) as used
from pg_catalog.pg_roles r join pg_catalog.pg_stat_activity a on a.usesysid = r.oid and ${clientSession}
where r.rolconnlimit > 0 and not r.rolsuper group by r.rolname, r.rolconnlimit
union all
select 'database ' || quote_ident(d.datname), null, format('ALTER DATABASE %I CONNECTION LIMIT %s;', d.datname, 2 * d.datconnlimit),
  d.datconnlimit, count(a.pid)
from pg_catalog.pg_database d join pg_catalog.pg_stat_activity a on a.datid = d.oid and ${clientSession}
where d.datconnlimit > 0 group by d.datname, d.datconnlimit`;

interface Holder {
  readonly name: string;
  /** Its role and its application. */
  readonly parties: readonly string[];
  readonly roleSql: string;
  readonly roleText: string;
  sessions: number;
  readonly states: Map<string, { sessions: number; longestMs: number }>;
}

/**
 * Who holds the most connections is named first: an exhausted pool is somebody's. Sessions of other roles are counted
 * whatever the role's rights, but what they do is then unseen.
 */
export const connections: Section = {
  name: "connections",
  async assess(ask, _server, limits): Promise<Assessment> {
    const { limit, rows, ownLimits } = await ask(async (transaction) => ({
      limit: (await transaction.query(limitSql))[0] ?? {},
      rows: await transaction.query(holdersSql),
      ownLimits: await transaction.query(ownLimitsSql),
    }));
    const maximum = numberOf(limit.maximum) ?? 0;
    const available = maximum - (numberOf(limit.reserved) ?? 0);
    const holders = new Map<string, Holder>();
    const states = new Map<string, number>();
    let used = 0;
    for (const row of rows) {
      const sessions = numberOf(row.sessions) ?? 0;
      const name = holder(row.usename, row.application_name);
      const state = row.hidden === "t" ? "unseen" : row.state ?? "state unseen";
      used += sessions;
      states.set(state, (states.get(state) ?? 0) + sessions);
      const known = holders.get(name) ??
        {
          name,
          parties: partiesOf([row]),
          roleSql: row.role_sql ?? "",
          roleText: row.role_text ?? "",
          sessions: 0,
          states: new Map(),
        };
      known.sessions += sessions;
      const before = known.states.get(state);
      known.states.set(state, {
        sessions: sessions + (before?.sessions ?? 0),
        longestMs: Math.max(numberOf(row.longest_ms) ?? 0, before?.longestMs ?? 0),
      });
      holders.set(name, known);
    }
    const largest = [...holders.values()].sort((a, b) => b.sessions - a.sessions);
    const share = used / available;
    const findings: Finding[] = [];
    const verdict = exceeds(share, limits.connections);
    const [first] = largest;
    if (verdict !== undefined && first !== undefined) {
      findings.push({
        verdict,
        text: `${count(used)} of the ${
          count(available)
        } connections that ordinary roles may open are taken (${percent(share)}); ${first.name} holds ${
          statesOf(first)
        }`,
        parties: first.parties,
        ...remedy(first),
      });
    }
    for (const row of ownLimits) {
      const taken = numberOf(row.used) ?? 0;
      const own = numberOf(row.maximum) ?? Infinity;
      const ownVerdict = exceeds(taken / own, limits.connections);
      if (ownVerdict === undefined) continue;
      findings.push({
        verdict: ownVerdict,
        text: `${row.name} has ${count(taken)} of the ${count(own)} connections of its own limit`,
        parties: row.party === null || row.party === undefined ? [] : [row.party],
        isTheirsAlone: row.party !== null && row.party !== undefined,
        statements: row.sql === null || row.sql === undefined ? [] : [row.sql],
        caution: "first check whether its application should hold that many",
      });
    }
    const byState = [...states].sort((a, b) => b[1] - a[1]).map(([state, sessions]) =>
      `${count(sessions)} ${state}`
    );
    return {
      summary: `${count(used)} of ${count(available)} taken (${percent(share)}; max_connections ${
        count(maximum)
      }, ${count(maximum - available)} reserved)${byState.length === 0 ? "" : `: ${byState.join(", ")}`}`,
      findings,
      details: largest.slice(0, 5).map((item) => `${item.name}: ${statesOf(item)}`),
    };
  },
};

function statesOf({ sessions, states }: Holder): string {
  const parts = [...states].sort((a, b) => b[1].sessions - a[1].sessions).map(([state, found]) =>
    `${count(found.sessions)} ${state}${
      state.startsWith("idle") && found.longestMs > 0 ? ` (the longest for ${duration(found.longestMs)})` : ""
    }`
  );
  return `${count(sessions)}: ${parts.join(", ")}`;
}

function remedy({ states, roleSql, roleText }: Holder): Pick<Finding, "statements" | "caution"> {
  const of = (state: string) => states.get(state)?.sessions ?? 0;
  const leaked = of("idle in transaction") + of("idle in transaction (aborted)");
  if (leaked > 0 && leaked >= of("idle") / 2) {
    return {
      statements: [
        `ALTER ROLE ${roleSql} SET idle_in_transaction_session_timeout = '5min';`,
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = ${roleText} AND state LIKE 'idle in transaction%' AND state_change < now() - interval '5 minutes';`,
      ],
      caution:
        "the application does not end its transactions: fix it first; the second line ends sessions, ask its owner",
    };
  }
  if (of("idle") > 0) {
    return {
      statements: [
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = ${roleText} AND state = 'idle' AND state_change < now() - interval '10 minutes';`,
      ],
      caution:
        "ends sessions, ask its owner; a smaller pool in the application, or PgBouncer in front, is the lasting cure",
    };
  }
  return {
    caution: "a smaller pool in the application, or PgBouncer in front, rather than a higher max_connections",
  };
}
