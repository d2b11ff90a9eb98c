/**
 * The connections that clients hold open: how many there may be, and who has to go when there is no room, or when the
 * operating system has no handle left.
 */
import { isOutOfHandles } from "../file_handles.ts";
import { describeError, type Logger } from "../log.ts";
import { Connection, type ConnectionLimits, type ConnectionOptions } from "./connection.ts";
import { refusals } from "./request_head.ts";

/** What the connections are made of. */
export interface ConnectionsOptions {
  readonly limits: ConnectionLimits & {
    /** Connections that may be open at once. */
    readonly maxConnections: number;
  };
  readonly serve: ConnectionOptions["serve"];
  /** Called for a connection that was turned away. */
  readonly turnedAway: () => void;
  readonly log: Logger;
}

const firstPauseMs = 20;
const longestPauseMs = 1_000;
/** Of the handles that were there when they ran out, this share is used from then on, for a while. */
const prudence = 0.75;
const prudentMs = 60_000;
const fewestConnections = 4;
/** After an answer, or the beginning, nobody is sent away for so long: its last bytes may be on their way. */
const settledMs = 20;
/** Whoever has taken nothing of an answer for so long goes, when there is no room otherwise. */
const stuckMs = 1_000;

/** Accepts connections until told to stop. */
export class Connections {
  readonly #listener: Deno.TcpListener;
  readonly #options: ConnectionsOptions;
  readonly #open = new Set<Connection>();
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
        if (isGone(error)) continue;
        this.#ranOut(error);
        await pause(pauseMs);
        pauseMs = Math.min(2 * pauseMs, longestPauseMs);
        continue;
      }
      pauseMs = firstPauseMs;
      this.#welcome(client);
    }
  }

  /** A connection could not be taken: keeps fewer from now on, and closes those that can go. */
  #ranOut(error: unknown): void {
    if (!isOutOfHandles(error)) return;
    const most = Math.max(fewestConnections, Math.floor(prudence * this.#open.size));
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
    while (this.#open.size > this.#most && this.#makeRoom());
  }

  /** Takes no new connection. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#listener.close();
  }

  /** Ends each after the answer that is under way, and resolves when the last bytes have been passed on. */
  async leave(): Promise<void> {
    for (const connection of this.#open) connection.leave();
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
    try {
      client.setNoDelay();
    } catch {
      // It has gone away, as reading will tell.
    }
    const connection = new Connection(client, this.#options);
    this.#open.add(connection);
    connection.ended.finally(() => this.#open.delete(connection));
  }

  /**
   * Closes the connection that has been idle the longest: one between two requests, else one that still owes one; else
   * the one whose client has not taken its answer for the longest.
   */
  #makeRoom(): boolean {
    const others = [...this.#open];
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

/** Whether it was the client that went away, before its connection was taken. */
function isGone(error: unknown): boolean {
  const { ConnectionAborted, ConnectionReset, NotConnected } = Deno.errors;
  return [ConnectionAborted, ConnectionReset, NotConnected].some((kind) => error instanceof kind);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
