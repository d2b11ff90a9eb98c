/**
 * One connection to PostgreSQL, from log-in to its end. npm:postgres logs in; what is said afterwards is written and
 * read here, so that rows are cut while they arrive, statements go together in one packet, and nothing that the server
 * sends can surprise a client that believes in it.
 *
 * npm:postgres connects anew by itself when a connection ends, and a statement would then run outside of its
 * transaction. It never learns that it is logged in: the session fails instead, and is thrown away.
 */
import { Buffer } from "node:buffer";
import type net from "node:net";
import type postgres from "postgres";
import { client, Wire } from "./client.ts";
import { BackendMessages, type ErrorFields, ProtocolError } from "./backend_messages.ts";
import {
  ConnectionError,
  type ConnectionIdentity,
  describeSessionEnd,
  ServerError,
} from "./database_errors.ts";
import { Exchange, type ExchangeOptions, type RunOptions, type Statement } from "./exchange.ts";
import { FrontendMessages } from "./frontend_messages.ts";
import { type LogIn, LogInCheck, unproven } from "./log_in.ts";
import type { Cell, ColumnDescription } from "./row_reader.ts";
import { lost, notUnderstood, silent, tooLarge } from "./session_failures.ts";
import { Verdicts } from "./verdicts.ts";

/** Bytes that one statement may make the server send. */
const maxAnswer = 64 << 20;

function message(type: string, body: Uint8Array): Buffer {
  const bytes = Buffer.alloc(5 + body.length);
  bytes.write(type, 0, "latin1");
  bytes.writeUInt32BE(4 + body.length, 1);
  bytes.set(body, 5);
  return bytes;
}

/** A statement that the server keeps. */
interface KeptStatement {
  readonly name: string;
  /** Once the server has described them: what it keeps gives no others, or fails. */
  columns: readonly ColumnDescription[] | undefined;
}

/** A session of PostgreSQL. Not for two users at once. */
export class Session {
  readonly identity: ConnectionIdentity;
  /** Whether TLS protects it. */
  readonly encrypted: boolean;
  /** What the server reported with ParameterStatus, e.g. `server_version`. */
  readonly parameters = new Map<string, string>();
  /** ReadyForQuery's: idle, in a transaction, in a failed one. */
  status: "I" | "T" | "E" = "I";
  /** Why it is of no more use. */
  failure: ConnectionError | undefined;
  /** The 8 bytes that a CancelRequest must show: the process's number, and a secret. */
  cancelKey: Uint8Array | undefined;
  /** The server itself is at the other end, and no pooler that gives each transaction another process. */
  direct = false;
  /** Statements that the server keeps, by their text. */
  readonly kept = new Map<string, KeptStatement>();
  /** What the guard has let pass here. */
  readonly verdicts = new Verdicts();
  readonly #socket: net.Socket;
  readonly #wire: Wire;
  readonly #sql: postgres.Sql;
  readonly #logIn: LogInCheck;
  readonly #exchanges: Exchange[] = [];
  readonly #ended = Promise.withResolvers<void>();
  readonly #out = new FrontendMessages();
  #alarm: ReturnType<typeof setTimeout> | undefined;
  #alarmAt = Infinity;
  #sending = false;
  #started = false;
  #ready = false;

