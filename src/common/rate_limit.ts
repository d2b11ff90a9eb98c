/** How often one client may call one tool: a sliding window of a minute, exact to the call. */
import { CallError } from "./errors.ts";
import { plural } from "./units.ts";

const windowMs = 60_000;

/** Counts calls, and refuses those over the limit. */
export class RateLimiter {
  readonly #perMinute: number;
  readonly #now: () => number;
  /** The times of the calls of the last minute, oldest first. */
  readonly #calls = new Map<string, number[]>();

  /** `perMinute` 0 turns the limit off; `now` is monotonic, in milliseconds. */
  constructor(perMinute: number, now: () => number = () => performance.now()) {
    this.#perMinute = perMinute;
    this.#now = now;
  }

  /** Counts one call. Throws {@linkcode CallError} `limited`, with the seconds to wait. A refused call does not count. */
  admit(client: string, tool: string): void {
    if (this.#perMinute === 0) return;
    const now = this.#now();
    const key = JSON.stringify([client, tool]);
    const calls = this.#calls.get(key) ?? [];
    while (calls[0] !== undefined && calls[0] <= now - windowMs) calls.shift();
    const oldest = calls[0];
    if (oldest !== undefined && calls.length >= this.#perMinute) {
      const seconds = Math.ceil((oldest + windowMs - now) / 1000);
      throw new CallError(
        "limited",
        `Cannot call ${tool} more than ${plural(this.#perMinute, "time")} a minute`,
        { hint: `Wait ${seconds} s, or ask for more in one call` },
      );
    }
    calls.push(now);
    if (!this.#calls.has(key)) this.#forgetIdle(now);
    this.#calls.set(key, calls);
  }

  #forgetIdle(now: number): void {
    if (this.#calls.size < 1_000) return;
    for (const [key, calls] of this.#calls) {
      const newest = calls.at(-1);
      if (newest === undefined || newest <= now - windowMs) this.#calls.delete(key);
    }
  }
}
