/** The requests that are being answered: how many there may be, whose, and when the last has ended. */

/** One request that is being answered. */
export interface Exchange {
  /** Aborts when the program stops waiting for it. */
  readonly signal: AbortSignal;
  /** Takes so many bytes of what messages may hold together, until its end; false where its client has its share. */
  readonly hold: (bytes: number) => boolean;
  /** Counts it as answered; more than once is no harm. */
  readonly end: () => void;
}

/**
 * Counts exchanges. A client may hold as many places as it leaves free, so that one alone takes half of them, and there
 * is always one for somebody else: the dynamic thresholds of shared-memory switches
 * (Choudhury and Hahne, https://doi.org/10.1109/90.664262, with α = 1).
 */
export class Exchanges {
  readonly #limit: number;
  readonly #open = new Set<AbortController>();
  readonly #held = new Map<string, number>();
  readonly #maxBytes: number;
  #bytes = 0;
  readonly #bytesHeld = new Map<string, number>();
  #whenIdle: (() => void)[] = [];

  /** `limit` is how many may be under way at once, `maxBytes` what they may hold together; shared alike. */
  constructor(limit: number, maxBytes = Infinity) {
    this.#limit = limit;
    this.#maxBytes = maxBytes;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Begins one of that client's, unless it has its share. */
  begin(client: string): Exchange | undefined {
    const held = this.#held.get(client) ?? 0;
    if (held >= this.#limit - this.#open.size) return undefined;
    const controller = new AbortController();
    this.#open.add(controller);
    this.#held.set(client, held + 1);
    let bytesHeld = 0;
    return {
      signal: controller.signal,
      hold: (bytes) => {
        const all = (this.#bytesHeld.get(client) ?? 0) + bytes;
        if (all > this.#maxBytes - this.#bytes - bytes || !this.#open.has(controller)) return false;
        this.#bytes += bytes;
        bytesHeld += bytes;
        this.#bytesHeld.set(client, all);
        return true;
      },
      end: () => {
        if (!this.#open.delete(controller)) return;
        this.#bytes -= bytesHeld;
        release(this.#held, client, 1);
        release(this.#bytesHeld, client, bytesHeld);
        if (this.#open.size > 0) return;
        for (const wake of this.#whenIdle.splice(0)) wake();
      },
    };
  }

  /** Resolves as soon as none is under way. */
  idle(): Promise<void> {
    if (this.#open.size === 0) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#whenIdle.push(resolve);
    return promise;
  }

  /** Aborts all that are under way. */
  abort(): void {
    for (const controller of this.#open) controller.abort();
  }
}

function release(held: Map<string, number>, client: string, amount: number): void {
  const left = (held.get(client) ?? 0) - amount;
  if (left > 0) held.set(client, left);
  else held.delete(client);
}

/**
 * The response, with `ended` called when its last byte has been handed over, its reader has gone away, or the signal
 * aborts: what the reader has not taken by then is dropped.
 */
export function watched(response: Response, signal: AbortSignal, ended: () => void): Response {
  const isStream = response.headers.get("content-type")?.startsWith("text/event-stream") === true;
  // Asking for the body makes a stream of any.
  if (!isStream || response.body === null) {
    ended();
    return response;
  }
  const reader = response.body.getReader();
  const finish = () => {
    signal.removeEventListener("abort", onAbort);
    ended();
  };
  let outgoing: ReadableStreamDefaultController<Uint8Array> | undefined;
  const onAbort = () => {
    finish();
    reader.cancel().catch(() => {});
    // Cut, not ended: a client must not take what it has for the whole.
    outgoing?.error(new Error("this answer was given up"));
  };
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      outgoing = controller;
      if (signal.aborted) onAbort();
      else signal.addEventListener("abort", onAbort);
    },
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (signal.aborted) return;
        if (!done) return controller.enqueue(value);
        finish();
        controller.close();
      } catch (error) {
        finish();
        controller.error(error);
      }
    },
    cancel(reason) {
      finish();
      return reader.cancel(reason);
    },
  });
  return new Response(body, { status: response.status, headers: response.headers });
}
