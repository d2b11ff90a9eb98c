/** Which index would answer a condition of a plan, and whether there is one already. */
import { visible } from "../common/visible.ts";
import { type Comparison, readCondition } from "./plan_condition.ts";
import { answersInside, type Container, containerOf } from "./plan_containment.ts";
import { expressionOf, indexable, normal } from "./plan_expression.ts";
import { patternClass, trigramAdvice } from "./plan_patterns.ts";
import { readSortKey } from "./plan_sort_key.ts";
import type { Extensions, PlanColumn, PlanRelation } from "./plan_relations.ts";
import { printed, type Words } from "./plan_words.ts";

/** What could be done, and the statement for it if there is one. */
export interface Advice {
  readonly advice: string;
  readonly statement?: string;
}

/** A column with fewer distinct values is left out where another one has more. */
const fewDistinct = 10;
const mostColumns = 3;
/** What the planner takes an expression to have, of which nothing is known: DEFAULT_NUM_DISTINCT of PostgreSQL. */
const expressionDistinct = 200;

interface Key {
  /** The column or expression as SQL writes it. */
  readonly sql: string;
  readonly operatorClass: string;
  readonly how: Comparison["how"];
  readonly distinct: number;
  /** What it is of for `inside`. */
  readonly container?: Container;
}

/** How an index could help a scan of `relation`, in the query called `alias`, with such a condition. */
export function indexAdvice(
  condition: string,
  relation: PlanRelation | undefined,
  options: {
    readonly alias: string | undefined;
    readonly inUse?: boolean;
    readonly extensions: Extensions;
  },
): Advice {
  const unfit = {
    advice: options.inUse === true
      ? "No index answers the filter as it is written; a narrower index condition would probably help"
      : "This tool knows no index that answers the condition as it is written. One could if it compared a column with a " +
        "value, ANDed with the rest; each side of an OR needs an index of its own, and an expression one on that expression",
  };
  if (relation === undefined || relation.isSystem) return unfit;
  const { comparisons, sides } = readCondition(condition);
  const own = comparisons.filter(({ alias }) => alias === undefined || alias === options.alias);
  const keys: Key[] = [];
  for (const each of own) {
    const column = relation.columns.get(each.column);
    if (column === undefined) continue;
    const key = keyOf(each, column, relation, options.extensions);
    if (key !== undefined) keys.push(key);
    else if (own.length === 1 && each.words !== undefined && each.words.configuration === undefined) {
      return unconfigured(each.words, relation) ?? unfit;
    } else if (own.length === 1 && each.how !== "inside") {
      if (each.wrapper !== undefined && !indexable.has(each.wrapper)) return wrapped(each, column);
      if (each.cast !== undefined) return converted(each, column);
    }
  }
  const isThere = ({ container }: Key) =>
    container !== undefined && relation.indexes.some((index) => answersInside(index, container));
  // Of what an index in use has found, no other one would find less.
  const wanted = options.inUse === true ? keys.filter((key) => !isThere(key)) : keys;
  const chosen = choose(wanted);
  if (chosen.length === 0) {
    return options.inUse === true ? unfit : eitherAdvice(sides, relation, options) ?? unfit;
  }
  const insides = wanted.filter(({ container }) => container !== undefined);
  const inside = (insides.find((key) => !isThere(key)) ?? insides[0])?.container;
  if (inside !== undefined && chosen[0]?.how === "inside") return insideAdvice(inside, relation);
  const names = chosen.map(({ sql }) => sql);
  const list = names.join(", ");
  const isPart = chosen[0]?.how === "part";
  const serving = relation.indexes.filter(({ keys, method, classes }) => {
    // In the order of a btree nothing can be found by its middle, and by a hash nothing but the same value.
    if (isPart && method !== "gin" && method !== "gist") return false;
    if (method === "hash" && chosen[0]?.how !== "equal") return false;
    if (chosen[0]?.how === "prefix" && chosen[0].operatorClass.trim() !== classes[0]) return false;
    const known = keys.map(normal);
    return options.inUse === true
      ? names.every((name) => known.slice(0, names.length).includes(normal(name)))
      : names.slice(0, 1).some((name) => known[0] === normal(name));
  });
  const existing = serving.find(({ partial }) => !partial) ??
    (options.inUse === true ? serving[0] : undefined);
  if (existing !== undefined) {
    if (options.inUse !== true) return unused(existing, relation);
    return inside === undefined ? unfit : insideAdvice(inside, relation);
  }
  if (isPart) return trigramAdvice(list, relation, options.extensions);
  const parts = chosen.map(({ sql, operatorClass }) => sql + operatorClass).join(", ");
  const what = names.length === 1 ? `An index on ${list}` : `One index on ${list} together`;
  return {
    advice: `${besides(serving)}${visible(what)} would probably let it read only the rows that it keeps`,
    statement: createIndex(relation, parts),
  };
}

