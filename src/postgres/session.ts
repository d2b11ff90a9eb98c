/**
 * One connection to PostgreSQL, from log-in to its end. npm:postgres logs in and writes our messages; what the
 * server sends is read here, so that rows are cut while they arrive and nothing of the server's can surprise it.
 *
 * npm:postgres connects anew by itself when a connection ends, and a statement would then run outside of its
 * transaction. It never learns that the connection ended: the session fails instead, and is thrown away.
 */
import { Buffer } from "node:buffer";
import type net from "node:net";
import postgres from "postgres";
import { CallError } from "../common/errors.ts";
import { client, Wire } from "./client.ts";
import { BackendMessages, type ErrorFields, ProtocolError } from "./backend_messages.ts";
import { readColumns } from "./column.ts";
import {
  ConnectionError,
  type ConnectionIdentity,
  describeConnectFailure,
  describeSessionEnd,
  nameAddress,
  seconds,
  ServerError,
} from "./database_errors.ts";
import { type LogIn, LogInCheck, unproven } from "./log_in.ts";
import { type Cell, RowReader } from "./row_reader.ts";

/** How a statement is run. */
export interface RunOptions {
  /** Who takes the rows. */
  readonly reader: RowReader;
  /** Rows after which the portal is closed; without it all rows are sent. */
  readonly portalRows?: number;
  /** Milliseconds after which a server that is silent is given up. */
  readonly timeoutMs: number;
}

interface Exchange {
  readonly reader: RowReader;
  readonly portal: boolean;
  readonly settle: PromiseWithResolvers<void>;
  bytes: number;
  suspended: boolean;
  error: ErrorFields | undefined;
}

/** Bytes that one statement may make the server send. */
const maxAnswer = 64 << 20;

function message(type: string, body: Uint8Array = new Uint8Array(0)): Buffer {
  const bytes = Buffer.alloc(5 + body.length);
  bytes.write(type, 0, "latin1");
  bytes.writeUInt32BE(4 + body.length, 1);
  bytes.set(body, 5);
  return bytes;
}

