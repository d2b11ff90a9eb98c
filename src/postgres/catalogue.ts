/**
 * What the server's catalogue says about names: one query, in the transaction that will run the statement.
 *
 * Reads pg_proc, pg_operator, pg_cast, pg_type, pg_class, pg_policy, pg_inherits, pg_index, pg_constraint,
 * pg_statistic_ext, pg_partitioned_table, pg_opclass and pg_depend (the manual's chapter "System Catalogs"); every role may read them. Objects with an oid below 16384 are
 * PostgreSQL's own (FirstNormalObjectId in transam.h).
 */
import type { SessionPath } from "./catalogue_session.ts";
import type { ArgumentType, Bound, References } from "./references.ts";
import { RESOLVE, RESOLVE_TYPES } from "./resolve_sql.ts";
import type { State, Verdicts } from "./verdicts.ts";

/** Our own fixed queries of the server's catalogue, in the transaction that will run the statement. */
export interface Catalogue {
  query(
    sql: string,
    parameters?: readonly (string | null)[],
    options?: { readonly keep?: boolean },
  ): Promise<Record<string, string | null>[]>;
  /** The session's path, where it is known already. */
  readonly path?: SessionPath;
  /** All that a verdict depends on; undefined where it can't be told whether that has changed. */
  readonly state?: State | undefined;
  /** Verdicts that may still stand. */
  readonly verdicts?: Verdicts;
}

/** The session as the server reports it. */
export interface Session {
  readonly standardConformingStrings: string;
  readonly clientEncoding: string;
  readonly serverEncoding: string;
  readonly readOnly: string;
  readonly maxIdentifierLength: number;
  /** e.g. 150018 */
  readonly version: number;
}

export interface FoundFunction {
  readonly oid: string;
  readonly schema: string;
  readonly name: string;
  /** Types of the arguments, as in `f(integer, text)`. */
  readonly arguments: string;
  readonly inputs: number;
  readonly defaults: number;
  /** The expressions of the defaults, separated by commas; only of a user's function. */
  readonly defaultValues: string | null;
  readonly variadic: boolean;
  /** Oids of the input types: equal for two functions of which the one hides the other. */
  readonly signature: string;
  /** pg_proc.prokind: f, a (aggregate), w (window), p (procedure) */
  readonly kind: string;
  readonly volatility: "i" | "s" | "v";
  readonly language: string;
  readonly definer: boolean;
  /** Settings in force while it runs, `name=value`. */
  readonly settings: readonly string[] | null;
  /** Text of the body; only of a function in SQL or plpgsql that is not built in. */
  readonly body: string | null;
  /** The complete CREATE FUNCTION; only where the body must be read from it. */
  readonly definition: string | null;
  /** PostgreSQL made it for a range type: it runs nothing but the type's own functions. */
  readonly makesRange: boolean;
  readonly origin: "builtin" | "extension" | "user";
  /** Position of its schema in the search path; null where an unqualified call does not find it. */
  readonly position: number | null;
  /** How it was found: by name, or as what an operator, cast, type or aggregate calls. */
  readonly named: boolean;
  /** An aggregate's transition, final, combine and other functions. */
  readonly parts: readonly string[] | null;
  /** What its standard body and its defaults are bound to. */
  readonly bound: readonly Bound[] | null;
}

export interface FoundOperator {
  readonly oid: string;
  readonly name: string;
  readonly schema: string;
  /**
   * Its own function, those of its negator and commutator, which the planner may put in its place, and those
   * of its operator families, which joins and indexes use.
   */
  readonly functions: readonly string[];
  /** Oids of the operand types that are a user's own. */
  readonly userOperands: readonly string[];
  readonly builtinOperands: number;
  /** PostgreSQL or an extension has an operator of that name too. */
  readonly alsoBuiltin: boolean;
}

export interface FoundCast {
  readonly name: string;
  readonly function: string;
  readonly source: string;
  readonly target: string;
  readonly builtinSource: boolean;
  readonly builtinTarget: boolean;
}

/** A user's own type that the statement can reach. */
export interface FoundType {
  readonly oid: string;
  readonly name: string;
  /** Expressions of a domain's CHECK constraints. */
  readonly checks: readonly string[] | null;
  /** What they are bound to. */
  readonly bound: readonly Bound[] | null;
  /** Input, output, canonical, difference, comparison functions. */
  readonly functions: readonly string[] | null;
}

