/**
 * The guard: whether a statement that someone else wrote may run. It decides, `database.ts` runs.
 *
 * Layer 1, {@linkcode inspect}, is pure: PostgreSQL's own parser and an allow-list of parse nodes. Layer 2,
 * {@linkcode authorize}, runs in the very transaction that will run the statement, and asks the server's
 * catalogue what the names in it stand for.
 */
import { allowedNames } from "./allowed_functions.ts";
import type { Catalogue } from "./catalogue.ts";
import { askCatalogueAlone, askPath } from "./catalogue_session.ts";
import { digestOf, type Reached } from "./fingerprint.ts";
import { referencesOf } from "./mentions.ts";
import type { References } from "./references.ts";
import { Review } from "./review.ts";
import { checkStatementLength } from "./parser.ts";
import { readStatement, type StatementKind } from "./statement.ts";
import type { Kept, Verdicts } from "./verdicts.ts";

/** What an operator has allowed. */
export interface GuardOptions {
  /** `DB_ALLOW_FUNCTIONS`, an entry each. */
  readonly allowFunctions: readonly string[];
}

const issued = Symbol("issued by the guard");

/** What {@linkcode inspect} gave: an object that only looks like it has passed nothing. */
const passed = new WeakSet<Inspected>();

/**
 * The session has compiled a function that the statement calls, and something has changed since: it would go on with what
 * the names in the body stood for then. Another session has to be asked.
 */
export class OutdatedSession extends Error {}

/** A statement that passed both layers; only {@linkcode authorize} makes one. */
export class GuardedStatement {
  readonly sql: string;
  /** @param key is private to the guard. */
  constructor(key: typeof issued, sql: string) {
    if (key !== issued) throw new TypeError("Cannot make a guarded statement as only the guard can");
    this.sql = sql;
  }
}

/** A statement that passed layer 1: it only reads, if all that it calls only reads. */
export interface Inspected {
  readonly sql: string;
  readonly kind: StatementKind;
  readonly references: References;
}

/** What has been inspected lately, by its text: the text is all that it depends on. */
const inspections = new Map<string, Inspected>();
const mostInspections = 200;
/** Characters of a text that is worth keeping. */
const longestInspection = 20_000;

/** Layer 1: exactly one statement that only reads by its parse tree. Throws `CallError` `refused` or `invalid`. */
export function inspect(sql: string): Inspected {
  const known = inspections.get(sql);
  if (known !== undefined) return known;
  checkStatementLength(sql);
  const { kind, node } = readStatement(sql);
  const inspected = Object.freeze({ sql, kind, references: referencesOf(node) });
  passed.add(inspected);
  if (sql.length <= longestInspection) {
    const oldest = inspections.size < mostInspections ? undefined : inspections.keys().next().value;
    if (oldest !== undefined) inspections.delete(oldest);
    inspections.set(sql, inspected);
  }
  return inspected;
}

/** Layer 2: what the names stand for. Throws `CallError` `refused`, and {@linkcode OutdatedSession}. */
export async function authorize(
  inspected: Inspected,
  catalogue: Catalogue,
  options: GuardOptions,
): Promise<GuardedStatement> {
  if (!passed.has(inspected)) throw new TypeError("Cannot authorize what has not been inspected");
  if (!await isKnown(inspected, catalogue, options)) {
    const path = catalogue.path ?? await askPath(catalogue);
    const review = new Review(
      { query: (sql, parameters = []) => askCatalogueAlone(catalogue, path, sql, parameters) },
      allowedNames(options.allowFunctions),
      path.schemas,
    );
    await review.run(inspected.references);
    await refuseOutdated(catalogue, review.bodies);
    const kept = await keptOf(catalogue, review.reached);
    if (kept !== undefined && !review.probed) catalogue.verdicts?.keep(key(inspected, options), kept);
    for (const oid of review.bodies) catalogue.verdicts?.compiled.set(oid, kept);
  }
  return new GuardedStatement(issued, inspected.sql);
}

function key(inspected: Inspected, options: GuardOptions): string {
  return JSON.stringify([inspected.sql, options.allowFunctions]);
}

/**
 * The verdict by which a statement has passed before, to be sent with it, and with the check that it still holds.
 * Undefined where it has not, or where that is not known any more.
 */
export function passedBefore(
  inspected: Inspected,
  verdicts: Verdicts,
  options: GuardOptions,
): Kept | undefined {
  if (!passed.has(inspected)) throw new TypeError("Cannot foresee what has not been inspected");
  return verdicts.last(key(inspected, options));
}

/** Keeps that a verdict has been found to hold in the state of a later transaction. */
export function stillHolds(
  inspected: Inspected,
  { state, verdicts }: Required<Pick<Catalogue, "state" | "verdicts">>,
  options: GuardOptions,
  kept: Kept,
): void {
  if (state !== undefined) verdicts.keep(key(inspected, options), { ...kept, ...state });
}

/** Whether it has passed before, and all that this stands on is as it was. */
async function isKnown(inspected: Inspected, catalogue: Catalogue, options: GuardOptions): Promise<boolean> {
  const { state, verdicts } = catalogue;
  if (state === undefined || verdicts === undefined) return false;
  const statement = key(inspected, options);
  const kept = verdicts.get(state, statement);
  if (kept === undefined) return false;
  if (kept.snapshot === state.snapshot) return true;
  if (await digestOf(catalogue, kept.reached) !== kept.digest) return false;
  verdicts.keep(statement, { ...kept, ...state });
  return true;
}

/** Throws {@linkcode OutdatedSession} where a function was compiled when something that it stands on was another. */
async function refuseOutdated(
  catalogue: Catalogue,
  functions: ReadonlySet<string>,
): Promise<void> {
  const { state, verdicts } = catalogue;
  if (verdicts === undefined || !verdicts.lasting) return;
  const before = new Set(
    [...functions].filter((oid) => verdicts.compiled.has(oid))
      .map((oid) => verdicts.compiled.get(oid)),
  );
  for (const kept of before) {
    const isSame = kept !== undefined && kept.session === state?.session &&
      (kept.snapshot === state.snapshot || await digestOf(catalogue, kept.reached) === kept.digest);
    if (!isSame) throw new OutdatedSession("Cannot ask in a session that has compiled a function before");
  }
}

/** All that a verdict stands on; undefined where that can't be told, or is too much. */
async function keptOf(catalogue: Catalogue, reached: Reached): Promise<Kept | undefined> {
  const { state, verdicts } = catalogue;
  if (state === undefined || verdicts === undefined) return undefined;
  const digest = await digestOf(catalogue, reached);
  return digest === undefined ? undefined : { ...state, reached, digest };
}
