/** One read-only transaction, from its beginning to a connection that is as it was before. */
import { CallError } from "../common/errors.ts";
import { ConnectionError, describeServerError, ServerError } from "./database_errors.ts";
import type { GuardedStatement } from "./guard.ts";
import { type Cell, type ColumnDescription, type FetchLimits, RowReader } from "./row_reader.ts";
import type { Session } from "./session.ts";

/** A column as RowDescription tells it: https://www.postgresql.org/docs/current/protocol-message-formats.html */
export interface Column {
  readonly name: string;
  /** As format_type prints it: `character varying(20)`, `numeric(10,2)`, `integer[]`. */
  readonly type: string;
  readonly typeOid: number;
  /** The table, 0 when the column is not simply one of a table's. */
  readonly tableOid: number;
  /** pg_attribute.attnum in that table, or 0. */
  readonly attribute: number;
}

/** A result, or the beginning of it. */
export interface Rows {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly Cell[])[];
  /** There are more rows than were asked for. */
  readonly more: boolean;
  /** Rows that arrived but were dropped, as the answer was full. */
  readonly dropped: number;
  /** Cells that were cut: `${row}:${column}` -> the full length in bytes. */
  readonly cut: ReadonlyMap<string, number>;
}

/** One read-only transaction. Statements run one after the other. */
export interface Transaction {
  /**
   * Our own fixed SQL; parameters are bound as text. An object per row, keyed by column name. Throws {@linkcode CallError}
   * whose `cause` is the {@linkcode ServerError}.
   */
  query(sql: string, parameters?: readonly Cell[]): Promise<Record<string, Cell>[]>;
  /** A statement that the guard let pass: at most `maxRows` rows of it. Throws {@linkcode CallError}. */
  fetch(statement: GuardedStatement, parameters: readonly Cell[], limits: FetchLimits): Promise<Rows>;
}

/** What our own queries may return: far more than a catalogue holds of one thing. */
const catalogueLimits: FetchLimits = { maxRows: Infinity, cellBytes: 8 << 20, answerBytes: 32 << 20 };
/** How much later than the server we lose patience with it. */
const graceMs = 5000;
const lockTimeoutMs = 5000;
const idleInTransactionMs = 60_000;
const maxParameters = 65_533;
/** The first OID of what is not built in: https://www.postgresql.org/docs/current/system-catalog-initial-data.html */
const firstNormalOid = 16_384;

/**
 * Begins, and takes a snapshot: from then on the transaction can't be made a writing one. The formats are set so that
 * values print as documented whatever the role's settings, except for the time zone, which is the role's to choose.
 */
export async function beginReading(session: Session, statementTimeoutMs: number): Promise<void> {
  const settings: Readonly<Record<string, string | number>> = {
    standard_conforming_strings: "on",
    client_encoding: "UTF8",
    statement_timeout: Math.ceil(statementTimeoutMs),
    lock_timeout: Math.min(lockTimeoutMs, Math.ceil(statementTimeoutMs)),
    idle_in_transaction_session_timeout: idleInTransactionMs,
    DateStyle: "ISO",
    IntervalStyle: "postgres",
    extra_float_digits: 1,
    bytea_output: "hex",
  };
  const list = Object.entries(settings)
    .map(([name, value]) => `pg_catalog.set_config('${name}', '${value}', true)`)
    .join(", ");
  const reader = new RowReader({ maxRows: 1, cellBytes: 1000, answerBytes: 100_000 });
  try {
    // Nothing of the caller's is sent before both have succeeded.
    await Promise.all([
      session.run("begin isolation level repeatable read read only", [], {
        reader: new RowReader(catalogueLimits),
        timeoutMs: statementTimeoutMs + graceMs,
      }),
      session.run(`select pg_catalog.current_setting('transaction_read_only'), ${list}`, [], {
        reader,
        timeoutMs: statementTimeoutMs + graceMs,
      }),
    ]);
  } catch (error) {
    if (error instanceof ServerError) throw describeServerError(error, { statementTimeoutMs });
    throw error;
  }
  const [readOnly, strings, encoding] = reader.rows[0] ?? [];
  const reported = (name: string, wanted: string) => (session.parameters.get(name) ?? wanted) === wanted;
  if (
    session.status !== "T" || readOnly !== "on" || strings !== "on" || encoding !== "UTF8" ||
    !reported("standard_conforming_strings", "on") || !reported("client_encoding", "UTF8")
  ) {
    throw new CallError(
      "refused",
      "Cannot ask this server as it does not keep to a read-only transaction in UTF8 with standard_conforming_strings",
      { hint: "an operator must check for a proxy in between, and the server's settings" },
    );
  }
}

/** Rolls back and forgets all that a session can remember. Whether it is as new. */
export async function leaveClean(session: Session): Promise<boolean> {
  if (session.failure !== undefined) return false;
  const run = (sql: string) =>
    session.run(sql, [], { reader: new RowReader(catalogueLimits), timeoutMs: graceMs });
  try {
    // What outlives a rollback: session locks, prepared statements, temporary objects, listeners.
    await Promise.all([run("rollback"), run("discard all")]);
    return session.status === "I";
  } catch {
    return false;
  }
}

/** How a statement in flight ended after it was cancelled. */
export type Ending = "cancelled" | "otherwise";

/** A {@linkcode Transaction} on a session that {@linkcode beginReading} prepared. */
export class ReadTransaction implements Transaction {
  readonly #session: Session;
  readonly #statementTimeoutMs: number;
  readonly #typeNames: Map<string, string>;
  #last: Promise<Ending> = Promise.resolve("otherwise");
  #pending = 0;
  #refused = false;

