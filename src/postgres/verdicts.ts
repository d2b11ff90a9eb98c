/**
 * What the guard has let pass on one connection, for as long as nothing that it stands on can have changed.
 *
 * A verdict stands on rows of the catalogue, the session's path and its role. Two snapshots of one server with the same
 * first and next transaction and the same ones in progress (pg_current_snapshot) show the same rows: whatever writes a
 * row needs a transaction number, and ends by leaving the list or by moving its end. Where the snapshot is another one,
 * the very rows are compared (`fingerprint.ts`).
 */
import type { Reached } from "./fingerprint.ts";

/** What a transaction begins with, as far as a verdict depends on it. */
export interface State {
  /** The session's path, role, process and temporary schema. */
  readonly session: string;
  readonly snapshot: string;
}

/** A verdict: that a statement passed. */
export interface Kept extends State {
  readonly reached: Reached;
  /** Of all that was reached, in that snapshot. */
  readonly digest: string;
}

/** Statements kept at most; their texts are the keys. */
const most = 200;
/** Characters of a statement that is worth keeping. */
const longest = 20_000;

/** The statements that passed, those of late. */
export class Verdicts {
  readonly #kept = new Map<string, Kept>();
  /** The last verdict that was used again was of the same snapshot: nobody writes, or hardly. */
  quiet = true;

  /** Whether the next transaction is of the same process at the server. */
  lasting = false;
  /**
   * Functions with a body, by oid, that the server may have compiled for this session, each with what it stood on then:
   * it goes on with the types and functions that were found at first, whatever their names stand for by now.
   */
  readonly compiled = new Map<string, Kept | undefined>();

  /** What is known of a statement in the same session. */
  get(state: State, statement: string): Kept | undefined {
    const kept = this.#kept.get(statement);
    return kept?.session === state.session ? kept : undefined;
  }

  /** What is known of a statement, whatever the session has become since. */
  last(statement: string): Kept | undefined {
    return this.#kept.get(statement);
  }

  /** Keeps that a statement passed. */
  keep(statement: string, kept: Kept): void {
    if (statement.length > longest) return;
    this.#kept.delete(statement);
    const oldest = this.#kept.size < most ? undefined : this.#kept.keys().next().value;
    if (oldest !== undefined) this.#kept.delete(oldest);
    this.#kept.set(statement, kept);
  }
}
