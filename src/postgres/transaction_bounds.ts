/** How a read-only transaction begins, and how a connection is left as it was before. */
import { CallError } from "../common/errors.ts";
import { pathColumns, readPath, type SessionPath } from "./catalogue_session.ts";
import { describeServerError, ServerError } from "./database_errors.ts";
import { type Cell, type FetchLimits, RowReader } from "./row_reader.ts";
import {
  checkSql,
  sessionText,
  setKept,
  snapshotCheckSql,
  snapshotText,
  verdictIsOver,
} from "./fingerprint.ts";
import { marked } from "./own_mark.ts";
import type { Statement } from "./exchange.ts";
import type { Session } from "./session.ts";
import type { Kept, State } from "./verdicts.ts";

/** Of our own statements: one row, and what it may hold. */
const oneRow: FetchLimits = { maxRows: 1, cellBytes: 1 << 20, answerBytes: 4 << 20 };
/** How much later than the server we lose patience with it, in milliseconds. */
export const graceMs = 5000;
const lockTimeoutMs = 5000;
const idleInTransactionMs = 60_000;

/** How a transaction began. */
export interface Beginning {
  readonly path: SessionPath;
  readonly state: State | undefined;
  /** The statement that was foreseen, which runs. */
  readonly running: Promise<boolean> | undefined;
}

/** `15.18 (Debian 15.18-0+deb12u1)`; what only speaks like PostgreSQL (`15.2-YB-2.25`) may number its transactions otherwise. */
const plainVersion = /^\d+(?:\.\d+|beta\d+|rc\d+|devel)?(?: \(.*\))?$/;

/** The settings of every transaction, in the order of {@linkcode beginSql}'s columns after the first. */
const settings: Readonly<Record<string, string>> = {
  standard_conforming_strings: "'on'",
  client_encoding: "'UTF8'",
  statement_timeout: "$1",
  lock_timeout: "$2",
  idle_in_transaction_session_timeout: `'${idleInTransactionMs}'`,
  DateStyle: "'ISO'",
  IntervalStyle: "'postgres'",
  extra_float_digits: "'1'",
  bytea_output: "'hex'",
};

/** Nothing in it can be found on a path: it runs on the session's own. */
const beginSql = marked(`select pg_catalog.current_setting('transaction_read_only') as read_only,
  ${
  Object.entries(settings).map(([name, value]) =>
    `pg_catalog.set_config('${name}', ${value}, true) as ${name}`
  )
},
  ${pathColumns},
  pg_catalog.pg_backend_pid() as pid, pg_catalog.pg_is_in_recovery() as in_recovery,
  ${setKept("$3")} as kept, ${sessionText} as session, ${snapshotText} as snapshot`);

/** A statement that the guard has let pass before, sent together with the question whether that still holds. */
export interface Foreseen {
  readonly statement: Statement;
  readonly kept: Kept;
}

/**
 * Begins, and takes a snapshot: from then on the transaction can't be made a writing one. The formats are set so that
 * values print as documented whatever the role's settings, except for the time zone, which is the role's to choose.
 *
 * `used`: the session has been idle, and may lead nowhere by now; a server that is there answers this at once, while
 * a pooler may have no connection free.
 *
 * What is foreseen goes in the same packet, behind a check that fails where its verdict holds no more: the server then
 * passes over it, and the transaction begins anew without it.
 */
