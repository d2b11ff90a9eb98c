/**
 * What state a pod is in: kubectl's STATUS, READY and RESTARTS, to the letter, and what it leaves out: how the last run
 * of a container ended, and whether all is well.
 *
 * Source: `printPod` in k8s.io/kubernetes/pkg/printers/internalversion/printers.go.
 */
import { field, isTrue, listField, numberField, textField, timeField } from "./fields.ts";
import { humanDuration } from "./kubernetes_age.ts";

/** How a run of a container ended. */
export interface Ending {
  readonly container: string;
  /** `Error`, `OOMKilled`, `Completed`, …; empty when the runtime gave none. */
  readonly reason: string;
  readonly exitCode: number;
  readonly signal: number | undefined;
  /** Milliseconds since 1970. */
  readonly finished: number | undefined;
  readonly message: string | undefined;
}

/** A pod's state. Times are milliseconds since 1970. */
export interface PodStatus {
  /** kubectl's STATUS: `Running`, `CrashLoopBackOff`, `Init:0/2`, `Terminating`, … */
  readonly status: string;
  readonly readyContainers: number;
  readonly containers: number;
  readonly restarts: number;
  readonly lastRestart: number | undefined;
  /** How the latest of the runs that are over ended; undefined when nothing was restarted. */
  readonly lastEnding: Ending | undefined;
  readonly phase: string;
  /** Whether it takes requests as it is: running, every container ready, and nothing else that keeps it from being so. */
  readonly ready: boolean;
  /** Completed, or ready and no container of it failed within the last ten minutes. */
  readonly healthy: boolean;
  /** Why it is as it is, in the words of the kubelet or the scheduler, where there are any. */
  readonly message: string | undefined;
}

/** A failure that recent still counts: a pod that crashes every few minutes is Running most of the time. */
export const recentFailureMs = 10 * 60_000;
/** Milliseconds that a deletion may take beyond its grace period. */
const deletionSlackMs = 30_000;

/** The state of a v1 Pod; `now` in milliseconds since 1970. */
export function podStatus(pod: unknown, now: number = Date.now()): PodStatus {
  const printed = printedStatus(pod);
  const lastEnding = latestEnding(pod);
  const phase = textField(pod, "status", "phase") ?? "";
  const ready = printed.status === "Running" && printed.readyContainers === printed.containers &&
    !saysUnready(pod);
  const failedLately = lastEnding !== undefined && lastEnding.finished !== undefined &&
    (lastEnding.exitCode !== 0 || lastEnding.signal !== undefined) &&
    now - lastEnding.finished < recentFailureMs;
  const deleted = timeField(pod, "metadata", "deletionTimestamp");
  const healthy = printed.status === "Terminating"
    ? deleted !== undefined && now < deleted + deletionSlackMs
    : (phase === "Succeeded" && printed.status === "Completed") ||
      (ready && !failedLately);
  return {
    ...printed,
    lastEnding,
    phase,
    ready,
    healthy,
    message: healthy ? undefined : explanation(pod) ?? (failedLately ? lastEnding.message : undefined),
  };
}

/** By a readiness gate, or as its node is lost, which its containers do not know. */
function saysUnready(pod: unknown): boolean {
  return listField(pod, "status", "conditions").some((one) =>
    textField(one, "type") === "Ready" && textField(one, "status") !== "True"
  );
}

/** kubectl's RESTARTS: `0`, `5 (3m ago)`. */
export function restartsText({ restarts, lastRestart }: PodStatus, now: number): string {
  return restarts === 0 || lastRestart === undefined
    ? String(restarts)
    : `${restarts} (${humanDuration(now - lastRestart)} ago)`;
}

type Printed = Pick<PodStatus, "status" | "readyContainers" | "containers" | "restarts" | "lastRestart">;

