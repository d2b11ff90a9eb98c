/** Values that stay true for a while. */

/** A cache with a time to live and a bounded number of entries, of which the oldest goes first. */
export class Cache<Value> {
  readonly #ttlMs: number;
  readonly #limit: number;
  readonly #now: () => number;
  readonly #entries = new Map<string, { readonly value: Value; readonly storedAt: number }>();

  /** `ttlSeconds` 0 turns it off; `now` is monotonic, in milliseconds. */
  constructor(ttlSeconds: number, limit = 500, now: () => number = () => performance.now()) {
    this.#ttlMs = ttlSeconds * 1000;
    this.#limit = limit;
    this.#now = now;
  }

  /** The stored value and its age in milliseconds, unless there is none or it is too old. */
  get(key: string): { readonly value: Value; readonly ageMs: number } | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    const ageMs = this.#now() - entry.storedAt;
    return ageMs < this.#ttlMs ? { value: entry.value, ageMs } : undefined;
  }

  /** Keeps a value. */
  set(key: string, value: Value): void {
    if (this.#ttlMs === 0) return;
    this.#entries.delete(key);
    this.#entries.set(key, { value, storedAt: this.#now() });
    if (this.#entries.size <= this.#limit) return;
    const oldest = this.#entries.keys().next();
    if (!oldest.done) this.#entries.delete(oldest.value);
  }
}
