/** How a read-only transaction begins, and how a connection is left as it was before. */
import { CallError } from "../common/errors.ts";
import { pathColumns, readPath, type SessionPath } from "./catalogue_session.ts";
import { describeServerError, ServerError } from "./database_errors.ts";
import { type Cell, type FetchLimits, RowReader } from "./row_reader.ts";
import type { Session } from "./session.ts";

/** Of our own statements: one row, and what it may hold. */
const oneRow: FetchLimits = { maxRows: 1, cellBytes: 1 << 20, answerBytes: 4 << 20 };
/** How much later than the server we lose patience with it, in milliseconds. */
export const graceMs = 5000;
const lockTimeoutMs = 5000;
const idleInTransactionMs = 60_000;

/** How a transaction began. */
export interface Beginning {
  readonly path: SessionPath;
  readonly state: string | undefined;
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
const beginSql = `select pg_catalog.current_setting('transaction_read_only') as read_only,
  ${
  Object.entries(settings).map(([name, value]) =>
    `pg_catalog.set_config('${name}', ${value}, true) as ${name}`
  )
},
  ${pathColumns},
  pg_catalog.pg_backend_pid() as pid, current_user as role,
  pg_catalog.pg_my_temp_schema() as temporary,
  pg_catalog.pg_is_in_recovery() as in_recovery,
  pg_catalog.pg_current_snapshot()::pg_catalog.text as snapshot`;

/**
 * Begins, and takes a snapshot: from then on the transaction can't be made a writing one. The formats are set so that
 * values print as documented whatever the role's settings, except for the time zone, which is the role's to choose.
 * `used`: the session has been idle, and may lead nowhere by now; a server that is there answers this at once, while
 * a pooler may have no connection free.
 */
export async function beginReading(
  session: Session,
  statementTimeoutMs: number,
  { used = false }: { readonly used?: boolean } = {},
): Promise<Beginning> {
  const timeout = Math.ceil(statementTimeoutMs);
  const reader = new RowReader(oneRow);
  const timeoutMs = used && session.direct ? graceMs : statementTimeoutMs + graceMs;
  try {
    // Nothing of the caller's is sent before both have succeeded.
    await Promise.all([
      session.run("begin isolation level repeatable read read only", [], {
        reader: new RowReader(oneRow),
        timeoutMs,
        keep: true,
      }),
      session.run(beginSql, [String(timeout), String(Math.min(lockTimeoutMs, timeout))], {
        reader,
        timeoutMs,
        keep: true,
      }),
    ]);
  } catch (error) {
    if (error instanceof ServerError) throw describeServerError(error, { statementTimeoutMs });
    throw error;
  }
  const row = firstRow(reader);
  const reported = (name: string, wanted: string) => (session.parameters.get(name) ?? wanted) === wanted;
  if (
    session.status !== "T" || row["read_only"] !== "on" || row["standard_conforming_strings"] !== "on" ||
    row["client_encoding"] !== "UTF8" ||
    !reported("standard_conforming_strings", "on") || !reported("client_encoding", "UTF8")
  ) {
    throw new CallError(
      "refused",
      "Cannot ask this server as it does not keep to a read-only transaction in UTF8 with standard_conforming_strings",
      { hint: "an operator must check for a proxy in between, and the server's settings" },
    );
  }
  const { pid, role, temporary, snapshot } = row;
  const path = readPath(row);
  session.recognise(pid);
  // Of a standby's transactions in progress a snapshot says nothing; behind a pooler the next one is of another server.
  const comparable = session.direct && row["in_recovery"] === "f" &&
    plainVersion.test(session.parameters.get("server_version") ?? "");
  return { path, state: comparable ? JSON.stringify([snapshot, path, pid, role, temporary]) : undefined };
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
const keptSql = `select pg_catalog.count(*) as kept, pg_catalog.count(*) filter (where from_sql) as made
  from pg_catalog.pg_prepared_statements`;

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