function printedStatus(pod: unknown): Printed {
  const phase = textField(pod, "status", "phase") ?? "";
  const conditions = listField(pod, "status", "conditions");
  let status = textField(pod, "status", "reason") ?? phase;
  if (
    conditions.some((one) =>
      textField(one, "type") === "PodScheduled" && textField(one, "reason") === "SchedulingGated"
    )
  ) {
    status = "SchedulingGated";
  }
  const init = printedInit(pod, status);
  status = init.status;
  let { readyContainers, restarts, lastRestart } = init;
  if (!init.initializing || hasCondition(conditions, "Initialized")) {
    const main = printedMain(pod, status, conditions);
    status = main.status;
    readyContainers += main.readyContainers;
    restarts = init.sidecarRestarts + main.restarts;
    lastRestart = latest(init.lastSidecarRestart, main.lastRestart);
  }
  if (textField(pod, "metadata", "deletionTimestamp") !== undefined) {
    if (textField(pod, "status", "reason") === "NodeLost") status = "Unknown";
    else if (phase !== "Failed" && phase !== "Succeeded") status = "Terminating";
  }
  const sidecars = listField(pod, "spec", "initContainers").filter(isSidecar).length;
  const containers = listField(pod, "spec", "containers").length + sidecars;
  return { status, readyContainers, containers, restarts, lastRestart };
}

function printedInit(pod: unknown, before: string) {
  const specified = listField(pod, "spec", "initContainers");
  const sidecars = new Set(specified.filter(isSidecar).map((container) => textField(container, "name")));
  let status = before;
  let initializing = false;
  let readyContainers = 0;
  let restarts = 0;
  let sidecarRestarts = 0;
  let lastRestart: number | undefined;
  let lastSidecarRestart: number | undefined;
  for (const [index, container] of listField(pod, "status", "initContainerStatuses").entries()) {
    const sidecar = sidecars.has(textField(container, "name"));
    const count = numberField(container, "restartCount") ?? 0;
    const finished = timeField(container, "lastState", "terminated", "finishedAt");
    restarts += count;
    lastRestart = latest(lastRestart, finished);
    if (sidecar) {
      sidecarRestarts += count;
      lastSidecarRestart = latest(lastSidecarRestart, finished);
    }
    const terminated = field(container, "state", "terminated");
    const waiting = textField(container, "state", "waiting", "reason");
    if (isObject(terminated) && (numberField(terminated, "exitCode") ?? 0) === 0) continue;
    if (sidecar && isTrue(container, "started")) {
      if (isTrue(container, "ready")) readyContainers++;
      continue;
    }
    initializing = true;
    if (isObject(terminated)) status = `Init:${endedBecause(terminated)}`;
    else if (waiting !== undefined && waiting !== "PodInitializing") status = `Init:${waiting}`;
    else status = `Init:${index}/${specified.length}`;
    break;
  }
  return {
    status,
    initializing,
    readyContainers,
    restarts,
    sidecarRestarts,
    lastRestart,
    lastSidecarRestart,
  };
}

function printedMain(pod: unknown, before: string, conditions: readonly unknown[]) {
  let status = before;
  let readyContainers = 0;
  let restarts = 0;
  let lastRestart: number | undefined;
  let running = false;
  let failure = "";
  for (const container of listField(pod, "status", "containerStatuses").toReversed()) {
    restarts += numberField(container, "restartCount") ?? 0;
    lastRestart = latest(lastRestart, timeField(container, "lastState", "terminated", "finishedAt"));
    const waiting = textField(container, "state", "waiting", "reason");
    const terminated = field(container, "state", "terminated");
    if (waiting !== undefined) status = waiting;
    else if (isObject(terminated)) {
      status = endedBecause(terminated);
      if ((numberField(terminated, "exitCode") ?? 0) !== 0) failure = status;
    } else if (isTrue(container, "ready") && isObject(field(container, "state", "running"))) {
      running = true;
      readyContainers++;
    }
  }
  // As long as one container runs, the pod is not completed.
  if (status === "Completed") {
    if (running && hasCondition(conditions, "Ready")) status = "Running";
    else if (failure !== "") status = failure;
    else if (running) status = "NotReady";
  }
  return { status, readyContainers, restarts, lastRestart };
}

function endedBecause(terminated: unknown): string {
  const reason = textField(terminated, "reason");
  if (reason !== undefined) return reason;
  const signal = numberField(terminated, "signal") ?? 0;
  return signal !== 0 ? `Signal:${signal}` : `ExitCode:${numberField(terminated, "exitCode") ?? 0}`;
}

