/**
 * What a statement mentions: relations, functions, operators, types, columns and settings, by name. What the
 * names stand for is for the server's catalogue to say.
 */

/** A name as written; without a schema it is looked up along the search path. */
export interface Name {
  readonly schema: string | undefined;
  readonly name: string;
}

export interface ArgumentType extends Name {
  readonly array: boolean;
}

/** A call, or what may be one. */
export interface FunctionReference extends Name {
  /** Arguments as written, those of WITHIN GROUP (ORDER BY …) included. */
  readonly count: number;
  /**
   * `call`: f(x); `notation`: x.f, which calls f(x) unless x is a row with a column f; `sample`: the method
   * of TABLESAMPLE.
   */
  readonly how: "call" | "notation" | "sample";
  /** Some arguments are given by name, `name => value`. */
  readonly argumentNames: boolean;
  /** The types of the arguments, where every one shows its own: `'a'::text`, `1`, `true`. */
  readonly argumentTypes?: readonly ArgumentType[] | undefined;
  /** The x of x.f, where it is a name. */
  readonly qualifier?: string | undefined;
}

export interface RelationReference extends Name {
  /** What its columns are qualified with. */
  readonly alias: string;
  /** Children and partitions are read too: no ONLY. */
  readonly descend: boolean;
  /** Its columns may have other names here: an alias with a column list. */
  readonly renamed: boolean;
  /** All its columns are read by `*`, or compared by NATURAL JOIN. */
  readonly whole: boolean;
  /** The tables whose statistics are read, where the relation is called pg_stats and its WHERE names them by literals. */
  readonly statisticsOf?: readonly string[] | undefined;
}

/** `a.b` or `a.*`, as fields from the outside in; the star is left out of the fields. */
export interface ColumnReference {
  readonly fields: readonly string[];
  readonly star: boolean;
}

/** A function or an operator that a stored object depends on: as it is printed, the text need not show it. */
export interface Bound {
  readonly kind: "function" | "operator";
  readonly oid: string;
}

export interface References {
  readonly relations: readonly RelationReference[];
  readonly functions: readonly FunctionReference[];
  readonly operators: readonly Name[];
  readonly types: readonly Name[];
  readonly columns: readonly ColumnReference[];
  /** Settings read by SHOW and current_setting('…'); `undefined` where the name is computed. */
  readonly settings: readonly (string | undefined)[];
  /** Parse nodes that not every server's grammar knows. */
  readonly nodes: readonly string[];
  /** Names of joins with an alias, which stands for all that is joined. */
  readonly joinAliases: readonly string[];
  /** Names that stand for a subquery, a function's result, a common table expression or a join. */
  readonly otherAliases: readonly string[];
  /** What a stored object is bound to by identity; of a text that is read anew, nothing. */
  readonly bound: readonly Bound[];
  /** Something in FROM has no alias, and a name that PostgreSQL makes up for it, as of `coalesce(…)`. */
  readonly unnamedRanges: boolean;
  /** The highest n of its `$n`; as many values the server wants. */
  readonly parameters: number;
}

/** What several texts mention together. */
export function mergeReferences(all: readonly References[]): References {
  return {
    relations: all.flatMap((each) => each.relations),
    functions: all.flatMap((each) => each.functions),
    operators: all.flatMap((each) => each.operators),
    types: all.flatMap((each) => each.types),
    columns: all.flatMap((each) => each.columns),
    settings: all.flatMap((each) => each.settings),
    nodes: all.flatMap((each) => each.nodes),
    joinAliases: all.flatMap((each) => each.joinAliases),
    otherAliases: all.flatMap((each) => each.otherAliases),
    bound: all.flatMap((each) => each.bound),
    unnamedRanges: all.some((each) => each.unnamedRanges),
    parameters: Math.max(0, ...all.map((each) => each.parameters)),
  };
}
