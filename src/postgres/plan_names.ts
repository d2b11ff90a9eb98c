/** What a node of a plan is called, as psql prints it, and the expressions that it works with. */
import { shortened } from "../common/shortened.ts";
import { visible } from "../common/visible.ts";
import type { PlanNode } from "./plan.ts";

const aggregates: Readonly<Record<string, string>> = {
  Hashed: "HashAggregate",
  Sorted: "GroupAggregate",
  Mixed: "MixedAggregate",
};

/** `Parallel Seq Scan on todos t`, `Hash Left Join`, `Index Scan using todos_pkey on todos`. Safe to show. */
export function nodeName(node: PlanNode): string {
  const parts = [operation(node)];
  if (node.parent === undefined || node.role !== "InitPlan" && node.role !== "SubPlan") return parts.join("");
  const plan = (node.text("Subplan Name") ?? node.role).replace(/ \(returns .*\)$/, "");
  return `${visible(plan)}: ${parts.join("")}`;
}

function operation(node: PlanNode): string {
  const { type } = node;
  const join = node.text("Join Type") ?? "Inner";
  const strategy = node.text("Strategy") ?? "";
  let name = type;
  if (type === "Nested Loop" && join !== "Inner") name = `Nested Loop ${join} Join`;
  if (/^(Hash|Merge) Join$/.test(type) && join !== "Inner") name = type.replace("Join", `${join} Join`);
  if (type === "Aggregate") name = aggregates[strategy] ?? "Aggregate";
  if (type === "SetOp") {
    name = `${strategy === "Hashed" ? "HashSetOp" : "SetOp"} ${node.text("Command") ?? ""}`;
  }
  const partial = node.text("Partial Mode");
  if (partial !== undefined && partial !== "Simple") name = `${partial} ${name}`;
  if (node.text("Scan Direction") === "Backward") name += " Backward";
  // EXPLAIN says Parallel of what divides its work; a partial aggregate is just run in each worker.
  const index = node.text("Index Name");
  const source = relationName(node);
  if (index !== undefined) name += type === "Bitmap Index Scan" ? ` on ${index}` : ` using ${index}`;
  if (source !== undefined) name += ` on ${source}`;
  return visible(isParallelAware(node) ? `Parallel ${name}` : name);
}

function isParallelAware(node: PlanNode): boolean {
  return node.flag("Parallel Aware") && !node.type.startsWith("Gather");
}

/** `sales.orders o`, `todos`, a CTE's or a function's name; undefined for what reads none. A schema `public` is left out. */
export function relationName(node: PlanNode): string | undefined {
  const alias = node.text("Alias");
  const name = node.text("Relation Name") ?? node.text("CTE Name") ?? node.text("Tuplestore Name") ??
    node.text("Function Name") ?? node.text("Table Function Name");
  if (name === undefined) return /Scan$/.test(node.type) ? alias : undefined;
  const schema = node.text("Schema");
  const full = schema === undefined || schema === "public" || schema === "pg_catalog"
    ? name
    : `${schema}.${name}`;
  return alias === undefined || alias === name ? full : `${full} ${alias}`;
}

/** What the rows of a side of a join come from. Safe to show. */
export function sourceName(node: PlanNode): string {
  const scan = node.scanBelow ?? node;
  const name = relationName(scan);
  return name === undefined ? nodeName(scan) : visible(name);
}

/** Fields with conditions and keys, and the words for them. */
const expressions: readonly (readonly [string, string])[] = [
  ["Index Cond", "index condition"],
  ["Order By", "ordered by"],
  ["TID Cond", "row address"],
  ["Recheck Cond", "recheck"],
  ["Hash Cond", "joined on"],
  ["Merge Cond", "joined on"],
  ["Join Filter", "join filter"],
  ["One-Time Filter", "one-time filter"],
  ["Filter", "filter"],
  ["Sort Key", "by"],
  ["Presorted Key", "already sorted by"],
  ["Group Key", "by"],
  ["Cache Key", "cached by"],
];

/** Its conditions and keys: `filter (t.user_id = 5)`. Safe to show, cut to `characters` each. */
export function nodeExpressions(node: PlanNode, characters: number): string[] {
  return expressions.flatMap(([field, words]) => {
    const text = node.text(field) ?? node.list(field).join(", ");
    return text === "" ? [] : [`${words} ${shorten(text, characters)}`];
  });
}

/** A text that can be shown, cut to `characters`. */
export function shorten(text: string, characters: number): string {
  return shortened(visible(text.replace(/\s+/g, " ")), characters);
}
