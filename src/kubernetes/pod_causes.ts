/** Why pods are not well, where they do not say so themselves: what the kubelet has warned of about them. */
import { couldNotAnswer } from "../common/errors.ts";
import { shortened } from "../common/shortened.ts";
import { plural } from "../common/units.ts";
import type { Cluster } from "./api.ts";
import type { ClusterEvent } from "./events.ts";
import {
  currentEvents,
  foldedMessage,
  messagePattern,
  missingObjects,
  preventsStart,
  volumeFailure,
} from "./evidence.ts";
import { kubernetesAge } from "./kubernetes_age.ts";
import { endingText, type PodSummary } from "./pod_summary.ts";
import { readEvents } from "./read_events.ts";

/** Probes, volumes and networks: of all else a pod's own status has the reason. */
const telling = /^(?:Unhealthy|ProbeWarning|NetworkNotReady|Failed(?:PostStartHook|KillPod))$/;
/** Of an image that can't be pulled an older kubelet's pods say no more than that it waits before the next time. */
const pullFailure = /^Failed to pull image ("[^"]{1,300}"): (?:.*: )?(.+)$/s;
/** What a pod says whose image can't be pulled; and the warning that a secret for it is missing, whose names it holds. */
const pulling = /\bpull/i;
const lostSecrets = /^Unable to retrieve some image pull secrets \(([^)]{1,300})\)/;
/** What a condition says of every pod that is not ready, whatever the reason. */
const general = /^containers with (?:unready|incomplete) status\b|^Back-off pulling image "[^"]*"$/;

/** The end of a container that was killed, by SIGKILL or SIGTERM; and what the kubelet kills one for. */
const killed: ReadonlySet<number> = new Set([137, 143]);
const killing = /^(?:Liveness|Startup) probe (?:failed|errored)/;

/** Characters of an event's message. */
const maxMessage = 250;

/** What the kubelet has warned of about one pod. */
export interface Cause {
  /** Such as `FailedMount`. */
  readonly reason: string;
  /** `MountVolume.SetUp failed for … (x12, 3s ago)` */
  readonly text: string;
  /** Objects that it misses: `Secret web-tls`. */
  readonly missing: readonly string[];
}

/** Warnings that may tell why, by pod. */
export type Causes = ReadonlyMap<string, readonly ClusterEvent[]>;

/** The pods with a message each, as far as there is one, and a sentence where the events could not be seen. */
export interface Explained {
  readonly pods: readonly PodSummary[];
  readonly note: string | undefined;
}

/** Asks for the warnings of a scope, once, if any of its unhealthy pods needs them. */
export async function withCauses(
  cluster: Cluster,
  namespace: string | undefined,
  pods: readonly PodSummary[],
  signal: AbortSignal,
): Promise<Explained> {
  if (!pods.some(needsCause)) return { pods, note: undefined };
  try {
    const { causes, read, more } = await readCauses(cluster, namespace, signal);
    const now = Date.now();
    return {
      pods: pods.map((pod) => {
        if (!needsCause(pod)) return pod;
        const cause = causeOf(causes, pod, now);
        const own = saysWhy(pod) ? undefined : crashText(pod);
        return { ...pod, message: cause?.text ?? own ?? pod.message };
      }),
      note: more === 0
        ? undefined
        : `Only ${plural(read, "warning")} were looked at for causes: narrow it by namespace.`,
    };
  } catch (error) {
    if (!couldNotAnswer(error)) throw error;
    return { pods, note: `Warnings about probes and volumes were not seen: ${error.message}.` };
  }
}

/** Asks for the warnings about pods of a scope: one request. */
export async function readCauses(
  cluster: Cluster,
  namespace: string | undefined,
  signal: AbortSignal,
): Promise<{ readonly causes: Causes; readonly read: number; readonly more: number | "unknown" }> {
  const { events, more } = await readEvents(cluster, namespace, { signal, type: "Warning", kind: "Pod" });
  const causes = Map.groupBy(events.filter(tells), key);
  return { causes, read: events.length, more };
}