  /** Takes the socket over; the log-in happens with the first statement. */
  constructor(socket: net.Socket, identity: ConnectionIdentity, logIn: LogIn) {
    this.#socket = socket;
    this.identity = identity;
    this.encrypted = "encrypted" in socket;
    this.#logIn = new LogInCheck(identity, logIn);
    const messages = new BackendMessages({
      message: (type, body) => this.#message(type, body),
      error: (fields) => this.#error(fields),
      reader: () => this.#current("D").rows(),
    });
    socket.on("data", (chunk: Buffer) => {
      if (this.failure !== undefined) return;
      const current = this.#exchanges[0];
      if (current !== undefined && (current.bytes += chunk.length) > maxAnswer) return this.fail(tooLarge());
      try {
        messages.push(chunk);
      } catch (error) {
        this.fail(error instanceof ConnectionError ? error : notUnderstood(this.identity, error));
      }
    });
    socket.on("error", (error) => this.fail(lost(this.identity, this.#ready, error)));
    socket.on("end", () => this.fail(lost(this.identity, this.#ready)));
    socket.on("close", () => {
      this.fail(lost(this.identity, this.#ready));
      this.#ended.resolve();
    });
    this.#wire = new Wire((bytes) => {
      if (this.failure === undefined) socket.write(bytes);
    }, () => this.fail(unproven(identity)));
    if (socket.destroyed) {
      this.fail(lost(this.identity, this.#ready));
      this.#ended.resolve();
    }
    this.#sql = client(this.#wire, identity, () => this.#logIn.password());
  }

  /**
   * Runs one statement over the extended protocol, which refuses a second one at the server; statements that are run
   * without waiting are sent together. Whether it stopped after `portalRows`. Throws {@linkcode ServerError}, or
   * {@linkcode ConnectionError} after which the session is of no more use.
   */
  async run(sql: string, parameters: readonly Cell[], options: RunOptions): Promise<boolean> {
    return await this.#exchange(options, {}, (out) => {
      const begun = this.#write(out, { sql, parameters, options });
      out.sync();
      return begun;
    });
  }

  /**
   * Runs several statements in one go: the server passes over all that come after one that fails. For each, what
   * {@linkcode run} gives; all of them must be waited for.
   */
  runTogether(statements: readonly Statement[]): Promise<boolean>[] {
    return statements.map((statement, at) => {
      const leads = at < statements.length - 1;
      return this.#exchange(statement.options, { leads }, (out) => {
        const begun = this.#write(out, statement);
        if (!leads) out.sync();
        // A caller's may take its time: what came of the others is told before.
        else if (statements[at + 1]?.options.portalRows !== undefined) out.flush();
        return begun;
      });
    });
  }

  #write(
    out: FrontendMessages,
    { sql, parameters, options }: Statement,
  ): Pick<ExchangeOptions, "stage" | "columns" | "parsed" | "described"> {
    const keeps = options.keep === true && this.direct;
    const known = keeps ? this.kept.get(sql) : undefined;
    const kept = known ?? { name: keeps ? `kept_${crypto.randomUUID()}` : "", columns: undefined };
    if (known === undefined) out.parse(kept.name, sql);
    out.bind(kept.name, parameters);
    if (kept.columns === undefined) out.describe();
    out.execute(options.portalRows ?? 0);
    return {
      stage: known === undefined ? "parse" : "bind",
      columns: kept.columns,
      parsed: keeps ? () => void this.kept.set(sql, kept) : undefined,
      described: keeps ? (columns) => void (kept.columns = columns) : undefined,
    };
  }

  /** Goes on with the statement that {@linkcode run} has stopped; nothing else may have been run since. */
  async more(options: RunOptions): Promise<boolean> {
    return await this.#exchange(options, {}, (out) => {
      out.execute(options.portalRows ?? 0).sync();
      return { stage: "execute" };
    });
  }

  /** Runs fixed statements of our own, several in one text: the rows of all of them. Throws as {@linkcode run}. */
  async script(sql: string, options: Pick<RunOptions, "reader" | "timeoutMs">): Promise<void> {
    await this.#exchange(options, { simple: true }, (out) => {
      out.query(sql);
      return { stage: "execute" };
    });
  }

  /** The number of the process that has logged us in. */
  get processId(): string | undefined {
    const key = this.cancelKey;
    return key === undefined ? undefined : String(new DataView(key.buffer, key.byteOffset).getInt32(0));
  }

  /** Takes note whether the process that answers, whose number `pid` is, is the one that has logged us in. */
  recognise(pid: string | null | undefined): void {
    this.direct = pid !== undefined && pid === this.processId;
  }

  async #exchange(
    { reader, portalRows, timeoutMs }: RunOptions,
    expected: Pick<ExchangeOptions, "simple" | "leads">,
    write: (out: FrontendMessages) => Pick<ExchangeOptions, "stage" | "columns" | "parsed" | "described">,
  ): Promise<boolean> {
    if (this.failure !== undefined) throw this.failure;
    const begun = write(this.#out);
    const portal = portalRows !== undefined;
    const exchange = new Exchange({ reader, portal, timeoutMs, ...expected, ...begun });
    this.#exchanges.push(exchange);
    this.#send();
    this.#setAlarm(exchange.due);
    await exchange.settled;
    if (exchange.error !== undefined) throw new ServerError(exchange.error);
    return exchange.suspended;
  }

  /** One timer for all that is in flight, and for what comes while it runs: most exchanges have ended long before. */
  #setAlarm(due: number): void {
    if (due >= this.#alarmAt) return;
    clearTimeout(this.#alarm);
    this.#alarmAt = due;
    this.#alarm = setTimeout(() => {
      this.#alarmAt = Infinity;
      const now = performance.now();
      const late = this.#exchanges.find((exchange) => exchange.due <= now);
      if (late !== undefined) this.fail(silent(this.identity, late.timeoutMs));
      else for (const exchange of this.#exchanges) this.#setAlarm(exchange.due);
    }, Math.max(0, due - performance.now()));
    // The socket keeps the program alive while there is something to wait for.
    Deno.unrefTimer(Number(this.#alarm));
  }

  /** What is written in one turn of the event loop goes out in one packet, once the log-in is over. */
  #send(): void {
    if (!this.#started) {
      this.#started = true;
      // It logs in for the sake of a statement, which it never gets to send. What goes wrong is its own.
      this.#sql.unsafe("").catch((error: unknown) => this.fail(notUnderstood(this.identity, error)));
    }
    if (this.#sending || !this.#ready) return;
    this.#sending = true;
    queueMicrotask(() => {
      this.#sending = false;
      if (this.failure === undefined && !this.#out.empty) this.#socket.write(this.#out.take());
    });
  }

  /** Ends the session at once; what is in flight is rejected with `failure`. */
  fail(failure: ConnectionError): void {
    if (this.failure !== undefined) return;
    this.failure = failure;
    clearTimeout(this.#alarm);
    this.#socket.destroy();
    for (const exchange of this.#exchanges.splice(0)) exchange.abandon(failure);
  }

  /** Says goodbye and waits for the end of the socket, for 1 s at most. */
  async close(): Promise<void> {
    clearTimeout(this.#alarm);
    if (this.failure === undefined) {
      this.#socket.end(Uint8Array.of(0x58, 0, 0, 0, 4));
      const timer = setTimeout(() => this.#socket.destroy(), 1000);
      await this.#ended.promise;
      clearTimeout(timer);
    } else {
      await this.#ended.promise;
    }
  }

  #current(type: string): Exchange {
    const [exchange] = this.#exchanges;
    if (!this.#ready || exchange === undefined) {
      throw new ProtocolError(`a message ${JSON.stringify(type)} that nobody asked for`);
    }
    return exchange;
  }

  #message(type: string, body: Uint8Array): void {
    switch (type) {
      case "R":
        if (this.#ready) throw new ProtocolError("a second log-in");
        this.#logIn.check(body);
        this.#wire.emit("data", message(type, body));
        return;
      case "S":
        return this.#parameter(body);
      case "K":
        // A copy, which a Buffer's own slice is not.
        if (!this.#ready) this.cancelKey = Uint8Array.from(body.subarray(0, 8));
        return;
      case "Z":
        return this.#readyForQuery(body);
    }
    const current = this.#current(type);
    current.message(type, body);
    if (current.passesOn) {
      current.end();
      this.#exchanges.shift();
    }
  }

  #parameter(body: Uint8Array): void {
    const [name = "", value = ""] = new TextDecoder().decode(body).split("\0");
    if (this.parameters.size < 200 || this.parameters.has(name)) this.parameters.set(name, value);
  }

  #readyForQuery(body: Uint8Array): void {
    const status = String.fromCharCode(body[0] ?? 0);
    if (body.length !== 1 || (status !== "I" && status !== "T" && status !== "E")) {
      throw new ProtocolError("an unknown transaction status");
    }
    this.status = status;
    if (!this.#ready) {
      this.#logIn.complete();
      this.#ready = true;
      return this.#send();
    }
    let done = this.#current("Z");
    // The server has passed over what came after a statement that failed.
    for (const { error } = done; done.leads && error !== undefined; done = this.#current("Z")) {
      done.end();
      this.#exchanges.shift();
      this.#current("Z").fail(error);
    }
    if (done.leads) throw new ProtocolError("an end in the middle");
    done.end();
    this.#exchanges.shift();
  }

  #error(received: ErrorFields): void {
    const [exchange] = this.#exchanges;
    const severity = received.get("V") ?? received.get("S");
    const fields = this.#logIn.conceal(received);
    if (this.#ready && severity === "ERROR" && exchange !== undefined) {
      exchange.fail(fields);
      return;
    }
    throw new ConnectionError(describeSessionEnd(new ServerError(fields), this.identity));
  }
}
