/** Why pods are not well, where they do not say so themselves: what the kubelet has warned of about them. */
import { CallError } from "../common/errors.ts";
import { plural } from "../common/units.ts";
import type { Cluster } from "./api.ts";
import type { ClusterEvent } from "./events.ts";
import { missingObjects } from "./evidence.ts";
import { kubernetesAge } from "./kubernetes_age.ts";
import { endingText, type PodSummary } from "./pod_summary.ts";
import { readEvents } from "./read_events.ts";

/** Probes, volumes and networks: of all else a pod's own status has the reason. */
const telling =
  /^(?:Unhealthy|ProbeWarning|NetworkNotReady|Failed(?:Mount|AttachVolume|MapVolume|CreatePodSandBox|PostStartHook|KillPod))$/;
/** What a condition says of every pod that is not ready, whatever the reason. */
const general = /^containers with (?:unready|incomplete) status\b/;

/** Characters of an event's message. */
const maxMessage = 250;

/** The pods with a message each, as far as there is one, and a sentence where the events could not be seen. */
export interface Causes {
  readonly pods: readonly PodSummary[];
  readonly note: string | undefined;
}

/** Asks for the warnings of a scope, once, if any of its unhealthy pods needs them. */
export async function withCauses(
  cluster: Cluster,
  namespace: string | undefined,
  pods: readonly PodSummary[],
  signal: AbortSignal,
): Promise<Causes> {
  if (!pods.some(needsCause)) return { pods, note: undefined };
  try {
    const { events, more } = await readEvents(cluster, namespace, { signal, type: "Warning", kind: "Pod" });
    const causes = causesByPod(events);
    const now = Date.now();
    return {
      pods: pods.map((pod) => {
        if (!needsCause(pod)) return pod;
        const event = causes.get(key(pod));
        // One before its creation was about another pod of that name.
        const isOfIt = event !== undefined && (event.last ?? now) >= (pod.created ?? 0);
        const message = isOfIt ? causeText(event, now) : crashText(pod) ?? pod.message;
        return { ...pod, message };
      }),
      note: more === 0
        ? undefined
        : `Only ${plural(events.length, "warning")} were looked at for causes: narrow it by namespace.`,
    };
  } catch (error) {
    if (!(error instanceof CallError) || error.kind === "cancelled") throw error;
    return { pods, note: `Warnings about probes and volumes were not seen: ${error.message}.` };
  }
}

function needsCause({ healthy, message }: PodSummary): boolean {
  return !healthy && (message === undefined || general.test(message));
}

function key({ namespace, name }: { readonly namespace: string | undefined; readonly name: string }): string {
  return `${namespace ?? ""}/${name}`;
}

/** The latest of each pod; one that names what is missing comes before "timed out waiting" for it. */
function causesByPod(events: readonly ClusterEvent[]): ReadonlyMap<string, ClusterEvent> {
  const causes = new Map<string, ClusterEvent>();
  const weight = ({ message }: ClusterEvent) => Number(missingObjects(message).length > 0);
  for (const event of events) {
    if (!telling.test(event.reason)) continue;
    const known = causes.get(key(event));
    if (
      known === undefined || weight(event) > weight(known) ||
      (weight(event) === weight(known) && (event.last ?? 0) > (known.last ?? 0))
    ) {
      causes.set(key(event), event);
    }
  }
  return causes;
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
  const short = message.length <= maxMessage ? message : `${message.slice(0, maxMessage)}…`;
  return `${short} (${times}${kubernetesAge(last, now)} ago)`;
}
