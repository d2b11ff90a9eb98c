/** How many rows a scan of a plan reads, and how many it keeps. */
import type { PlanNode } from "./plan.ts";
import { expectedRuns } from "./plan_time.ts";

const holding = new Set(["Materialize", "Memoize"]);
/** Rows that one scan must read before an index is worth its upkeep. */
export const manyRows = 10_000;
/** A filter that keeps less than this part is one that an index should answer. */
export const selective = 0.05;

/** Rows that a sequential scan keeps and reads, of all processes, and how often it ran. */
export function rowsRead(
  node: PlanNode,
  tableRows: number | undefined,
): { readonly kept: number; readonly read: number; readonly runs: number } {
  if (node.totalRows !== undefined) {
    return {
      kept: node.totalRows,
      read: node.totalRows + node.total("Rows Removed by Filter"),
      runs: Math.max(1, node.runs),
    };
  }
  const runs = runsExpected(node);
  return { kept: node.estimatedRows * node.processes * runs, read: (tableRows ?? 0) * runs, runs };
}

/** Before a sum over loops: rows are rounded in each, to hundredths from PostgreSQL 18 on, and estimates are none too exact. */
export function roughly(node: PlanNode): string {
  return node.loops === 1 || node.loops === 0 ? "" : "about ";
}

/** How often a node is to run in all, as the planner expects: for each row of what it hangs on, and of what that does. */
export function runsExpected(node: PlanNode): number {
  let runs = 1;
  for (let child = node; child.parent !== undefined; child = child.parent) {
    // What is held is computed once, and only read again.
    if (child !== node && holding.has(child.type)) break;
    runs *= expectedRuns(child, child.parent);
  }
  return runs;
}
