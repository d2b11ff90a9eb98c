/** What ails a pod, by what it says of itself. */
import { plural, size } from "../common/units.ts";
import { recentFailureMs } from "../kubernetes/pod_status.ts";
import { type Evidence, seen } from "./evidence.ts";
import { isNotStarted } from "./surrounding_rules.ts";
import { hasSeveral, isServing, type Pod } from "./workload.ts";

/** Milliseconds that a pod without a node may wait for the scheduler to look at it. */
const schedulingMs = 60_000;

/** Whether a pod is to become ready, and is not. */
export function isAwaited(pod: Pod): boolean {
  const { phase, status } = pod.status;
  return (phase === "Running" || phase === "Pending") && status !== "Terminating" && !isServing(pod);
}

/** Whether a rule of its own tells what ails a pod. */
export function isTold(pod: Pod, now: number): boolean {
  return isOutOfMemory(pod, now) || lacksImage(pod) || isMisconfigured(pod) || isUnschedulable(pod, now) ||
    isCrashing(pod, now) || isNotStarted(pod);
}

/** A pod that is not ready and that no other finding tells of, one that says why before others. */
export function awaitedPod({ cluster, now }: Evidence): Pod | undefined {
  const awaited = (seen(cluster)?.pods ?? []).filter((pod) => isAwaited(pod) && !isTold(pod, now));
  return awaited.find(({ status }) => status.message !== undefined) ?? awaited[0];
}

/** Milliseconds since 1970. */
export function endedAt({ status }: Pod): number {
  return status.lastEnding?.finished ?? 0;
}

function endedLately(pod: Pod, now: number): boolean {
  return pod.status.lastEnding !== undefined && now - endedAt(pod) < recentFailureMs;
}

/** What ended a container long ago is no reason for what ails its pod today. */
export function isOutOfMemory(pod: Pod, now: number): boolean {
  const { status, lastEnding, healthy } = pod.status;
  if (/(^|:)OOMKilled$/.test(status)) return true;
  return !healthy && lastEnding?.reason === "OOMKilled" &&
    (/CrashLoopBackOff$/.test(status) || endedLately(pod, now));
}

export function lacksImage({ status: { status } }: Pod): boolean {
  return /ImagePull|ErrImage|InvalidImageName/.test(status);
}

export function isMisconfigured({ status: { status } }: Pod): boolean {
  return /CreateContainer(Config)?Error|RunContainerError/.test(status);
}

/** The scheduler says why a pod has no node; one that it has not looked at yet waits for no fault. */
export function isUnschedulable({ status, node, created }: Pod, now: number): boolean {
  return status.status === "Pending" && node === undefined &&
    (status.message !== undefined || now - (created ?? now) > schedulingMs);
}

/** A pod that failed for good some time ago, and that others have replaced, crashes no more. */
export function isCrashing(pod: Pod, now: number): boolean {
  const { status, healthy, restarts } = pod.status;
  if (/CrashLoopBackOff$/.test(status)) return true;
  return endedLately(pod, now) && (/(^|:)Error$/.test(status) || (!healthy && restarts > 2));
}

/** Its status, how often it was restarted, how its last run ended, and what it says of itself. */
export function factsOf(pod: Pod): string {
  const { status } = pod;
  const ending = status.lastEnding;
  const facts = [
    status.status,
    ...(status.restarts > 0 ? [plural(status.restarts, "restart")] : []),
    ...(ending === undefined ? unreadyContainer(pod) : [
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

/** Of several containers the one that is not ready, where the pod does not name it. */
function unreadyContainer(pod: Pod): readonly string[] {
  const { container, status: { status, readyContainers, containers, message } } = pod;
  const isNamed = container === undefined || message?.includes(`[${container}]`) === true;
  return status === "Running" && hasSeveral(pod) && readyContainers < containers && !isNamed
    ? [`container ${container} is not ready`]
    : [];
}

function limitText(bytes: number | undefined): string {
  return bytes === undefined ? "without a limit of its own" : `its limit is ${size(bytes)}`;
}
