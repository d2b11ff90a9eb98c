/**
 * What the guard has let pass on one connection, for as long as nothing can have changed.
 *
 * A verdict stands on rows of the catalogue, the session's path and its role. Two snapshots of one server with the same
 * first and next transaction and the same ones in progress (pg_current_snapshot) show the same rows: whatever writes a
 * row needs a transaction number, and ends by leaving the list or by moving its end. So the verdict holds while the
 * snapshot is the same to the letter, and one commit of anybody's, of whatever it may be, ends it.
 */

/** Statements kept at most; their texts are the keys. */
const most = 200;
/** Characters of a statement that is worth keeping. */
const longest = 20_000;

/** The statements that passed in one state of the database. */
export class Verdicts {
  #state = "";
  readonly #passed = new Set<string>();

  /** Whether `statement` passed in this very state; undefined is a state that can't be told from another. */
  holds(state: string | undefined, statement: string): boolean {
    return state !== undefined && state === this.#state && this.#passed.has(statement);
  }

  /** Keeps that `statement` passed, and forgets what passed in any other state. */
  keep(state: string | undefined, statement: string): void {
    if (state === undefined || statement.length > longest) return;
    if (state !== this.#state) this.#passed.clear();
    this.#state = state;
    const oldest = this.#passed.size < most ? undefined : this.#passed.keys().next().value;
    if (oldest !== undefined) this.#passed.delete(oldest);
    this.#passed.add(statement);
  }
}
