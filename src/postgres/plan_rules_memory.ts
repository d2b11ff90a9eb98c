/** Rules on memory: what a plan writes to temporary files, as work_mem does not hold it. */
import { isRecord } from "../common/record.ts";
import { plural, size } from "../common/units.ts";
import type { PlanNode } from "./plan.ts";
import type { Rule } from "./plan_findings.ts";
import { nodeName } from "./plan_names.ts";
import { roughly } from "./plan_rows.ts";
import { ofWhole, wholeMegabytes } from "./plan_rules_scans.ts";

const blockBytes = 8192;
const kilobyte = 1024;
/** Temporary files smaller than this don't matter. */
const leastBytes = 1 << 20;
/** About how much larger rows are in memory than in a temporary file; small ones more, large ones less. */
const inMemory = 2.5;
/** Bytes of a row in memory beside its columns. */
const rowOverhead = 40;

interface Spill {
  /** Bytes written to disk. */
  readonly bytes: number;
  /** Bytes of work_mem that would hold it, of each process. */
  readonly needed: number;
  readonly evidence: string;
}

const spill: Rule = {
  looksAt: "spills to disk",
  when: "measured",
  examine(node, about) {
    const found = sortSpill(node) ?? hashSpill(node) ?? aggregateSpill(node) ??
      storeSpill(node, about.plan.nodes);
    if (found === undefined || found.bytes < leastBytes) return undefined;
    const needed = wholeMegabytes(found.needed);
    // The batches of a hash are written and read by the join above it.
    const share = Math.min(1, node.share + (node.type === "Hash" ? node.parent?.share ?? 0 : 0));
    return {
      title: `${nodeName(node)} takes ${ofWhole(share, about)}: it spills ${size(found.bytes)} to disk`,
      evidence: `${found.evidence}; work_mem is ${size(about.facts.workMem)}`,
      advice:
        `A work_mem of about ${needed} would probably hold it in memory (each sort and hash of each session may ` +
        `take that much: set it for the one session or role); so would fewer rows or columns${
          node.type === "Sort" ? ", or an index in that order" : ""
        }`,
      statement: `SET work_mem = '${needed}'`,
      share,
    };
  },
};

function sortSpill(node: PlanNode): Spill | undefined {
  const disk: number[] = [];
  for (const each of [undefined, ...node.parts("Workers")]) {
    const used = each === undefined ? node.number("Sort Space Used") : each["Sort Space Used"];
    const where = each === undefined ? node.text("Sort Space Type") : each["Sort Space Type"];
    if (where === "Disk" && typeof used === "number") disk.push(used * kilobyte);
  }
  for (const name of ["Full-sort Groups", "Pre-sorted Groups"]) {
    for (const group of node.parts(name)) {
      const space = group["Sort Space Disk"];
      const peak = isRecord(space) ? space["Peak Sort Space Used"] : undefined;
      if (typeof peak === "number") disk.push(peak * kilobyte);
    }
  }
  if (disk.length === 0) return undefined;
  return {
    bytes: disk.reduce((sum, bytes) => sum + bytes, 0),
    needed: Math.max(...disk) * inMemory,
    evidence: `an external sort of ${roughly(node)}${plural(Math.round(node.totalRows ?? 0), "row")}${
      disk.length > 1 ? `, in ${disk.length} parts` : ""
    }`,
  };
}

function hashSpill(node: PlanNode): Spill | undefined {
  const batches = node.number("Hash Batches") ?? 1;
  if (node.type !== "Hash" || batches <= 1) return undefined;
  const peak = (node.number("Peak Memory Usage") ?? 0) * kilobyte;
  return {
    bytes: Math.max(peak * (batches - 1), tempWritten(node)),
    needed: peak * batches,
    evidence: `a hash table of ${roughly(node)}${plural(Math.round(node.totalRows ?? 0), "row")} in ${
      plural(batches, "batch", "batches")
    }${
      (node.number("Original Hash Batches") ?? batches) < batches
        ? `, expected in ${node.number("Original Hash Batches")}`
        : ""
    }`,
  };
}

function aggregateSpill(node: PlanNode): Spill | undefined {
  const disk = (node.number("Disk Usage") ?? 0) * kilobyte;
  if (disk === 0) return undefined;
  const peak = (node.number("Peak Memory Usage") ?? 0) * kilobyte;
  return {
    bytes: disk,
    needed: peak + disk * inMemory,
    evidence: `${roughly(node)}${plural(Math.round(node.totalRows ?? 0), "group")} in ${
      plural(node.number("HashAgg Batches") ?? 1, "batch", "batches")
    }`,
  };
}

/** Materialize, CTE and function scans, windows: only PostgreSQL 17 and later say it, but the buffers always do. */
function storeSpill(node: PlanNode, nodes: readonly PlanNode[]): Spill | undefined {
  if (
    !/^(Materialize|CTE Scan|Function Scan|WindowAgg|Recursive Union|Table Function Scan)$/.test(node.type)
  ) {
    return undefined;
  }
  const name = node.text("CTE Name");
  const source = name === undefined
    ? undefined
    : nodes.find((each) => each.text("Subplan Name") === `CTE ${name}`);
  const below = [...node.children, ...(source === undefined ? [] : [source])];
  const written = tempWritten(node) - below.reduce((sum, child) => sum + tempWritten(child), 0);
  if (written <= 0) return undefined;
  return { bytes: written, needed: written * 1.5, evidence: "a stored result in temporary files" };
}

/** With all below it. */
function tempWritten(node: PlanNode): number {
  return (node.number("Temp Written Blocks") ?? 0) * blockBytes;
}

const expectedSpill: Rule = {
  looksAt: "sorts above work_mem",
  when: "estimated",
  examine(node, about) {
    if (node.type !== "Sort") return undefined;
    // Under a LIMIT only the first rows are held, of each process.
    const above = node.parent?.type === "Gather Merge" ? node.parent.parent : node.parent;
    if (above?.type === "Limit") return undefined;
    const bytes = node.estimatedRows * ((node.number("Plan Width") ?? 0) + rowOverhead);
    if (bytes <= about.facts.workMem || bytes < leastBytes) return undefined;
    const needed = wholeMegabytes(bytes);
    return {
      title: `${nodeName(node)} takes ${ofWhole(node.share, about)}: it would probably spill to disk`,
      evidence: `about ${size(Math.round(bytes))} for ${
        plural(node.estimatedRows, "row")
      } expected; work_mem is ${size(about.facts.workMem)}`,
      advice: `A work_mem of about ${needed}, an index in that order, or fewer rows would probably avoid it`,
      statement: `SET work_mem = '${needed}'`,
      share: node.share,
    };
  },
};

/** Spills, measured and expected. */
export const memoryRules: readonly Rule[] = [spill, expectedSpill];
