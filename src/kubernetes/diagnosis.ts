/** Why a pod is not well: what is wrong, each with the evidence it rests on, the cause before its consequences. */
import type { ClusterEvent } from "./events.ts";
import { field, isTrue, listField, textField, timeField } from "./fields.ts";
import { probeText } from "./container_description.ts";
import {
  currentEvents,
  eventText,
  messagesOf,
  missingObjects,
  missingText,
  preventsStart,
  sandboxFailure,
  volumeFailure,
} from "./evidence.ts";
import { containerFindings } from "./container_diagnosis.ts";
import { humanDuration } from "./kubernetes_age.ts";
import { hasRun, type PodStatus } from "./pod_status.ts";

/** One thing that is wrong. */
export interface Finding {
  /** A sentence without its full stop. */
  readonly problem: string;
  /** What was seen: messages of the cluster's own, settings, events. */
  readonly evidence: readonly string[];
}

/** What was read beside the pod; undefined where it was not, or could not be. */
export interface Surroundings {
  readonly events: readonly ClusterEvent[];
  readonly node:
    | { readonly exists: boolean; readonly ready: string; readonly message: string | undefined }
    | undefined;
  /** Volume claims of the pod that are not bound; `phase` is undefined for one that does not exist. */
  readonly unboundClaims: readonly { readonly name: string; readonly phase: string | undefined }[];
}

/** Deletion that takes this much longer than its grace period is stuck. */
const stuckMs = 30_000;
const startsLateMs = 60_000;

/** What is wrong with a v1 Pod, the cause first; empty when nothing is. `now` in milliseconds since 1970. */
export function diagnose(
  pod: unknown,
  status: PodStatus,
  around: Surroundings,
  now: number,
): readonly Finding[] {
  const phase = textField(pod, "status", "phase");
  if (phase === "Succeeded") return [];
  const findings: Finding[] = [
    ...deletionFindings(pod, around, now),
    ...failedPodFindings(pod),
    ...nodeFindings(pod, around),
    ...schedulingFindings(pod, around),
    ...startFindings(pod, around, now),
    ...containerFindings(pod, status, around.events, now),
    ...probeFindings(pod, around.events),
    ...readinessFindings(status),
  ];
  return withoutRepetition(findings);
}

/** Its node is lost, or a readiness gate is shut. */
function readinessFindings(
  { status, ready, readyContainers, containers, message }: PodStatus,
): readonly Finding[] {
  if (status !== "Running" || ready || readyContainers < containers) return [];
  const why = message === undefined ? "" : `: ${message}`;
  return [{ problem: `The pod is not ready, though its containers are${why}`, evidence: [] }];
}

function withoutRepetition(findings: readonly Finding[]): readonly Finding[] {
  const problems = new Set<string>();
  return findings.filter(({ problem }) => !problems.has(problem) && problems.add(problem));
}

function deletionFindings(pod: unknown, { node }: Surroundings, now: number): readonly Finding[] {
  const deleted = timeField(pod, "metadata", "deletionTimestamp");
  if (deleted === undefined || now < deleted + stuckMs) return [];
  const finalizers = listField(pod, "metadata", "finalizers").map(String);
  const since = humanDuration(now - deleted);
  if (finalizers.length > 0) {
    return [{
      problem: `Its deletion is stuck for ${since} as finalizers hold it: ${finalizers.join(", ")}`,
      evidence: ["the controller that owns a finalizer must remove it; check that it runs"],
    }];
  }
  const name = textField(pod, "spec", "nodeName");
  return [{
    problem: `Its deletion takes ${since} longer than its grace period`,
    evidence: node === undefined || (node.exists && node.ready === "True")
      ? [`the kubelet of node ${name ?? "<none>"} has not confirmed that its containers stopped`]
      : [
        `node ${name} is ${node.exists ? "not ready" : "gone"}: nobody confirms that its containers stopped`,
      ],
  }];
}

function failedPodFindings(pod: unknown): readonly Finding[] {
  const reason = textField(pod, "status", "reason");
  const message = textField(pod, "status", "message");
  if (reason === undefined || textField(pod, "status", "phase") !== "Failed") return [];
  const evicted = reason === "Evicted";
  return [{
    problem: evicted ? "It was evicted from its node" : `The pod failed: ${reason}`,
    evidence: message === undefined ? [] : [message.trim()],
  }];
}

function nodeFindings(pod: unknown, { node, events }: Surroundings): readonly Finding[] {
  const name = textField(pod, "spec", "nodeName");
  if (name === undefined) return [];
  const lost = textField(pod, "status", "reason") === "NodeLost" ||
    events.some(({ reason }) => reason === "NodeNotReady");
  if (node === undefined) {
    return lost
      ? [{ problem: `Its node ${name} was not ready`, evidence: messagesOf(events, /^NodeNotReady$/) }]
      : [];
  }
  if (!node.exists) return [{ problem: `Its node ${name} does not exist any more`, evidence: [] }];
  if (node.ready === "True") return [];
  return [{
    problem: `Its node ${name} is not ready`,
    evidence: [`Ready is ${node.ready}${node.message === undefined ? "" : `: ${node.message}`}`],
  }];
}

