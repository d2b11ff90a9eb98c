/** The connections of one program: opened when needed, each in the hands of one call, shared out among clients. */
import { askingClient } from "../common/asking_client.ts";
import { CallError } from "../common/errors.ts";
import { Shares, type Waiting } from "../common/shares.ts";
import { seconds } from "./database_errors.ts";
import type { Session } from "./session.ts";

const usualIdleMs = 60_000;
/** How long one that is on its way back is waited for where there is room for another: its server may have gone silent. */
const returnMs = 250;

interface Idle {
  readonly session: Session;
  /** By the wall clock: timers stand still while a computer sleeps, and the connection is dead when it wakes. */
  readonly since: number;
}

interface Waiter extends Waiting {
  readonly take: () => void;
}

/** Settings for a {@linkcode Pool}. */
export interface PoolOptions {
  /** Connections at once. */
  readonly size: number;
  /** Opens a connection and logs in. */
  readonly open: (signal: AbortSignal) => Promise<Session>;
  /**
   * Milliseconds that a connection may wait for its next call: a restarted server or a new password needs no restart of
   * ours. 60,000 unless given.
   */
  readonly idleMs?: number;
}

/** A session for one call. */
export interface Lease {
  readonly session: Session;
  /** It served another call before, and may have died since without a word. */
  readonly used: boolean;
}

/** Hands sessions out. */
export class Pool {
  readonly #options: PoolOptions;
  readonly #idle: Idle[] = [];
  #sweep: ReturnType<typeof setTimeout> | undefined;
  readonly #waiters: Waiter[] = [];
  readonly #ending = new Set<Promise<void>>();
  /** Given back, and not yet as new. */
  readonly #returning = new Set<Promise<void>>();
  readonly #shares = new Shares();
  /** Whose call a session serves. */
  readonly #clients = new WeakMap<Session, string>();
  #taken = 0;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /**
   * Waits `timeoutMs` at most. Throws {@linkcode CallError} `unavailable` when all stay busy, what `open` throws,
   * and the signal's reason. Each lease must be given back.
   */
  async take(options: { readonly signal: AbortSignal; readonly timeoutMs: number }): Promise<Lease> {
    const client = askingClient();
    await this.#turn(options, client);
    try {
      const lease = await this.#session(options.signal);
      this.#clients.set(lease.session, client);
      return lease;
    } catch (error) {
      this.#next(client);
      throw error;
    }
  }

  async #session(signal: AbortSignal): Promise<Lease> {
    for (;;) {
      const idle = this.#idle.pop();
      if (idle === undefined) break;
      if (idle.session.failure === undefined && this.#restMs(idle) > 0) {
        return { session: idle.session, used: true };
      }
      this.#end(idle.session);
    }
    return { session: await this.#options.open(signal), used: false };
  }

  /** Takes a session back; one that does not become `clean` is thrown away. */
  give(session: Session, clean: Promise<boolean>): void {
    const returning = clean.catch(() => false).then((isClean) => {
      this.#returning.delete(returning);
      this.#keep(session, isClean);
    });
    this.#returning.add(returning);
  }

  #keep(session: Session, clean: boolean): void {
    if (clean && session.failure === undefined) {
      this.#idle.push({ session, since: Date.now() });
      this.#sweepLater();
    } else {
      this.#end(session);
      // What ended one without its doing, such as a network that was changed, may have ended those that are silent.
      if (session.failure?.callError.kind === "unavailable") this.#endIdle();
    }
    this.#next(this.#clients.get(session) ?? "");
  }

  /** Ends those whose time is over when it is; one timer, as a connection is idle for a moment after each call. */
  #sweepLater(): void {
    const [oldest] = this.#idle;
    if (oldest === undefined || this.#sweep !== undefined) return;
    this.#sweep = setTimeout(() => {
      this.#sweep = undefined;
      for (const idle of [...this.#idle]) {
        if (this.#restMs(idle) > 0) continue;
        this.#idle.splice(this.#idle.indexOf(idle), 1);
        this.#end(idle.session);
      }
      this.#sweepLater();
    }, this.#restMs(oldest));
    // Waiting for its end must not keep a program alive.
    Deno.unrefTimer(Number(this.#sweep));
  }

  /** How many connections calls have, how many wait for a call, and how many calls wait for one. */
  get use(): { readonly busy: number; readonly idle: number; readonly waiting: number } {
    return { busy: this.#taken, idle: this.#idle.length, waiting: this.#waiters.length };
  }

  /** Whether a call that came now would have to wait. */
  get isFull(): boolean {
    return this.#taken >= this.#options.size;
  }

  /** Ends all sessions that are given back, and waits for the ends of those that were thrown away. */
  async clear(): Promise<void> {
    await Promise.all(this.#returning);
    this.#endIdle();
    await Promise.all(this.#ending);
  }

  #endIdle(): void {
    clearTimeout(this.#sweep);
    this.#sweep = undefined;
    for (const { session } of this.#idle.splice(0)) this.#end(session);
  }

  #end(session: Session): void {
    const end = session.close();
    this.#ending.add(end);
    end.finally(() => this.#ending.delete(end));
  }

  #turn(
    { signal, timeoutMs }: { readonly signal: AbortSignal; readonly timeoutMs: number },
    client: string,
  ): Promise<void> {
    signal.throwIfAborted();
    // One that is on its way back is there sooner than a new one.
    if (this.#taken < this.#options.size && this.#waiters.length >= this.#returning.size) {
      this.#taken++;
      this.#shares.add(client);
      return Promise.resolve();
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter: Waiter = { client, take: resolve };
    const leave = (reason: unknown) => {
      const at = this.#waiters.indexOf(waiter);
      if (at === -1) return;
      this.#waiters.splice(at, 1);
      reject(reason);
    };
    const onAbort = () => leave(signal.reason);
    const another = setTimeout(() => {
      const at = this.#waiters.indexOf(waiter);
      if (at === -1 || this.isFull) return;
      this.#waiters.splice(at, 1);
      this.#taken++;
      this.#shares.add(client);
      resolve();
    }, returnMs);
    const timer = setTimeout(() => {
      const { size } = this.#options;
      const busy = size === 1 ? "the only one is" : `all ${size} are`;
      leave(
        new CallError(
          "unavailable",
          `Cannot get a connection within ${seconds(timeoutMs)} as ${busy} busy`,
          { hint: "ask again in a moment; an operator can raise DB_POOL_SIZE" },
        ),
      );
    }, timeoutMs);
    signal.addEventListener("abort", onAbort);
    this.#waiters.push(waiter);
    return promise.finally(() => {
      clearTimeout(another);
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
    });
  }

  /** The turn of another call, where that client has given one back. */
  #next(client: string): void {
    this.#shares.remove(client);
    const waiter = this.#shares.next(this.#waiters);
    if (waiter === undefined) {
      this.#taken--;
      return;
    }
    this.#shares.add(waiter.client);
    waiter.take();
  }

  /** Milliseconds that it may still be idle; none where the clock was set back. */
  #restMs({ since }: Idle): number {
    const { idleMs = usualIdleMs } = this.#options;
    const idleFor = Date.now() - since;
    return idleFor < 0 ? 0 : Math.max(0, idleMs - idleFor);
  }
}
