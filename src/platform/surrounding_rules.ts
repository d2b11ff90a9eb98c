/** The rules that look at what is around the pods: their volumes and networks, their nodes, their autoscaler. */
import { plural } from "../common/units.ts";
import type { Autoscaler, Hindrance } from "../kubernetes/autoscalers.ts";
import { missingText, preventsStart } from "../kubernetes/evidence.ts";
import { age } from "./age.ts";
import { failing } from "../prometheus/request_verdict.ts";
import { slowerLately, slowerQuantile } from "../prometheus/latency_verdict.ts";
import { type Evidence, seen } from "./evidence.ts";
import type { Host } from "./hosts.ts";
import type { Finding, Rule } from "./rule.ts";
import { isServing, type Pod } from "./workload.ts";

/** Characters of a message of the cluster's, and things that a finding names. */
const maxMessage = 200;
const maxNamed = 3;

export const surroundingRules: readonly Rule[] = [
  {
    name: "not_started",
    explains: 88,
    when: "volumes of pods can't be mounted or attached, or their sandbox (network) can't be made",
    find(evidence) {
      const pods = seen(evidence.cluster)?.pods ?? [];
      const stuck = pods.filter(isNotStarted);
      const [first] = stuck;
      if (first === undefined) return undefined;
      const missing = [...new Set(stuck.flatMap(({ cause }) => cause?.missing ?? []))];
      const { namespace, name, status, cause } = first;
      return {
        severity: pods.some(isServing) ? "degraded" : "down",
        text: `${stuck.length} of ${plural(pods.length, "pod")} can't start ${
          stuck.length === 1 ? "its" : "their"
        } containers${missing.length === 0 ? "" : `, as ${missingText(missing.slice(0, 5))}`}: ${name}: ${
          [status.status, cause?.reason].join(", ")
        }: ${cause?.text}`,
        next: [{ tool: "describe_pod", arguments: { pod_name: name, namespace } }],
      };
    },
  },
  {
    name: "node_not_ready",
    explains: 83,
    when: "a node that pods are on is not ready or gone, or lacks something while pods on it are not well",
    find(evidence) {
      const hosts = seen(evidence.cluster)?.hosts;
      const lost = hosts?.found.filter(isLost) ?? [];
      return hostsFinding(lost, hosts?.total ?? 0, evidence.now, "degraded");
    },
  },
  {
    name: "autoscaler",
    explains: 52,
    when: "its autoscaler has as many pods as it may and wants more, or can't tell how many there should be",
    find(evidence) {
      const autoscalers = seen(evidence.cluster)?.autoscalers ?? [];
      const hindered = autoscalers.flatMap((one) => {
        const text = autoscalerText(one, evidence.now);
        return text === undefined ? [] : [{ one, text }];
      });
      const [first, ...others] = hindered;
      if (first === undefined) return undefined;
      // By itself it says that there is no room left, not that anything fails for it.
      const isFelt = hasSymptom(evidence);
      return {
        severity: isFelt ? "degraded" : "coincidence",
        text: `${isFelt ? "" : "Of note, "}${first.text}${
          others.length === 0 ? "" : `; ${plural(others.length, "other autoscaler")} can't scale, either`
        }`,
        next: [{
          tool: "describe_resource",
          arguments: { kind: "hpa", name: first.one.name, namespace: first.one.namespace },
        }],
      };
    },
  },
  {
    name: "disruption_budget",
    explains: 23,
    when: "a node that pods are on is cordoned, and their PodDisruptionBudget lets none of them be evicted",
    find(evidence) {
      const held = seen(evidence.cluster)?.held ?? [];
      const [first] = held;
      const [budget, other] = first?.budgets ?? [];
      if (first === undefined || budget === undefined) return undefined;
      const { namespace, name, healthy, wanted } = budget;
      return {
        severity: "coincidence",
        text: `Of note, a drain of node ${first.node} can't evict ${
          plural(held.length, "pod")
        } (${first.pod}${held.length === 1 ? "" : ", …"}): ${
          other === undefined
            ? `PodDisruptionBudget ${namespace}/${name} allows none to go: ${healthy} healthy, ${wanted} wanted at least`
            : `PodDisruptionBudgets ${name} and ${other.name} are both about it, which no eviction passes`
        }`,
        next: [{
          tool: "describe_resource",
          arguments: { kind: "poddisruptionbudget", name, namespace },
        }],
      };
    },
  },
  {
    name: "node_of_note",
    explains: 22,
    when: "a node that pods are on is cordoned or lacks something, and its pods are well",
    find(evidence) {
      const hosts = seen(evidence.cluster)?.hosts;
      const noted = hosts?.found.filter((host) => !isLost(host) && hostFacts(host, evidence.now).length > 0);
      return hostsFinding(noted ?? [], hosts?.total ?? 0, evidence.now, "coincidence");
    },
  },
];

/** Whether a pod has a node, and something that is warned of keeps its first container from being made. */
export function isNotStarted({ status: { status }, cause }: Pod): boolean {
  return /^(?:ContainerCreating|PodInitializing|Pending|Init:\d+\/\d+)$/.test(status) &&
    cause !== undefined && (cause.reason === "NetworkNotReady" || preventsStart(cause.reason));
}

/** Conditions for which the kubelet evicts pods or starts none. */
const pressures: ReadonlySet<string> = new Set([
  "MemoryPressure",
  "DiskPressure",
  "PIDPressure",
  "NetworkUnavailable",
]);

function isLost({ exists, ready, troubles, sick }: Host): boolean {
  return !exists || !ready || (sick > 0 && troubles.some(({ what }) => pressures.has(what)));
}

/** What is wrong with a node; of one that reports nothing any more, that alone. */
function hostFacts({ exists, ready, unschedulable, troubles }: Host, now: number): readonly string[] {
  if (!exists) return ["there is no such node any more"];
  const told = ready
    ? troubles
    : troubles.filter(({ what }) => !/ unknown$/.test(what) || /^Ready /.test(what));
  return [
    ...told.map(({ what, since, message }) => {
      const span = since === undefined ? "" : ` for ${age(now - since)}`;
      return `${what}${span}${ready || message === "" ? "" : ` (${message.slice(0, maxMessage)})`}`;
    }),
    ...(unschedulable ? ["unschedulable (cordoned)"] : []),
  ];
}

function hostsFinding(
  hosts: readonly Host[],
  total: number,
  now: number,
  severity: Finding["severity"],
): Omit<Finding, "rule"> | undefined {
  const [first] = hosts;
  if (first === undefined) return undefined;
  const named = hosts.slice(0, maxNamed).map((host) =>
    `${host.name} (${plural(host.pods, "pod")}${host.sick === 0 ? "" : `, ${host.sick} unhealthy`}): ${
      hostFacts(host, now).join(", ")
    }`
  );
  const which = `${hosts.length} of the ${plural(total, "node")} that its pods are on`;
  const verb = hosts.length === 1 ? "is" : "are";
  return {
    severity,
    text: `${severity === "coincidence" ? `Of note about ${which}` : `${which} ${verb} unhealthy`}: ${
      named.join("; ")
    }${hosts.length > maxNamed ? "; …" : ""}`,
    next: [{ tool: "get_nodes", arguments: { name: first.name } }],
  };
}

function autoscalerText(autoscaler: Autoscaler, now: number): string | undefined {
  const { namespace, name, target, most, limited, blocked, exceeded } = autoscaler;
  const which = `HorizontalPodAutoscaler ${namespace}/${name}`;
  const span = ({ since }: Hindrance) => since === undefined ? "" : ` for ${age(now - since)}`;
  if (blocked !== undefined) {
    return `${which} has not been able to scale ${target.kind} ${target.name}${span(blocked)}: ${
      blocked.message.slice(0, 2 * maxMessage)
    }`;
  }
  if (limited === undefined) return undefined;
  const over = exceeded.slice(0, maxNamed).map((metric) =>
    `${metric.name} is ${metric.current}, target ${metric.target}`
  );
  return `${which} has been at its maximum of ${plural(most, "pod")}${span(limited)} and wants more: ${
    over.length > 0 ? over.join("; ") : limited.message.slice(0, maxMessage)
  }`;
}

/** Whether those who call the service feel anything. */
function hasSymptom(evidence: Evidence): boolean {
  const metrics = seen(evidence.metrics);
  return metrics !== undefined &&
    (failing(metrics).length > 0 || slowerQuantile(metrics.latency) !== undefined ||
      slowerLately(metrics) !== undefined);
}
