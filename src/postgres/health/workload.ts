/** Section `workload`: deadlocks, rollbacks, temporary files, and blocks that fail their checksum. */
import { count, percent, plural, size } from "../../common/units.ts";
import { type Change, readSettings } from "./change.ts";
import { type Assessment, criticalFirst, exceeds, type Finding, numberOf, type Section } from "./section.ts";
import { countedSince } from "./statistics_age.ts";

const workloadSql = `
select xact_commit, xact_rollback, deadlocks, temp_files, temp_bytes, checksum_failures
from pg_catalog.pg_stat_database where datname = current_database()`;

/** Rates are per transaction, as the time since which PostgreSQL counts is not always known. */
export const workload: Section = {
  name: "workload",
  async assess(ask, server, limits): Promise<Assessment> {
    const [[row = {}], logging] = await ask(async (transaction) =>
      [
        await transaction.query(workloadSql),
        await readSettings(transaction, ["log_lock_waits", "log_temp_files"]),
      ] as const
    );
    const value = (name: string) => numberOf(row[name]) ?? 0;
    const rollbacks = value("xact_rollback");
    const transactions = value("xact_commit") + rollbacks;
    const deadlocks = value("deadlocks");
    const files = value("temp_files");
    const corrupt = value("checksum_failures");
    const findings: Finding[] = [];
    if (corrupt > 0) {
      findings.push({
        verdict: "critical",
        text: `${plural(corrupt, "block")} did not match its checksum: data is damaged`,
        statements: ["SELECT datname, checksum_failures, checksum_last_failure FROM pg_stat_database;"],
        caution: "save the data folder before anything else, check the disks, and restore from a backup",
      });
    }
    const enough = server.trackCounts && transactions >= limits.transactions;
    const deadlocked = enough ? exceeds(deadlocks / transactions, limits.deadlocks) : undefined;
    if (deadlocked !== undefined) {
      findings.push({
        verdict: deadlocked,
        text: `${plural(deadlocks, "deadlock")} in ${count(transactions)} transactions`,
        ...withCaution(
          logging.get("log_lock_waits")?.to("on"),
          "the server's log has the statements of each deadlock; take locks in the same order everywhere",
        ),
      });
    }
    const logsFiles = logging.get("log_temp_files")?.value !== "-1";
    const spilled = enough ? exceeds(files / transactions, limits.temporaryFiles) : undefined;
    if (spilled !== undefined) {
      findings.push({
        verdict: spilled,
        text: `${plural(files, "temporary file")} of ${size(value("temp_bytes"))} in ${
          count(transactions)
        } transactions, written by sorts, hashes or index builds`,
        ...withCaution(
          logsFiles ? undefined : logging.get("log_temp_files")?.to("'10MB'"),
          "find the statements with top_queries; raise work_mem for the role of sorts and hashes rather than for all, maintenance_work_mem for index builds",
        ),
      });
    }
    findings.sort(criticalFirst);
    // Each of our own reads ends by ROLLBACK, and the server does not tell whose a rollback was: no finding.
    const share = rollbacks / transactions;
    const whose = enough && share >= limits.rollbacks
      ? ` (${percent(share)}, those of postgres-mcp itself among them)`
      : "";
    const numbers = `${plural(transactions, "transaction")}, ${count(rollbacks)} rolled back${whose}, ${
      plural(deadlocks, "deadlock")
    }, ${plural(files, "temporary file")} (${size(value("temp_bytes"))})`;
    return {
      summary: !server.trackCounts
        ? "no data: track_counts is off"
        : enough
        ? `${numbers}, ${countedSince(server)}`
        : `no data: only ${numbers}, ${countedSince(server)}`,
      findings,
      noData: !enough,
    };
  },
};

function withCaution({ statements, caution }: Change = { statements: [] }, more: string): Change {
  return { statements, caution: caution === undefined ? more : `${more}; ${caution}` };
}
