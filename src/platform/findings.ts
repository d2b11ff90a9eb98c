/**
 * What the evidence comes to: rules, each of which looks at all parts and says at most one thing. A rule's `explains`
 * orders the findings: causes before what they cause, what they cause before what merely came at the same time.
 */
import { clusterRules } from "./cluster_rules.ts";
import { databaseRules } from "./database_rules.ts";
import { dependencyRules } from "./dependency_rules.ts";
import type { Evidence } from "./evidence.ts";
import { instanceRules } from "./instance_rules.ts";
import { latencyRules } from "./latency_rules.ts";
import { logRules } from "./log_rules.ts";
import { podRules } from "./pod_rules.ts";
import { requestRules } from "./request_rules.ts";
import { rolloutRules } from "./rollout_rules.ts";
import type { Finding, Rule } from "./rule.ts";
import { surroundingRules } from "./surrounding_rules.ts";
import { usageRules } from "./usage_rules.ts";

/** The rules, what explains most first. */
export const rules: readonly Rule[] = [
  ...databaseRules,
  ...podRules,
  ...clusterRules,
  ...rolloutRules,
  ...logRules,
  ...surroundingRules,
  ...instanceRules,
  ...requestRules,
  ...latencyRules,
  ...dependencyRules,
  ...usageRules,
]
  .sort((a, b) => b.explains - a.explains);

/** What the rules find, what explains most first. */
export function findingsOf(evidence: Evidence): readonly Finding[] {
  return rules.flatMap((rule) => {
    const found = rule.find(evidence);
    return found === undefined ? [] : [{ rule: rule.name, ...found }];
  });
}
