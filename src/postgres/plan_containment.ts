/** Operators that look inside a value, and the index that answers them: GIN for JSON, arrays and words, GiST for ranges. */
import type { Comparison } from "./plan_condition.ts";
import { fromJson, normal } from "./plan_expression.ts";
import type { Extensions, PlanColumn, PlanRelation } from "./plan_relations.ts";
import { areSameWords, wordsExpression } from "./plan_words.ts";

/** An index that answers such an operator by its type's default operator class. */
export interface Container {
  readonly sql: string;
  readonly method: "gin" | "gist";
  /** Whether jsonb_path_ops answers it as well. */
  readonly byPath: boolean;
}

/** Types by `format_type`, the access method, and the operators of its default operator class. */
const kinds: readonly (readonly [RegExp, Container["method"], readonly string[]])[] = [
  [/^jsonb$/, "gin", ["@>", "?", "?|", "?&", "@?", "@@"]],
  [/\[\]$/, "gin", ["@>", "<@", "&&"]],
  [/^tsvector$/, "gin", ["@@"]],
  [/^(int4|int8|num|ts|tstz|date)(multi)?range$/, "gist", ["@>", "<@", "&&"]],
];

/** The index for what a condition looks for inside `column`; undefined where none is known to find it. */
export function containerOf(
  { asked, path, wrapper, cast, words }: Comparison,
  column: PlanColumn,
  relation: PlanRelation,
  { intarray }: Pick<Extensions, "intarray">,
): Container | undefined {
  if (words !== undefined) {
    const sql = asked?.text?.includes("!") === true ? undefined : wordsExpression(words, relation);
    return sql === undefined ? undefined : { sql, method: "gin", byPath: false };
  }
  const made = wrapper === undefined ? fromJson({ path, cast }, column) : undefined;
  if (asked === undefined || made === undefined) return undefined;
  const [, method] =
    kinds.find(([type, , operators]) => type.test(made.type) && operators.includes(asked.operator)) ?? [];
  // The extension's operators for this type are others than those of the same names that an index of arrays knows.
  if (method === undefined || intarray && made.type === "integer[]") return undefined;
  const isPath = asked.operator === "@?" || made.type === "jsonb" && asked.operator === "@@";
  if (isPath && !hasValue(asked.text) || made.type === "tsvector" && asked.text?.includes("!") === true) {
    return undefined;
  }
  return {
    sql: made.sql,
    method,
    byPath: isPath || made.type === "jsonb" && asked.operator === "@>",
  };
}

/** Operator classes with such operators; jsonb_path_ops has not all of them. */
const classes = new Set(["jsonb_ops", "array_ops", "tsvector_ops", "range_ops", "multirange_ops"]);

/** Whether an index knows the operator that a container is asked with. */
export function answersInside(
  { keys, classes: known, method }: PlanRelation["indexes"][number],
  { sql, byPath }: Container,
): boolean {
  return keys.some((key, at) => {
    const name = known[at] ?? "";
    return (normal(key) === normal(sql) || areSameWords(key, sql)) &&
      (classes.has(name) || byPath && name === "jsonb_path_ops") &&
      // GIN finds by any of its columns.
      (method === "gin" || at === 0 && method !== "btree" && method !== "hash");
  });
}

/** Of a path in JSON, what leaves GIN a value to look for: no OR, negation, arithmetic or method. */
const plain = /^(strict|[\s$@?()]|\.k|\[(\*|\d+)\]|==|&&|[<>]=?|k|-?\d+(\.\d+)?|true|false|null)+$/;

/** Whether GIN finds rows by a value that must be in them; of a path as a plan prints it, with each key in quotes. */
function hasValue(text = ""): boolean {
  const path = text.replace(/"(\\.|[^"\\])*"/g, "k");
  return plain.test(path) && /==\s*(k|-?\d|true|false|null)/.test(path);
}
