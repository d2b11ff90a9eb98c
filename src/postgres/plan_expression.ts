/** What an index holds for what a condition compares: the column, or an expression on it, as SQL writes it. */
import type { Comparison } from "./plan_condition.ts";
import type { PlanColumn } from "./plan_relations.ts";

/** Functions that an index can hold, since their result depends on the argument alone. */
export const indexable = new Set(["lower", "upper", "length", "abs", "md5", "btrim"]);
/** Types that the text in JSON can be cast to whatever the session's settings, as an index wants it. */
const fixedCasts: Readonly<Record<string, string>> = {
  bool: "boolean",
  float8: "double precision",
  int2: "smallint",
  int4: "integer",
  int8: "bigint",
  numeric: "numeric",
  uuid: "uuid",
};

/** Types without an operator class for btree, by `format_type`. */
const unordered = new Set([
  ...["json", "xml", "jsonpath", "xid", "cid", "aclitem", "pg_snapshot", "txid_snapshot", "refcursor"],
  ...["point", "line", "lseg", "box", "path", "polygon", "circle"],
]);

/** What an index holds for a comparison; undefined for what it can't, or is not known to. */
export function expressionOf(
  { path, wrapper, cast }: Pick<Comparison, "path" | "wrapper" | "cast">,
  column: PlanColumn,
): string | undefined {
  const taken = takenOut(path, column);
  if (wrapper !== undefined) {
    const isAsItIs = cast === undefined || path.length === 0 && sameStorage(cast, column.type);
    return isAsItIs && indexable.has(wrapper) ? `${wrapper}(${taken})` : undefined;
  }
  const kind = kindOf(path, column);
  if (unordered.has(kind.replace(/\[\]$/, ""))) return undefined;
  if (cast === undefined) return taken;
  if (path.length === 0) return sameStorage(cast, column.type) ? taken : undefined;
  if (cast === "text") return taken;
  const type = Object.hasOwn(fixedCasts, cast) ? fixedCasts[cast] : undefined;
  return type === undefined ? undefined : `(${taken}::${type})`;
}

/** What is looked into: the column, what is taken out of its JSON, or that as jsonb; and its type. */
export function fromJson(
  { path, cast }: Pick<Comparison, "path" | "cast">,
  column: PlanColumn,
): { readonly sql: string; readonly type: string } | undefined {
  const sql = takenOut(path, column);
  const type = kindOf(path, column);
  if (cast === undefined) return unordered.has(type.replace(/\[\]$/, "")) ? undefined : { sql, type };
  return cast === "jsonb" && type === "json" ? { sql: `(${sql}::jsonb)`, type: "jsonb" } : undefined;
}

function takenOut(path: Comparison["path"], column: PlanColumn): string {
  return path.reduce((sql, step) => `(${sql} ${step})`, column.sql);
}

/** What `->>` and `#>>` give is text, and what `->` and `#>` give is of the column's own type. */
export function kindOf(path: Comparison["path"], column: PlanColumn): string {
  return /^[-#]>>/.test(path.at(-1) ?? "") ? "text" : column.type;
}

/** Whether an index on the column answers a comparison of its cast. */
function sameStorage(cast: string, type: string): boolean {
  return cast === "text" && (type === "character varying" || type === "text") ||
    cast === "bpchar" && type === "character";
}

/** `lower((name)::text)` as `lower(name)`. */
export function normal(key: string): string {
  return key.replace(/::(text(\[\])?|character varying|bpchar)(?![a-z])/g, "").replace(
    /\(\(([^()]*)\)\)/g,
    "($1)",
  ).replace(/^\(([^()]*)\)$/, "$1");
}
