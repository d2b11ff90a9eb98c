/**
 * Keeps memory bounded while many large answers come in at once. Requests are all sent, and small answers are read as
 * they come; of large ones a few are taken in at a time, and of very large ones one, while the others wait in the
 * network's buffers.
 */
import type { BoundedResponse } from "../common/bounded_fetch.ts";
import { abortable } from "../common/waiting.ts";

/** Bytes from which an answer is large, and very large. */
const large = 128 * 1024;
const veryLarge = 3 * 1024 * 1024;
/** Large answers that are taken in at once. */
const largeAtOnce = 2;

/** A place where so many may be at once; the others wait in their order, until they give up. */
class Turnstile {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(places: number) {
    this.#free = places;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Throws the reason of the signal. */
  async enter(signal: AbortSignal): Promise<void> {
    if (this.#free > 0) {
      this.#free--;
      return;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    try {
      await abortable(promise, signal);
    } catch (error) {
      // The place may have become free in the same moment: then it is the next one's.
      if (!this.#waiting.delete(resolve)) this.leave();
      throw error;
    }
  }

  leave(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#free++;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}

/** Takes in the answers of one apiserver: one that stalls in the middle of them holds up nobody else's. */
export class Intake {
  readonly #large = new Turnstile(largeAtOnce);
  readonly #veryLarge = new Turnstile(1);

  /** How many answers wait for others to be read. */
  get waiting(): number {
    return this.#large.waiting + this.#veryLarge.waiting;
  }

  /**
   * Reads the body and gives its text to `use`, which keeps no more of it than it must: the next large answer waits
   * for its end. Throws what reading throws, and the reason of the signal.
   */
  async read<Value>(
    response: BoundedResponse,
    signal: AbortSignal,
    use: (text: string) => Value,
  ): Promise<Value> {
    const decoder = new TextDecoder();
    let text = "";
    const held: Turnstile[] = [];
    let bytes = 0;
    try {
      for await (const chunk of response.chunks()) {
        text += decoder.decode(chunk, { stream: true });
        bytes += chunk.length;
        // One after the other and always in this order, so that nobody waits for one who waits for him.
        if (bytes > large && held.length === 0) {
          await this.#large.enter(signal);
          held.push(this.#large);
        }
        if (bytes > veryLarge && held.length === 1) {
          await this.#veryLarge.enter(signal);
          held.push(this.#veryLarge);
        }
      }
      return use(text + decoder.decode());
    } finally {
      for (const place of held) place.leave();
    }
  }
}
