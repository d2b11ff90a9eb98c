/** OFFSET, which EXPLAIN does not print: as the statement's text says it. */
import { isRecord } from "../common/record.ts";
import type { Cell } from "./database.ts";
import { parseStatements } from "./parser.ts";
import type { PlanNode } from "./plan.ts";
import type { PlanFacts } from "./plan_relations.ts";
import { type ParseNode, parseNode, rawStatements } from "./statement.ts";

/** Rows that a SELECT's own OFFSET passes over; undefined without one, and for one that is computed. */
export function offsetOf(sql: string, values: readonly Cell[]): number | undefined {
  if (!/\boffset\b/i.test(sql)) return undefined;
  const [statement] = rawStatements(parseStatements(sql));
  const offset = statement?.type === "SelectStmt" ? statement.fields["limitOffset"] : undefined;
  const node = offset === undefined ? undefined : parseNode(offset);
  const text = node === undefined ? undefined : constantOf(node, values);
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

function constantOf({ type, fields }: ParseNode, values: readonly Cell[]): string | undefined {
  if (type === "TypeCast") {
    const inner = fields["arg"] === undefined ? undefined : parseNode(fields["arg"]);
    return inner === undefined ? undefined : constantOf(inner, values);
  }
  if (type === "ParamRef") return values[Number(fields["number"]) - 1] ?? undefined;
  if (type !== "A_Const") return undefined;
  for (const kind of ["ival", "fval", "sval"]) {
    const value = fields[kind];
    if (isRecord(value)) return String(value[kind] ?? 0);
  }
  return undefined;
}

/** Rows that a Limit passes over: the statement's own is on top of its plan, and of others nothing is known. */
export function skippedBy(limit: PlanNode, { offset }: PlanFacts): number | undefined {
  return limit.type === "Limit" && limit.parent === undefined ? offset : undefined;
}
