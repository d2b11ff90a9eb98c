/**
 * The connections to one backend, kept for the next request as long as they may be alive. The runtime takes one that
 * leads nowhere again and again, above all over HTTP/2, where all requests share one: a network that was changed, a
 * computer that slept, a machine that vanished tell nobody.
 */

/** Milliseconds by the wall clock, which goes on while a computer sleeps, that a connection may be unused. */
const idleMs = 60_000;

/** One client at a time, made anew when its certificates change, when it was unused for long, or when it was silent. */
export class KeptHttpClient {
  readonly #now: () => number;
  #kept: { readonly client: Deno.HttpClient; readonly from: string; usedAt: number } | undefined;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** The client made of `from`; `make` is called where there is none, and may throw. */
  current(from: string, make: () => Deno.HttpClient): Deno.HttpClient {
    const now = this.#now();
    const kept = this.#kept;
    // A clock that was set back says nothing of how long it was.
    if (kept?.from === from && now >= kept.usedAt && now - kept.usedAt < idleMs) {
      kept.usedAt = now;
      return kept.client;
    }
    const client = make();
    kept?.client.close();
    this.#kept = { client, from, usedAt: now };
    return client;
  }

  /** A request over this client had no answer in time: the next one takes another connection. */
  forsake(client: Deno.HttpClient): void {
    if (this.#kept?.client === client) this.close();
  }

  /** Ends the connections, those in use when their requests have ended. */
  close(): void {
    this.#kept?.client.close();
    this.#kept = undefined;
  }
}
