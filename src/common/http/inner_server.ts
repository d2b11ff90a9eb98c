/**
 * The HTTP server itself, on a port of this machine's own that only the connections of this process are answered on.
 * `Deno.serve` stops listening for good when it can't accept a connection; it is started anew then, and what it was
 * answering goes on.
 */
import { describeError, type Logger } from "../log.ts";
import type { Connections } from "./connections.ts";

/** What the server is made of. */
export interface InnerServerOptions {
  readonly handler: (request: Request) => Promise<Response>;
  /** The connections that may lead here. */
  readonly connections: () => Pick<Connections, "at" | "ranOut">;
  readonly log: Logger;
  /** Begins to listen; for tests of when it can't. */
  readonly serve?: (handler: Deno.ServeHandler<Deno.NetAddr>) => Deno.HttpServer<Deno.NetAddr>;
  /** Milliseconds between two attempts to listen again, and how many there are. */
  readonly retryMs?: number;
  readonly attempts?: number;
}

/** Serves until it is shut down. */
export class InnerServer {
  readonly #options: Required<InnerServerOptions>;
  readonly #lost = Promise.withResolvers<void>();
  #server: Deno.HttpServer<Deno.NetAddr>;
  /** Those that no longer listen, and still may be answering. */
  readonly #former: Deno.HttpServer<Deno.NetAddr>[] = [];
  #isRestarting = false;
  #isStopping = false;

  constructor(options: InnerServerOptions) {
    const { log } = options;
    this.#options = {
      serve: (handler) => serveOnLoopback(handler, log),
      retryMs: 250,
      attempts: 120,
      ...options,
    };
    this.#server = this.#start();
  }

  /** Where it listens now. */
  get address(): Deno.NetAddr {
    return this.#server.addr;
  }

  /** Resolves when it has stopped listening and can't begin again. */
  get lost(): Promise<void> {
    return this.#lost.promise;
  }

  /** Takes no new connection, and resolves when all have ended. */
  async shutdown(): Promise<void> {
    this.#isStopping = true;
    await Promise.allSettled([this.#server, ...this.#former].map((server) => server.shutdown()));
  }

  /** Nobody listens at its address: Deno says so only when the last connection has ended, which may take for ever. */
  renew(address: Deno.NetAddr): void {
    if (address.port === this.#server.addr.port) this.#restart();
  }

  #start(): Deno.HttpServer<Deno.NetAddr> {
    const server = this.#options.serve((request, info) => this.#answer(request, info));
    server.finished.catch((error) => {
      if (server !== this.#server) return;
      this.#options.connections().ranOut(error);
      this.#restart();
    });
    return server;
  }

  async #restart(): Promise<void> {
    if (this.#isStopping || this.#isRestarting) return;
    this.#isRestarting = true;
    const { attempts, retryMs, log } = this.#options;
    for (let attempt = 1; attempt <= attempts && !this.#isStopping; attempt++) {
      try {
        const server = this.#start();
        this.#former.push(this.#server);
        this.#server = server;
        this.#isRestarting = false;
        return;
      } catch (error) {
        if (attempt === attempts) {
          log.error("the HTTP server can't be started anew", { error: describeError(error) });
        }
      }
      await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
    this.#lost.resolve();
  }

  async #answer(request: Request, info: Deno.ServeHandlerInfo<Deno.NetAddr>): Promise<Response> {
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
    const end = () => connection.endAnswer();
    info.completed.then(end, end);
    const response = await this.#options.handler(request);
    if (response.headers.get("connection") === "close") connection.announceEnd();
    return response;
  }
}

function serveOnLoopback(
  handler: Deno.ServeHandler<Deno.NetAddr>,
  log: Logger,
): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    onListen: () => {},
    onError: (error) => {
      log.error("a defect in serving a request", { error: describeError(error, true) });
      return new Response(null, { status: 500 });
    },
  }, handler);
}
