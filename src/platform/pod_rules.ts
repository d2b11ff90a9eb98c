/** The rules that look at the pods: what keeps them from running, or has ended them. */
import { plural } from "../common/units.ts";
import { age } from "./age.ts";
import { type Evidence, seen } from "./evidence.ts";
import { hasTimedOut } from "./rollout_rules.ts";
import type { Finding, NextCall, Rule } from "./rule.ts";
import {
  endedAt,
  factsOf,
  isAwaited,
  isCrashing,
  isMisconfigured,
  isOutOfMemory,
  isTold,
  isUnschedulable,
  lacksImage,
} from "./sick_pods.ts";
import { containerOf, isServing, namespacesOf, type Pod } from "./workload.ts";

export const podRules: readonly Rule[] = [
  {
    name: "out_of_memory",
    explains: 90,
    when: "containers are killed for their memory limit now, or were within the last minutes",
    find: (evidence) =>
      podsFinding(
        evidence,
        (pod) => isOutOfMemory(pod, evidence.now),
        (pods) => `${pods} killed for lack of memory (OOMKilled)`,
      ),
  },
  {
    name: "image",
    explains: 90,
    when: "an image can't be pulled",
    find: (evidence) =>
      podsFinding(
        evidence,
        lacksImage,
        (pods) => `${pods} waiting for an image`,
      ),
  },
  {
    name: "configuration",
    explains: 90,
    when: "a ConfigMap, Secret or command of the pod is missing or wrong",
    find: (evidence) =>
      podsFinding(
        evidence,
        isMisconfigured,
        (pods) => `${pods} unable to start`,
      ),
  },
  {
    name: "unschedulable",
    explains: 85,
    when: "pods wait for a node, and not only for the scheduler to look at them",
    find: (evidence) =>
      podsFinding(
        evidence,
        (pod) => isUnschedulable(pod, evidence.now),
        (pods) => `${pods} not scheduled`,
      ),
  },
  {
    name: "crash_loop",
    explains: 80,
    when: "containers end and are started again and again, and not for want of memory",
    find: (evidence) =>
      podsFinding(
        evidence,
        (pod) => !isOutOfMemory(pod, evidence.now) && isCrashing(pod, evidence.now),
        (pods) => `${pods} crashing`,
      ),
  },
  {
    name: "pods_not_well",
    explains: 24,
    when:
      "pods are not as they should be for another reason than those above: evicted, lost, restarted lately",
    find(evidence) {
      const { workloads = [] } = seen(evidence.cluster) ?? {};
      const isAwaiting = workloads.length === 0 ||
        workloads.some((one) => one.ready < one.desired || hasTimedOut(one));
      const found = podsFinding(
        evidence,
        (pod) => !pod.status.healthy && !isTold(pod, evidence.now) && !(isAwaiting && isAwaited(pod)),
        (pods) => `Of note, ${pods} unhealthy`,
      );
      return found && { ...found, severity: "coincidence" };
    },
  },
  {
    name: "earlier_out_of_memory",
    explains: 20,
    when: "the last run of a container was ended for its memory limit, and the present one goes on",
    find(evidence) {
      const killed = (seen(evidence.cluster)?.pods ?? []).filter((pod) =>
        pod.status.lastEnding?.reason === "OOMKilled" && !isOutOfMemory(pod, evidence.now)
      );
      const [latest] = killed.toSorted((a, b) => endedAt(b) - endedAt(a));
      if (latest === undefined) return undefined;
      const { namespace, name } = latest;
      return {
        severity: "coincidence",
        text: `Of note, though not a current fault: ${plural(killed.length, "pod")} ${
          killed.length === 1 ? "was" : "were"
        } killed for lack of memory (OOMKilled) before the current run, last ${name}, ${
          age(evidence.now - endedAt(latest))
        } ago`,
        next: [{ tool: "describe_pod", arguments: { pod_name: name, namespace } }],
      };
    },
  },
];

function podsFinding(
  evidence: Evidence,
  matches: (pod: Pod) => boolean,
  words: (pods: string) => string,
): Omit<Finding, "rule"> | undefined {
  const pods = seen(evidence.cluster)?.pods ?? [];
  const sick = pods.filter(matches);
  const [worst] = sick.toSorted((a, b) => b.status.restarts - a.status.restarts);
  if (worst === undefined) return undefined;
  const { status, name, namespace } = worst;
  const call: NextCall = status.restarts > 0
    ? {
      tool: "get_pod_logs",
      arguments: { pod_name: name, namespace, ...containerOf(worst), previous: true },
    }
    : { tool: "describe_pod", arguments: { pod_name: name, namespace } };
  const where = namespacesOf(pods).length > 1 ? `${namespace}/` : "";
  return {
    severity: pods.some(isServing) ? "degraded" : "down",
    text: `${
      words(`${sick.length} of ${plural(pods.length, "pod")} ${sick.length === 1 ? "is" : "are"}`)
    }: ${where}${name}: ${factsOf(worst)}`,
    next: [call],
  };
}
