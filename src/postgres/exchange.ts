/** What is expected of a server for one statement, or a script of them, and what came of it. */
import { type ErrorFields, ProtocolError } from "./backend_messages.ts";
import { readColumns } from "./column.ts";
import type { Cell, ColumnDescription, RowReader } from "./row_reader.ts";

/** How a statement is run. */
export interface RunOptions {
  /** Who takes the rows. */
  readonly reader: RowReader;
  /** Rows after which the server waits to be asked for more; without it all rows are sent. */
  readonly portalRows?: number;
  /** Our own, and asked again and again: the server keeps it, with its plan, where the session is `Session.direct`. */
  readonly keep?: boolean;
  /** Milliseconds after which a server that is silent is given up. */
  readonly timeoutMs: number;
}

/** One of several statements that are run together. */
export interface Statement {
  readonly sql: string;
  readonly parameters: readonly Cell[];
  readonly options: RunOptions;
}

/** What comes next, in the order of the protocol: https://www.postgresql.org/docs/current/protocol-flow.html */
export type Stage = "parse" | "bind" | "describe" | "execute" | "sync";

/** How an exchange begins. */
export interface ExchangeOptions {
  /** Who takes the rows. */
  readonly reader: RowReader;
  readonly stage: Stage;
  /** The server may stop after some rows. */
  readonly portal?: boolean;
  /** Several statements in one text, over the simple protocol. */
  readonly simple?: boolean;
  /** Milliseconds after which a server that is silent is given up. */
  readonly timeoutMs: number;
  /** The result's, where the server is not asked to describe it. */
  readonly columns?: readonly ColumnDescription[] | undefined;
  /** Called when the server has parsed the statement, and when it has described the result. */
  readonly parsed?: (() => void) | undefined;
  readonly described?: ((columns: readonly ColumnDescription[]) => void) | undefined;
  /** Another statement follows before the Sync: the server runs it only if this one succeeds. */
  readonly leads?: boolean;
}

/** From the first message of a statement to ReadyForQuery, or to its end where another one follows. */
export class Exchange {
  readonly #reader: RowReader;
  readonly #portal: boolean;
  readonly #simple: boolean;
  readonly #columns: readonly ColumnDescription[] | undefined;
  readonly #parsed: (() => void) | undefined;
  readonly #described: ((columns: readonly ColumnDescription[]) => void) | undefined;
  readonly leads: boolean;
  readonly timeoutMs: number;
  /** When a server that is silent is given up, by `performance.now()`. */
  readonly due: number;
  readonly #settle = Promise.withResolvers<void>();
  #stage: Stage;
  /** Bytes of the answer so far. */
  bytes = 0;
  /** The server has stopped, and can be asked for more rows. */
  suspended = false;
  /** How the statement failed. */
  error: ErrorFields | undefined;

  constructor(options: ExchangeOptions) {
    this.#reader = options.reader;
    this.#portal = options.portal ?? false;
    this.#simple = options.simple ?? false;
    this.#columns = options.columns;
    this.#parsed = options.parsed;
    this.#described = options.described;
    this.#stage = options.stage;
    this.leads = options.leads ?? false;
    this.timeoutMs = options.timeoutMs;
    this.due = performance.now() + options.timeoutMs;
  }

  /** Resolves at the end, after an error of the statement too; rejects when the connection ends before. */
  get settled(): Promise<void> {
    return this.#settle.promise;
  }

  /** Who takes a row that comes now. Throws {@linkcode ProtocolError}. */
  rows(): RowReader {
    if (this.#stage !== "execute") throw new ProtocolError("a row that nobody asked for");
    return this.#reader;
  }

  /** Takes a message that is neither a row nor an error. Throws {@linkcode ProtocolError} at the wrong one. */
  message(type: string, body: Uint8Array): void {
    const stage = this.#stage;
    if (type === "1" && stage === "parse") {
      this.#stage = "bind";
      this.#parsed?.();
    } else if (type === "2" && stage === "bind") {
      if (this.#columns !== undefined) this.#reader.columns = this.#columns;
      this.#stage = this.#columns === undefined ? "describe" : "execute";
    } else if (type === "T" && (stage === "describe" || this.#simple)) {
      this.#reader.columns = readColumns(body);
      this.#described?.(this.#reader.columns);
      this.#stage = "execute";
    } else if (type === "n" && stage === "describe") {
      this.#described?.([]);
      this.#stage = "execute";
    } else if ((type === "C" || type === "I") && stage === "execute") {
      if (!this.#simple) this.#stage = "sync";
    } else if (type === "s" && stage === "execute" && this.#portal) {
      this.suspended = true;
      this.#stage = "sync";
    } else {
      throw new ProtocolError(`a message ${JSON.stringify(type)} at the wrong time`);
    }
  }

  /** The statement has succeeded, and the next one's turn comes without a ReadyForQuery. */
  get passesOn(): boolean {
    return this.leads && this.#stage === "sync" && this.error === undefined;
  }

  /** The statement failed: nothing but the end can follow. */
  fail(error: ErrorFields): void {
    this.error = error;
    this.#stage = "sync";
  }

  /** ReadyForQuery. Throws {@linkcode ProtocolError} when something is missing. */
  end(): void {
    if (this.#stage !== "sync" && !this.#simple) throw new ProtocolError("an answer that is not complete");
    this.#settle.resolve();
  }

  /** The connection ended. */
  abandon(reason: Error): void {
    this.#settle.reject(reason);
  }
}
