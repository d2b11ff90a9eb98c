/** The rules that look at the workload and its pods. */
import { plural, size } from "../common/units.ts";
import { humanDuration } from "../kubernetes/kubernetes_age.ts";
import { recentFailureMs } from "../kubernetes/pod_status.ts";
import { type Evidence, seen } from "./evidence.ts";
import type { Finding, NextCall, Rule } from "./rule.ts";
import { isNotStarted } from "./surrounding_rules.ts";
import { containerOf, hasSeveral, isServing, namespacesOf, type Pod, type Workload } from "./workload.ts";

/** Milliseconds in which a rollout counts as recent. */
const recentRolloutMs = 2 * 3_600_000;
/** Milliseconds within which trouble follows a change that caused it; and by which its beginning may be told wrong. */
const soonMs = 15 * 60_000;
const vagueMs = 2 * 60_000;
/** Milliseconds that a pod without a node may wait for the scheduler to look at it. */
const schedulingMs = 60_000;
/** Milliseconds that a pod of a new revision may take to become ready: a deployment's own deadline unless it has another. */
const startingMs = 600_000;

export const clusterRules: readonly Rule[] = [
  {
    name: "out_of_memory",
    explains: 90,
    when: "containers are killed for their memory limit now, or were within the last minutes",
    find: (evidence) =>
      podsFinding(
        evidence,
        (pod) => isOutOfMemory(pod, evidence.now),
        (pods) => `${pods} killed for want of memory (OOMKilled)`,
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
        (pods) => `${pods} without an image`,
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
        (pods) => `${pods} not to be started`,
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
        (pods) => `${pods} on no node`,
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
    name: "rollout_stalled",
    explains: 65,
    when: "a deployment does not get on with its rollout",
    find(evidence) {
      const stalled = seen(evidence.cluster)?.workloads.find(({ rollout }) => rollout?.verdict === "stalled");
      if (stalled?.rollout === undefined) return undefined;
      const { namespace, name } = stalled;
      return {
        severity: "degraded",
        text: `The rollout of ${namespace}/${name} is stalled: ${stalled.rollout.explanation}`,
        next: [{ tool: "get_deployments", arguments: { namespace, name } }],
      };
    },
  },
  {
    name: "rollout_before",
    explains: 64,
    when: "errors or slowness began within the minutes after a new revision was rolled out",
    find(evidence) {
      const recent = lastRollout(evidence);
      const trouble = troubleOf(evidence);
      if (recent === undefined || trouble === undefined || !isBefore(recent.changed, trouble.began)) {
        return undefined;
      }
      return {
        severity: "coincidence",
        text: `${trouble.what} began about when revision ${revisionText(recent)} was rolled out, ${
          humanDuration(evidence.now - recent.changed)
        } ago (${imagesText(recent)})${rollingClause(recent)}`,
        next: [{ tool: "get_deployments", arguments: { namespace: recent.namespace, name: recent.name } }],
      };
    },
  },
  {
    name: "scaled_to_zero",
    explains: 58,
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
    explains: 57,
    when: "the Service of its name leads to no pod that is ready, or to none of their ports",
    find(evidence) {
      const { services = [], pods = [] } = seen(evidence.cluster) ?? {};
      const lost = services.find(({ ready, problem, lacksPort, namespace }) =>
        problem !== null && (ready === 0 || lacksPort) &&
        (pods.length === 0 || pods.some((pod) => pod.namespace === namespace && isServing(pod)))
      );
      if (lost === undefined) return undefined;
      const { namespace, name, problem } = lost;
      // Requests that arrive come by another way.
      const isReached = (requestsOf(evidence) ?? 0) > 0;
      return {
        severity: !isReached && services.every(({ ready }) => ready === 0) ? "down" : "degraded",
        text: `Service ${namespace}/${name} ${problem}`,
        next: [{ tool: "get_services", arguments: { namespace, name } }],
      };
    },
  },
  {
    name: "not_ready",
    explains: 55,
    when: "fewer pods are ready than there are to be",
    find(evidence) {
      const workloads = seen(evidence.cluster)?.workloads ?? [];
      if (workloads.length === 0) return podsNotReady(evidence);
      const short = workloads.filter((one) => one.ready < one.desired && !isRolling(one, evidence));
      if (short.length === 0) return undefined;
      // A workload's own count comes later than what its pods say.
      const serving = seen(evidence.cluster)?.pods.some(isServing) === true;
      const pod = awaitedPod(evidence);
      return {
        severity: workloads.every(({ ready }) => ready === 0) && !serving ? "down" : "degraded",
        text:
          short.map(({ kind, namespace, name, ready, desired, rollout, rolling }) =>
            `${kind} ${namespace}/${name} has ${ready} of ${plural(desired, "pod")} ready${
              rolling === undefined && rollout?.verdict !== "progressing"
                ? ""
                : `, while a rollout is going on${
                  rolling === undefined || rolling.updated >= desired
                    ? ""
                    : ` (${rolling.updated} of ${desired} updated)`
                }`
            }`
          ).join("; ") + (pod === undefined ? "" : `: ${pod.name}: ${factsOf(pod)}`),
        next: [
          ...short.slice(0, 1).map(({ namespace, selector }) => ({
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
  {
    name: "recent_rollout",
    explains: 27,
    when: "a new revision was rolled out within the last two hours",
    find(evidence) {
      const recent = lastRollout(evidence);
      const trouble = troubleOf(evidence);
      if (recent === undefined || (trouble !== undefined && isBefore(recent.changed, trouble.began))) {
        return undefined;
      }
      const isAfter = trouble !== undefined && recent.changed > trouble.began;
      return {
        severity: "coincidence",
        text: `At the same time: revision ${revisionText(recent)} was rolled out ${
          humanDuration(evidence.now - recent.changed)
        } ago (${imagesText(recent)})${
          isAfter ? `; ${trouble.what.toLowerCase()} had begun before that` : ""
        }${rollingClause(recent)}`,
        next: [{ tool: "get_deployments", arguments: { namespace: recent.namespace, name: recent.name } }],
      };
    },
  },
  {
    name: "rolling",
    explains: 26,
    when: "a rollout is going on, with no more pods missing than its strategy allows",
    find(evidence) {
      const rolling = seen(evidence.cluster)?.workloads.find((one) =>
        isRolling(one, evidence) && one !== lastRollout(evidence)
      );
      if (rolling === undefined) return undefined;
      const { kind, namespace, name } = rolling;
      return {
        severity: "coincidence",
        text: `Of note, a rollout of ${kind} ${namespace}/${name}${
          rollingClause(rolling).replace(/^[,;] it/, "")
        }`,
        next: [],
      };
    },
  },
  {
    name: "pods_not_well",
    explains: 24,
    when:
      "pods are not as they should be for another reason than those above: evicted, lost, restarted lately",
    find(evidence) {
      const isAwaiting =
        seen(evidence.cluster)?.workloads.every(({ ready, desired }) => ready >= desired) !== true;
      const found = podsFinding(
        evidence,
        (pod) => !pod.status.healthy && !isTold(pod, evidence.now) && !(isAwaiting && isAwaited(pod)),
        (pods) => `Of note, ${pods} not well`,
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
        text: `Of note, though no present fault: ${plural(killed.length, "pod")} ${
          killed.length === 1 ? "was" : "were"
        } killed for want of memory (OOMKilled) before the present run, last ${name}, ${
          humanDuration(evidence.now - endedAt(latest))
        } ago`,
        next: [{ tool: "describe_pod", arguments: { pod_name: name, namespace } }],
      };
    },
  },
];

type RolledOut = Workload & { readonly changed: number };

/** The workload with a new revision of the last hours; a first one is no change of anything. */
function lastRollout({ cluster, now }: Evidence): RolledOut | undefined {
  const [last] = (seen(cluster)?.workloads ?? []).filter((workload): workload is RolledOut =>
    workload.changed !== undefined && now - workload.changed < recentRolloutMs &&
    workload.rollout?.revision !== "1"
  ).toSorted((a, b) => b.changed - a.changed);
  return last;
}

function revisionText({ rollout, namespace, name }: Workload): string {
  return `${rollout?.revision ?? "?"} of ${namespace}/${name}`;
}

/** What began first, and when, in milliseconds since 1970. */
function troubleOf({ metrics }: Evidence): { readonly what: string; readonly began: number } | undefined {
  const { errors, latency } = seen(metrics)?.episodes ?? {};
  const [first] = [{ what: "Errors", began: errors?.began }, { what: "Slowness", began: latency?.began }]
    .flatMap(({ what, began }) => began === undefined ? [] : [{ what, began: began * 1000 }])
    .sort((a, b) => a.began - b.began);
  return first;
}

/** Whether a change may be the cause of what began: it came within some minutes before, as far as that can be told. */
function isBefore(changed: number, began: number): boolean {
  return began - changed < soonMs && changed - began < vagueMs;
}

/** `app:1 before, now app:2`. */
function imagesText({ before, rollout }: Workload): string {
  const now = rollout?.images.join(", ") ?? "";
  if (before === undefined) return now;
  const then = before.join(", ");
  return then === now ? `${now} as before: something else in its pods changed` : `${then} before, now ${now}`;
}

/** Requests per second lately. */
function requestsOf({ metrics }: Evidence): number | undefined {
  const { requests, recent } = seen(metrics) ?? {};
  return (recent?.requests ?? requests)?.rates?.requestsPerSecond;
}

/** Whether a rollout goes on as it should: few enough pods are missing, and none for long. */
function isRolling({ rolling, ready, desired }: Workload, evidence: Evidence): boolean {
  return rolling !== undefined && desired - ready <= rolling.mayMiss &&
    (seen(evidence.cluster)?.pods ?? []).filter(isAwaited)
      .every(({ created }) => evidence.now - (created ?? evidence.now) < startingMs);
}

function rollingClause({ rolling, ready, desired }: Workload): string {
  if (rolling === undefined) return "";
  const { updated } = rolling;
  return `; it is going on: ${updated} of ${plural(desired, "pod")} updated, ${ready} ready`;
}

/** Whether a pod is to become ready, and is not. */
function isAwaited(pod: Pod): boolean {
  const { phase, status } = pod.status;
  return (phase === "Running" || phase === "Pending") && status !== "Terminating" && !isServing(pod);
}

/** Whether a rule of its own tells what ails a pod. */
function isTold(pod: Pod, now: number): boolean {
  return isOutOfMemory(pod, now) || lacksImage(pod) || isMisconfigured(pod) || isUnschedulable(pod, now) ||
    isCrashing(pod, now) || isNotStarted(pod);
}

/** A pod that is not ready and that no other finding tells of, one that says why before others. */
function awaitedPod({ cluster, now }: Evidence): Pod | undefined {
  const awaited = (seen(cluster)?.pods ?? []).filter((pod) => isAwaited(pod) && !isTold(pod, now));
  return awaited.find(({ status }) => status.message !== undefined) ?? awaited[0];
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

/** Milliseconds since 1970. */
function endedAt({ status }: Pod): number {
  return status.lastEnding?.finished ?? 0;
}

function endedLately(pod: Pod, now: number): boolean {
  return pod.status.lastEnding !== undefined && now - endedAt(pod) < recentFailureMs;
}

/** What ended a container long ago is no reason for what ails its pod today. */
function isOutOfMemory(pod: Pod, now: number): boolean {
  const { status, lastEnding, healthy } = pod.status;
  if (/(^|:)OOMKilled$/.test(status)) return true;
  return !healthy && lastEnding?.reason === "OOMKilled" &&
    (/CrashLoopBackOff$/.test(status) || endedLately(pod, now));
}

function lacksImage({ status: { status } }: Pod): boolean {
  return /ImagePull|ErrImage|InvalidImageName/.test(status);
}

function isMisconfigured({ status: { status } }: Pod): boolean {
  return /CreateContainer(Config)?Error|RunContainerError/.test(status);
}

/** The scheduler says why a pod has no node; one that it has not looked at yet waits for no fault. */
function isUnschedulable({ status, node, created }: Pod, now: number): boolean {
  return status.status === "Pending" && node === undefined &&
    (status.message !== undefined || now - (created ?? now) > schedulingMs);
}

/** A pod that failed for good some time ago, and that others have replaced, crashes no more. */
function isCrashing(pod: Pod, now: number): boolean {
  const { status, healthy, restarts } = pod.status;
  if (/CrashLoopBackOff$/.test(status)) return true;
  return endedLately(pod, now) && (/(^|:)Error$/.test(status) || (!healthy && restarts > 2));
}

function limitText(bytes: number | undefined): string {
  return bytes === undefined ? "without a limit of its own" : `its limit is ${size(bytes)}`;
}

/** Its status, how often it was restarted, how its last run ended, and what it says of itself. */
function factsOf(pod: Pod): string {
  const { status } = pod;
  const ending = status.lastEnding;
  const facts = [
    status.status,
    ...(status.restarts > 0 ? [plural(status.restarts, "restart")] : []),
    ...(ending === undefined ? [] : [
      `${
        hasSeveral(pod) ? `container ${ending.container} ` : ""
      }last ended with exit code ${ending.exitCode}${ending.reason === "" ? "" : ` (${ending.reason})`}`,
    ]),
    ...(ending?.reason === "OOMKilled" && pod.memoryLimits?.has(ending.container) === true
      ? [limitText(pod.memoryLimits.get(ending.container))]
      : []),
    ...(status.message === undefined ? [] : [status.message]),
  ];
  return facts.join(", ");
}

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
