/**
 * HTTP itself, by Node's server, which is handed connections and listens nowhere: no other process can reach it.
 * Requests by one connection are answered one after the other.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { describeError, type Logger } from "../log.ts";
import { inRequestSpan } from "../tracing.ts";
import type { Connection } from "./connection.ts";
import type { HttpRequest } from "./http_request.ts";
import { refusals } from "./request_head.ts";
import { bodyOf, give, type IncomingBody, requestOf } from "./web_messages.ts";

/** What the server is made of. */
export interface RequestServerOptions {
  readonly handler: (request: HttpRequest) => Promise<Response>;
  readonly maxHeadBytes: number;
  readonly log: Logger;
}

/** Who speaks by a stream, and what is being answered. */
interface Talk {
  readonly connection: Connection;
  /** Resolves when the last request that came has been answered. */
  answered: Promise<void>;
  waiting: number;
  current: { readonly outgoing: ServerResponse; readonly body: IncomingBody | undefined } | undefined;
}

/** Requests that may wait for the answer to another by the same connection. */
const maxWaiting = 32;
const maxFields = 100;

/** Answers what comes by the connections that it is handed. */
export class RequestServer {
  readonly #options: RequestServerOptions;
  readonly #server: Server;
  readonly #talks = new WeakMap<Duplex, Talk>();

  constructor(options: RequestServerOptions) {
    this.#options = options;
    // Who is slow is the connection's business.
    const noTimes = { keepAliveTimeout: 0, headersTimeout: 0, requestTimeout: 0 };
    this.#server = createServer({ ...noTimes, maxHeaderSize: options.maxHeadBytes });
    // Deno's closes every connection after an answer where it does not listen; Node's looks at something else.
    Object.defineProperty(this.#server, "listening", { value: true });
    // A client may have said all it will, and still read: Node's name for that, which its types leave out.
    Object.assign(this.#server, { httpAllowHalfOpen: true });
    this.#server.on("request", (incoming, outgoing) => void this.#receive(incoming, outgoing));
    // Told to go on when its body is wanted.
    this.#server.on("checkContinue", (incoming, outgoing) => void this.#receive(incoming, outgoing));
    // One that comes alone has lost its offer before; see `withoutUpgrade`.
    for (const way of ["connect", "upgrade"]) {
      this.#server.on(way, (_: IncomingMessage, stream: Duplex) => void this.#refuseTunnel(stream));
    }
    this.#server.on("clientError", (error, stream) => this.#refuse(error, stream));
  }

  /** Answers what comes by a connection. */
  take(stream: Duplex, connection: Connection): void {
    const talk: Talk = { connection, answered: Promise.resolve(), waiting: 0, current: undefined };
    stream.once("end", () => talk.current?.body?.fail(new Error("the client sends no more")));
    this.#talks.set(stream, talk);
    this.#server.emit("connection", stream);
  }

  /** Waits until those before it are answered, and answers it. Never throws. */
  async #receive(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const stream: Duplex = incoming.socket;
    const talk = this.#talks.get(stream);
    if (talk === undefined || talk.waiting === maxWaiting) return void stream.destroy();
    const before = talk.answered;
    const { promise, resolve } = Promise.withResolvers<void>();
    talk.answered = promise;
    outgoing.on("error", () => {});
    outgoing.once("close", resolve);
    if (talk.current !== undefined) {
      talk.waiting++;
      talk.connection.joinQueue();
      await before;
      talk.waiting--;
      talk.connection.leaveQueue();
    }
    // The answer before it was the last: a proxy may have taken this for a part of that one's body.
    if (stream.destroyed || stream.writableEnded) return resolve();
    talk.connection.beginAnswer();
    // HTTP/1.0 knows of no answer before the answer.
    const isExpecting = incoming.headers.expect !== undefined && incoming.httpVersion !== "1.0";
    const body = bodyOf(incoming, () => isExpecting && outgoing.writeContinue());
    talk.current = { outgoing, body };
    promise.then(() => {
      if (talk.current?.outgoing === outgoing) talk.current = undefined;
      body?.drop();
      talk.connection.endAnswer();
    });
    const response = await inRequestSpan(outgoing, () => this.#answer(incoming, body));
    if (talk.connection.isLeaving) outgoing.shouldKeepAlive = false;
    await give(response, outgoing, stream);
  }

  async #answer(incoming: IncomingMessage, body: IncomingBody | undefined): Promise<Response> {
    const close = { connection: "close" };
    if (!["1.0", "1.1"].includes(incoming.httpVersion)) {
      return new Response(null, { status: 505, headers: close });
    }
    if (incoming.rawHeaders.length > 2 * maxFields) {
      return new Response(null, { status: 431, headers: close });
    }
    const request = requestOf(incoming, body?.stream);
    if (request === undefined) return new Response(null, { status: 400, headers: close });
    try {
      return await this.#options.handler(request);
    } catch (error) {
      this.#options.log.error("a defect in serving a request", { error: describeError(error, true) });
      return new Response(null, { status: 500 });
    }
  }

  /** No other protocol is spoken here: says so, once all that came before is answered. */
  async #refuseTunnel(stream: Duplex): Promise<void> {
    const talk = this.#talks.get(stream);
    talk?.connection.ignoreRest();
    await talk?.answered;
    if (stream.writable) stream.end(refusals.notImplemented);
  }

  /** Bytes came that are no HTTP: a request whose body they should have been is answered, and is the last. */
  #refuse(error: Error, stream: Duplex): void {
    const talk = this.#talks.get(stream);
    talk?.connection.ignoreRest();
    const current = talk?.current;
    if (current === undefined) {
      if (stream.writable) {
        stream.end(
          "code" in error && error.code === "HPE_HEADER_OVERFLOW" ? refusals.tooLarge : refusals.bad,
        );
      }
      return;
    }
    current.outgoing.shouldKeepAlive = false;
    // Its head may have left with another word: the connection ends behind it all the same.
    talk?.connection.leave();
    current.body?.fail(error);
  }
}
