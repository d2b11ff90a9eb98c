/** One read-only transaction: our own queries of the catalogue, and the one statement of the caller's. */
import { CallError } from "../common/errors.ts";
import { ConnectionError, describeServerError, ServerError } from "./database_errors.ts";
import type { SessionPath } from "./catalogue_session.ts";
import { type Begun, firstPortion, isSame } from "./foresight.ts";
import type { GuardedStatement } from "./guard.ts";
import { marked } from "./own_mark.ts";
import { type Cell, type ColumnDescription, type FetchLimits, RowReader } from "./row_reader.ts";
import type { Session } from "./session.ts";
import { type Beginning, graceMs } from "./transaction_bounds.ts";
import type { State, Verdicts } from "./verdicts.ts";

/** A column as RowDescription tells it: https://www.postgresql.org/docs/current/protocol-message-formats.html */
export interface Column {
  readonly name: string;
  /** As format_type prints it: `character varying(20)`, `numeric(10,2)`, `integer[]`. */
  readonly type: string;
  readonly typeOid: number;
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

/** How our own SQL is run. */
export interface QueryOptions {
  /** It is asked again and again: its plan is kept where that is possible. */
  readonly keep?: boolean;
}

/** One read-only transaction. Statements run one after the other; several of ours can be sent without waiting. */
export interface Transaction {
  /**
   * Our own fixed SQL; parameters are bound as text. An object per row, keyed by column name. Throws {@linkcode CallError}
   * whose `cause` is the {@linkcode ServerError}.
   */
  query(
    sql: string,
    parameters?: readonly Cell[],
    options?: QueryOptions,
  ): Promise<Record<string, Cell>[]>;
  /** A statement that the guard let pass: at most `maxRows` rows of it. Throws {@linkcode CallError}. */
  fetch(statement: GuardedStatement, parameters: readonly Cell[], limits: FetchLimits): Promise<Rows>;
  /** The search path that the session came with. */
  readonly path: SessionPath;
  /** All that a verdict of the guard depends on; undefined where it can't be told whether that has changed. */
  readonly state: State | undefined;
  /** What the guard has let pass on this connection. */
  readonly verdicts: Verdicts;
}

/** What our own queries may return: far more than a catalogue holds of one thing. */
const catalogueLimits: FetchLimits = { maxRows: Infinity, cellBytes: 8 << 20, answerBytes: 32 << 20 };
const maxParameters = 65_533;
/** Bytes of rows after which no more are asked for; the answer was full long before. */
const enoughBytes = 8 << 20;
/** The first OID of what is not built in: https://www.postgresql.org/docs/current/system-catalog-initial-data.html */
const firstNormalOid = 16_384;

/** How a statement in flight ended after it was cancelled. */
export type Ending = "cancelled" | "otherwise";

/** A {@linkcode Transaction} on a session that {@linkcode beginReading} prepared. */
export class ReadTransaction implements Transaction {
  readonly path: SessionPath;
  readonly state: State | undefined;
  readonly verdicts: Verdicts;
  readonly #session: Session;
  readonly #statementTimeoutMs: number;
  readonly #typeNames: Map<string, string>;
  /** The statement that runs since the beginning, and its end. */
  readonly #begun: (Begun & { readonly done: Promise<void> }) | undefined;
  #last: Promise<Ending> = Promise.resolve("otherwise");
  /** Of all that is in flight, something is not our own. */
  #callers = false;
  #pending = 0;
  #refused = false;

