/** How far a deployment's rollout is, judged as `kubectl rollout status` does, with the words that it leaves out. */
import { plural } from "../common/units.ts";
import { isTrue, listField, nameOf, namespaceOf, numberField, textField, timeField } from "./fields.ts";

/** From the one that needs somebody most. */
export const rolloutVerdicts = [
  "stalled", // the rollout does not go on, or pods can't be created
  "degraded", // rolled out before, and pods are missing now
  "progressing",
  "unobserved", // the controller has not seen the latest change
  "paused",
  "complete",
  "scaled_to_zero",
] as const;
export type RolloutVerdict = (typeof rolloutVerdicts)[number];

/** A deployment's state. Counts are pods. */
export interface Rollout {
  readonly namespace: string;
  readonly name: string;
  readonly verdict: RolloutVerdict;
  /** One sentence without a full stop; for `complete` as well. */
  readonly explanation: string;
  readonly desired: number;
  readonly ready: number;
  readonly updated: number;
  readonly available: number;
  /** Old ones included. */
  readonly pods: number;
  readonly images: readonly string[];
  readonly created: number | undefined;
  readonly revision: string | undefined;
}

/** Reads one deployment (apps/v1). */
export function readRollout(object: unknown): Rollout {
  const desired = numberField(object, "spec", "replicas") ?? 1;
  const counts = {
    desired,
    ready: numberField(object, "status", "readyReplicas") ?? 0,
    updated: numberField(object, "status", "updatedReplicas") ?? 0,
    available: numberField(object, "status", "availableReplicas") ?? 0,
    pods: numberField(object, "status", "replicas") ?? 0,
  };
  const [verdict, explanation] = judge(object, counts);
  return {
    namespace: namespaceOf(object),
    name: nameOf(object),
    verdict,
    explanation,
    ...counts,
    images: imagesOf(object),
    created: timeField(object, "metadata", "creationTimestamp"),
    revision: revisionOf(object),
  };
}

/** The images of a pod template's containers. */
export function imagesOf(object: unknown): readonly string[] {
  return listField(object, "spec", "template", "spec", "containers")
    .map((container) => textField(container, "image") ?? "");
}

/** The revision that the deployment controller numbers deployments and replica sets with. */
export function revisionOf(object: unknown): string | undefined {
  return textField(object, "metadata", "annotations", "deployment.kubernetes.io/revision");
}

/** Whether somebody should look at it. */
export function isSick({ verdict }: { readonly verdict: RolloutVerdict }): boolean {
  return rolloutVerdicts.indexOf(verdict) < rolloutVerdicts.indexOf("paused");
}

type Counts = Pick<Rollout, "desired" | "ready" | "updated" | "available" | "pods">;

function judge(object: unknown, counts: Counts): readonly [RolloutVerdict, string] {
  const { desired, updated, available, pods } = counts;
  const generation = numberField(object, "metadata", "generation") ?? 0;
  const observed = numberField(object, "status", "observedGeneration") ?? 0;
  const conditions = listField(object, "status", "conditions");
  const condition = (type: string) => conditions.find((one) => textField(one, "type") === type);
  if (generation > observed) {
    return ["unobserved", `the controller has not seen generation ${generation} yet, only ${observed}`];
  }
  const failure = condition("ReplicaFailure");
  if (textField(failure, "status") === "True") {
    return ["stalled", `pods can't be created: ${said(failure, "ReplicaFailure")}`];
  }
  const progressing = condition("Progressing");
  const reason = textField(progressing, "reason");
  if (reason === "ProgressDeadlineExceeded" || textField(progressing, "status") === "False") {
    return ["stalled", said(progressing, "no progress")];
  }
  const whole = updated >= desired && pods <= updated && available >= desired;
  if (isTrue(object, "spec", "paused")) {
    return ["paused", `paused, with ${updated} of ${plural(desired, "pod")} updated`];
  }
  if (desired === 0 && pods === 0) return ["scaled_to_zero", "scaled to zero"];
  if (whole) return ["complete", "rolled out"];
  const missing = condition("Available");
  if (reason === "NewReplicaSetAvailable" && updated >= desired && pods <= updated) {
    const detail = textField(missing, "status") === "False" ? `; ${said(missing, "not available")}` : "";
    return [
      "degraded",
      `rolled out before, but only ${available} of ${plural(desired, "pod")} available now${detail}`,
    ];
  }
  if (updated < desired) return ["progressing", `${updated} of ${plural(desired, "pod")} updated`];
  if (pods > updated) return ["progressing", `${plural(pods - updated, "old pod")} still to go`];
  return ["progressing", `${available} of ${plural(updated, "updated pod")} available`];
}

function said(condition: unknown, otherwise: string): string {
  const reason = textField(condition, "reason");
  const message = textField(condition, "message")?.replace(/\.$/, "");
  return [reason, message].filter((part) => part !== undefined).join(": ") || otherwise;
}
