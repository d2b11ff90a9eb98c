/** A plan in words: its head, and its nodes as a tree that can be cut. */
import { count, duration, percent, plural, size } from "../common/units.ts";
import { visible } from "../common/visible.ts";
import type { Plan, PlanNode } from "./plan.ts";
import { nodeExpressions, nodeName } from "./plan_names.ts";
import { roughly } from "./plan_rows.ts";

const blockBytes = 8192;
const kilobyte = 1024;
/** Levels below which the tree is not indented any more. */
const deepest = 30;

/** The node that takes the largest share by itself, `Seq Scan on todos, 82% of the time`. */
export function costliest(plan: Plan): { readonly node: PlanNode; readonly text: string } {
  const node = plan.nodes.reduce((most, each) => each.share > most.share ? each : most, plan.root);
  const own = node.selfMs === undefined ? "" : ` (${milliseconds(node.selfMs)})`;
  return { node, text: `${nodeName(node)}, ${percent(node.share)} of the ${unit(plan)}${own}` };
}

function unit({ measured }: Plan): string {
  return measured ? "time" : "cost";
}

/** What comes before the findings. */
export function head(plan: Plan): readonly string[] {
  const { root } = plan;
  const cost = `cost ${count(root.number("Total Cost") ?? 0)}`;
  const expected = plural(root.estimatedRows, "row");
  const planned = plan.planningMs === undefined ? "" : `, after ${duration(plan.planningMs)} of planning`;
  const first = plan.measured
    ? `Ran in ${duration(plan.executionMs ?? 0)}${planned}: ${
      plural(Math.round(root.totalRows ?? 0), "row")
    }. Expected: ${expected}, ${cost}.`
    : `Not run. The planner expects ${expected} at ${cost} (in its own unit). ${estimates}`;
  const most = plan.nodes.length > 1 ? [`Costliest by itself: ${costliest(plan).text}.`] : [];
  const { run, circumstances } = remarks(plan);
  return [first, ...run, ...most, ...circumstances];
}

/** What the figures of the nodes do not tell: sentences, those for before the costliest node and those for after it. */
export function remarks(
  plan: Plan,
): { readonly run: readonly string[]; readonly circumstances: readonly string[] } {
  const memory = buffers(plan.root);
  const never = plan.nodes.filter((node) => node.loops === 0).length;
  const settings = plan.settings.map(([name, value]) => `${visible(name)} = ${visible(value)}`).join(", ");
  const workers = plan.nodes.reduce((sum, node) => sum + (node.number("Workers Launched") ?? 0), 0);
  return {
    run: [
      ...(memory === "" ? [] : [`Pages: ${memory}.`]),
      ...(plan.jit === undefined || !plan.measured
        ? []
        : [`Just-in-time compilation: ${duration(plan.jit.ms)}.`]),
    ],
    circumstances: [
      ...(never > 0 ? [`Never executed: ${plural(never, "node")} of ${count(plan.nodes.length)}.`] : []),
      ...(plan.measured && workers > 0
        ? [
          `Ran with ${
            plural(workers, "parallel worker")
          }: query_database fetches in portions, for which PostgreSQL starts none, so that it may take longer there.`,
        ]
        : []),
      ...(settings === "" ? [] : [`Settings that are not the default: ${settings}.`]),
    ],
  };
}

/** What to know of a plan that was not run. */
export const estimates = "These are estimates, not measurements: analyze runs it.";

/** One node as it is shown. */
export interface NodeLines {
  readonly node: PlanNode;
  readonly name: string;
  /** `12 rows (4,900 expected)`. */
  readonly rows: string;
  /** Conditions, memory, buffers, workers. */
  readonly details: readonly string[];
}

/** The nodes in words; expressions cut to `characters`. */
export function nodeLines(plan: Plan, characters: number): readonly NodeLines[] {
  return plan.nodes.map((node) => ({
    node,
    name: nodeName(node),
    rows: rowsText(node),
    details: [...nodeExpressions(node, characters), ...measures(node)],
  }));
}

/** The places, in the plan's order, of the `shown` nodes that matter most; with a node always all above it. */
export function mostImportant(plan: Plan, shown: number): ReadonlySet<PlanNode> {
  // What is below counts for a node as well, so that no node comes before the one it hangs on.
  const importance = new Map<PlanNode, number>();
  for (const node of plan.nodes.toReversed()) {
    importance.set(
      node,
      node.children.reduce((most, child) => Math.max(most, importance.get(child) ?? 0), node.share),
    );
  }
  const ranked = plan.nodes.toSorted((a, b) =>
    (importance.get(b) ?? 0) - (importance.get(a) ?? 0) || a.depth - b.depth
  );
  return new Set(ranked.slice(0, shown));
}

/** The tree, two spaces for each level, with each node's own share before it. */
export function tree(plan: Plan, lines: readonly NodeLines[]): readonly string[] {
  return lines.flatMap(({ node, name, rows, details }) => {
    const indent = "  ".repeat(Math.min(node.depth, deepest));
    const share = node.loops === 0 ? "-" : percent(node.share);
    return [
      `${share.padStart(6)}  ${indent}${name}: ${rows}`,
      ...details.map((detail) => `        ${indent}    ${detail}`),
    ];
  }).concat(leftOut(plan, lines.length).map((notice) => `[${notice}]`));
}

/** The notice of the nodes that are not among the `shown`, if there are any. */
export function leftOut(plan: Plan, shown: number): readonly string[] {
  const more = plan.nodes.length - shown;
  return more === 0 ? [] : [
    `Cut: ${plural(more, "cheaper node")} of ${count(plan.nodes.length)} left out. ` +
    "Explain a part of the query for the rest, or run EXPLAIN with query_database.",
  ];
}

