/** The rules that look at what a service calls, by what it measures of its calls. */
import type { Dependency } from "../prometheus/dependencies.ts";
import { seen } from "./evidence.ts";
import type { Finding, Rule } from "./rule.ts";

/** The service of a name such as `pricing.shop.svc:8080`; a host of another domain, `partner.com`, is none of ours. */
const inCluster =
  /^([a-z][a-z0-9-]{0,62})(?:\.(?!(?:com|net|org|edu|gov|int|info|biz|[a-z]{2})(?:$|:))[a-z0-9-]+(?:\.svc(?:\.[a-z0-9.-]+)?)?)?(?::\d+)?$/;

export const dependencyRules: readonly Rule[] = [
  {
    name: "failing_dependency",
    explains: 53,
    when: "calls that it makes fail, while its own requests are slow or fail",
    find(evidence) {
      const dependency = seen(evidence.metrics)?.dependencies?.failing;
      return dependency?.isNew === true ? dependencyFinding(dependency) : undefined;
    },
  },
  {
    name: "slow_dependency",
    explains: 51,
    when: "what it calls takes longer than a day before, while its own requests are slow or fail",
    find: (evidence) => dependencyFinding(seen(evidence.metrics)?.dependencies?.slow),
  },
  {
    name: "always_failing_dependency",
    explains: 29,
    when: "calls that it makes fail as a day before, while its own requests are slow or fail",
    find(evidence) {
      const dependency = seen(evidence.metrics)?.dependencies?.failing;
      const found = dependencyFinding(dependency);
      if (found === undefined || dependency?.isNew !== false) return undefined;
      return { ...found, severity: "coincidence", text: `Of note, as a day before: ${found.text}` };
    },
  },
];

function dependencyFinding(dependency: Dependency | undefined): Omit<Finding, "rule"> | undefined {
  if (dependency === undefined) return undefined;
  const { name, text, isDatabase } = dependency;
  const [, service] = inCluster.exec(name) ?? [];
  const calls = isDatabase
    ? [{ tool: "database_health", arguments: {} }, { tool: "top_queries", arguments: {} }]
    : service !== undefined
    ? [{ tool: "service_health_report", arguments: { service } }]
    : [];
  return { severity: "degraded", text, next: calls };
}
