/** `--check` of the database: what was found, what the role may do, and the SQL for what should be otherwise. */
import { checkHint } from "../common/check_hint.ts";
import type { CheckResult, Say } from "../common/check_result.ts";
import { CallError } from "../common/errors.ts";
import { withOthers } from "../common/listing.ts";
import { ended } from "../common/sentence.ts";
import { count, plural } from "../common/units.ts";
import { visible } from "../common/visible.ts";
import { allowedLines } from "./check_allowed.ts";
import type { Database } from "./database.ts";
import { missingGrantsSql, readerRoleSql, readReaderRole } from "./reader_role.ts";
import { excessLine, readRole, type RoleReport } from "./role.ts";
import type { DatabaseSettings } from "./settings.ts";

/** Tables that are named of those that can't be read. */
const shownTables = 5;

/** Connects and reports. `timeoutMs` is for each of its questions. */
export async function checkDatabase(
  database: Database,
  { hosts, allowFunctions }: Pick<DatabaseSettings, "hosts" | "allowFunctions">,
  timeoutMs: number,
  say: Say,
): Promise<CheckResult> {
  const address = hosts.map(({ host, port }) => `${host}:${port}`).join(", ");
  const options = () => ({ signal: AbortSignal.timeout(timeoutMs) });
  const saySql = (sql: string) => ["", ...sql.split("\n"), ""].forEach((line) => say(line, true));
  try {
    const report = await database.read(options(), readRole);
    say(
      `Connected to ${address}, PostgreSQL ${report.serverVersion}, ${report.tls ?? "no TLS"}${
        report.inRecovery ? ", a standby" : ""
      }.`,
    );
    say(
      `Database ${visible(report.database)}, role ${visible(report.role)}: may read ` +
        `${count(report.readable)} of ${count(report.relations)} tables and views.`,
    );
    const missing = missingGrantsSql(report);
    if (missing !== undefined) {
      sayMissing(report, say);
      say("To allow it, run as a superuser:");
      saySql(missing);
    }
    const allowed = await database.read(
      options(),
      (transaction) => allowedLines(transaction, allowFunctions),
    );
    if (allowed.length > 0) {
      say("DB_ALLOW_FUNCTIONS allows, on your word that it only reads:");
      for (const { text } of allowed) say(`  - ${text}`);
    }
    if (report.excess.length === 0) {
      say(readerSentence(report));
      return missing === undefined && allowed.every(({ isWrong }) => !isWrong) ? "well" : "wanting";
    }
    say("The role can do more than read:");
    for (const right of report.excess) say(`  - ${excessLine(right)}`);
    const reader = await database.read(options(), readReaderRole);
    say(
      `postgres-mcp refuses to write either way, but a role that can't is a second line of defence${
        reader.exists ? ` (the role ${reader.name} is there already)` : ""
      }:`,
    );
    saySql(readerRoleSql(reader, report));
    if (report.role !== reader.name) {
      say(
        `Then connect as ${reader.name}: DB_USER, and DB_PASSWORD_FILE. ${
          visible(report.role)
        } keeps its rights, which others may need.`,
      );
    }
    return "wanting";
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    say(ended(`Not connected to ${address}: ${error.message}`));
    const hint = checkHint(error);
    if (hint !== undefined) say(hint);
    return "down";
  }
}

function sayMissing({ unreadable, hiddenSequences }: RoleReport, say: (line: string) => void): void {
  if (unreadable.length > 0) {
    const names = unreadable.slice(0, shownTables).map(({ schema, name }) => `${schema}.${name}`);
    say(`It may not read ${withOthers(names, unreadable.length - shownTables)}.`);
  }
  if (hiddenSequences.count > 0) {
    say(
      `It can't see ${
        plural(hiddenSequences.count, "sequence")
      }, so that database_health can't say how full ` +
        `${hiddenSequences.count === 1 ? "it is" : "they are"}.`,
    );
  }
}

/** What a role without a right too much may do. */
function readerSentence({ everybodyMakesTemporary }: RoleReport): string {
  return "The role cannot write to any table, view or sequence, and " +
    (everybodyMakesTemporary ? "can create only temporary tables, as every role can." : "cannot create any.");
}
