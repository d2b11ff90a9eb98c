/** The rules that look at the workload: how many pods it has of those that it is to have, and whether its Service finds them. */
import { plural } from "../common/units.ts";
import { type Evidence, seen } from "./evidence.ts";
import { hasTimedOut, isRolling } from "./rollout_rules.ts";
import type { Finding, Rule } from "./rule.ts";
import { awaitedPod, factsOf, isAwaited } from "./sick_pods.ts";
import { isNotStarted } from "./surrounding_rules.ts";
import { isServing } from "./workload.ts";

export const clusterRules: readonly Rule[] = [
  {
    name: "pods_not_created",
    explains: 66,
    when: "a stateful set or daemon set can't create its pods",
    find(evidence) {
      const { workloads = [], pods = [] } = seen(evidence.cluster) ?? {};
      const found = workloads.find(({ uncreated }) => uncreated !== undefined);
      if (found === undefined) return undefined;
      const { kind, namespace, name, uncreated } = found;
      return {
        severity: pods.some(isServing) ? "degraded" : "down",
        text: `${kind} ${namespace}/${name} can't create pods: ${uncreated}`,
        next: [{ tool: "describe_resource", arguments: { kind, name, namespace } }],
      };
    },
  },
  {
    name: "scaled_to_zero",
    explains: 63,
    when: "the workload is to have no pods at all",
    find(evidence) {
      const workloads = seen(evidence.cluster)?.workloads ?? [];
      if (workloads.length === 0 || workloads.some(({ desired }) => desired > 0)) return undefined;
      const texts = workloads.map(({ kind, namespace, name }) =>
        `${kind} ${namespace}/${name} ${
          kind === "DaemonSet" ? "is to run on no node" : "is scaled to zero: no pod is to run"
        }`
      );
      return {
        severity: "down",
        text: texts.join("; "),
        next: workloads.slice(0, 1).map(({ namespace }) => ({
          tool: "get_events",
          arguments: { namespace },
        })),
      };
    },
  },
  {
    name: "service_without_pods",
    explains: 63,
    when: "the Service of its name leads to no pod that is ready, or to none of their ports",
    find(evidence) {
      const { workloads = [], services = [], pods = [] } = seen(evidence.cluster) ?? {};
      const lost = services.find(({ ready, problem, lacksPort, namespace }) =>
        problem !== null && (ready === 0 || lacksPort) &&
        // Of a workload without pods more is known than that nobody finds them.
        (workloads.length + pods.length === 0 ||
          pods.some((pod) => pod.namespace === namespace && isServing(pod)))
      );
      if (lost === undefined) return undefined;
      const { namespace, name, problem } = lost;
      // Requests that arrive come by another way.
      const isReached = (requestsOf(evidence) ?? 0) > 0;
      return {
        severity: !isReached && services.every(({ ready }) => ready === 0) ? "down" : "degraded",
        text: `Service ${namespace}/${name} ${problem?.startsWith("no ") === true ? "has " : ""}${problem}`,
        next: [{ tool: "get_services", arguments: { namespace, name } }],
      };
    },
  },
  {
    name: "not_ready",
    explains: 62,
    when: "fewer pods are ready than there are to be",
    find(evidence) {
      const workloads = seen(evidence.cluster)?.workloads ?? [];
      if (workloads.length === 0) return podsNotReady(evidence);
      const short = workloads.filter((one) => one.ready < one.desired && !isRolling(one, evidence));
      if (short.length === 0) return undefined;
      // A workload's own count comes later than what its pods say.
      const serving = seen(evidence.cluster)?.pods.some(isServing) === true;
      const pod = awaitedPod(evidence);
      const hasSick = seen(evidence.cluster)?.pods.some(({ status }) => !status.healthy) === true;
      return {
        severity: workloads.every(({ ready }) => ready === 0) && !serving ? "down" : "degraded",
        text:
          short.map(({ kind, namespace, name, ready, desired, rollout, rolling }) =>
            `${kind} ${namespace}/${name} has ${ready} of ${plural(desired, "pod")} ready${
              hasTimedOut({ rollout })
                ? ", and its rollout has timed out"
                : rolling === undefined && rollout?.verdict !== "progressing"
                ? ""
                : `, while a rollout is going on${
                  rolling === undefined || rolling.updated >= desired
                    ? ""
                    : ` (${rolling.updated} of ${desired} updated)`
                }`
            }`
          ).join("; ") + (pod === undefined ? "" : `: ${pod.name}: ${factsOf(pod)}`),
        next: [
          // Of pods that could not be made there is nothing to list.
          ...short.slice(0, hasSick ? 1 : 0).map(({ namespace, selector }) => ({
            tool: "get_pods",
            arguments: {
              namespace,
              status: "unhealthy",
              ...(selector === undefined ? {} : { label_selector: selector }),
            },
          })),
          ...(pod === undefined
            ? []
            : [{ tool: "describe_pod", arguments: { pod_name: pod.name, namespace: pod.namespace } }]),
        ],
      };
    },
  },
];

/** Requests per second lately. */
function requestsOf({ metrics }: Evidence): number | undefined {
  const { requests, recent } = seen(metrics) ?? {};
  return (recent?.requests ?? requests)?.rates?.requestsPerSecond;
}

/** Of pods that no workload has, and that are not over. */
function podsNotReady(evidence: Evidence): Omit<Finding, "rule"> | undefined {
  const pods = seen(evidence.cluster)?.pods ?? [];
  const [first, ...others] = pods.filter(isAwaited);
  if (first === undefined) return undefined;
  const { namespace, name, status } = first;
  const running = others.length + 1 + pods.filter(isServing).length;
  // Another finding has said why it has not been started.
  const why = status.message === undefined || isNotStarted(first) ? "" : `, ${status.message}`;
  return {
    severity: pods.some(isServing) ? "degraded" : "down",
    text: `${1 + others.length} of ${plural(running, "pod")} ${
      others.length === 0 ? "is" : "are"
    } not ready: ${name}: ${status.status}${why}`,
    next: [{ tool: "describe_pod", arguments: { pod_name: name, namespace } }],
  };
}
