/** Lets so many in at once; the others wait, and places are shared out among clients. */
import { askingClient } from "./asking_client.ts";
import { Shares, type Waiting } from "./shares.ts";

interface Waiter extends Waiting {
  readonly enter: () => void;
}

/** A bound on how much happens at the same time. */
export class Turnstile {
  readonly #places: number;
  #free: number;
  readonly #shares = new Shares();
  readonly #waiting: Waiter[] = [];
  readonly #reserved: number;

  /** `reserved` of the places are for clients that have none: one whose calls hang does not hold up another's first. */
  constructor(places: number, reserved = 0) {
    this.#places = places;
    this.#reserved = reserved;
    this.#free = places;
  }

  /** How many wait for a place. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** How many places are taken. */
  get taken(): number {
    return this.#places - this.#free;
  }

  /** Does the work when there is a place. Throws the signal's reason when it aborts before that. */
  async pass<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const leave = await this.enter(signal);
    try {
      return await work();
    } finally {
      leave();
    }
  }

  /** Takes a place when there is one; what it gives leaves it, and is called once. Throws as {@linkcode pass}. */
  async enter(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    const client = askingClient();
    if (this.#admits(client)) this.#take(client);
    else await this.#wait(signal, client);
    return () => this.#leave(client);
  }

  #admits(client: string): boolean {
    return this.#free > (this.#shares.of(client) === 0 ? 0 : this.#reserved);
  }

  #take(client: string): void {
    this.#free--;
    this.#shares.add(client);
  }

  #leave(client: string): void {
    this.#shares.remove(client);
    this.#free++;
    const next = this.#shares.next(this.#waiting, (one) => this.#admits(one));
    if (next === undefined) return;
    this.#take(next.client);
    next.enter();
  }

  async #wait(signal: AbortSignal, client: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter = { client, enter: resolve };
    const abandon = (): void => {
      const at = this.#waiting.indexOf(waiter);
      if (at >= 0) this.#waiting.splice(at, 1);
      reject(signal.reason);
    };
    this.#waiting.push(waiter);
    signal.addEventListener("abort", abandon, { once: true });
    try {
      await promise;
    } finally {
      signal.removeEventListener("abort", abandon);
    }
  }
}