/**
 * What was warned of about a pod: the latest, but what names missing objects before "timed out waiting" for them. `now`
 * and `created` are milliseconds since 1970.
 */
export function causeOf(
  causes: Causes,
  pod: Pick<PodSummary, "namespace" | "name" | "created" | "phase" | "message" | "lastEnding">,
  now: number,
): Cause | undefined {
  // One before its creation was about another pod of that name.
  const own = (causes.get(key(pod)) ?? []).filter(({ last }) => (last ?? now) >= (pod.created ?? 0));
  // What runs has its volumes.
  const others = pod.phase === "Running" ? own.filter(({ reason }) => !volumeFailure.test(reason)) : own;
  const secrets = currentEvents(own).map(({ message }) => lostSecrets.exec(message)?.[1])
    .findLast((names) => names !== undefined);
  if (secrets !== undefined && pulling.test(pod.message ?? "")) {
    const reason = "FailedToRetrieveImagePullSecret";
    return { reason, text: `image pull secret ${secrets} can't be retrieved; ${pod.message}`, missing: [] };
  }
  const kills = wasKilled(pod) ? own.filter(({ message }) => killing.test(message)) : [];
  // Of one that says why, a probe that killed it says more, and nothing else does.
  if (kills.length === 0 && saysWhy(pod)) return undefined;
  const current = currentEvents(kills.length > 0 ? kills : others.length > 0 ? others : own);
  const misses = ({ message }: ClusterEvent) => missingObjects(message);
  const [best] = current.toSorted((a, b) =>
    Number(misses(b).length > 0) - Number(misses(a).length > 0) || (b.last ?? 0) - (a.last ?? 0)
  );
  if (best === undefined) return undefined;
  const pattern = messagePattern(best.message);
  const count = current.filter(({ message }) => messagePattern(message) === pattern)
    .reduce((sum, event) => sum + event.count, 0);
  return {
    reason: best.reason,
    text: causeText({ ...best, count }, now),
    missing: [...new Set(current.flatMap(misses))],
  };
}

/** Whether a pod is not well and does not say why, or not who has killed it, or not all of why its image is missing. */
export function needsCause(pod: Pick<PodSummary, "healthy" | "message" | "lastEnding">): boolean {
  return !pod.healthy && (!saysWhy(pod) || wasKilled(pod) || pulling.test(pod.message ?? ""));
}

function saysWhy({ message }: Pick<PodSummary, "message">): boolean {
  return message !== undefined && !general.test(message);
}

/** Killed from outside, and not for want of memory. */
function wasKilled({ lastEnding }: Pick<PodSummary, "lastEnding">): boolean {
  return lastEnding !== undefined && killed.has(lastEnding.exitCode) &&
    lastEnding.reason !== "OOMKilled";
}

function tells({ reason, message }: ClusterEvent): boolean {
  return telling.test(reason) || preventsStart(reason) ||
    (reason === "Failed" && pullFailure.test(message)) ||
    lostSecrets.test(message);
}

function key({ namespace, name }: { readonly namespace: string | undefined; readonly name: string }): string {
  return `${namespace ?? ""}/${name}`;
}

/** Between two crashes a pod runs, and only how its last run ended tells of them; undefined where that ended well. */
function crashText({ restarts, lastEnding }: PodSummary): string | undefined {
  if (lastEnding === undefined || restarts === 0 || lastEnding.exitCode === 0) return undefined;
  return `not ready again after ${plural(restarts, "restart")}, the last run ended with ${
    endingText(lastEnding)
  }; get_pod_logs with previous: true has its last words`;
}

/** `Readiness probe failed: … (x12, 3s ago)`. */
function causeText({ message, count, last }: ClusterEvent, now: number): string {
  const times = count > 1 ? `x${count}, ` : "";
  // The age comes last, and a list cuts long messages.
  // The names that every layer of the runtime repeats stand between the image and the reason.
  const folded = foldedMessage(message).replace(pullFailure, "Failed to pull image $1: $2");
  return `${shortened(folded, maxMessage)} (${times}${kubernetesAge(last, now)} ago)`;
}
