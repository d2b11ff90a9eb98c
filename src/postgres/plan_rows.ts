/** How many rows a scan of a plan reads, and how many it keeps. */
import type { PlanNode } from "./plan.ts";

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
  const outer = node.role === "Inner" && node.parent?.type === "Nested Loop" ? node.parent.outer : undefined;
  const runs = Math.max(1, outer?.estimatedRows ?? 1);
  return { kept: node.estimatedRows * runs, read: (tableRows ?? 0) * runs, runs };
}