/** Init containers and others, in that order. */
export function containerStatuses(pod: unknown): readonly unknown[] {
  return [
    ...listField(pod, "status", "initContainerStatuses"),
    ...listField(pod, "status", "containerStatuses"),
    ...listField(pod, "status", "ephemeralContainerStatuses"),
  ];
}

/** Whether a container has ever run, by its status. */
export function hasRun(status: unknown): boolean {
  return field(status, "state", "running") !== undefined ||
    field(status, "state", "terminated") !== undefined ||
    field(status, "lastState", "terminated") !== undefined;
}

/** Whether an init container is a sidecar: one that is restarted on its own and runs beside the others. */
export function isSidecar(container: unknown): boolean {
  return textField(container, "restartPolicy") === "Always";
}

/** How a run that is over ended; undefined when `state` is another one. */
export function readEnding(container: string, state: unknown): Ending | undefined {
  const terminated = field(state, "terminated");
  if (!isObject(terminated)) return undefined;
  const signal = numberField(terminated, "signal") ?? 0;
  return {
    container,
    reason: textField(terminated, "reason") ?? "",
    exitCode: numberField(terminated, "exitCode") ?? 0,
    signal: signal === 0 ? undefined : signal,
    finished: timeField(terminated, "finishedAt"),
    message: textField(terminated, "message")?.trim(),
  };
}

/** The run that ended last, of containers that were started again or stay ended with a failure. */
function latestEnding(pod: unknown): Ending | undefined {
  let found: Ending | undefined;
  for (const container of containerStatuses(pod)) {
    const name = textField(container, "name") ?? "";
    const current = readEnding(name, field(container, "state"));
    const failed = current !== undefined && current.exitCode !== 0 ? current : undefined;
    const ending = failed ?? readEnding(name, field(container, "lastState"));
    if (ending !== undefined && (found === undefined || (ending.finished ?? 0) > (found.finished ?? 0))) {
      found = ending;
    }
  }
  return found;
}

/** The best of what the pod says of itself. */
function explanation(pod: unknown): string | undefined {
  for (const container of containerStatuses(pod)) {
    const waiting = textField(container, "state", "waiting", "message");
    const ended = textField(container, "state", "terminated", "message") ??
      textField(container, "lastState", "terminated", "message");
    // "back-off 5m0s restarting failed container" says less than what the container left behind.
    if (waiting !== undefined) {
      return waiting.startsWith("back-off") && ended !== undefined ? ended.trim() : withoutIds(waiting);
    }
    if (ended !== undefined && (numberField(container, "state", "terminated", "exitCode") ?? 0) !== 0) {
      return ended.trim();
    }
  }
  const own = textField(pod, "status", "message");
  if (own !== undefined) return own.trim();
  const conditions = listField(pod, "status", "conditions").filter((one) =>
    textField(one, "status") === "False"
  );
  const [unmet] = [
    ...["PodScheduled", "Initialized", "ContainersReady", "Ready"].flatMap((type) =>
      conditions.filter((one) => textField(one, "type") === type)
    ),
    ...conditions,
  ];
  return (textField(unmet, "message") ?? textField(unmet, "reason"))?.trim().replace(noPreemption, "");
}

/** What the scheduler says at the end of every message: that no other pod's end would help, either. */
const noPreemption =
  /\.? (?:no new claims to deallocate, )?preemption: \d+\/\d+ nodes are available: [^:]*(?:not helpful for scheduling|No preemption victims found for incoming pods?)\.?$/;

/** The kubelet ends what it says of a back-off with names that stand beside it, and an id that is of no use. */
function withoutIds(message: string): string {
  return message.trim().replace(
    / restarting failed container=\S+ pod=\S+\(\S+\)$/,
    " restarting failed container",
  );
}

function hasCondition(conditions: readonly unknown[], type: string): boolean {
  const condition = conditions.find((one) => textField(one, "type") === type);
  return textField(condition, "status") === "True";
}

function latest(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Math.max(a, b);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
