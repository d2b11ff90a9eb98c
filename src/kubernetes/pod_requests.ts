/** What a pod asks of its node, as the scheduler counts it (k8s.io/component-helpers/resource, `PodRequests`). */
import { field, listField } from "./fields.ts";
import { isSidecar } from "./pod_status.ts";
import { type Nanos, parseQuantity } from "./quantity.ts";

/** An amount of each resource that this program shows. */
export interface Resources {
  readonly cpu: Nanos;
  readonly memory: Nanos;
}

const none: Resources = { cpu: 0n, memory: 0n };

/**
 * Containers and sidecars together, or the greatest init container beside the sidecars started before it, whichever is
 * more; an amount for the whole pod takes their place; then the overhead. `which` is `requests` or `limits`.
 */
export function podResources(pod: unknown, which: "requests" | "limits" = "requests"): Resources {
  let running = none;
  for (const container of listField(pod, "spec", "containers")) {
    running = add(running, asked(container, which));
  }
  let sidecars = none;
  let starting = none;
  for (const container of listField(pod, "spec", "initContainers")) {
    const own = asked(container, which);
    if (isSidecar(container)) {
      running = add(running, own);
      sidecars = add(sidecars, own);
      starting = most(starting, sidecars);
    } else {
      starting = most(starting, add(own, sidecars));
    }
  }
  const containers = most(running, starting);
  const whole = field(pod, "spec", "resources", which);
  const chosen = {
    cpu: parseQuantity(field(whole, "cpu")) ?? containers.cpu,
    memory: parseQuantity(field(whole, "memory")) ?? containers.memory,
  };
  return add(chosen, amounts(field(pod, "spec", "overhead")));
}

function asked(container: unknown, which: "requests" | "limits"): Resources {
  return amounts(field(container, "resources", which));
}

function amounts(resources: unknown): Resources {
  return {
    cpu: parseQuantity(field(resources, "cpu")) ?? 0n,
    memory: parseQuantity(field(resources, "memory")) ?? 0n,
  };
}

/** The sum of two. */
export function add(a: Resources, b: Resources): Resources {
  return { cpu: a.cpu + b.cpu, memory: a.memory + b.memory };
}

function most(a: Resources, b: Resources): Resources {
  return { cpu: a.cpu > b.cpu ? a.cpu : b.cpu, memory: a.memory > b.memory ? a.memory : b.memory };
}
