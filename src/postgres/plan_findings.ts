/** What stands out in a plan: the rules, and how what they find is put in order. */
import type { Plan, PlanNode } from "./plan.ts";
import type { PlanFacts } from "./plan_relations.ts";
import { joinRules } from "./plan_rules_joins.ts";
import { memoryRules } from "./plan_rules_memory.ts";
import { misestimate } from "./plan_rules_estimates.ts";
import { offsetRules } from "./plan_rules_offset.ts";
import { productRules } from "./plan_rules_products.ts";
import { scanRules } from "./plan_rules_scans.ts";
import { wholeRules } from "./plan_rules_whole.ts";

/** Something that a person could change. */
export interface Finding {
  /** One sentence without a full stop: which node, and what is wrong with it. */
  readonly title: string;
  /** The numbers that say so. */
  readonly evidence: string;
  /** What would probably help. */
  readonly advice: string;
  /** What a person could run; never run here. */
  readonly statement?: string;
  /** How much of the whole it explains, 0 to 1. */
  readonly share: number;
}

/** A plan with what is known around it. */
export interface Case {
  readonly plan: Plan;
  readonly facts: PlanFacts;
}

/** One thing to look for in each node. Adding one here, with its test, is all there is to do. */
export interface Rule {
  /** What is looked at, as it is told when nothing is found. */
  readonly looksAt: string;
  /** `measured`: only when the statement was run; `estimated`: only when it was not. */
  readonly when: "measured" | "estimated" | "always";
  readonly examine: (node: PlanNode, about: Case) => Finding | undefined;
}

/** All rules. */
const rules: readonly Rule[] = [
  ...scanRules,
  ...joinRules,
  ...productRules,
  ...offsetRules,
  ...memoryRules,
  misestimate,
  ...wholeRules,
];

/** What explains less of the whole is left out. */
const leastShare = 0.05;
const mostFindings = 5;

/** The rules that apply to such a plan. */
export function rulesFor(measured: boolean): readonly Rule[] {
  return rules.filter(({ when }) => when === "always" || (when === "measured") === measured);
}

/** Whether it was measured and took fewer than `fastMs` milliseconds, planning included. */
export function isFast({ measured, executionMs, planningMs }: Plan, fastMs: number): boolean {
  return measured && (executionMs ?? Infinity) + (planningMs ?? 0) < fastMs;
}

/** What stands out, what explains most first, at most five. */
export function findingsOf(about: Case): readonly Finding[] {
  const { plan } = about;
  return rulesFor(plan.measured)
    .flatMap((rule) => merge(plan.nodes.flatMap((node) => rule.examine(node, about) ?? [])))
    .filter(({ share }) => share >= leastShare)
    .sort((a, b) => b.share - a.share)
    .slice(0, mostFindings);
}

/** Partitions of a table, and tables of a union, ask for the same thing: one finding, with the shares added up. */
function merge(found: readonly Finding[]): readonly Finding[] {
  const merged = new Map<string, { first: Finding; share: number; count: number }>();
  for (const finding of found.toSorted((a, b) => b.share - a.share)) {
    const key = finding.statement ?? finding.title;
    const known = merged.get(key);
    if (known === undefined) merged.set(key, { first: finding, share: finding.share, count: 1 });
    else {
      known.share += finding.share;
      known.count++;
    }
  }
  return [...merged.values()].map(({ first, share, count }) => ({
    ...first,
    share: Math.min(1, share),
    ...(count === 1 ? {} : { evidence: `${first.evidence}; and ${count - 1} more like it` }),
  }));
}
