/** `ORDER BY … LIMIT …` that sorts a table, and the index that would give its first rows in order. */
import type { PlanNode } from "./plan.ts";
import type { PlanFacts, PlanRelation } from "./plan_relations.ts";
import { equalityColumns, hasOrder, sortColumns } from "./plan_index.ts";
import { skippedBy } from "./plan_offset.ts";
import { manyRows, rowsRead, selective } from "./plan_rows.ts";

/** The part of the rows that a LIMIT may want and still be served by an index in order. */
const smallPart = 0.1;
/** A filter that keeps less of the rows than this is worth a place in the index. */
const narrow = 0.5;

/** What a Limit's input reads and sorts, and what would spare it. */
export interface FirstRows {
  /** The sequential scan, or those of a table's partitions. */
  readonly scans: readonly PlanNode[];
  readonly sort: PlanNode;
  readonly read: number;
  /** Rows that are sorted. */
  readonly kept: number;
  /** Rows that the LIMIT asks for, with those that an OFFSET passes over. */
  readonly wanted: number;
  readonly relation: PlanRelation;
  /** Columns and expressions of the index with their order, as CREATE INDEX takes them. */
  readonly index: readonly string[];
  /** Whether the index decides the whole filter. */
  readonly decides: boolean;
}

/** Nodes that pass on the rows of the one below. */
const passing = new Set(["Gather", "Gather Merge", "Result", "Append"]);

/** What stands out of a Limit; undefined where it sorts few rows, wants most of them, or where an index is there. */
export function firstRows(limit: PlanNode, facts: PlanFacts): FirstRows | undefined {
  if (limit.type !== "Limit" || limit.loops === 0 || limit.outer === undefined) return undefined;
  const sorted = sortedScans(limit.outer);
  const [scan] = sorted?.scans ?? [];
  if (sorted === undefined || scan === undefined) return undefined;
  const { sort, scans } = sorted;
  const relation = facts.relation(scan);
  if (
    relation === undefined || relation.isSystem ||
    scans.some((each) => facts.relation(each)?.sql !== relation.sql)
  ) {
    return undefined;
  }
  const { read, kept } = rowsOf(scans, facts);
  const wanted = limit.outer.rows ?? limit.estimatedRows + (skippedBy(limit, facts) ?? 0);
  const runs = Math.max(1, limit.runs);
  if (read / runs < manyRows || wanted === 0 || wanted > smallPart * kept / runs) return undefined;
  const order = sortColumns(sort.list("Sort Key"), relation);
  if (order === undefined) return undefined;
  const filter = scan.text("Filter");
  const equal = filter !== undefined && kept < read * narrow
    ? equalityColumns(filter, relation, scan.text("Alias"))
    : undefined;
  // What keeps so few needs an index of its own, which the rule on filters names.
  if (equal === undefined && kept < read * selective) return undefined;
  const leading = equal?.columns ?? [];
  const [{ sql: first, suffix } = { sql: "", suffix: "" }] = order;
  if (hasOrder(relation, [first], suffix) || hasOrder(relation, [...leading, first], suffix)) {
    return undefined;
  }
  return {
    scans,
    sort,
    read,
    kept,
    wanted,
    relation,
    index: [...leading, ...order.map(({ sql, suffix }) => sql + suffix)],
    decides: filter === undefined || equal?.whole === true,
  };
}

/** Rows of all scans and processes. */
function rowsOf(
  scans: readonly PlanNode[],
  facts: PlanFacts,
): { readonly read: number; readonly kept: number } {
  let read = 0;
  let kept = 0;
  for (const scan of scans) {
    const rows = rowsRead(scan, facts.relation(scan)?.rows);
    read += rows.read;
    kept += scan.text("Filter") === undefined ? rows.read : Math.min(rows.read, rows.kept);
  }
  return { read, kept };
}

/** The Limit that takes the first rows of what `scan` reads, where {@linkcode firstRows} finds that an index would. */
export function limitOver(scan: PlanNode, facts: PlanFacts): FirstRows | undefined {
  const limit = scan.ancestors().find(({ type }) => type === "Limit");
  const found = limit === undefined ? undefined : firstRows(limit, facts);
  return found?.scans.includes(scan) === true ? found : undefined;
}

function sortedScans(top: PlanNode): { sort: PlanNode; scans: readonly PlanNode[] } | undefined {
  let sort: PlanNode | undefined;
  let node = top;
  while (node.type === "Sort" || passing.has(node.type)) {
    if (node.type === "Sort") sort = node;
    if (node.type === "Append") break;
    const [only, ...more] = node.children;
    if (only === undefined || more.length > 0) return undefined;
    node = only;
  }
  const scans = node.type === "Append" ? node.children : [node];
  return sort === undefined || scans.some(({ type }) => type !== "Seq Scan") ? undefined : { sort, scans };
}