function rowsText(node: PlanNode): string {
  const cost = `cost ${count(node.number("Total Cost") ?? 0)}`;
  if (node.rows === undefined || node.loops === undefined) {
    return `${plural(node.estimatedRows, "row")} expected, ${cost}`;
  }
  if (node.loops === 0) return `never executed (${plural(node.estimatedRows, "row")} expected)`;
  const loops = node.loops === 1
    ? ""
    : isOncePerProcess(node)
    ? ` in each of ${count(node.loops)} processes`
    : ` × ${plural(node.loops, "loop")}`;
  const self = node.selfMs === undefined ? "" : `, ${milliseconds(node.selfMs)}`;
  return `${plural(node.rows, "row")}${loops} (${count(node.estimatedRows)} expected)${self}`;
}

/** Whether each of several processes ran it once. */
export function isOncePerProcess({ loops, processes }: PlanNode): boolean {
  return processes > 1 && loops === processes;
}

/** PostgreSQL measures to the microsecond, which is none for many nodes. */
function milliseconds(value: number): string {
  return value < 0.01 ? "<0.01 ms" : duration(value);
}

/** What was measured beside time and rows. */
function measures(node: PlanNode): string[] {
  const removed = [
    ["Rows Removed by Filter", "dropped by the filter"],
    ["Rows Removed by Join Filter", "dropped by the join filter"],
    ["Rows Removed by Index Recheck", "dropped by the recheck"],
  ].flatMap(([field = "", words]) => {
    const rows = Math.round(node.total(field));
    return rows > 0 ? [`${roughly(node)}${plural(rows, "row")} ${words}`] : [];
  });
  const sorted = node.text("Sort Method");
  const sortSpace = node.number("Sort Space Used");
  const sort = sorted === undefined || sortSpace === undefined ? [] : [
    `${visible(sorted)}, ${size(sortSpace * kilobyte)} ${
      node.text("Sort Space Type") === "Disk" ? "on disk" : "of memory"
    }`,
  ];
  const batches = node.number("Hash Batches") ?? node.number("HashAgg Batches");
  const peak = node.number("Peak Memory Usage");
  const hash = peak === undefined ? [] : [
    `${size(peak * kilobyte)} of memory${
      (batches ?? 1) > 1 ? `, ${plural(batches ?? 1, "batch", "batches")}` : ""
    }${
      node.number("Disk Usage") === undefined
        ? ""
        : `, ${size((node.number("Disk Usage") ?? 0) * kilobyte)} on disk`
    }`,
  ];
  const stored = node.text("Storage");
  const store = stored === undefined ? [] : [
    `stored ${stored === "Disk" ? "on disk" : "in memory"}, ${
      size((node.number("Maximum Storage") ?? 0) * kilobyte)
    }`,
  ];
  const fetches = node.number("Heap Fetches") ?? 0;
  const heap = fetches > 0 ? [plural(fetches, "visit to the table", "visits to the table")] : [];
  const lossy = node.number("Lossy Heap Blocks") ?? 0;
  const blocks = lossy > 0
    ? [`${plural(lossy, "lossy block")} of ${count(lossy + (node.number("Exact Heap Blocks") ?? 0))}`]
    : [];
  const misses = node.number("Cache Misses");
  const cache = misses === undefined
    ? []
    : [`cache: ${count(node.number("Cache Hits") ?? 0)} hits, ${count(misses)} misses`];
  const planned = node.number("Workers Planned");
  const launched = node.number("Workers Launched");
  const workers = planned === undefined ? [] : [
    launched === undefined
      ? `${plural(planned, "worker")} planned`
      : `${count(launched)} of ${plural(planned, "worker")} launched`,
  ];
  const pruned = node.number("Subplans Removed") ?? 0;
  const partitions = pruned > 0 ? [`${plural(pruned, "part")} pruned`] : [];
  const waits = /^Gather/.test(node.type) && node.loops !== undefined && node.share >= 0.2
    ? ["its own part is starting the workers and waiting for them"]
    : [];
  const reads = node.type === "Bitmap Heap Scan" || /Scan$/.test(node.type) && node.children.length === 0;
  const read = reads ? buffers(node) : "";
  const line = [
    ...removed,
    ...sort,
    ...hash,
    ...store,
    ...heap,
    ...blocks,
    ...cache,
    ...workers,
    ...waits,
    ...partitions,
    ...(read === "" ? [] : [read]),
  ].join("; ");
  return line === "" ? [] : [line];
}

/** `8 MB from shared buffers, 60 MB read, 12 MB to temporary files`; with all that is below the node. */
function buffers(node: PlanNode): string {
  const bytes = (name: string) => (node.number(name) ?? 0) * blockBytes;
  const hit = bytes("Shared Hit Blocks") + bytes("Local Hit Blocks");
  const read = bytes("Shared Read Blocks") + bytes("Local Read Blocks");
  const written = bytes("Temp Written Blocks");
  const waited = node.number("Shared I/O Read Time") ?? node.number("I/O Read Time") ?? 0;
  return [
    hit > 0 ? `${size(hit)} from shared buffers` : "",
    read > 0 ? `${size(read)} read${waited > 0 ? ` in ${duration(waited)}` : ""}` : "",
    written > 0 ? `${size(written)} written to temporary files` : "",
  ].filter((part) => part !== "").join(", ");
}
