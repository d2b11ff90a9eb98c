/** The rules that look at rollouts: those that do not get on, and those that came right before trouble. */
import { plural } from "../common/units.ts";
import { age } from "./age.ts";
import { type Evidence, seen } from "./evidence.ts";
import type { Rule } from "./rule.ts";
import { awaitedPod, factsOf, isAwaited, isTold } from "./sick_pods.ts";
import { isServing, type Pod, type Workload } from "./workload.ts";

/** Milliseconds in which a rollout counts as recent. */
const recentRolloutMs = 2 * 3_600_000;
/** Milliseconds within which trouble follows a change that caused it; and by which its beginning may be told wrong. */
const soonMs = 15 * 60_000;
const vagueMs = 2 * 60_000;
/** Milliseconds for which pods that fail speak against the rollout that made them. */
const freshMs = 30 * 60_000;
/** Milliseconds that a pod of a new revision may take to become ready: a deployment's own deadline unless it has another. */
const startingMs = 600_000;

export const rolloutRules: readonly Rule[] = [
  {
    name: "rollout_stalled",
    explains: 65,
    when: "a deployment does not get on with its rollout, and not only as too few of its pods are ready",
    find(evidence) {
      const stalled = seen(evidence.cluster)?.workloads.find((one) =>
        one.rollout?.verdict === "stalled" && !(hasTimedOut(one) && one.ready < one.desired)
      );
      if (stalled?.rollout === undefined) return undefined;
      const { namespace, name } = stalled;
      const pod = hasTimedOut(stalled) ? awaitedPod(evidence) : undefined;
      return {
        severity: "degraded",
        text: `The rollout of ${namespace}/${name} is stalled: ${stalled.rollout.explanation}${
          pod === undefined ? "" : `: ${pod.name}: ${factsOf(pod)}`
        }`,
        next: [{ tool: "get_deployments", arguments: { namespace, name } }],
      };
    },
  },
  {
    name: "rollout_before",
    explains: 64,
    when:
      "errors or slowness began within the minutes after a new revision was rolled out, or its pods alone fail",
    find(evidence) {
      const recent = lastRollout(evidence);
      const text = recent && suspicion(evidence, recent);
      if (recent === undefined || text === undefined) return undefined;
      return {
        severity: "coincidence",
        text: `${text} revision ${revisionText(recent)} was rolled out, ${
          age(evidence.now - recent.changed)
        } ago (${imagesText(recent)})${rollingClause(recent)}`,
        next: [{ tool: "get_deployments", arguments: { namespace: recent.namespace, name: recent.name } }],
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
      if (recent === undefined || suspicion(evidence, recent) !== undefined) return undefined;
      const isAfter = trouble !== undefined && recent.changed > trouble.began;
      return {
        severity: "coincidence",
        text: `At the same time: revision ${revisionText(recent)} was rolled out ${
          age(evidence.now - recent.changed)
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

/** What points at a rollout as the cause, up to its name; undefined where nothing does. */
function suspicion(evidence: Evidence, { changed }: RolledOut): string | undefined {
  const trouble = troubleOf(evidence);
  if (trouble !== undefined && isBefore(changed, trouble.began)) return `${trouble.what} began about when`;
  const pods = seen(evidence.cluster)?.pods ?? [];
  const isNew = ({ created = 0 }: Pod) => created >= changed;
  const isStalled = seen(evidence.cluster)?.workloads.some(hasTimedOut) === true;
  const sick = pods.filter((pod) => isTold(pod, evidence.now) || (isStalled && isAwaited(pod)));
  // Where all pods are new, they may have failed for something else later on.
  const speaks = evidence.now - changed < freshMs || pods.some((pod) => !isNew(pod) && isServing(pod));
  return sick.length > 0 && sick.every(isNew) && speaks
    ? "The pods that fail were all created after"
    : undefined;
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

/** Whether a rollout goes on as it should: few enough pods are missing, and none for long. */
export function isRolling({ rolling, ready, desired }: Workload, evidence: Evidence): boolean {
  return rolling !== undefined && desired - ready <= rolling.mayMiss &&
    (seen(evidence.cluster)?.pods ?? []).filter(isAwaited)
      .every(({ created }) => evidence.now - (created ?? evidence.now) < startingMs);
}

/** Whether a rollout has not come to its end in time: what its pods wait for says why. */
export function hasTimedOut({ rollout }: Pick<Workload, "rollout">): boolean {
  return rollout?.verdict === "stalled" && rollout.explanation.startsWith("ProgressDeadlineExceeded");
}

function rollingClause({ rolling, ready, desired }: Workload): string {
  if (rolling === undefined) return "";
  const { updated } = rolling;
  return `; it is going on: ${updated} of ${plural(desired, "pod")} updated, ${ready} ready`;
}
