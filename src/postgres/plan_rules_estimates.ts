/** The rule on rows that the planner did not expect: where that begins, since all above it follows from it. */
import { count, plural } from "../common/units.ts";
import { visible } from "../common/visible.ts";
import type { PlanNode } from "./plan.ts";
import { readCondition } from "./plan_condition.ts";
import type { Rule } from "./plan_findings.ts";
import { expressionOf } from "./plan_expression.ts";
import type { Advice } from "./plan_index.ts";
import { nodeExpressions, nodeName } from "./plan_names.ts";
import type { PlanRelation } from "./plan_relations.ts";
import { roughly } from "./plan_rows.ts";
import { quoted } from "./plan_rules_scans.ts";

/** How many times off an estimate is wrong. */
const wrong = 10;
/** Rows, expected or real, that are enough to matter. */
const manyRows = 1_000;

/** Columns that one CREATE STATISTICS takes. */
const mostColumns = 8;

/** Nodes whose rows are not rows of a table, or the rows of the node below. */
const uncounted = new Set([
  "BitmapAnd",
  "BitmapOr",
  "Bitmap Index Scan",
  "Hash",
  "Materialize",
  "Memoize",
  "Limit",
]);

/** Nodes that read all of their input before they give a row, unless they group it in its order. */
const blocking = new Set(["Sort", "Aggregate", "Hash", "Materialize", "SetOp"]);

/** Where the planner's estimate first goes wrong. */
export const misestimate: Rule = {
  looksAt: "estimates off ten times",
  when: "measured",
  examine(node, about) {
    const factor = off(node);
    if (factor === undefined || !matters(node, factor)) return undefined;
    const begins = node.children.every((child) => {
      return [...child.all()].every((below) => !isSame(off(below), factor));
    });
    if (!begins) return undefined;
    const rows = node.rows ?? 0;
    const times = factor > 1 ? factor : 1 / factor;
    const per = node.processes > 1 ? " in each process" : node.runs > 1.5 ? " in each run" : "";
    const [expression] = nodeExpressions(node, quoted);
    // What it spoils is the plan around it, up to half of which may be blamed on it.
    const around = (node.parent ?? node).sharedBelow;
    return {
      title: `The planner expects ${plural(node.estimatedRows, "row")} of ${nodeName(node)}${per}, and ${
        roughly(node)
      }${rows === 1 ? "1 comes" : `${count(rows)} come`}`,
      evidence: `${count(Math.round(times))} times ${factor > 1 ? "more" : "fewer"}${
        expression === undefined ? "" : `: ${expression}`
      }`,
      ...remedy(node, about.facts.relation(node)),
      share: around / 2,
    };
  },
};

/** How many times more rows came than were expected, when that is wrong; less than 1 is fewer. */
function off(node: PlanNode): number | undefined {
  const { rows, loops = 0, estimatedRows } = node;
  if (rows === undefined || loops === 0 || uncounted.has(node.type)) return undefined;
  const factor = Math.max(1, rows) / Math.max(1, estimatedRows);
  if (factor < wrong && factor > 1 / wrong) return undefined;
  return factor < 1 && mayStopEarly(node) ? undefined : factor;
}

/** Whether it makes the estimate of many rows wrong: its own, or of what is above it. */
function matters(node: PlanNode, factor: number): boolean {
  const many = ({ rows = 0, loops = 0, estimatedRows }: PlanNode) =>
    Math.max(rows, estimatedRows) * loops >= manyRows;
  return many(node) || [...node.ancestors()].some((above) => isSame(off(above), factor) && many(above));
}

/** A LIMIT, a merge or a search for one match may not have asked for all rows: then fewer is no error. */
function mayStopEarly(node: PlanNode): boolean {
  let below = node;
  for (const above of node.ancestors()) {
    if (above.type === "Limit" || above.type === "Merge Join") return true;
    const join = above.text("Join Type");
    const unique = join === "Semi" || join === "Anti" || above.flag("Inner Unique");
    if (above.type === "Nested Loop" && unique && below.role === "Inner") return true;
    if (below.role === "SubPlan" || below.role === "InitPlan" || below.text("Subplan Name") !== undefined) {
      return true;
    }
    const isInOrder = above.text("Strategy") === "Sorted";
    if (blocking.has(above.type) && !isInOrder) return false;
    below = above;
  }
  return false;
}

function isSame(one: number | undefined, other: number): boolean {
  return one !== undefined && one > 1 === other > 1;
}