/** The statement; a partitioned table takes no CONCURRENTLY. */
export function createIndex(relation: PlanRelation, columns: string, method?: string): string {
  const how = method === undefined ? "" : ` USING ${method}`;
  return `CREATE INDEX ${relation.isPartition ? "" : "CONCURRENTLY "}ON ${relation.sql}${how} (${columns})`;
}

/** Columns and expressions that an index can sort by as `keys` of a Sort want it; undefined where it can't. */
export function sortColumns(
  keys: readonly string[],
  relation: PlanRelation,
): readonly { readonly sql: string; readonly suffix: string }[] | undefined {
  const found = keys.slice(0, mostColumns).map((text) => {
    const key = readSortKey(text);
    const column = relation.columns.get(key?.column ?? "");
    if (key === undefined || column === undefined) return undefined;
    const sql = expressionOf(key, column);
    return sql === undefined ? undefined : { sql, suffix: key.suffix };
  });
  const known = found.filter((key) => key !== undefined);
  return known.length === found.length && known.length > 0 ? known : undefined;
}

/** Columns that a condition holds to one value each; `whole` when it says nothing else. Undefined when there is none. */
export function equalityColumns(
  condition: string,
  relation: PlanRelation,
  alias: string | undefined,
): { readonly columns: readonly string[]; readonly whole: boolean } | undefined {
  const { parts, comparisons } = readCondition(condition);
  const columns = comparisons.flatMap((each) => {
    const column = relation.columns.get(each.column);
    const isOwn = each.alias === undefined || each.alias === alias;
    return isOwn && column !== undefined && each.value !== undefined ? expressionOf(each, column) ?? [] : [];
  }).slice(0, mostColumns);
  return columns.length === 0 ? undefined : { columns, whole: columns.length === parts };
}

/**
 * Whether there is an index whose order begins with these columns; read forwards or backwards, the last of them in the
 * order that `suffix` gives it, ` DESC NULLS LAST`.
 */
export function hasOrder(relation: PlanRelation, columns: readonly string[], suffix?: string): boolean {
  return relation.indexes.some(({ keys, orders, method, partial }) =>
    method === "btree" && !partial && columns.every((column, at) =>
      normal(keys[at] ?? "") === normal(column)
    ) &&
    (suffix === undefined || isReadable(orders[columns.length - 1] ?? 0, suffix))
  );
}

/** Bits of `pg_index.indoption`: INDOPTION_DESC and INDOPTION_NULLS_FIRST. */
const [descending, nullsFirst] = [1, 2];

function isReadable(order: number, suffix: string): boolean {
  const isDescending = / DESC\b/.test(suffix);
  const wanted = (isDescending ? descending : 0) |
    (/ NULLS FIRST$/.test(suffix) || isDescending && !/ NULLS LAST$/.test(suffix) ? nullsFirst : 0);
  return order === wanted || (order ^ (descending | nullsFirst)) === wanted;
}

/** The index that finds what is inside a value. */
function insideAdvice(container: Container, relation: PlanRelation): Advice {
  const { sql, method, byPath } = container;
  const serving = relation.indexes.filter((index) => answersInside(index, container));
  const existing = serving.find(({ partial }) => !partial);
  if (existing !== undefined) return unused(existing, relation);
  const name = method === "gin" ? "GIN" : "GiST";
  const smaller = byPath ? "; with jsonb_path_ops it is smaller, and answers @>, @? and @@ alone" : "";
  return {
    advice: `${besides(serving)}A ${name} index on ${visible(sql)} would probably find the rows${smaller}`,
    statement: createIndex(relation, sql, method),
  };
}

/** An index for each side of an OR that has none; undefined where a side could not use one. */
function eitherAdvice(
  sides: readonly (readonly Comparison[])[],
  relation: PlanRelation,
  { alias, extensions }: { readonly alias: string | undefined; readonly extensions: Extensions },
): Advice | undefined {
  const wanted = new Map<string, Key>();
  for (const side of sides) {
    const [key] = choose(side.flatMap((each) => {
      const column = relation.columns.get(each.column);
      const isOwn = each.alias === undefined || each.alias === alias;
      return isOwn && column !== undefined ? keyOf(each, column, relation, extensions) ?? [] : [];
    }));
    if (key === undefined || key.how === "part") return undefined;
    wanted.set(key.sql, key);
  }
  const missing = [...wanted.values()].filter(({ sql, container }) =>
    container === undefined
      ? !hasOrder(relation, [sql])
      : !relation.indexes.some((index) => !index.partial && answersInside(index, container))
  );
  if (wanted.size === 0) return undefined;
  if (missing.length === 0) {
    return {
      advice:
        "Each side of the OR has an index, and the planner chose none: perhaps the statistics are old, " +
        "or a side keeps too many rows",
      statement: `ANALYZE ${relation.own}`,
    };
  }
  const names = visible(missing.map(({ sql }) => sql).join(" and "));
  return {
    advice: wanted.size === 1
      ? `An index on ${names} would probably find the rows of each side of the OR`
      : `Each side of the OR needs an index of its own, and the planner can then combine them: there is none on ${names}`,
    statement: missing.map(({ sql, operatorClass, container }) =>
      createIndex(relation, sql + operatorClass, container?.method)
    ).join(";\n"),
  };
}

