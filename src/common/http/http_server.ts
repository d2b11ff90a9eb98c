/** The HTTP server as the rest of the program sees it: a port that connections come to, and requests that are answered. */
import { StartError } from "../errors.ts";
import { authority, type ListenAddress } from "../listen_address.ts";
import { describeError, type Logger } from "../log.ts";
import type { ConnectionLimits } from "./connection.ts";
import { Connections } from "./connections.ts";
import type { HttpRequest } from "./http_request.ts";
import { RequestServer } from "./request_server.ts";

/** What may be held open, and for how long. */
export type ServerLimits = ConnectionLimits & {
  /** Connections that may be open at once. */
  readonly maxConnections: number;
};

/** What is served, and where. */
export interface ServerOptions {
  readonly address: ListenAddress;
  readonly handler: (request: HttpRequest) => Promise<Response>;
  readonly log: Logger;
  readonly limits?: Partial<ServerLimits>;
  /** Called for a connection that was turned away, as there was no room. */
  readonly turnedAway?: () => void;
}

/**
 * Idle proxies keep a connection for up to ten minutes, and must be the ones who close it. So many connections leave
 * enough of the 1,024 file handles that a process has at least in most places.
 */
const usualLimits: ServerLimits = {
  maxConnections: 256,
  headMs: 10_000,
  idleMs: 620_000,
  writeMs: 30_000,
  maxHeadBytes: 32_768,
};

/** Listens from the start. */
export class HttpServer {
  readonly port: number;
  /** Resolves when nobody can connect any more, though nobody has shut it down. */
  readonly lost: Promise<void>;
  readonly #connections: Connections;

  /** Throws {@linkcode StartError} when it can't listen. */
  constructor({ address, handler, log, limits, turnedAway = () => {} }: ServerOptions) {
    const listener = listen(address);
    this.port = listener.addr.port;
    const all = { ...usualLimits, ...limits };
    const requests = new RequestServer({ handler, log, maxHeadBytes: all.maxHeadBytes });
    this.#connections = new Connections(listener, {
      limits: all,
      serve: (stream, connection) => requests.take(stream, connection),
      turnedAway,
      log,
    });
    const lost = Promise.withResolvers<void>();
    this.lost = lost.promise;
    this.#connections.run().catch((error) => {
      log.error("no more connections can be accepted", { error: describeError(error) });
      lost.resolve();
    });
  }

  /** Connections that are open. */
  get connections(): number {
    return this.#connections.size;
  }

  /** Takes no new connection, and resolves when those that are open have ended. */
  async shutdown(): Promise<void> {
    this.#connections.stop();
    await this.#connections.leave();
  }

  /** Closes what is open. */
  close(): void {
    this.#connections.close();
  }
}

/** Listens for a moment. Throws {@linkcode StartError} when it can't. */
export function tryListening(address: ListenAddress): void {
  listen(address).close();
}

function listen(address: ListenAddress): Deno.TcpListener {
  try {
    return Deno.listen(address);
  } catch (error) {
    throw notListening(address, error);
  }
}

function notListening(address: ListenAddress, error: unknown): StartError {
  return new StartError(`Cannot listen on ${authority(address)}: ${reasonNotToListen(error)}`, {
    cause: error,
  });
}

function reasonNotToListen(error: unknown): string {
  if (error instanceof Deno.errors.AddrInUse) {
    return "another program does; stop it, or give --http another port";
  }
  if (error instanceof Deno.errors.AddrNotAvailable) {
    return "this machine has no such address; 0.0.0.0 and [::] stand for all that it has";
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return "the operating system denies it; ports from 1024 up need no special right";
  }
  if (error instanceof Deno.errors.NotCapable) {
    return "this program was built without permission for it: --net must name the address";
  }
  return error instanceof Error && "code" in error ? String(error.code) : "the address can't be used";
}
