/**
 * The connections that clients hold open: how many there may be, and who has to go when there is no room, or when the
 * operating system has no handle left. `Deno.serve` bounds neither their number nor the time for a request's head, and
 * it stops listening for good at the first connection that it can't accept.
 */
import { isOutOfHandles } from "../file_handles.ts";
import { describeError, type Logger } from "../log.ts";
import type { InnerServer } from "./inner_server.ts";
import { Connection, type ConnectionLimits } from "./connection.ts";
import { refusals } from "./request_head.ts";

/** What the connections are made of. */
export interface ConnectionsOptions {
  readonly limits: ConnectionLimits & {
    /** Connections that may be open at once. */
    readonly maxConnections: number;
  };
  /** The server that they lead to, and what to call when nobody listens there, or no handles are left. */
  readonly server: Pick<InnerServer, "address" | "renew" | "ranOut">;
  /** Called for a connection that was turned away. */
  readonly turnedAway: () => void;
  readonly log: Logger;
}

const firstPauseMs = 20;
const longestPauseMs = 1_000;
/** A connection that is passed on takes the client's handle and both ends of the one behind. */
const handlesEach = 3;
/** Of the handles that were there when they ran out, this share is used from then on, for a while. */
const prudence = 0.75;
const prudentMs = 60_000;
const fewestConnections = 4;
/** When handles run out while our own connections have fewer, others of this machine hold the rest. */
const fewHandles = 30;
/** After an answer, or the beginning, nobody is sent away for so long: its last bytes may be on their way. */
const settledMs = 20;
/** Whoever has taken nothing of an answer for so long goes, when there is no room otherwise. */
const stuckMs = 1_000;
/** How often a connection to the server behind is tried, a pause between each. */
const dialAttempts = 5;

/** Accepts connections until told to stop. */
export class Connections {
  readonly #listener: Deno.TcpListener;
  readonly #options: ConnectionsOptions;
  readonly #open = new Set<Connection>();
  /** By the port that the server sees. */
  readonly #byPort = new Map<number, Connection>();
  #isStopped = false;
  /** How many there may be now, and when handles last ran out. */
  #most: number;
  #ranOutAt = -Infinity;

  constructor(listener: Deno.TcpListener, options: ConnectionsOptions) {
    this.#listener = listener;
    this.#options = options;
    this.#most = options.limits.maxConnections;
  }

  get size(): number {
    return this.#open.size;
  }

  /** The connection that the server knows by that port; undefined for a stranger who has found the server itself. */
  at(port: number): Connection | undefined {
    return this.#byPort.get(port);
  }

  /** Accepts until {@linkcode stop}; rejects when the listener is of no use any more. */
  async run(): Promise<void> {
    let pauseMs = firstPauseMs;
    while (!this.#isStopped) {
      let client: Deno.TcpConn;
      try {
        client = await this.#listener.accept();
      } catch (error) {
        if (this.#isStopped) return;
        if (error instanceof Deno.errors.BadResource) throw error;
        this.ranOut(error);
        await pause(pauseMs);
        pauseMs = Math.min(2 * pauseMs, longestPauseMs);
        continue;
      }
      pauseMs = firstPauseMs;
      this.#welcome(client);
    }
  }

  /** Something could not be opened: keeps fewer connections from now on, and closes those that can go. */
  ranOut(error: unknown, except?: Connection): void {
    if (!isOutOfHandles(error)) return;
    const taken = this.#open.values().reduce((sum, one) => sum + (one.owesRequest ? 1 : handlesEach), 0);
    const most = Math.max(fewestConnections, Math.floor(prudence * taken / handlesEach));
    const isNews = performance.now() - this.#ranOutAt > prudentMs;
    this.#ranOutAt = performance.now();
    if (isNews || most < this.#most) {
      this.#most = most;
      this.#options.log.error("no more connections can be opened: idle ones are closed to make room", {
        error: describeError(error),
        open: this.#open.size,
        kept: most,
      });
    }
    while (this.#open.size > this.#most && this.#makeRoom(except));
    this.#options.server.ranOut({ isOurs: taken >= fewHandles });
  }

  /** Others held the handles, and do no longer: our own were not too many. */
  relieve(): void {
    this.#most = this.#options.limits.maxConnections;
    this.#ranOutAt = -Infinity;
  }

  /** Takes no new connection. */
  stop(): void {
    this.#isStopped = true;
    this.#listener.close();
  }

  /** Resolves when the last bytes have been passed on, after the server behind has closed. */
  async ended(): Promise<void> {
    for (const connection of this.#open) if (connection.owesRequest) connection.close();
    await Promise.all(this.#open.values().map((connection) => connection.ended));
  }

  /** Closes all that are left. */
  close(): void {
    for (const connection of this.#open) connection.close();
  }

  #welcome(client: Deno.TcpConn): void {
    if (performance.now() - this.#ranOutAt > prudentMs) this.#most = this.#options.limits.maxConnections;
    if (this.#open.size >= this.#most && !this.#makeRoom()) {
      this.#options.turnedAway();
      client.write(refusals.full).catch(() => {}).finally(() => client.close());
      return;
    }
    client.setNoDelay();
    let port: number | undefined;
    const connection: Connection = new Connection(client, {
      limits: this.#options.limits,
      dial: async () => {
        const server = await this.#dial(connection);
        port = server.localAddr.port;
        this.#byPort.set(port, connection);
        return server;
      },
    });
    this.#open.add(connection);
    connection.ended.finally(() => {
      this.#open.delete(connection);
      if (port !== undefined) this.#byPort.delete(port);
    });
  }

  async #dial(connection: Connection): Promise<Deno.TcpConn> {
    for (let attempt = 1;; attempt++) {
      const { address } = this.#options.server;
      try {
        const server = await Deno.connect({ hostname: address.hostname, port: address.port });
        server.setNoDelay();
        return server;
      } catch (error) {
        if (attempt === dialAttempts || this.#isStopped) throw error;
        this.ranOut(error, connection);
        if (error instanceof Deno.errors.ConnectionRefused) this.#options.server.renew(address);
        await pause(firstPauseMs * attempt);
      }
    }
  }

  /**
   * Closes the connection that has been idle the longest: one between two requests, else one that still owes one; else
   * the one whose client has not taken its answer for the longest.
   */
  #makeRoom(except?: Connection): boolean {
    const others = [...this.#open].filter((connection) => connection !== except);
    const oldest = (
      from: readonly Connection[],
      since: (one: Connection) => number | undefined,
      ms: number,
    ) => {
      const latest = performance.now() - ms;
      const age = (one: Connection) => since(one) ?? Infinity;
      return from.filter((one) => age(one) <= latest).sort((one, other) => age(one) - age(other)).at(0);
    };
    const idleSince = (one: Connection) => one.idleSince;
    const leaver = oldest(others.filter((one) => one.isBetweenRequests), idleSince, settledMs) ??
      oldest(others, idleSince, settledMs) ??
      oldest(others, (one) => one.stuckSince, stuckMs);
    leaver?.close();
    if (leaver !== undefined) this.#open.delete(leaver);
    return leaver !== undefined;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