/** What could make the estimate better. */
function remedy(node: PlanNode, relation: PlanRelation | undefined): Advice {
  if (relation !== undefined) return scanRemedy(node, relation);
  if (node.type === "Function Scan") {
    return {
      advice:
        `A function declared with its usual number of rows (ALTER FUNCTION … ROWS …) would probably be planned better`,
    };
  }
  if (node.type === "Aggregate") {
    return {
      advice:
        "Statistics on the grouped columns together (CREATE STATISTICS … (ndistinct) ON …, then ANALYZE) would probably help",
    };
  }
  if (node.type === "CTE Scan" || node.type === "WorkTable Scan" || node.type === "Recursive Union") {
    return { advice: "The planner knows nothing of the values inside; a temporary table could be analyzed" };
  }
  return {
    advice: "The planner takes conditions on several tables for independent of each other: " +
      "a condition that is repeated on the other table, where it holds too, would probably help",
  };
}

function scanRemedy(node: PlanNode, relation: PlanRelation): Advice {
  const analyze = `ANALYZE ${relation.own}`;
  // A SubPlan as a condition is given a selectivity of 0.5: clause_selectivity_ext in clausesel.c of PostgreSQL.
  if (/\bSubPlan\b/.test(node.text("Filter") ?? "")) {
    return {
      advice:
        "The planner takes half of the rows for IN or NOT IN with a sub-select that it can't make a join of, " +
        "whatever the statistics: NOT EXISTS can be one, and differs where the sub-select gives NULL",
    };
  }
  if (!relation.analyzed) {
    return { advice: "The table was never analyzed: ANALYZE would probably help", statement: analyze };
  }
  if (relation.changed > Math.max(manyRows, (relation.rows ?? 0) / 5)) {
    return {
      advice: `${
        plural(relation.changed, "row")
      } changed since the last ANALYZE: another would probably help`,
      statement: analyze,
    };
  }
  const condition = ["Index Cond", "Recheck Cond", "Filter"].flatMap((name) => node.text(name) ?? [])
    .join(" AND ");
  const { comparisons, columns } = readCondition(condition);
  const known = columns.flatMap((column) => relation.columns.get(column)?.sql ?? []);
  const [first, ...more] = known;
  const wrapped = comparisons.find(({ path, wrapper, how }) =>
    how !== "inside" && (path.length > 0 || wrapper !== undefined)
  );
  const inside = relation.columns.get(wrapped?.column ?? "");
  if (
    wrapped !== undefined && inside !== undefined && (wrapped.path.length === 0 || wrapped.cast === undefined)
  ) {
    const column = inside.sql;
    const expression = expressionOf(wrapped, inside) ?? `${wrapped.wrapper ?? ""}(${column})`;
    return {
      advice: `The planner knows the values of ${visible(column)} and not of ${visible(expression)}: ` +
        "statistics on the expression, and then ANALYZE, would probably help",
      statement: `CREATE STATISTICS ${
        statisticsName(relation, [expression])
      } ON (${expression}) FROM ${relation.own}`,
    };
  }
  if (first !== undefined && more.length > 0) {
    const together = known.slice(0, mostColumns);
    return {
      advice: `The planner takes ${visible(known.join(" and "))} for independent: ` +
        "statistics on them together, and then ANALYZE, would probably help",
      statement: `CREATE STATISTICS ${statisticsName(relation, together)} ON ${
        together.join(", ")
      } FROM ${relation.own}`,
    };
  }
  const isPlain = comparisons.some(({ path, wrapper, cast, how }) =>
    path.length === 0 && wrapper === undefined && cast === undefined && how !== "inside"
  );
  if (first !== undefined && !isPlain) {
    return {
      advice:
        `The planner guesses what the condition finds, as it is on an expression of ${visible(first)}: ` +
        "statistics on that expression (CREATE STATISTICS), and then ANALYZE, would probably help",
    };
  }
  if (first !== undefined) {
    return {
      advice: "More detailed statistics of the column, and then ANALYZE, would probably help",
      statement: `ALTER TABLE ${relation.own} ALTER COLUMN ${first} SET STATISTICS 1000`,
    };
  }
  if (condition !== "") return { advice: "The planner guesses what a condition on no column finds" };
  return { advice: "ANALYZE would probably help", statement: analyze };
}

/** Before PostgreSQL 16 it must have a name. */
function statisticsName(relation: PlanRelation, parts: readonly string[]): string {
  const words = [relation.own.split(".").at(-1) ?? "", ...parts].join("_").toLowerCase();
  const name = words.replace(/[^a-z0-9]+/g, "_").replace(/^[_0-9]+/, "").slice(0, 54).replace(/_$/, "");
  return `${name === "" ? "plan" : name}_stats`;
}
