/**
 * The guard: whether a statement that someone else wrote may run. It decides, `database.ts` runs.
 *
 * Layer 1, {@linkcode inspect}, is pure: PostgreSQL's own parser and an allow-list of parse nodes. Layer 2,
 * {@linkcode authorize}, runs in the very transaction that will run the statement, and asks the server's
 * catalogue what the names in it stand for.
 */
import type { Catalogue } from "./catalogue.ts";
import { askCatalogueAlone, askPath } from "./catalogue_session.ts";
import { referencesOf } from "./mentions.ts";
import type { References } from "./references.ts";
import { Review } from "./review.ts";
import { readStatement, type StatementKind } from "./statement.ts";
import { allowedNames } from "./verdict.ts";
export { loadParser } from "./parser.ts";
export type { Catalogue } from "./catalogue.ts";

/** What an operator has allowed. */
export interface GuardOptions {
  /** `DB_ALLOW_FUNCTIONS`: functions and foreign tables by name: `name`, `schema.name` or `schema.name(argument types)`. */
  readonly allowFunctions: readonly string[];
}

const issued = Symbol("issued by the guard");

/** What {@linkcode inspect} gave: an object that only looks like it has passed nothing. */
const passed = new WeakSet<Inspected>();

/** A statement that passed both layers; only {@linkcode authorize} makes one. */
export class GuardedStatement {
  readonly sql: string;
  readonly kind: StatementKind;
  /** @param key is private to the guard. */
  constructor(key: typeof issued, sql: string, kind: StatementKind) {
    if (key !== issued) throw new TypeError("Cannot make a guarded statement as only the guard can");
    this.sql = sql;
    this.kind = kind;
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

/** Layer 2: what the names stand for. Throws `CallError` `refused`. */
export async function authorize(
  inspected: Inspected,
  catalogue: Catalogue,
  options: GuardOptions,
): Promise<GuardedStatement> {
  if (!passed.has(inspected)) throw new TypeError("Cannot authorize what has not been inspected");
  const statement = JSON.stringify([inspected.sql, options.allowFunctions]);
  const { state, verdicts } = catalogue;
  if (verdicts?.holds(state, statement) !== true) {
    const path = catalogue.path ?? await askPath(catalogue);
    const review = new Review(
      { query: (sql, parameters = []) => askCatalogueAlone(catalogue, path, sql, parameters) },
      allowedNames(options.allowFunctions),
      path.schemas,
    );
    await review.run(inspected.references);
    if (!review.probed) verdicts?.keep(state, statement);
  }
  return new GuardedStatement(issued, inspected.sql, inspected.kind);
}