  constructor(
    session: Session,
    { path, state }: Beginning,
    options: {
      readonly statementTimeoutMs: number;
      readonly typeNames: Map<string, string>;
      readonly begun?: Begun | undefined;
    },
  ) {
    this.path = path;
    this.state = state;
    this.verdicts = session.verdicts;
    this.#session = session;
    this.#statementTimeoutMs = options.statementTimeoutMs;
    this.#typeNames = options.typeNames;
    const { begun } = options;
    if (begun === undefined) return;
    const { inspected, parameters, reader, limits } = begun;
    const done = this.#run(inspected.sql, parameters, {
      reader,
      callers: true,
      maxRows: limits.maxRows,
      begun,
    });
    done.catch(() => {});
    this.#begun = { ...begun, done };
  }

  async query(
    sql: string,
    parameters: readonly Cell[] = [],
    { keep = false }: QueryOptions = {},
  ): Promise<Record<string, Cell>[]> {
    const reader = new RowReader(catalogueLimits);
    await this.#run(marked(sql), parameters, { reader, keep });
    if (reader.cut.size > 0 || reader.dropped > 0) {
      throw new CallError("refused", "Cannot read the catalogue as it holds more than 32 MB about this");
    }
    const names = reader.columns.map((column) => column.name);
    return reader.rows.map((row) => Object.fromEntries(names.map((name, at) => [name, row[at] ?? null])));
  }

  async fetch(statement: GuardedStatement, parameters: readonly Cell[], limits: FetchLimits): Promise<Rows> {
    const begun = this.#begun;
    let reader: RowReader;
    if (begun !== undefined && isSame(begun, statement, parameters, limits)) {
      reader = begun.reader;
      await begun.done;
    } else {
      reader = new RowReader(limits);
      await this.#run(statement.sql, parameters, { reader, callers: true, maxRows: limits.maxRows });
    }
    const types = await this.#types(reader.columns);
    return {
      columns: reader.columns.map(({ name, typeOid, typmod }) => ({
        name,
        type: types.get(`${typeOid}:${typmod}`) ?? "???",
        typeOid,
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
    { reader, keep = false, callers = false, maxRows, begun }: {
      readonly reader: RowReader;
      readonly keep?: boolean;
      readonly callers?: boolean;
      readonly maxRows?: number;
      readonly begun?: Begun;
    },
  ): Promise<void> {
    checkText(sql, parameters);
    const before = this.#last;
    // Our own are sent without waiting for each other: when one fails, the server refuses the next.
    const waits = callers || this.#callers;
    const ending = Promise.withResolvers<Ending>();
    this.#last = ending.promise;
    this.#callers = waits;
    this.#pending++;
    let how: Ending = "otherwise";
    try {
      if (waits) await before;
      if (this.#refused && begun === undefined) {
        throw new CallError("cancelled", "Cannot run a statement as the transaction is over");
      }
      await begun?.running;
      if (this.#session.failure === undefined && this.#session.status === "I") {
        throw new CallError("refused", "Cannot run a statement outside of a read-only transaction");
      }
      const timeoutMs = this.#statementTimeoutMs + graceMs;
      if (maxRows === undefined) await this.#session.run(sql, parameters, { reader, timeoutMs, keep });
      else await this.#portal(sql, parameters, { reader, timeoutMs, rows: maxRows + 1, begun });
    } catch (error) {
      if (error instanceof ConnectionError) throw error.callError;
      if (!(error instanceof ServerError)) throw error;
      // What was sent behind a statement that was cancelled is refused for that.
      const cancelled = error.sqlState === "57014" ||
        error.sqlState === "25P02" && !waits && await before === "cancelled";
      if (cancelled) how = "cancelled";
      throw describeServerError(error, {
        sql: callers ? sql : undefined,
        statementTimeoutMs: this.#statementTimeoutMs,
      });
    } finally {
      this.#pending--;
      if (this.#pending === 0) this.#callers = false;
      ending.resolve(how);
    }
  }

  /** A few rows first, and then as many at once as fit: what is not sent needs no room, and no time. */
  async #portal(
    sql: string,
    parameters: readonly Cell[],
    { reader, timeoutMs, rows, begun }: {
      readonly reader: RowReader;
      readonly timeoutMs: number;
      readonly rows: number;
      readonly begun: Begun | undefined;
    },
  ): Promise<void> {
    let asked = begun?.portalRows ?? firstPortion(rows);
    let suspended = await (begun?.running ??
      this.#session.run(sql, parameters, { reader, timeoutMs, portalRows: asked }));
    while (suspended && asked < rows && !this.#refused) {
      if (reader.received > enoughBytes) {
        reader.more = true;
        return;
      }
      const next = Math.min(rows - asked, 4 * asked, Math.ceil(enoughBytes * asked / (reader.received + 1)));
      asked += next;
      suspended = await this.#session.more({ reader, timeoutMs, portalRows: next });
    }
  }
}

/** A NUL would end the text in the middle of a message; half a surrogate pair would be sent as another character. */
export function checkText(sql: string, parameters: readonly Cell[]): void {
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
