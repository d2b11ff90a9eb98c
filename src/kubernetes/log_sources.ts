/** Which containers' logs are meant, and what state these containers are in. */
import { CallError } from "../common/errors.ts";
import type { KubeObject } from "./api.ts";
import { field, listField, nameOf, numberField, textEntries, textField, timeField } from "./fields.ts";
import { humanDuration } from "./kubernetes_age.ts";
import { containerStatuses, type Ending, podStatus, readEnding } from "./pod_status.ts";
import { endingText } from "./pod_summary.ts";

/** One container's log. Times are milliseconds since 1970. */
export interface LogSource {
  readonly pod: string;
  readonly container: string;
  /** `Running`, `Waiting: CrashLoopBackOff`, `Terminated: Error (1)`, or `not started`. */
  readonly state: string;
  /** What the kubelet says about it. */
  readonly message: string | undefined;
  readonly restarts: number;
  /** How the run before this one ended: its log is the previous one. */
  readonly previous: Ending | undefined;
}

/** Which containers of a pod. */
export interface ContainersWanted {
  readonly container?: string | undefined;
  readonly containers?: "all" | "init" | undefined;
}

const defaultContainer = "kubectl.kubernetes.io/default-container";

/** The containers of a pod that are meant. Throws {@linkcode CallError} `not_found` for a name that none has. */
export function logSources(pod: KubeObject, wanted: ContainersWanted, now: number): readonly LogSource[] {
  const names = (part: string) =>
    listField(pod, "spec", part).map((container) => textField(container, "name") ?? "");
  const init = names("initContainers");
  const main = names("containers");
  const all = [...init, ...main, ...names("ephemeralContainers")];
  const name = nameOf(pod);
  const sources = (chosen: readonly string[]) =>
    chosen.map((container) => sourceOf(pod, name, container, now));
  if (wanted.container !== undefined) {
    if (!all.includes(wanted.container)) {
      throw new CallError(
        "not_found",
        `Cannot read container ${wanted.container} as pod ${name} has none of that name`,
        {
          hint: `its containers are ${all.join(", ")}`,
        },
      );
    }
    return sources([wanted.container]);
  }
  if (wanted.containers === "all") return sources(all);
  if (wanted.containers === "init") return sources(init);
  const annotated = new Map(textEntries(pod, "metadata", "annotations")).get(defaultContainer);
  const chosen = annotated !== undefined && all.includes(annotated) ? annotated : main[0] ?? "";
  const waits = textField(statusOf(pod, chosen), "state", "waiting", "reason") === "PodInitializing";
  const stuck = waits ? init.find((container) => !isOver(statusOf(pod, container))) : undefined;
  return sources([stuck ?? chosen]);
}

/** Names of the containers that were not chosen. */
export function otherContainers(pod: KubeObject, chosen: readonly LogSource[]): readonly string[] {
  const names = [...listField(pod, "spec", "initContainers"), ...listField(pod, "spec", "containers")]
    .map((container) => textField(container, "name") ?? "");
  return names.filter((name) => !chosen.some(({ container }) => container === name));
}

function isOver(status: unknown): boolean {
  return numberField(status, "state", "terminated", "exitCode") === 0 || field(status, "started") === true;
}

function statusOf(pod: KubeObject, container: string): unknown {
  return containerStatuses(pod).find((status) => textField(status, "name") === container);
}

function sourceOf(pod: KubeObject, name: string, container: string, now: number): LogSource {
  const status = statusOf(pod, container);
  const whole = status === undefined ? podStatus(pod, now) : undefined;
  return {
    pod: name,
    container,
    state: whole === undefined ? stateText(status, now) : `not started, the pod is ${whole.status}`,
    message: textField(status, "state", "waiting", "message") ??
      textField(status, "state", "terminated", "message") ?? whole?.message,
    restarts: numberField(status, "restartCount") ?? 0,
    previous: readEnding(container, field(status, "lastState")),
  };
}

function stateText(status: unknown, now: number): string {
  const waiting = textField(status, "state", "waiting", "reason");
  if (waiting !== undefined) return `Waiting: ${waiting}`;
  const ending = readEnding("", field(status, "state"));
  if (ending !== undefined) return `Terminated: ${endingText(ending)}${agoText(ending.finished, now)}`;
  const started = timeField(status, "state", "running", "startedAt");
  if (started !== undefined) return `Running for ${humanDuration(now - started)}`;
  return "not started";
}

/** ` 3m ago`, or nothing. */
export function agoText(then: number | undefined, now: number): string {
  return then === undefined ? "" : ` ${humanDuration(now - then)} ago`;
}