export async function beginReading(
  session: Session,
  statementTimeoutMs: number,
  { used = false, foreseen }: { readonly used?: boolean; readonly foreseen?: Foreseen | undefined } = {},
): Promise<Beginning> {
  const timeout = Math.ceil(statementTimeoutMs);
  const reader = new RowReader(oneRow);
  // The answers may come with that of what is foreseen, which takes its own time.
  const isQuick = used && session.direct && foreseen === undefined;
  const timeoutMs = isQuick ? graceMs : statementTimeoutMs + graceMs;
  const options = () => ({ reader: new RowReader(oneRow), timeoutMs, keep: true });
  const kept = foreseen === undefined ? "" : JSON.stringify(foreseen.kept);
  const begin: Statement[] = [
    { sql: "begin isolation level repeatable read read only", parameters: [], options: options() },
    {
      sql: beginSql,
      parameters: [String(timeout), String(Math.min(lockTimeoutMs, timeout)), kept],
      options: { ...options(), reader },
    },
  ];
  let running: Promise<boolean> | undefined;
  try {
    if (foreseen === undefined) {
      // Nothing of the caller's is sent before both have succeeded.
      await Promise.all(session.runTogether(begin));
    } else {
      const sql = session.verdicts.quiet ? snapshotCheckSql : checkSql;
      const check = { sql, parameters: [], options: options() };
      const all = session.runTogether([...begin, check, foreseen.statement]);
      running = all.pop();
      running?.catch(() => {});
      await Promise.all(all);
    }
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    if (foreseen !== undefined && error.sqlState === verdictIsOver) {
      session.verdicts.quiet = false;
      await session.run("rollback", [], options());
      return await beginReading(session, statementTimeoutMs);
    }
    throw describeServerError(error, { statementTimeoutMs });
  }
  const row = firstRow(reader);
  const reported = (name: string, wanted: string) => (session.parameters.get(name) ?? wanted) === wanted;
  if (
    running === undefined && session.status !== "T" || row["read_only"] !== "on" ||
    row["standard_conforming_strings"] !== "on" ||
    row["client_encoding"] !== "UTF8" ||
    !reported("standard_conforming_strings", "on") || !reported("client_encoding", "UTF8")
  ) {
    throw new CallError(
      "refused",
      "Cannot ask this server as it does not keep to a read-only transaction in UTF8 with standard_conforming_strings",
      { hint: "an operator must check for a proxy in between, and the server's settings" },
    );
  }
  const { pid, session: own, snapshot } = row;
  const path = readPath(row);
  session.recognise(pid);
  session.verdicts.lasting = session.direct;
  // Of a standby's transactions in progress a snapshot says nothing; behind a pooler the next one is of another server.
  const comparable = session.direct && row["in_recovery"] === "f" &&
    plainVersion.test(session.parameters.get("server_version") ?? "");
  const state = comparable ? { session: own ?? "", snapshot: snapshot ?? "" } : undefined;
  if (foreseen !== undefined) session.verdicts.quiet = foreseen.kept.snapshot === snapshot;
  return { path, state, running };
}

/** The only row, keyed by column name. */
function firstRow({ columns, rows: [row = []] }: RowReader): Partial<Record<string, Cell>> {
  return Object.fromEntries(columns.map(({ name }, at) => [name, row[at] ?? null]));
}

/**
 * What outlives a rollback: a role, settings, cursors, listeners, session locks, temporary objects, sequences. All that
 * DISCARD ALL forgets, except for the plans and the statements that are kept.
 */
const forgetSql = `rollback; set session authorization default; reset all; close all; unlisten *;
  select pg_catalog.pg_advisory_unlock_all(); discard temp; discard sequences`;
/** Whether there are other statements than those. */
const keptSql = marked(
  `select pg_catalog.count(*) as kept, pg_catalog.count(*) filter (where from_sql) as made
  from pg_catalog.pg_prepared_statements`,
);

/** Rolls back and forgets all that a session can remember. Whether it is as new. */
export async function leaveClean(session: Session): Promise<boolean> {
  if (session.failure !== undefined) return false;
  const options = () => ({ reader: new RowReader(oneRow), timeoutMs: graceMs });
  try {
    if (session.direct) {
      const asked = options();
      await Promise.all([
        session.script(forgetSql, options()),
        session.run(keptSql, [], { ...asked, keep: true }),
      ]);
      const { kept, made } = firstRow(asked.reader);
      if (kept === String(session.kept.size) && made === "0") return session.status === "I";
      session.kept.clear();
    }
    await Promise.all([session.run("rollback", [], options()), session.run("discard all", [], options())]);
    return session.status === "I";
  } catch {
    return false;
  }
}