export interface FoundRelation {
  /** Position in the request; a child has that of its parent. */
  readonly index: number;
  readonly oid: string;
  readonly schema: string;
  readonly name: string;
  /** pg_class.relkind */
  readonly kind: string;
  readonly origin: "builtin" | "extension" | "user";
  readonly child: boolean;
  /** A view's definition. */
  readonly definition: string | null;
  /** USING expressions of row-level security. */
  readonly policies: readonly string[] | null;
  /** What the definition and the policies are bound to. */
  readonly bound: readonly Bound[] | null;
  /** Columns, the system's own (ctid …) included; not of a child. */
  readonly columns: readonly string[] | null;
}

/** An operator class with functions of a user's own that sorting, an index or a partition key may use. */
export interface FoundClass {
  readonly name: string;
  readonly functions: readonly string[];
}

/** What reading or planning a read of a relation evaluates: of an index, a check, statistics, a partition key. */
export interface FoundExpression {
  /** null where the server could not print it. */
  readonly expression: string | null;
  readonly bound: readonly Bound[] | null;
  /** The first relation that has it, `schema.name`. */
  readonly relation: string;
}

export interface Found {
  readonly session: Session;
  readonly functions: readonly FoundFunction[];
  readonly operators: readonly FoundOperator[];
  readonly casts: readonly FoundCast[];
  readonly types: readonly FoundType[];
  readonly relations: readonly FoundRelation[];
  /** Oids of all types that are not built in, those of extensions included. */
  readonly reached: readonly string[];
  readonly classes: readonly FoundClass[];
  /** At most {@linkcode MAX_EXPRESSIONS} and one. */
  readonly evaluated: readonly FoundExpression[];
}

/**
 * Resolves what a text mentions along a search path: the session's, or that of a function with one of its own.
 * Must be asked with `pg_catalog` alone on the transaction's path.
 */
export async function resolve(
  catalogue: Catalogue,
  references: References,
  path: readonly string[],
): Promise<Found> {
  const names = (all: readonly { schema: string | undefined; name: string }[]) =>
    all.map(({ schema, name }) => ({ s: schema ?? null, n: name }));
  const request = {
    path,
    bound: references.bound,
    functions: names(references.functions),
    operators: names(references.operators),
    types: names(references.types),
    relations: references.relations.map(({ schema, name, descend }) => ({
      s: schema ?? null,
      n: name,
      d: descend,
    })),
  };
  const [row] = await catalogue.query(RESOLVE, [JSON.stringify(request)]);
  if (row === undefined) throw new Error("The catalogue gave no row");
  // The shapes are those of our own query above.
  const list = <T>(column: string): readonly T[] => JSON.parse(row[column] ?? "[]") as T[];
  return {
    session: {
      standardConformingStrings: row["standard_conforming_strings"] ?? "",
      clientEncoding: row["client_encoding"] ?? "",
      serverEncoding: row["server_encoding"] ?? "",
      readOnly: row["read_only"] ?? "",
      maxIdentifierLength: Number(row["max_identifier_length"]),
      version: Number(row["version"]),
    },
    functions: list<FoundFunction>("functions"),
    operators: list<FoundOperator>("operators"),
    casts: list<FoundCast>("casts"),
    types: list<FoundType>("types"),
    relations: list<FoundRelation>("relations"),
    reached: list<string>("reached"),
    classes: list<FoundClass>("classes"),
    evaluated: list<FoundExpression>("evaluated"),
  };
}

/** The oids of types along a search path; undefined for one that is not there. Asked as {@linkcode resolve} is. */
export async function resolveTypes(
  catalogue: Catalogue,
  types: readonly ArgumentType[],
  path: readonly string[],
): Promise<readonly (string | undefined)[]> {
  const request = { path, types: types.map(({ schema, name, array }) => ({ s: schema, n: name, a: array })) };
  const rows = await catalogue.query(RESOLVE_TYPES, [JSON.stringify(request)]);
  return rows.map(({ oid }) => oid ?? undefined);
}
