/**
 * Lets callers that ask the same thing at the same time have a few requests together, and their answers once each in
 * memory. Nobody waits long for another's request: one that hears nothing for three seconds is left for a new one,
 * which those who leave it have together again, so that a slow apiserver is not answered with a flood.
 */

interface Flight<Value> {
  readonly work: Promise<Value>;
  readonly stop: AbortController;
  /** Settles when the answer begins, or fails. */
  readonly answered: Promise<void>;
  /** Lets nobody join it any more. */
  readonly close: () => void;
  waiting: number;
  /** The work has settled: there is nothing left to call off. */
  isOver: boolean;
}

/** How much is shared. */
export interface SharingOptions {
  /** Requests of one question that are on their way before others join them; 2 unless given. */
  readonly width?: number;
  /** Milliseconds that one who has joined waits for an answer to begin; 3000 unless given. */
  readonly patienceMs?: number;
}

type Start<Value> = (signal: AbortSignal, answered: () => void) => Promise<Value>;

/** Requests that wait for their answers, by what they ask. */
export class SharedRequests {
  readonly #flights = new Map<string, Set<Flight<unknown>>>();
  #running = 0;
  readonly #width: number;
  readonly #patienceMs: number;

  constructor({ width = 2, patienceMs = 3_000 }: SharingOptions = {}) {
    this.#width = width;
    this.#patienceMs = patienceMs;
  }

  /** Requests that have not been answered whole. */
  get running(): number {
    return this.#running;
  }

  /**
   * The answer to `key`: of a request that is on its way and has heard nothing yet, else of a new one. `start` makes
   * it, and calls `answered` when an answer begins: who comes later is to see what is true then. One caller that gives
   * up leaves the others theirs; when all have, the request is called off.
   */
  async ask<Value>(key: string, signal: AbortSignal, start: Start<Value>): Promise<Value> {
    for (;;) {
      signal.throwIfAborted();
      const known = this.#flights.get(key);
      if (known === undefined || known.size < this.#width) {
        return await this.#wait(this.#start(key, start), signal);
      }
      const [first, ...others] = known;
      const least = others.reduce(
        (least, flight) => flight.waiting < (least?.waiting ?? 0) ? flight : least,
        first,
      );
      // What is under a key was put there by the same kind of call: keys begin with what they ask for.
      const flight = least as Flight<Value>;
      const patience = Promise.withResolvers<"late">();
      const timer = setTimeout(() => patience.resolve("late"), this.#patienceMs);
      try {
        const answer = await this.#wait(flight, signal, patience.promise, flight.answered);
        if (answer !== late) return answer;
      } finally {
        clearTimeout(timer);
      }
      flight.close();
    }
  }

  /** With `patience`, {@linkcode late} when that comes before the answer begins. */
  async #wait<Value>(flight: Flight<Value>, signal: AbortSignal): Promise<Value>;
  async #wait<Value>(
    flight: Flight<Value>,
    signal: AbortSignal,
    patience: Promise<unknown>,
    answered: Promise<void>,
  ): Promise<Value | typeof late>;
  async #wait<Value>(
    flight: Flight<Value>,
    signal: AbortSignal,
    patience?: Promise<unknown>,
    answered?: Promise<void>,
  ): Promise<Value | typeof late> {
    const { promise, reject } = Promise.withResolvers<never>();
    const giveUp = () => reject(signal.reason);
    signal.addEventListener("abort", giveUp, { once: true });
    promise.catch(() => {});
    flight.waiting++;
    try {
      if (patience !== undefined && answered !== undefined) {
        if (await Promise.race([answered, promise, patience]) === "late") return late;
      }
      return await Promise.race([flight.work, promise]);
    } finally {
      signal.removeEventListener("abort", giveUp);
      flight.waiting--;
      if (flight.waiting === 0 && !flight.isOver) flight.stop.abort(signal.reason);
    }
  }

  #start<Value>(key: string, start: Start<Value>): Flight<Value> {
    const stop = new AbortController();
    const { promise, resolve } = Promise.withResolvers<void>();
    const flights = this.#flights.get(key) ?? new Set();
    this.#flights.set(key, flights);
    const close = () => {
      flights.delete(flight);
      if (flights.size === 0 && this.#flights.get(key) === flights) this.#flights.delete(key);
    };
    const answered = () => {
      resolve();
      close();
    };
    const flight: Flight<Value> = {
      work: start(stop.signal, () => answered()),
      stop,
      answered: promise,
      close,
      waiting: 0,
      isOver: false,
    };
    stop.signal.addEventListener("abort", answered, { once: true });
    // Who waits hears of a failure; when nobody does any more, nobody has to.
    this.#running++;
    const over = () => {
      this.#running--;
      flight.isOver = true;
      answered();
    };
    flight.work.then(over, over);
    flights.add(flight);
    return flight;
  }
}

const late = Symbol("late");
