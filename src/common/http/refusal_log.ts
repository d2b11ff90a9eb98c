/** Refused requests in the log: a line a minute for each kind of them, however many strangers send. */
import type { Logger } from "../log.ts";
import type { HttpRefusal } from "./metrics.ts";

const quietMs = 60_000;

/** Warns of the first of a minute, and counts the others, which only `LOG_LEVEL=info` shows one by one. */
export class RefusalLog {
  readonly #log: Logger;
  readonly #now: () => number;
  readonly #told = new Map<HttpRefusal, { readonly at: number; others: number }>();

  /** `now` is monotonic, in milliseconds. */
  constructor(log: Logger, now: () => number = () => performance.now()) {
    this.#log = log;
    this.#now = now;
  }

  /** `reason` must hold nothing that was presented as a secret. */
  tell(kind: HttpRefusal, reason: string): void {
    const at = this.#now();
    const last = this.#told.get(kind);
    if (last !== undefined && at - last.at < quietMs) {
      last.others++;
      this.#log.info("a request was refused", { reason });
      return;
    }
    this.#told.set(kind, { at, others: 0 });
    this.#log.warn("a request was refused", { reason, others_before: last?.others ?? 0 });
  }
}
