/** Runs the sections of database_health, each in a transaction of its own, so that one that fails leaves the others whole. */
import { couldNotAnswer } from "../../common/errors.ts";
import { useCatalogueAlone } from "../catalogue_session.ts";
import type { Database, Transaction } from "../database.ts";
import { ServerError } from "../database_errors.ts";
import { blocking } from "./blocking.ts";
import { cache } from "./cache.ts";
import { connections } from "./connections.ts";
import { indexes } from "./indexes.ts";
import { keys } from "./keys.ts";
import { replication } from "./replication.ts";
import {
  type Ask,
  type Assessment,
  type Finding,
  millisecondsSince,
  numberOf,
  type Section,
  type ServerFacts,
  type Verdict,
  verdictOf,
} from "./section.ts";
import { sequences } from "./sequences.ts";
import { settings } from "./settings.ts";
import { type Thresholds, thresholds } from "./thresholds.ts";
import { transactions } from "./transactions.ts";
import { vacuum } from "./vacuum.ts";
import { workload } from "./workload.ts";
import { wraparound } from "./wraparound.ts";

/** In the order of what hurts first. */
export const sections: readonly Section[] = [
  connections,
  blocking,
  transactions,
  wraparound,
  sequences,
  replication,
  settings,
  workload,
  cache,
  vacuum,
  indexes,
  keys,
];

/** A section's answer, or why there is none. */
export interface Examined extends Assessment {
  readonly name: string;
  readonly verdict: Verdict;
}

/** What was found. */
export interface Examination {
  readonly server: ServerFacts;
  readonly sections: readonly Examined[];
}

/** What tests set. */
export interface ExaminationOptions {
  readonly thresholds?: Partial<Thresholds>;
  /** Milliseconds that a statement of one section may take; 3,000 by default. */
  readonly statementMs?: number;
  /** Milliseconds after which no further section is begun; 12,000 by default. */
  readonly totalMs?: number;
}

const factsSql = `
select current_setting('server_version') as version, current_database() as database, current_user as role,
  pg_is_in_recovery() as in_recovery,
  current_setting('track_counts') as track_counts, current_setting('track_activities') as track_activities,
  (select ${
  millisecondsSince("stats_reset")
} from pg_catalog.pg_stat_database where datname = current_database()) as statistics_ms,
  -- Set by initdb, and when a crash, a restore or an upgrade left no statistics; each may be reset by itself.
  ${
  millisecondsSince(
    `least((select stats_reset from pg_catalog.pg_stat_bgwriter), (select stats_reset from pg_catalog.pg_stat_archiver),
    (select stats_reset from pg_catalog.pg_stat_wal))`,
  )
} as server_statistics_ms`;

async function readFacts(transaction: Transaction): Promise<ServerFacts> {
  const [row = {}] = await transaction.query(factsSql);
  return {
    version: row.version ?? "",
    database: row.database ?? "",
    role: row.role ?? "",
    inRecovery: row.in_recovery === "t",
    trackCounts: row.track_counts === "on",
    trackActivities: row.track_activities === "on",
    statisticsAge: numberOf(row.statistics_ms),
    serverStatisticsAge: numberOf(row.server_statistics_ms),
  };
}

/**
 * One section after the other, on one connection: a server whose connections run out is the one that is asked most.
 * Throws {@linkcode CallError} when the server does not answer at all, or the call is cancelled.
 */
export async function examine(
  database: Database,
  options: ExaminationOptions & {
    readonly signal: AbortSignal;
    readonly progress: (message: string) => void;
  },
): Promise<Examination> {
  const { signal } = options;
  const timeoutMs = options.statementMs ?? 3_000;
  const ask: Ask = (work) =>
    database.read({ signal, timeoutMs }, async (transaction) => {
      await useCatalogueAlone(transaction);
      return await work(transaction);
    });
  const begun = performance.now();
  const server = await ask(readFacts);
  const levels = { ...thresholds, ...options.thresholds };
  const examined: Examined[] = [];
  for (const section of sections) {
    options.progress(`looking at ${section.name}`);
    if (performance.now() - begun > (options.totalMs ?? 12_000)) {
      examined.push(
        missing(section.name, "unknown", "not asked, as the sections before it took too long: ask again"),
      );
      continue;
    }
    try {
      const assessment = await section.assess(ask, server, levels);
      const findings = server.inRecovery ? assessment.findings.map(forPrimary) : assessment.findings;
      examined.push({ name: section.name, verdict: verdictOf(assessment), ...assessment, findings });
    } catch (error) {
      if (signal.aborted || !couldNotAnswer(error)) throw error;
      const denied = error.cause instanceof ServerError && error.cause.sqlState === "42501";
      examined.push(missing(section.name, denied ? "unseen" : "unknown", error.message));
    }
  }
  return { server, sections: examined };
}

/** A standby runs what only reads, and keeps settings of its own; all else is for its primary. */
function forPrimary(finding: Finding): Finding {
  return {
    ...finding,
    statements: finding.statements?.map((statement) =>
      /^(?:SELECT|ALTER SYSTEM)\b/.test(statement)
        ? statement
        : statement.startsWith("-- ")
        ? `-- on the primary, ${statement.slice(3)}`
        : `-- on the primary: ${statement}`
    ),
  };
}

function missing(name: string, verdict: "unseen" | "unknown", summary: string): Examined {
  return { name, verdict, summary, findings: [] };
}
