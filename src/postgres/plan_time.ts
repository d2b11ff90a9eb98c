/**
 * What each node of a plan takes by itself. EXPLAIN gives the time and the cost of a node with all that is below it, per
 * loop, averaged over processes: https://www.postgresql.org/docs/current/using-explain.html
 */
import type { PlanNode } from "./plan.ts";

/** Sets `selfMs` and `share` of each node: by time where it was measured, else by cost. */
export function shareOut(root: PlanNode, executionMs: number | undefined): void {
  const nodes = [...root.all()];
  if (nodes.some((node) => node.number("Actual Total Time") !== undefined)) {
    shareTime(nodes, Math.max(executionMs ?? 0, elapsed(root)));
  } else {
    shareCost(root, root.number("Total Cost") ?? 0);
    const all = nodes.reduce((sum, node) => sum + node.share, 0);
    for (const node of nodes) node.share = all > 0 ? node.share / all : 0;
  }
}

/** Milliseconds by the clock with all below it: processes run beside each other. */
function elapsed(node: PlanNode): number {
  return (node.number("Actual Total Time") ?? 0) * node.runs;
}

function shareTime(nodes: readonly PlanNode[], whole: number): void {
  const own = new Map(nodes.map((node) => {
    const below = node.children.filter((child) => child.role !== "InitPlan");
    return [node, elapsed(node) - below.reduce((sum, child) => sum + elapsed(child), 0)] as const;
  }));
  // An init plan and a CTE run when they are first asked: their time is in whoever asked, and not in the node that they
  // are printed below. Who asked is not told: it is who had the most time.
  for (const node of nodes) {
    if (node.role !== "InitPlan") continue;
    let rest = elapsed(node);
    const askers = nodes.filter(asks(node)).sort((a, b) => (own.get(b) ?? 0) - (own.get(a) ?? 0));
    for (const asker of askers.length > 0 ? askers : [node.parent]) {
      if (asker === undefined || rest <= 0) break;
      const taken = Math.min(rest, Math.max(0, own.get(asker) ?? 0));
      own.set(asker, (own.get(asker) ?? 0) - taken);
      rest -= taken;
    }
  }
  let all = 0;
  for (const node of nodes) {
    node.selfMs = Math.max(0, own.get(node) ?? 0);
    all += node.selfMs;
  }
  // Times are rounded in each of many loops: together they may be more than the whole.
  for (const node of nodes) node.share = whole > 0 ? (node.selfMs ?? 0) / Math.max(whole, all) : 0;
}

/** Whether a node asks for what the init plan or CTE gives. */
function asks(plan: PlanNode): (node: PlanNode) => boolean {
  const name = plan.text("Subplan Name") ?? "";
  if (name.startsWith("CTE ")) {
    return (node) => node.text("CTE Name") === name.slice(4);
  }
  // Until 16 `InitPlan 1 (returns $0,$1)`, read as `$0`; from 17 on `InitPlan 1`, read as `(InitPlan 1).col1`.
  const [, returned] = name.match(/\(returns (.*)\)$/) ?? [];
  const wanted = returned === undefined
    ? `\\(${name}\\)`
    : `(?:${returned.split(",").map((each) => `\\${each}`).join("|")})(?!\\d)`;
  const pattern = new RegExp(wanted);
  const inside = new Set(plan.all());
  return (node) => !inside.has(node) && node.mentions(pattern);
}

/** Shares in the cost as yet: `cost` is what this node and all below it take of the whole plan's, in all its runs. */
function shareCost(node: PlanNode, cost: number): void {
  const once = node.number("Total Cost") ?? 0;
  // What Materialize holds is computed in the first of its runs.
  const runs = once > 0 && node.type !== "Materialize" ? cost / once : 1;
  let rest = cost;
  for (const child of node.children) {
    // The planner may count on a part of a child's rows only (LIMIT), or on a cheap second run of it.
    const wanted = (child.number("Total Cost") ?? 0) * expectedRuns(child, node) * runs;
    const taken = Math.min(rest, wanted);
    shareCost(child, taken);
    rest -= taken;
  }
  node.share = Math.max(0, rest);
}

/** How often a node is to run in each run of its parent, as the planner expects. */
export function expectedRuns(child: PlanNode, parent: PlanNode): number {
  if (child.role === "SubPlan") {
    const hashed = parent.mentions(/hashed/);
    return hashed ? 1 : Math.max(1, (parent.outer ?? parent).estimatedRows);
  }
  const repeats = parent.type === "Nested Loop" && child.role === "Inner" && child.type !== "Materialize";
  return repeats ? Math.max(1, parent.outer?.estimatedRows ?? 1) : 1;
}
