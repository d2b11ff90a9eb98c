/** Nodes: whether they take pods, what weighs on them, and how much of them is asked for. */
import { isTrue, listField, nameOf, textEntries, textField, timeField } from "./fields.ts";
import { add, podResources, type Resources } from "./pod_requests.ts";
import { type Nanos, parseQuantity } from "./quantity.ts";

/** What the pods of a node ask for together. */
export interface Requested extends Resources {
  readonly pods: number;
}

/** A condition that is not as it should be. */
export interface Trouble {
  /** `MemoryPressure`, `NotReady`, `Ready unknown`. */
  readonly what: string;
  readonly since: number | undefined;
  readonly message: string;
}

/** A node. */
export interface Node {
  readonly name: string;
  readonly ready: "True" | "False" | "Unknown";
  readonly readySince: number | undefined;
  readonly unschedulable: boolean;
  readonly roles: readonly string[];
  readonly created: number | undefined;
  readonly version: string;
  readonly system: string;
  readonly address: string | undefined;
  /** `key=value:Effect`. */
  readonly taints: readonly string[];
  readonly troubles: readonly Trouble[];
  readonly allocatable: Resources & { readonly pods: Nanos };
}

const rolePrefix = "node-role.kubernetes.io/";

/** Reads one node (core/v1). */
export function readNode(object: unknown): Node {
  const conditions = listField(object, "status", "conditions");
  const ready = conditions.find((condition) => textField(condition, "type") === "Ready");
  const status = textField(ready, "status");
  const amount = (resource: string) =>
    parseQuantity(textField(object, "status", "allocatable", resource)) ?? 0n;
  const labels = textEntries(object, "metadata", "labels");
  return {
    name: nameOf(object),
    ready: status === "True" || status === "False" ? status : "Unknown",
    readySince: timeField(ready, "lastTransitionTime"),
    unschedulable: isTrue(object, "spec", "unschedulable"),
    roles: labels.flatMap(([key]) => key.startsWith(rolePrefix) ? [key.slice(rolePrefix.length)] : []),
    created: timeField(object, "metadata", "creationTimestamp"),
    version: textField(object, "status", "nodeInfo", "kubeletVersion") ?? "",
    system: [
      textField(object, "status", "nodeInfo", "osImage"),
      textField(object, "status", "nodeInfo", "kernelVersion"),
      textField(object, "status", "nodeInfo", "containerRuntimeVersion"),
      textField(object, "status", "nodeInfo", "architecture"),
    ].filter((part) => part !== undefined).join(", "),
    address: textField(
      listField(object, "status", "addresses").find((one) => textField(one, "type") === "InternalIP"),
      "address",
    ),
    taints: listField(object, "spec", "taints").map((taint) => {
      const value = textField(taint, "value");
      return `${textField(taint, "key") ?? ""}${value === undefined ? "" : `=${value}`}:${
        textField(taint, "effect") ?? ""
      }`;
    }),
    troubles: conditions.length === 0
      ? [{ what: "no condition reported", since: undefined, message: "" }]
      : conditions.flatMap(troubleOf),
    allocatable: { cpu: amount("cpu"), memory: amount("memory"), pods: amount("pods") },
  };
}

/** Ready should be True; every other condition, the pressures and those of the node problem detector, should not. */
function troubleOf(condition: unknown): readonly Trouble[] {
  const type = textField(condition, "type") ?? "";
  const status = textField(condition, "status");
  if (status === (type === "Ready" ? "True" : "False")) return [];
  const what = status === "Unknown" ? `${type} unknown` : type === "Ready" ? "NotReady" : type;
  const reason = textField(condition, "reason");
  const message = textField(condition, "message");
  return [{
    what,
    since: timeField(condition, "lastTransitionTime"),
    message: [reason, message].filter((part) => part !== undefined).join(": "),
  }];
}

/** Whether a node needs somebody. */
export function isSickNode({ troubles }: Node): boolean {
  return troubles.length > 0;
}

const nothing: Requested = { cpu: 0n, memory: 0n, pods: 0 };

/** Adds up what pods ask for, node by node, as their pages come. */
export class RequestedByNode {
  readonly #nodes = new Map<string, Requested>();

  /** Counts a pod, unless it has ended or is on no node. */
  add(pod: unknown): void {
    const node = textField(pod, "spec", "nodeName");
    const phase = textField(pod, "status", "phase");
    if (node === undefined || phase === "Succeeded" || phase === "Failed") return;
    const before = this.of(node);
    this.#nodes.set(node, { ...add(before, podResources(pod)), pods: before.pods + 1 });
  }

  /** What the pods seen so far ask of a node. */
  of(node: string): Requested {
    return this.#nodes.get(node) ?? nothing;
  }
}