function schedulingFindings(pod: unknown, around: Surroundings): readonly Finding[] {
  const condition = listField(pod, "status", "conditions").find((one) =>
    textField(one, "type") === "PodScheduled"
  );
  if (textField(pod, "spec", "nodeName") !== undefined || textField(condition, "status") === "True") {
    return [];
  }
  if (textField(condition, "reason") === "SchedulingGated") {
    const gates = listField(pod, "spec", "schedulingGates").map((gate) => textField(gate, "name") ?? "");
    return [{
      problem: `It waits for its scheduling gates to be removed: ${gates.join(", ")}`,
      evidence: [],
    }];
  }
  const message = textField(condition, "message") ??
    around.events.findLast(({ reason }) => reason === "FailedScheduling")?.message;
  if (message === undefined) {
    return [{
      problem: "It has not been scheduled, and the scheduler has not said why",
      evidence: ["is a scheduler running?"],
    }];
  }
  const [missing] = missingObjects(message);
  return [{
    problem: missing === undefined
      ? "It can't be scheduled: no node fits"
      : `It can't be scheduled as ${missing} does not exist`,
    evidence: [message, ...schedulingHints(pod, message), ...claimEvidence(around)],
  }];
}

/** What the pod asks for, where the scheduler names it. */
function schedulingHints(pod: unknown, message: string): readonly string[] {
  const hints: string[] = [];
  if (/Insufficient|Too many/.test(message)) {
    const requests = listField(pod, "spec", "containers").map((container) => {
      const asked = field(container, "resources", "requests");
      const amounts = Object.entries(typeof asked === "object" && asked !== null ? asked : {});
      return amounts.length === 0
        ? undefined
        : `${textField(container, "name")} requests ${
          amounts.map(([name, amount]) => `${name} ${amount}`).join(", ")
        }`;
    }).filter((text) => text !== undefined);
    hints.push(...requests);
  }
  const selector = field(pod, "spec", "nodeSelector");
  if (/node affinity|node selector|didn't match Pod's node/.test(message) && selector !== undefined) {
    hints.push(`nodeSelector: ${JSON.stringify(selector)}`);
  }
  return hints;
}

function claimEvidence({ unboundClaims }: Surroundings): readonly string[] {
  return unboundClaims.map(({ name, phase }) =>
    phase === undefined
      ? `PersistentVolumeClaim ${name} does not exist`
      : `PersistentVolumeClaim ${name} is ${phase}`
  );
}

/** A pod on a node whose containers do not start: volumes, network. */
function startFindings(pod: unknown, around: Surroundings, now: number): readonly Finding[] {
  if (textField(pod, "spec", "nodeName") === undefined) return [];
  const statuses = [
    ...listField(pod, "status", "initContainerStatuses"),
    ...listField(pod, "status", "containerStatuses"),
  ];
  const pending = textField(pod, "status", "phase") === "Pending" && !statuses.some(hasRun);
  if (!pending) return [];
  const events = currentEvents(around.events.filter(({ reason }) => preventsStart(reason)));
  const volumes = messagesOf(events, volumeFailure);
  const missing = [...new Set(events.flatMap(({ message }) => missingObjects(message)))];
  if (volumes.length > 0 || around.unboundClaims.length > 0) {
    const claims = around.unboundClaims.filter(({ phase }) => phase === undefined);
    const absent = missing.length > 0
      ? missing
      : claims.slice(0, 1).map(({ name }) => `PersistentVolumeClaim ${name}`);
    return [{
      problem: absent.length === 0
        ? "Its volumes can't be mounted"
        : `A volume can't be mounted: ${missingText(absent)}`,
      evidence: [...volumes, ...claimEvidence(around)],
    }];
  }
  const sandbox = messagesOf(events, sandboxFailure);
  if (sandbox.length > 0) return [{ problem: "Its sandbox (network) can't be made", evidence: sandbox }];
  const scheduled = listField(pod, "status", "conditions").find((one) =>
    textField(one, "type") === "PodScheduled"
  );
  const since = timeField(scheduled, "lastTransitionTime") ?? timeField(pod, "metadata", "creationTimestamp");
  const creating = statuses.length === 0 ||
    statuses.some((one) =>
      /^(?:ContainerCreating|PodInitializing)$/.test(textField(one, "state", "waiting", "reason") ?? "")
    );
  if (!creating || since === undefined || now - since < startsLateMs) return [];
  return [{
    problem: `Its containers have not been started for ${humanDuration(now - since)}, and no event says why`,
    evidence: [`check the kubelet of node ${textField(pod, "spec", "nodeName")}`],
  }];
}

/** Probes that fail in a container that runs. */
function probeFindings(pod: unknown, events: readonly ClusterEvent[]): readonly Finding[] {
  const failures = events.filter(({ reason }) => reason === "Unhealthy" || reason === "ProbeWarning");
  return listField(pod, "status", "containerStatuses").flatMap((status) => {
    if (field(status, "state", "running") === undefined || isTrue(status, "ready")) return [];
    const name = textField(status, "name") ?? "";
    const container = listField(pod, "spec", "containers").find((one) => textField(one, "name") === name);
    const kind = field(status, "started") === false && field(container, "startupProbe") !== undefined
      ? "startup"
      : "readiness";
    const probe = field(container, `${kind}Probe`);
    const seen = failures.filter(({ message }) => message.toLowerCase().startsWith(kind)).map(eventText);
    if (probe === undefined && seen.length === 0) {
      return [{ problem: `Container ${name} runs but is not ready`, evidence: [] }];
    }
    return [{
      problem: `Container ${name} runs but its ${kind} probe fails`,
      evidence: [...seen.slice(-2), ...(probe === undefined ? [] : [`probe: ${probeText(probe)}`])],
    }];
  });
}
