/** Values that stay true for a while. */

/** What a cache may hold, and by which clock. */
export interface CacheOptions<Value> {
  readonly maxEntries?: number;
  /** What all values may come to together, by `sizeOf`. */
  readonly maxSize?: number;
  readonly sizeOf?: (value: Value) => number;
  /** Monotonic, in milliseconds. */
  readonly now?: () => number;
}

/** A cache with a time to live and a bounded number and size of entries, of which the oldest goes first. */
export class Cache<Value> {
  readonly #ttlMs: number;
  readonly #maxEntries: number;
  readonly #maxSize: number;
  readonly #sizeOf: (value: Value) => number;
  readonly #now: () => number;
  readonly #entries = new Map<string, { readonly value: Value; readonly storedAt: number }>();
  #size = 0;

  /** `ttlSeconds` 0 turns it off. */
  constructor(ttlSeconds: number, options: CacheOptions<Value> = {}) {
    this.#ttlMs = ttlSeconds * 1000;
    this.#maxEntries = options.maxEntries ?? 500;
    this.#maxSize = options.maxSize ?? Infinity;
    this.#sizeOf = options.sizeOf ?? (() => 0);
    this.#now = options.now ?? (() => performance.now());
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
    this.#delete(key);
    this.#entries.set(key, { value, storedAt: this.#now() });
    this.#size += this.#sizeOf(value);
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#maxEntries && this.#size <= this.#maxSize) return;
      this.#delete(oldest);
    }
  }

  #delete(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#size -= this.#sizeOf(entry.value);
  }
}
