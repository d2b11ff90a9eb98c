/**
 * Keeps memory bounded while many large answers come in at once. Requests are all sent, and small answers are read as
 * they come; of large ones a few are taken in at a time, and of very large ones one, while the others wait in the
 * network's buffers.
 */
import type { BoundedResponse } from "../common/bounded_fetch.ts";
import { Turnstile } from "../common/turnstile.ts";

/** Bytes from which an answer is large, and very large. */
const large = 128 * 1024;
const veryLarge = 3 * 1024 * 1024;
/** Large answers that are taken in at once. */
const largeAtOnce = 2;

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
    const leaves: (() => void)[] = [];
    let bytes = 0;
    try {
      for await (const chunk of response.chunks()) {
        text += decoder.decode(chunk, { stream: true });
        bytes += chunk.length;
        // One after the other and always in this order, so that nobody waits for one who waits for him.
        if (bytes > large && leaves.length === 0) leaves.push(await this.#large.enter(signal));
        if (bytes > veryLarge && leaves.length === 1) leaves.push(await this.#veryLarge.enter(signal));
      }
      return use(text + decoder.decode());
    } finally {
      for (const leave of leaves) leave();
    }
  }
}