/**
 * Equality first, the most selective leading, then one range; before what is hardly selective, what is inside a value; a
 * pattern only where there is nothing else.
 */
function choose(keys: readonly Key[]): readonly Key[] {
  const unique = [...new Map(keys.map((key) => [`${key.container?.method} ${key.sql}`, key])).values()];
  const equal = unique.filter(({ how }) => how === "equal").sort((a, b) => b.distinct - a.distinct);
  const selective = equal.filter(({ distinct }) => distinct >= fewDistinct);
  const inside = unique.filter(({ how }) => how === "inside").slice(0, 1);
  if (selective.length === 0 && inside.length > 0) return inside;
  const range = unique.filter(({ how }) => how === "range").slice(0, 1);
  const chosen = [...(selective.length > 0 ? selective : equal).slice(0, mostColumns), ...range];
  if (chosen.length > 0) return chosen;
  const prefix = unique.filter(({ how }) => how === "prefix").slice(0, 1);
  return prefix.length > 0 ? prefix : unique.filter(({ how }) => how === "part").slice(0, 1);
}

function keyOf(
  comparison: Comparison,
  column: PlanColumn,
  relation: PlanRelation,
  extensions: Extensions,
): Key | undefined {
  const { how, path } = comparison;
  if (how === "inside") {
    const container = containerOf(comparison, column, relation, extensions);
    return container && { sql: container.sql, operatorClass: "", how, distinct: Infinity, container };
  }
  const sql = expressionOf(comparison, column);
  if (sql === undefined) return undefined;
  const operatorClass = how === "prefix" || how === "part" ? patternClass(comparison, column) : "";
  return operatorClass === undefined ? undefined : {
    sql,
    operatorClass,
    how,
    distinct: path.length > 0 ? expressionDistinct : column.distinct ?? Infinity,
  };
}

/** Words by the session's own configuration, which no index can hold. */
function unconfigured({ source }: Words, relation: PlanRelation): Advice | undefined {
  const text = printed(source, relation);
  return text === undefined ? undefined : {
    advice: visible(
      `to_tsvector(${text}) depends on the session's default_text_search_config, so that no index can hold it: write ` +
        `to_tsvector('english', ${text}), or what that setting is, in the query and in a GIN index`,
    ),
  };
}

function wrapped({ wrapper }: Comparison, column: PlanColumn): Advice {
  return {
    advice: visible(
      `The condition is on ${wrapper}(${column.sql}): compare ${column.sql} itself with a range or a value, ` +
        `or index the expression, if ${wrapper} is immutable`,
    ),
  };
}

function converted({ path, cast = "", how, value }: Comparison, column: PlanColumn): Advice {
  if (path.length > 0) {
    return {
      advice: visible(
        `The condition converts a value in ${column.sql} to ${cast}, which depends on the session's settings, so that ` +
          "no index can hold it: compare the text, or keep it in a column of its own",
      ),
    };
  }
  const found =
    `The condition converts ${column.sql} from ${column.type} to ${cast}, so that no index on the column itself fits: `;
  if (cast === "date" && /^timestamp/.test(column.type)) {
    const rewritten = how !== "equal"
      ? "compare the time itself, where > a day is >= the next day, and <= a day is < the next day"
      : `ask for the time from ${
        value === undefined ? "each" : "the"
      } day's beginning to before the next day's`;
    return { advice: visible(`${found}${rewritten}`) };
  }
  // The text of two values is two texts; other types may round.
  const range = cast === "text" ? "" : `, or with the range of values that become the same ${cast}`;
  return { advice: visible(`${found}compare it with a value of type ${column.type}${range}`) };
}

/** A partial index that the query does not use: most likely as it asks for rows, too, that are not in it. */
function besides(partial: readonly PlanRelation["indexes"][number][]): string {
  const [index] = partial;
  return index === undefined
    ? ""
    : `The partial index ${visible(index.name)} serves only queries that imply its condition. `;
}

function unused(index: PlanRelation["indexes"][number], relation: PlanRelation): Advice {
  return {
    advice:
      `There is the index ${
        visible(index.name)
      }, which the planner did not choose: perhaps the statistics are old, or the collation or ` +
      "operator class does not fit; ANALYZE would probably show which",
    statement: `ANALYZE ${relation.own}`,
  };
}
