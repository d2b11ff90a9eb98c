/** Whether the backend answers: asked at most every few seconds, however often the probe comes, and bounded in time. */
import { describeError, type Logger } from "../log.ts";

/** How to ask, and how long what was heard stays true. */
export interface ReadinessOptions {
  /** Resolves when the backend answers. */
  readonly ask: (signal: AbortSignal) => Promise<void>;
  readonly log: Logger;
  readonly ttlMs?: number;
  readonly timeoutMs?: number;
  /** Monotonic, in milliseconds. */
  readonly now?: () => number;
}

/** Remembers what the backend last said. */
export class Readiness {
  readonly #options: Required<ReadinessOptions>;
  #last: { readonly answers: boolean; readonly at: number } | undefined;
  #asking: Promise<boolean> | undefined;

  constructor(options: ReadinessOptions) {
    this.#options = { ttlMs: 3_000, timeoutMs: 3_000, now: () => performance.now(), ...options };
  }

  /** Whether the backend answers, or did a moment ago. */
  async backendAnswers(): Promise<boolean> {
    const { ttlMs, now } = this.#options;
    if (this.#last !== undefined && now() - this.#last.at < ttlMs) return this.#last.answers;
    this.#asking ??= this.#ask().finally(() => this.#asking = undefined);
    return await this.#asking;
  }

  async #ask(): Promise<boolean> {
    const { ask, log, timeoutMs, now } = this.#options;
    const late = new AbortController();
    const { promise, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      late.abort();
      reject(new Error(`no answer within ${timeoutMs / 1000} s`));
    }, timeoutMs);
    let answers = true;
    try {
      await Promise.race([ask(late.signal), promise]);
    } catch (error) {
      answers = false;
      if (this.#last?.answers !== false) {
        log.warn("the backend does not answer: not ready", { error: describeError(error) });
      }
    } finally {
      clearTimeout(timer);
    }
    if (answers && this.#last?.answers === false) log.warn("the backend answers again: ready");
    this.#last = { answers, at: now() };
    return answers;
  }
}
