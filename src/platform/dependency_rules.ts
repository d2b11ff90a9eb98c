/** The rules that look at what a service calls, by what it measures of its calls. */
import type { Dependency } from "../prometheus/dependencies.ts";
import { type Evidence, seen } from "./evidence.ts";
import type { Finding, NextCall, Rule } from "./rule.ts";
import { namespacesOf } from "./workload.ts";

/** The service and the namespace of a name such as `pricing.shop.svc:8080`. */
const inCluster = /^([a-z][a-z0-9-]{0,62})(?:\.([a-z0-9-]{1,63})(\.svc(?:\.[a-z0-9.-]+)?)?)?(?::\d+)?$/;
/** What `partner.com` ends in, which is none of ours; a namespace may be called so as well. */
const topLevel = /^(?:com|net|org|edu|gov|int|info|biz|[a-z]{2})$/;

export const dependencyRules: readonly Rule[] = [
  {
    name: "pool_exhausted",
    explains: 91,
    when: "requests wait for a connection of the service's own database pool, while it is slow or fails",
    find(evidence) {
      const pool = seen(evidence.metrics)?.pool;
      if (pool === undefined) return undefined;
      return { severity: "degraded", text: pool.text, next: [{ tool: "database_health", arguments: {} }] };
    },
  },
  {
    name: "failing_dependency",
    explains: 53,
    when: "calls that it makes fail, while its own requests are slow or fail",
    find(evidence) {
      const dependency = seen(evidence.metrics)?.dependencies?.failing;
      return dependency?.isNew === true ? dependencyFinding(dependency, evidence) : undefined;
    },
  },
  {
    name: "slow_dependency",
    explains: 51,
    when: "what it calls takes longer than a day before, while its own requests are slow or fail",
    find: (evidence) => dependencyFinding(seen(evidence.metrics)?.dependencies?.slow, evidence),
  },
  {
    name: "always_failing_dependency",
    explains: 29,
    when: "calls that it makes fail as a day before, while its own requests are slow or fail",
    find(evidence) {
      const dependency = seen(evidence.metrics)?.dependencies?.failing;
      const found = dependencyFinding(dependency, evidence);
      if (found === undefined || dependency?.isNew !== false) return undefined;
      return { ...found, severity: "coincidence", text: `Of note, as a day before: ${found.text}` };
    },
  },
];

function dependencyFinding(
  dependency: Dependency | undefined,
  evidence: Evidence,
): Omit<Finding, "rule"> | undefined {
  if (dependency === undefined) return undefined;
  const { name, text, isDatabase } = dependency;
  const calls = isDatabase
    ? [{ tool: "database_health", arguments: {} }, { tool: "top_queries", arguments: {} }]
    : reportOf(name, evidence);
  return { severity: "degraded", text, next: calls };
}

function reportOf(host: string, { namespace: asked, cluster }: Evidence): readonly NextCall[] {
  const [, service, namespace, isInside] = inCluster.exec(host) ?? [];
  if (service === undefined) return [];
  if (namespace === undefined) return [{ tool: "service_health_report", arguments: { service } }];
  const own = [asked, ...namespacesOf(seen(cluster)?.workloads ?? [])];
  if (isInside === undefined && topLevel.test(namespace) && !own.includes(namespace)) return [];
  return [{ tool: "service_health_report", arguments: { service, namespace } }];
}
