/** PodDisruptionBudgets (policy/v1): how many pods may be evicted, which a drain of a node waits for. */
import type { KubeObject } from "./api.ts";
import { field, nameOf, namespaceOf, numberField } from "./fields.ts";

/** One of them. Counts are pods. */
export interface DisruptionBudget {
  readonly namespace: string;
  readonly name: string;
  /** How many may be evicted now; undefined where its controller has not told. */
  readonly allowed: number | undefined;
  readonly healthy: number;
  /** How many are to be healthy at least. */
  readonly wanted: number;
  /** A label selector (meta/v1), empty for all pods; undefined selects none. */
  readonly selector: unknown;
}

/** Reads one. */
export function readDisruptionBudget(object: KubeObject): DisruptionBudget {
  const status = (name: string) => numberField(object, "status", name);
  return {
    namespace: namespaceOf(object),
    name: nameOf(object),
    allowed: status("disruptionsAllowed"),
    healthy: status("currentHealthy") ?? 0,
    wanted: status("desiredHealthy") ?? 0,
    selector: field(object, "spec", "selector"),
  };
}
