/**
 * The HTTP server itself, on a port of this machine's own that only the connections of this process are answered on.
 * `Deno.serve` stops listening for good when it can't accept a connection; it is started anew then, and what it was
 * answering goes on. So it is when handles run out: other processes of this machine may hold connections to it, which
 * nobody sees before a request, and which end with the server that they were made to.
 */
import { describeError, type Logger } from "../log.ts";
import type { Connections } from "./connections.ts";

/** What the server is made of. */
export interface InnerServerOptions {
  readonly handler: (request: Request) => Promise<Response>;
  /** The connections that may lead here. */
  readonly connections: () => Pick<Connections, "at" | "ranOut" | "relieve">;
  readonly log: Logger;
  /** Begins to listen, until the signal cuts all; for tests of when it can't. */
  readonly serve?: (
    handler: Deno.ServeHandler<Deno.NetAddr>,
    signal: AbortSignal,
  ) => Deno.HttpServer<Deno.NetAddr>;
  /** Milliseconds between two attempts to listen again, and how many there are. */
  readonly retryMs?: number;
  readonly attempts?: number;
  /** Milliseconds that a server goes on for connections on which nothing is being answered, after another has begun. */
  readonly leaveMs?: number;
  /** Milliseconds that it goes on for answers, where others than our connections hold the handles. */
  readonly besetMs?: number;
}

/** One server that was started, and how many requests it is answering. */
interface Started {
  readonly server: Deno.HttpServer<Deno.NetAddr>;
  /** Cuts its connections. */
  readonly end: AbortController;
  answering: number;
  /** Another has begun in its place, and its time to leave is over. */
  isOver: boolean;
}

/** Milliseconds between two renewals for want of handles; longer than `besetMs`. */
const renewMs = 10_000;

/** Serves until it is shut down. */
export class InnerServer {
  readonly #options: Required<InnerServerOptions>;
  readonly #lost = Promise.withResolvers<void>();
  #current: Started;
  /** Those whose place another has taken, and that still may be answering. */
  readonly #former = new Map<Started, ReturnType<typeof setTimeout>>();
  /** Until the server is cut that strangers hold. */
  #besetTimer: ReturnType<typeof setTimeout> | undefined;
  #renewedAt = -Infinity;
  #isRestarting = false;
  #isStopping = false;

  constructor(options: InnerServerOptions) {
    const { log } = options;
    this.#options = {
      serve: (handler, signal) => serveOnLoopback(handler, signal, log),
      retryMs: 250,
      attempts: 120,
      leaveMs: 1_000,
      besetMs: 5_000,
      ...options,
    };
    this.#current = this.#start();
  }

  /** Where it listens now. */
  get address(): Deno.NetAddr {
    return this.#current.server.addr;
  }

  /** Resolves when it has stopped listening and can't begin again. */
  get lost(): Promise<void> {
    return this.#lost.promise;
  }

  /** Takes no new connection, and resolves when all have ended. */
  async shutdown(): Promise<void> {
    this.#isStopping = true;
    const all = [this.#current, ...this.#former.keys()];
    for (const timer of [...this.#former.values(), this.#besetTimer]) clearTimeout(timer);
    await Promise.allSettled(all.map(({ server }) => server.shutdown()));
  }

  /** Nobody listens at its address: Deno says so only when the last connection has ended, which may take for ever. */
  renew(address: Deno.NetAddr): void {
    if (address.port === this.#current.server.addr.port) this.#restart();
  }

  /** There are no more handles: begins anew, and leaves behind whoever holds some without being known. */
  ranOut({ isOurs }: { readonly isOurs: boolean }): void {
    if (performance.now() - this.#renewedAt < renewMs) return;
    this.#renewedAt = performance.now();
    const beset = this.#current;
    this.#restart();
    if (isOurs) return;
    // A slow answer must not let strangers keep what everybody needs.
    this.#besetTimer = setTimeout(() => {
      beset.end.abort();
      this.#former.delete(beset);
      this.#options.connections().relieve();
    }, this.#options.besetMs);
  }

  #start(): Started {
    const end = new AbortController();
    const started: Started = {
      server: this.#options.serve((request, info) => this.#answer(started, request, info), end.signal),
      end,
      answering: 0,
      isOver: false,
    };
    started.server.finished.catch((error) => {
      if (started !== this.#current) return;
      this.#options.connections().ranOut(error);
      this.#restart();
    });
    return started;
  }

  async #restart(): Promise<void> {
    if (this.#isStopping || this.#isRestarting) return;
    this.#isRestarting = true;
    const { attempts, retryMs, log } = this.#options;
    for (let attempt = 1; attempt <= attempts && !this.#isStopping; attempt++) {
      try {
        const former = this.#current;
        this.#current = this.#start();
        this.#isRestarting = false;
        this.#former.set(former, setTimeout(() => this.#leave(former), this.#options.leaveMs));
        return;
      } catch (error) {
        // It holds what the next one needs, and most likely others hold it by its connections.
        if (this.#current.answering === 0) this.#current.end.abort();
        if (attempt === attempts) {
          log.error("the HTTP server can't be started anew", { error: describeError(error) });
        }
      }
      await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
    this.#lost.resolve();
  }

  /** Cuts what a former server holds, as soon as it answers nothing any more. */
  #leave(former: Started): void {
    former.isOver = true;
    if (former.answering > 0) return;
    former.end.abort();
    this.#former.delete(former);
  }

  async #answer(
    started: Started,
    request: Request,
    info: Deno.ServeHandlerInfo<Deno.NetAddr>,
  ): Promise<Response> {
    const { hostname, port } = info.remoteAddr;
    // The same port of another loopback address is another process of this machine, past all limits.
    const connection = hostname === this.address.hostname ? this.#options.connections().at(port) : undefined;
    if (connection === undefined) {
      return new Response(null, { status: 403, headers: { connection: "close" } });
    }
    // `Deno.serve` writes the header that says so, and goes on reading requests.
    if (connection.isEnding) {
      await connection.ended;
      return new Response(null, { status: 503 });
    }
    connection.beginAnswer();
    started.answering++;
    const end = () => {
      connection.endAnswer();
      started.answering--;
      if (started.isOver) this.#leave(started);
    };
    info.completed.then(end, end);
    const response = await this.#options.handler(request);
    if (this.#former.has(started)) response.headers.set("connection", "close");
    if (response.headers.get("connection") === "close") connection.announceEnd();
    return response;
  }
}

function serveOnLoopback(
  handler: Deno.ServeHandler<Deno.NetAddr>,
  signal: AbortSignal,
  log: Logger,
): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    signal,
    onListen: () => {},
    onError: (error) => {
      log.error("a defect in serving a request", { error: describeError(error, true) });
      return new Response(null, { status: 500 });
    },
  }, handler);
}
