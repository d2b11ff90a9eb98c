/** A rollout that is going on: how far it is, and how many pods its own strategy lets be missing meanwhile. */
import type { KubeObject } from "../kubernetes/api.ts";
import { field, numberField, textField } from "../kubernetes/fields.ts";

/** Counts are pods. */
export interface Rolling {
  /** Of the new revision. */
  readonly updated: number;
  readonly mayMiss: number;
}

/** Of a deployment (apps/v1) whose rollout is known to go on. */
export function deploymentRolling(object: KubeObject): Rolling {
  const desired = numberField(object, "spec", "replicas") ?? 1;
  const strategy = field(object, "spec", "strategy");
  const most = textField(strategy, "type") === "Recreate"
    ? 0
    : field(strategy, "rollingUpdate", "maxUnavailable") ?? "25%";
  return {
    updated: numberField(object, "status", "updatedReplicas") ?? 0,
    mayMiss: podsOf(most, desired, Math.floor),
  };
}

/** Of a stateful set or daemon set (apps/v1); undefined where all pods are of the new revision, or are to stay as they are. */
export function setRolling(object: KubeObject): Rolling | undefined {
  const status = (name: string) => numberField(object, "status", name);
  const strategy = field(object, "spec", "updateStrategy");
  if (textField(strategy, "type") === "OnDelete") return undefined;
  const mayMiss = (desired: number) =>
    podsOf(field(strategy, "rollingUpdate", "maxUnavailable") ?? 1, desired, Math.ceil);
  const scheduled = status("desiredNumberScheduled");
  if (scheduled !== undefined) {
    const updated = status("updatedNumberScheduled") ?? 0;
    if (updated >= (status("currentNumberScheduled") ?? 0)) return undefined;
    return { updated, mayMiss: mayMiss(scheduled) };
  }
  const desired = numberField(object, "spec", "replicas") ?? 1;
  const updated = status("updatedReplicas") ?? 0;
  const revision = (name: string) => textField(object, "status", name);
  // The pods below the partition stay as they are.
  const kept = numberField(strategy, "rollingUpdate", "partition") ?? 0;
  if (revision("currentRevision") === revision("updateRevision") || updated >= desired - kept) {
    return undefined;
  }
  return { updated, mayMiss: mayMiss(desired) };
}

/** A number, or a percentage of the pods. */
function podsOf(most: unknown, desired: number, round: (pods: number) => number): number {
  if (typeof most === "number") return most;
  return round(Number(/^(\d{1,3})%$/.exec(String(most))?.[1] ?? 0) / 100 * desired);
}
