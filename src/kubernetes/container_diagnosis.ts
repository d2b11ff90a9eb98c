/** Why a pod's containers do not run: images, configuration, crashes, memory, probes that kill. */
import type { Finding } from "./diagnosis.ts";
import type { ClusterEvent } from "./events.ts";
import { memoryLimit, messagesOf, missingObjects } from "./evidence.ts";
import { endingMeaning } from "./exit_code.ts";
import { field, isTrue, listField, numberField, textField } from "./fields.ts";
import { humanDuration } from "./kubernetes_age.ts";
import { type Ending, isSidecar, type PodStatus, readEnding } from "./pod_status.ts";
import { endingText } from "./pod_summary.ts";

const imageReasons =
  /^(?:ImagePullBackOff|ErrImagePull|InvalidImageName|ErrImageNeverPull|ImageInspectError|RegistryUnavailable|SignatureValidationFailed)$/;
const startReasons =
  /^(?:CreateContainerConfigError|CreateContainerError|RunContainerError|PreCreateHookError|PreStartHookError|PostStartHookError|StartError|ContainerCannotRun)$/;
/** A failure that recent matters in a container that runs again. */
const recentMs = 60 * 60_000;

interface Subject {
  readonly pod: unknown;
  readonly status: unknown;
  /** `Container app`, `Init container migrate`. */
  readonly title: string;
  readonly name: string;
  readonly image: string;
  readonly events: readonly ClusterEvent[];
  readonly now: number;
}

/** What is wrong with each container, init containers first: the others wait for them. */
export function containerFindings(
  pod: unknown,
  podStatus: PodStatus,
  events: readonly ClusterEvent[],
  now: number,
): readonly Finding[] {
  const specified = [...listField(pod, "spec", "initContainers"), ...listField(pod, "spec", "containers")];
  const of = (part: string, noun: string): readonly Subject[] =>
    listField(pod, "status", part).map((status) => {
      const name = textField(status, "name") ?? "";
      const container = specified.find((one) => textField(one, "name") === name);
      return {
        pod,
        status,
        title: `${isSidecar(container) ? "Sidecar" : noun} ${name}`,
        name,
        image: textField(container, "image") ?? textField(status, "image") ?? "",
        events,
        now,
      };
    });
  const init = of("initContainerStatuses", "Init container").flatMap(findingOf);
  const main = of("containerStatuses", "Container").flatMap(findingOf);
  const running = podStatus.status.startsWith("Init:") && init.length === 0 ? initProgress(pod) : [];
  return [...init, ...running, ...main];
}

function initProgress(pod: unknown): readonly Finding[] {
  const current = listField(pod, "status", "initContainerStatuses").find((one) =>
    field(one, "state", "running") !== undefined
  );
  const name = textField(current, "name");
  return name === undefined
    ? []
    : [{ problem: `Init container ${name} has not finished: the others wait for it`, evidence: [] }];
}

