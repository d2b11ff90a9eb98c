/** Full text search: what `to_tsvector` makes words of, as an index on that expression holds it. */
import { type ParseNode } from "./statement.ts";
import { constantText, nodesOf, typeName } from "./plan_condition.ts";
import type { PlanRelation } from "./plan_relations.ts";

/** A call of `to_tsvector`. */
export interface Words {
  /** undefined where the session's own is meant, which no index can hold. */
  readonly configuration: string | undefined;
  readonly source: ParseNode;
}

/** The call that a side of `@@` consists of. */
export function wordsIn(side: ParseNode): Words | undefined {
  if (side.type !== "FuncCall") return undefined;
  const names = nodesOf(side.fields["funcname"]).map((part) => String(part.fields["sval"]));
  if (names.join(".") !== "to_tsvector") return undefined;
  const [first, second, ...more] = nodesOf(side.fields["args"]);
  if (first === undefined || more.length > 0) return undefined;
  if (second === undefined) return { configuration: undefined, source: first };
  const configuration = constantText(first);
  return configuration === undefined ? undefined : { configuration, source: second };
}

/** Types whose text, or whose own words, do not depend on the session, by `format_type`. */
const fixed = new Set(["text", "character varying", "character", "json", "jsonb"]);

/** The source as PostgreSQL prints it; undefined where there is something in it that an index may not hold. */
export function printed(node: ParseNode, relation: PlanRelation): string | undefined {
  const all = (nodes: readonly ParseNode[]) => {
    const texts = nodes.map((each) => printed(each, relation));
    return texts.every((text) => text !== undefined) ? texts : undefined;
  };
  switch (node.type) {
    case "ColumnRef": {
      const name = nodesOf(node.fields["fields"]).at(-1)?.fields["sval"];
      const column = relation.columns.get(String(name));
      return column !== undefined && fixed.has(column.type) ? column.sql : undefined;
    }
    case "TypeCast": {
      const [inner] = nodesOf([node.fields["arg"]]);
      if (inner === undefined || typeName(node.fields["typeName"]) !== "text") return undefined;
      const constant = constantText(inner);
      if (constant !== undefined) {
        return constant.includes("\\") ? undefined : `'${constant.replaceAll("'", "''")}'::text`;
      }
      const text = printed(inner, relation);
      return text === undefined ? undefined : `(${text})::text`;
    }
    case "CoalesceExpr": {
      const choices = all(nodesOf(node.fields["args"]));
      return choices === undefined ? undefined : `COALESCE(${choices.join(", ")})`;
    }
    case "A_Expr": {
      const [operator, ...more] = nodesOf(node.fields["name"]);
      if (more.length > 0 || operator?.fields["sval"] !== "||") return undefined;
      const sides = all(nodesOf([node.fields["lexpr"], node.fields["rexpr"]]));
      return sides === undefined ? undefined : `(${sides.join(" || ")})`;
    }
    default:
      return undefined;
  }
}

/** The whole call as an index on it is written; undefined where no index can hold it. */
export function wordsExpression(words: Words, relation: PlanRelation): string | undefined {
  const { configuration, source } = words;
  const text = printed(source, relation);
  if (configuration === undefined || text === undefined || !/^[a-z_]+$/.test(configuration)) return undefined;
  return `to_tsvector('${configuration}'::regconfig, ${text})`;
}

/** Whether two such calls mean the same, as an index prints its own with fewer parentheses and casts. */
export function areSameWords(one: string, other: string): boolean {
  const flat = (text: string) =>
    text.replace(/('(?:[^']|'')*')|::(?:text|character varying|bpchar)(?![a-z])|[()]/g, "$1");
  return /^to_tsvector\(/.test(one) && flat(one) === flat(other);
}
