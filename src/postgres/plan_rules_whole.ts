/** Rules on a plan as a whole: compilation, planning, missing processes. */
import { count, duration, plural } from "../common/units.ts";
import type { Rule } from "./plan_findings.ts";
import { nodeName } from "./plan_names.ts";
import { ofWhole } from "./plan_rules_scans.ts";

/** Milliseconds of compiling or planning that are worth a word. */
const longMs = 20;

const jit: Rule = {
  looksAt: "time of compiling",
  when: "measured",
  examine(node, about) {
    const { jit, executionMs } = about.plan;
    if (node.parent !== undefined || jit === undefined || executionMs === undefined) return undefined;
    const share = Math.min(1, jit.ms / executionMs);
    if (jit.ms < longMs || share < 0.2) return undefined;
    return {
      title: `Just-in-time compilation takes ${ofWhole(share, about)}`,
      evidence: `${duration(jit.ms)} of ${duration(executionMs)} for ${plural(jit.functions, "function")}`,
      advice: "Without it, or with a higher jit_above_cost, this statement would probably be faster",
      statement: "SET jit = off",
      share,
    };
  },
};

const planning: Rule = {
  looksAt: "time of planning",
  when: "measured",
  examine(node, { plan }) {
    const { planningMs = 0, executionMs = 0 } = plan;
    if (node.parent !== undefined || planningMs < longMs || planningMs < executionMs) return undefined;
    return {
      title: "Planning takes longer than running",
      evidence: `${duration(planningMs)} against ${duration(executionMs)}, for ${
        plural(plan.nodes.length, "node")
      }`,
      advice:
        "A condition on the partition key, fewer joined tables or partitions, or a prepared statement would probably help",
      share: planningMs / (planningMs + executionMs),
    };
  },
};

const workers: Rule = {
  looksAt: "absent parallel workers",
  when: "measured",
  examine(node, about) {
    const planned = node.number("Workers Planned") ?? 0;
    const launched = node.number("Workers Launched") ?? planned;
    if (node.loops === 0 || launched >= planned) return undefined;
    return {
      title: `${nodeName(node)} was planned for ${plural(planned, "worker")} and got ${count(launched)}`,
      evidence: `what is below it takes ${ofWhole(node.sharedBelow, about)}, by ${
        plural(launched + 1, "process", "processes")
      } instead of ${count(planned + 1)}`,
      advice:
        "Other statements had the server's workers: try again later, or an operator can raise max_parallel_workers and max_worker_processes",
      share: node.sharedBelow * (1 - (launched + 1) / (planned + 1)),
    };
  },
};

/** Compilation, planning, workers. */
export const wholeRules: readonly Rule[] = [jit, planning, workers];
