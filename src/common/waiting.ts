/** Waiting for work, but not whatever it takes. */

/** Settles with the work, or rejects with the signal's reason as soon as it aborts; the work itself goes on. */
export function abortable<Value>(work: Promise<Value>, signal: AbortSignal): Promise<Value> {
  if (signal.aborted) {
    work.catch(() => {});
    return Promise.reject(signal.reason);
  }
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  return Promise.race([work, promise]).finally(() => signal.removeEventListener("abort", onAbort));
}

/** A signal, and how to abort it. */
export interface Abortable extends Disposable {
  readonly signal: AbortSignal;
  readonly abort: () => void;
}

/**
 * A signal that aborts as soon as one of the others does, unless it is disposed of before, and when it is told to. What
 * `AbortSignal.any` gives lasts as long as they do, and takes ten times as long to make.
 */
export function anySignal(...signals: readonly AbortSignal[]): Abortable {
  const controller = new AbortController();
  const onAbort = () => controller.abort(signals.find((signal) => signal.aborted)?.reason);
  for (const signal of signals) signal.addEventListener("abort", onAbort);
  if (signals.some((signal) => signal.aborted)) onAbort();
  return {
    signal: controller.signal,
    abort: () => controller.abort(),
    [Symbol.dispose]() {
      for (const signal of signals) signal.removeEventListener("abort", onAbort);
    },
  };
}

/** Waits until the work has settled, one way or the other, `ms` milliseconds at most; whether it has. */
export async function settledWithin(work: Promise<unknown>, ms: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), ms);
  const settled = await Promise.race([work.then(() => true, () => true), promise]);
  clearTimeout(timer);
  return settled;
}