  constructor(
    session: Session,
    options: { readonly statementTimeoutMs: number; readonly typeNames: Map<string, string> },
  ) {
    this.#session = session;
    this.#statementTimeoutMs = options.statementTimeoutMs;
    this.#typeNames = options.typeNames;
  }

  async query(sql: string, parameters: readonly Cell[] = []): Promise<Record<string, Cell>[]> {
    const reader = new RowReader(catalogueLimits);
    await this.#run(sql, parameters, reader);
    if (reader.cut.size > 0 || reader.dropped > 0) {
      throw new CallError("refused", "Cannot read the catalogue as it holds more than 32 MB about this");
    }
    const names = reader.columns.map((column) => column.name);
    return reader.rows.map((row) => Object.fromEntries(names.map((name, at) => [name, row[at] ?? null])));
  }

  async fetch(statement: GuardedStatement, parameters: readonly Cell[], limits: FetchLimits): Promise<Rows> {
    const { sql } = statement;
    const reader = new RowReader(limits);
    await this.#run(sql, parameters, reader, { portalRows: limits.maxRows + 1, callers: true });
    const types = await this.#types(reader.columns);
    return {
      columns: reader.columns.map(({ name, typeOid, typmod, tableOid, attribute }) => ({
        name,
        type: types.get(`${typeOid}:${typmod}`) ?? "???",
        typeOid,
        tableOid,
        attribute,
      })),
      rows: reader.rows,
      more: reader.more,
      dropped: reader.dropped,
      cut: reader.cut,
    };
  }

  /** Runs nothing more. How what is in flight ends, or undefined when nothing is. */
  refuse(): Promise<Ending> | undefined {
    this.#refused = true;
    return this.#pending === 0 ? undefined : this.#last;
  }

  /** Runs nothing more, and waits for what is in flight. */
  async end(): Promise<void> {
    await this.refuse();
  }

  async #types(columns: readonly ColumnDescription[]): Promise<ReadonlyMap<string, string>> {
    const types = new Map<string, string>();
    const missing = new Map<string, ColumnDescription>();
    for (const column of columns) {
      const key = `${column.typeOid}:${column.typmod}`;
      const known = this.#typeNames.get(key);
      if (known === undefined) missing.set(key, column);
      else types.set(key, known);
    }
    if (missing.size === 0) return types;
    const wanted = [...missing.values()];
    const rows = await this.query(
      `select type::pg_catalog.text as type, typmod::pg_catalog.text as typmod,
        pg_catalog.format_type(type, typmod) as name
      from rows from (pg_catalog.unnest($1::pg_catalog.oid[]), pg_catalog.unnest($2::pg_catalog.int4[]))
        as wanted(type, typmod)`,
      [
        `{${wanted.map((column) => column.typeOid).join(",")}}`,
        `{${wanted.map((column) => column.typmod).join(",")}}`,
      ],
    );
    for (const { type, typmod, name } of rows) {
      if (name === null || name === undefined) continue;
      types.set(`${type}:${typmod}`, name);
      // A type of one's own can be renamed.
      if (Number(type) < firstNormalOid) this.#typeNames.set(`${type}:${typmod}`, name);
    }
    return types;
  }

  async #run(
    sql: string,
    parameters: readonly Cell[],
    reader: RowReader,
    options: { readonly portalRows?: number; readonly callers?: boolean } = {},
  ): Promise<void> {
    checkText(sql, parameters);
    const before = this.#last;
    const ending = Promise.withResolvers<Ending>();
    this.#last = ending.promise;
    this.#pending++;
    let how: Ending = "otherwise";
    try {
      await before;
      if (this.#refused) {
        throw new CallError("cancelled", "Cannot run a statement as the transaction is over");
      }
      if (this.#session.failure === undefined && this.#session.status === "I") {
        throw new CallError("refused", "Cannot run a statement outside of a read-only transaction");
      }
      await this.#session.run(sql, parameters, {
        reader,
        timeoutMs: this.#statementTimeoutMs + graceMs,
        ...(options.portalRows === undefined ? {} : { portalRows: options.portalRows }),
      });
    } catch (error) {
      if (error instanceof ConnectionError) throw error.callError;
      if (!(error instanceof ServerError)) throw error;
      if (error.sqlState === "57014") how = "cancelled";
      throw describeServerError(error, {
        sql: options.callers === true ? sql : undefined,
        statementTimeoutMs: this.#statementTimeoutMs,
      });
    } finally {
      this.#pending--;
      ending.resolve(how);
    }
  }
}

/** A NUL would end the text in the middle of a message; half a surrogate pair would be sent as another character. */
function checkText(sql: string, parameters: readonly Cell[]): void {
  const texts = [sql, ...parameters.filter((text) => text !== null)];
  if (texts.some((text) => text.includes("\0"))) {
    throw new CallError("invalid", "Cannot send the text as PostgreSQL has no NUL character", {
      hint: "leave \\u0000 out",
    });
  }
  if (!texts.every((text) => text.isWellFormed())) {
    throw new CallError("invalid", "Cannot send the text as it is not well-formed Unicode");
  }
  if (parameters.length > maxParameters) {
    throw new CallError(
      "invalid",
      `Cannot bind ${parameters.length} parameters as PostgreSQL takes ${maxParameters}`,
    );
  }
}