function findingOf(subject: Subject): readonly Finding[] {
  const { status, title, image, events } = subject;
  const reason = textField(status, "state", "waiting", "reason");
  const message = textField(status, "state", "waiting", "message")?.trim();
  const said = message === undefined ? [] : [message];
  if (reason !== undefined && imageReasons.test(reason)) {
    const failures = messagesOf(
      events,
      /^(?:Failed|InspectFailed|ErrImageNeverPull|FailedToRetrieveImagePullSecret)$/,
    ).filter((text) => /image|pull/i.test(text));
    return [{
      problem: `${title} can't get its image ${image}: ${
        imageCause(reason, [...said, ...failures].join(" "))
      }`,
      evidence: [...said, ...failures],
    }];
  }
  if (reason !== undefined && startReasons.test(reason)) {
    const missing = missingObjects(message ?? "");
    return [{
      problem: missing[0] === undefined
        ? `${title} can't be started: ${reason}`
        : `${title} can't be started as ${missing[0]} does not exist`,
      evidence: [...said, ...messagesOf(events, /^Failed$/)],
    }];
  }
  const last = readEnding(subject.name, field(status, "lastState"));
  const current = readEnding(subject.name, field(status, "state"));
  if (reason === "CrashLoopBackOff") return [crashLoop(subject, last ?? current)];
  if (current !== undefined && (current.exitCode !== 0 || current.signal !== undefined)) {
    return [ended(subject, current, `${title} ended: ${endingText(current)}`)];
  }
  const recent = last !== undefined && last.finished !== undefined && subject.now - last.finished < recentMs;
  if (
    recent && (numberField(status, "restartCount") ?? 0) > 0 &&
    (last.exitCode !== 0 || last.signal !== undefined)
  ) {
    return [ended(subject, last, `${title} runs again but was restarted ${restarts(status)}`)];
  }
  if (reason !== undefined && !/^(?:ContainerCreating|PodInitializing)$/.test(reason)) {
    return [{ problem: `${title} waits: ${reason}`, evidence: said }];
  }
  return [];
}

function imageCause(reason: string, text: string): string {
  if (reason === "InvalidImageName") return "its name is not a valid image name";
  if (reason === "ErrImageNeverPull") return "it is not on the node, and imagePullPolicy is Never";
  if (/unauthorized|authentication required|denied|no basic auth|401|403/i.test(text)) {
    return "the registry refuses access, or has no such image: check the name and imagePullSecrets";
  }
  if (/not found|manifest unknown|404/i.test(text)) return "the registry has no such image or tag";
  if (/no such host|dial tcp|timeout|timed out|connection refused|TLS|x509|certificate/i.test(text)) {
    return "the registry can't be reached";
  }
  if (/toomanyrequests|rate limit|429/i.test(text)) return "the registry limits the rate of pulls";
  return reason;
}

function crashLoop(subject: Subject, last: Ending | undefined): Finding {
  const { status, title } = subject;
  if (last === undefined) {
    return { problem: `${title} is in a crash loop, restarted ${restarts(status)}`, evidence: [] };
  }
  if (last.exitCode === 0 && last.signal === undefined) {
    return ended(
      subject,
      last,
      `${title} ends by itself again and again (exit code 0, restarted ${
        restarts(status)
      }): it does not stay running`,
    );
  }
  return ended(
    subject,
    last,
    `${title} is in a crash loop, restarted ${restarts(status)}; it last ended with ${endingText(last)}`,
  );
}

function restarts(status: unknown): string {
  const times = numberField(status, "restartCount") ?? 0;
  return times === 1 ? "once" : `${times} times`;
}

/** Adds what is known of the end of a run. */
function ended(subject: Subject, ending: Ending, problem: string): Finding {
  const { pod, name, status, events, now } = subject;
  const meaning = endingMeaning(ending);
  const limit = memoryLimit(pod, name);
  const probe = messagesOf(events, /^(?:Killing|Unhealthy)$/).filter((text) =>
    /liveness|startup/i.test(text)
  );
  const oom = ending.reason === "OOMKilled";
  const when = ending.finished === undefined ? "" : `, ${humanDuration(now - ending.finished)} ago`;
  return {
    problem: oom
      ? `${problem.replace(/;.*/, "")}: it was killed for memory (OOMKilled), ${
        limit === undefined ? "without a limit of its own: the node ran out" : `its limit is ${limit}`
      }`
      : problem,
    evidence: [
      ...(meaning === undefined ? [] : [`exit code ${ending.exitCode}${when}: ${meaning}`]),
      ...(ending.message === undefined ? [] : [`it left the message: ${ending.message}`]),
      ...(ending.exitCode === 137 && !oom && limit !== undefined ? [`its memory limit is ${limit}`] : []),
      ...probe,
      ...(isTrue(status, "ready")
        ? []
        : [`get_pod_logs with container ${name} and previous: true shows its last lines`]),
    ],
  };
}
