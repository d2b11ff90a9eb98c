/** The rules that look at the database, and at what the service itself says of it. */
import { count } from "../common/units.ts";
import { failing } from "../prometheus/request_verdict.ts";
import { slowLatency } from "../prometheus/latency_verdict.ts";
import { timesText } from "./error_lines.ts";
import type { Evidence } from "./evidence.ts";
import { seen } from "./evidence.ts";
import type { Finding as SectionFinding } from "../postgres/health/section.ts";
import type { NextCall, Rule } from "./rule.ts";
import { isAwaited } from "./sick_pods.ts";

/** What a log or an error says when a database has no connection left. */
const exhausted =
  /remaining connection slots|too many clients|too many connections|connection pool|connection is not available, request timed out|pool (is )?exhausted|acquir\w+ (a )?connection|QueuePool limit/i;
const lockTrouble = /deadlock|lock timeout|could not obtain lock|canceling statement due to lock/i;
/** A password, a role, a database or an address that it does not take: PostgreSQL's words, and MySQL's. */
const loginTrouble =
  /password authentication failed for user|no pg_hba\.conf entry|FATAL:? {1,3}(?:role|database) "[^"]{1,63}" does not exist|Access denied for user '/;

/** A disk that is full, and a server that only reads: a standby, or what was made so. */
const unwritable =
  /could not (?:extend|write(?: to)?) file .{1,200}No space left on device|cannot execute [A-Z ]{1,40} in a read-only transaction|SQLSTATE:? ?\(?(?:53100|25006)\b|running with the --read-only option/i;
/** A server that starts or ends, and one that does not answer at its port. */
const away =
  /the database system is (?:starting up|shutting down|in recovery mode|not yet accepting connections)|terminating connection due to administrator command|(?::| port )(?:5432|3306)\b.{0,120}(?:refused|(?<!(?:statement|lock|session|transaction)[ _])timed? ?out|no route to host|unreachable)|(?:ECONNREFUSED|ETIMEDOUT|EHOSTUNREACH).{0,80}:(?:5432|3306)\b/i;

/** What a log says of the database, each with what it comes to. */
const sayings: readonly (readonly [name: string, explains: number, pattern: RegExp, text: string])[] = [
  ["database_unwritable", 94, unwritable, "The database refuses writes"],
  ["database_login", 93, loginTrouble, "The database refuses a login"],
  ["database_away", 92, away, "The service can't reach its database"],
];

/** Whether a line of a log tells of what a rule about the database looks for. */
export function isOfDatabase(line: string): boolean {
  return [exhausted, lockTrouble, ...sayings.map(([, , pattern]) => pattern)].some((pattern) =>
    pattern.test(line)
  );
}

/** Events in a window below which none in the next one is chance. */
const leastEvents = 10;

/** Sections that tell of what makes statements slow. */
const slowing: readonly string[] = ["transactions", "workload", "cache", "vacuum"];

const next: readonly NextCall[] = [{ tool: "database_health", arguments: {} }];

/**
 * A database serves many: what is wrong with it is a cause only where the service's log, our own connection or the
 * name of a role says so. Without that it is called what it is, a coincidence, in a place that fits its weight.
 */
export const databaseRules: readonly Rule[] = [
  {
    name: "database_connections",
    explains: 95,
    when:
      "the database has no connections left, or few and the service's log or its role's name is among the witnesses",
    find(evidence) {
      const refused = [evidence.database, evidence.activity]
        .some((part) => part.state === "unseen" && exhausted.test(part.why));
      const said = logged(evidence, exhausted);
      const { verdict, text, isOwn } = sectionOf(evidence, "connections", said);
      const linked = refused || said !== undefined || isOwn;
      if (!linked && verdict !== "critical") return undefined;
      const facts = [
        ...(verdict === undefined ? [] : [text]),
        ...(refused ? ["the database refused our own connection as it has none left"] : []),
        ...(said === undefined ? [] : [`the service's log says: ${said}`]),
      ];
      const state = verdict !== undefined || refused ? "are running out" : "seem to be short";
      return {
        severity: linked ? "degraded" : "coincidence",
        text: `${linked ? "Database" : "At the same time database"} connections ${state}: ${
          facts.join("; ")
        }`,
        next,
      };
    },
  },
  ...sayings.map(([name, explains, pattern, words]): Rule => ({
    name,
    explains,
    when: `the service's log says: ${words.toLowerCase()}`,
    find(evidence) {
      const text = logged(evidence, pattern);
      if (text === undefined) return undefined;
      return { severity: "degraded", text: `${words}: ${text}`, next: [] };
    },
  })),
  {
    name: "database_locks",
    explains: 90,
    when: "sessions wait long for locks in the database, or the service's log says that it did",
    find(evidence) {
      const { verdict, text, isOwn } = sectionOf(evidence, "blocking");
      const said = logged(evidence, lockTrouble);
      const linked = said !== undefined || isOwn;
      if (!linked && verdict !== "critical") return undefined;
      const facts = [
        ...(verdict === undefined ? [] : [text]),
        ...(said === undefined ? [] : [`the service's log says: ${said}`]),
      ];
      return {
        severity: linked ? "degraded" : "coincidence",
        text: `${linked ? "Sessions" : "At the same time sessions"} wait for locks in the database: ${
          facts.join("; ")
        }`,
        next,
      };
    },
  },
  {
    name: "database_slow",
    explains: 43,
    when: "latency has grown, and the database has old transactions, dead rows or reads from disk to warn of",
    find(evidence) {
      if (!isSlow(evidence)) return undefined;
      const told = (seen(evidence.database)?.sections ?? []).filter(({ name, verdict }) =>
        slowing.includes(name) && (verdict === "critical" || verdict === "warning")
      );
      if (told.length === 0) return undefined;
      return {
        severity: "coincidence",
        text: `At the same time in the database: ${
          told.map(({ findings, summary }) => findings[0]?.text ?? summary).join("; ")
        }`,
        next: [...next, { tool: "top_queries", arguments: {} }],
      };
    },
  },
  {
    name: "database_other",
    explains: 29,
    when:
      "something else in the database is critical now, or connections and locks are a mere warning, and requests fail, " +
      "are slow, or pods that ran are not ready",
    find(evidence) {
      if (!isFelt(evidence)) return undefined;
      const told = (name: string) => name === "connections" || name === "blocking";
      const section = seen(evidence.database)?.sections.find(({ name, verdict }) =>
        told(name)
          ? isUntold(sectionOf(evidence, name, logged(evidence, exhausted)), verdict)
          // Settings are as they were before: they explain nothing that came lately.
          : verdict === "critical" && name !== "settings" && !(isSlow(evidence) && slowing.includes(name))
      );
      if (section === undefined) return undefined;
      return {
        severity: "coincidence",
        text: `At the same time in the database, ${section.name}: ${
          section.findings[0]?.text ?? section.summary
        }`,
        next,
      };
    },
  },
  {
    name: "activity_stopped",
    explains: 25,
    when:
      `the database records nothing of the service now, and recorded ${leastEvents} events or more just before`,
    find(evidence) {
      const activity = seen(evidence.activity);
      if (activity === undefined || "why" in activity) return undefined;
      if (activity.events > 0 || activity.before < leastEvents) return undefined;
      return {
        severity: "coincidence",
        text: `At the same time the database stopped recording its events: none in the window, ${
          count(activity.before)
        } in the one before`,
        next: [],
      };
    },
  },
];

/** Of connections and locks what no rule of their own tells. */
function isUntold({ isOwn, verdict }: ReturnType<typeof sectionOf>, ofAll: string): boolean {
  return !isOwn && (ofAll === "warning" || (ofAll === "critical" && verdict === undefined));
}

/** Whether anything is wrong that a database may be behind. */
function isFelt(evidence: Evidence): boolean {
  const metrics = seen(evidence.metrics);
  return isSlow(evidence) || (metrics !== undefined && failing(metrics).length > 0) ||
    (seen(evidence.cluster)?.pods ?? []).some((pod) => isAwaited(pod) && pod.container !== undefined);
}

function isSlow({ metrics }: Evidence): boolean {
  const report = seen(metrics);
  return report !== undefined && slowLatency(report) !== undefined;
}

/**
 * The verdict of a section, where it is a bad one, and its finding: that about the service itself, else the first. The
 * limit of another role is no matter of the service's, unless its log, of which `said` is a line, names that role.
 */
function sectionOf(evidence: Evidence, name: string, said = ""): {
  readonly verdict: "critical" | "warning" | undefined;
  readonly text: string;
  readonly isOwn: boolean;
} {
  const section = seen(evidence.database)?.sections.find((one) => one.name === name);
  const isOwn = ({ parties = [] }: SectionFinding) =>
    parties.some((party) => isCalled(party, evidence.service) || said.includes(`"${party}"`));
  const findings = (section?.findings ?? []).filter((one) => one.isTheirsAlone !== true || isOwn(one));
  const own = findings.find(isOwn);
  return {
    verdict: (["critical", "warning"] as const).find((verdict) =>
      findings.some((one) => one.verdict === verdict)
    ),
    text: (own ?? findings[0])?.text ?? section?.summary ?? "",
    isOwn: own !== undefined,
  };
}

/**
 * Whether a role or an application is named after the service: it is called like it, but for the punctuation, and may have
 * words around it. What it runs is no name: a table may be called like a service that never touches it.
 */
function isCalled(party: string, service: string): boolean {
  const plain = (words: string) => ` ${words.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, " ").trim()} `;
  return plain(party).includes(plain(service));
}

/** The last line of a sick pod's log that matches. */
function logged(evidence: Evidence, pattern: RegExp): string | undefined {
  for (const { lines } of seen(evidence.cluster)?.errors ?? []) {
    const line = lines.findLast(({ text }) => pattern.test(text));
    if (line !== undefined) return `${line.text}${timesText(line.count, line.last, evidence.now)}`;
  }
  return undefined;
}
