/** Which operator class finds texts by a pattern of LIKE. */
import { visible } from "../common/visible.ts";
import type { Comparison } from "./plan_condition.ts";
import { kindOf } from "./plan_expression.ts";
import { type Advice, createIndex } from "./plan_index.ts";
import type { Extensions, PlanColumn, PlanRelation } from "./plan_relations.ts";

/** By the type as `format_type` names it, for a pattern that says how the text begins. */
const beginnings: Readonly<Record<string, string>> = {
  text: "text_pattern_ops",
  "character varying": "varchar_pattern_ops",
  character: "bpchar_pattern_ops",
};

/** For a btree the class after a space; for a part nothing as yet. Undefined where none is known to know LIKE of that type. */
export function patternClass(
  { how, path, wrapper }: Comparison,
  column: PlanColumn,
): string | undefined {
  const kind = wrapper === undefined ? kindOf(path, column) : "text";
  const found = Object.hasOwn(beginnings, kind) ? beginnings[kind] : undefined;
  if (how === "prefix") return found === undefined ? undefined : ` ${found}`;
  return kind === "text" || kind === "character varying" ? "" : undefined;
}

/** The index for the middle of a text, and the extension that it needs. */
export function trigramAdvice(sql: string, relation: PlanRelation, { trigrams }: Extensions): Advice {
  if (trigrams === undefined) {
    return {
      advice: `Only a trigram index on ${
        visible(sql)
      } would find the rows, and this server does not have the extension pg_trgm`,
    };
  }
  const index = createIndex(relation, `${sql} ${trigrams.operatorClass}`, "gin");
  const found = `A trigram index on ${visible(sql)} would probably find the rows`;
  return trigrams.isInstalled
    ? { advice: `${found}, for patterns of three characters or more`, statement: index }
    : {
      advice: `${found}; it needs the extension pg_trgm, and patterns of three characters or more`,
      statement: `CREATE EXTENSION IF NOT EXISTS pg_trgm;\n${index}`,
    };
}