// npm:postgres needs to know that a statement has columns, ended or failed; the rest stays here.
const noData = message("n");
const complete = message("C", Buffer.from("SELECT 0\0"));
const failed = message("E", Buffer.from("SERROR\0CXX000\0Mfailed\0\0"));

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
  /** The 8 bytes that a CancelRequest must show. */
  cancelKey: Uint8Array | undefined;
  readonly #socket: net.Socket;
  readonly #wire: Wire;
  readonly #sql: postgres.Sql;
  readonly #logIn: LogInCheck;
  readonly #exchanges: Exchange[] = [];
  readonly #ended = Promise.withResolvers<void>();
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
      reader: () => this.#current("D").reader,
    });
    socket.on("data", (chunk: Buffer) => {
      if (this.failure !== undefined) return;
      const current = this.#exchanges[0];
      if (current !== undefined && (current.bytes += chunk.length) > maxAnswer) return this.#tooLarge();
      try {
        messages.push(chunk);
      } catch (error) {
        this.fail(error instanceof ConnectionError ? error : this.#protocolFailure(error));
      }
    });
    socket.on("error", (error) => this.fail(this.#lost(error)));
    socket.on("end", () => this.fail(this.#lost()));
    socket.on("close", () => {
      this.fail(this.#lost());
      this.#ended.resolve();
    });
    this.#wire = new Wire((bytes) => {
      if (this.failure === undefined) socket.write(bytes);
    }, () => this.fail(unproven(identity)));
    if (socket.destroyed) {
      this.fail(this.#lost());
      this.#ended.resolve();
    }
    this.#sql = client(this.#wire, identity, () => this.#logIn.password());
  }

  /**
   * Runs one statement over the extended protocol, which refuses a second one at the server. Throws
   * {@linkcode ServerError}, or {@linkcode ConnectionError} after which the session is of no more use.
   */
  async run(sql: string, parameters: readonly Cell[], options: RunOptions): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    const exchange: Exchange = {
      reader: options.reader,
      portal: options.portalRows !== undefined,
      settle: Promise.withResolvers(),
      bytes: 0,
      suspended: false,
      error: undefined,
    };
    this.#exchanges.push(exchange);
    // `simple` is npm:postgres's own option, which its types leave out: without it a statement that has no
    // parameters goes over the simple protocol, where it may be several.
    const extended = { prepare: false, simple: false } as { prepare: boolean };
    const query = this.#sql.unsafe(sql, [...parameters], extended);
    if (options.portalRows !== undefined) query.cursor(options.portalRows, () => this.#sql.CLOSE);
    // What the server said is in the exchange; anything else that goes wrong is npm:postgres's own.
    query.catch((error: unknown) => {
      if (!(error instanceof postgres.PostgresError)) this.fail(this.#protocolFailure(error));
    });
    const timer = setTimeout(() => {
      this.fail(
        new ConnectionError(
          new CallError(
            "unavailable",
            `Cannot get an answer as ${nameAddress(this.identity.address)} was silent for ${
              seconds(options.timeoutMs)
            }`,
            { hint: "ask again in a moment" },
          ),
        ),
      );
    }, options.timeoutMs);
    try {
      await exchange.settle.promise;
    } finally {
      clearTimeout(timer);
    }
    if (exchange.error !== undefined) throw new ServerError(exchange.error);
  }

  /** Ends the session at once; what is in flight is rejected with `failure`. */
  fail(failure: ConnectionError): void {
    if (this.failure !== undefined) return;
    this.failure = failure;
    this.#socket.destroy();
    for (const exchange of this.#exchanges.splice(0)) exchange.settle.reject(failure);
  }

  /** Says goodbye and waits for the end of the socket, for 1 s at most. */
  async close(): Promise<void> {
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
        return this.#forward(type, body);
      case "S":
        return this.#parameter(body);
      case "K":
        this.cancelKey = body.slice(0, 8);
        return;
      case "Z":
        return this.#readyForQuery(body);
    }
    const exchange = this.#current(type);
    switch (type) {
      case "T":
        exchange.reader.columns = readColumns(body);
        this.#wire.emit("data", noData);
        return;
      case "I":
      case "C":
        this.#wire.emit("data", complete);
        return;
      case "s":
        if (!exchange.portal || exchange.suspended) throw new ProtocolError("a portal that nobody opened");
        exchange.suspended = true;
        break;
      case "3":
        if (!exchange.suspended) throw new ProtocolError("a portal that nobody closed");
        break;
    }
    this.#forward(type, body);
  }

  #forward(type: string, body: Uint8Array): void {
    this.#wire.emit("data", message(type, body));
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
    const done = this.#ready ? this.#current("Z") : undefined;
    if (!this.#ready) this.#logIn.complete();
    this.#ready = true;
    this.#forward("Z", body);
    if (done === undefined) return;
    this.#exchanges.shift();
    done.settle.resolve();
  }

  #error(received: ErrorFields): void {
    const [exchange] = this.#exchanges;
    const severity = received.get("V") ?? received.get("S");
    const fields = this.#logIn.conceal(received);
    if (this.#ready && severity === "ERROR" && exchange !== undefined) {
      exchange.error = fields;
      this.#wire.emit("data", failed);
      return;
    }
    throw new ConnectionError(describeSessionEnd(new ServerError(fields), this.identity));
  }

  #tooLarge(): void {
    this.fail(
      new ConnectionError(
        new CallError("refused", "Cannot return the answer as it is larger than 64 MB", {
          hint: "select fewer columns or rows, or a part of a long value: left(column, 1000)",
        }),
      ),
    );
  }

  #protocolFailure(cause: unknown): ConnectionError {
    const where = nameAddress(this.identity.address);
    return new ConnectionError(
      new CallError("unavailable", `Cannot understand ${where} as it does not speak PostgreSQL's protocol`, {
        hint: "an operator must check that DB_HOST and DB_PORT, or DATABASE_URL, name a PostgreSQL server",
        cause,
      }),
    );
  }

  #lost(cause?: unknown): ConnectionError {
    const where = nameAddress(this.identity.address);
    return new ConnectionError(
      this.#ready
        ? new CallError("unavailable", `Cannot go on as the connection to ${where} was lost`, {
          hint: "ask again in a moment",
          cause,
        })
        : describeConnectFailure(
          Object.assign(new Error("closed", { cause }), { code: "ECONNRESET" }),
          this.identity.address,
        ),
    );
  }
}
