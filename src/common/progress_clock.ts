/** Tells a client how long its call has been running. */
import type { Caller } from "./pipeline.ts";
import { duration } from "./units.ts";

const progressEveryMs = 1_000;

/** Tells the client once a second that a call still runs, with the tool's own last words. */
export class ProgressClock {
  readonly #caller: Caller;
  readonly #started = performance.now();
  readonly #timer: ReturnType<typeof setInterval> | undefined;
  #message = "";

  constructor(caller: Caller) {
    this.#caller = caller;
    if (caller.progress !== undefined) this.#timer = setInterval(() => this.#tell(), progressEveryMs);
  }

  say(message: string): void {
    this.#message = message;
  }

  #tell(): void {
    const elapsed = performance.now() - this.#started;
    const running = `running for ${duration(elapsed)}`;
    this.#caller.progress?.(this.#message === "" ? running : `${this.#message}, ${running}`, elapsed);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
