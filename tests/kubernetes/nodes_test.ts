import assert from "@std/assert";
import { readNode, RequestedByNode } from "../../src/kubernetes/nodes.ts";
import { coresText } from "../../src/kubernetes/quantity.ts";

const since = "2026-01-01T10:00:00Z";

function node(
  conditions: readonly (readonly [type: string, status: string, reason?: string, message?: string])[],
) {
  return {
    metadata: { name: "node-0", labels: { "node-role.kubernetes.io/control-plane": "", zone: "a" } },
    spec: {
      unschedulable: true,
      taints: [{ key: "gpu", value: "yes", effect: "NoSchedule" }, { key: "off", effect: "NoExecute" }],
    },
    status: {
      conditions: conditions.map(([type, status, reason, message]) => ({
        type,
        status,
        reason,
        message,
        lastTransitionTime: since,
      })),
      allocatable: { cpu: "3920m", memory: "16Gi", pods: "110" },
      nodeInfo: { kubeletVersion: "v1.36.1", osImage: "Debian", architecture: "arm64" },
      addresses: [{ type: "Hostname", address: "node-0" }, { type: "InternalIP", address: "10.0.0.7" }],
    },
  };
}

const troubles: readonly (readonly [conditions: Parameters<typeof node>[0], expected: readonly string[]])[] =
  [
    [[["Ready", "True"], ["MemoryPressure", "False"]], []],
    [[["Ready", "False", "KubeletNotReady", "no runtime"]], ["NotReady KubeletNotReady: no runtime"]],
    [[["Ready", "Unknown", "NodeStatusUnknown"]], ["Ready unknown NodeStatusUnknown"]],
    [[["Ready", "True"], ["DiskPressure", "True", "KubeletHasDiskPressure"]], [
      "DiskPressure KubeletHasDiskPressure",
    ]],
    [[["Ready", "True"], ["KernelDeadlock", "True"], ["PIDPressure", "Unknown"]], [
      "KernelDeadlock ",
      "PIDPressure unknown ",
    ]],
    [[], ["no condition reported "]],
  ];
for (const [conditions, expected] of troubles) {
  Deno.test(`a node's troubles: ${conditions.map((one) => one.slice(0, 2).join("=")).join(", ") || "no condition"}`, () => {
    const { troubles } = readNode(node(conditions));
    assert.deepEqual(troubles.map(({ what, message }) => `${what} ${message}`), expected);
    if (conditions.length > 0) { for (const one of troubles) assert.equal(one.since, Date.parse(since)); }
  });
}

Deno.test("a node's roles, taints, address and versions", () => {
  const read = readNode(node([["Ready", "True"]]));
  assert.deepEqual(read.roles, ["control-plane"]);
  assert.deepEqual(read.taints, ["gpu=yes:NoSchedule", "off:NoExecute"]);
  assert.equal(read.address, "10.0.0.7");
  assert.equal(read.system, "Debian, arm64");
  assert.equal(coresText(read.allocatable.cpu), "3920m");
  assert.equal(read.unschedulable, true);
});

Deno.test("pods that have ended, or that are on no node, ask nothing of one", () => {
  const pod = (nodeName: string | undefined, phase: string) => ({
    spec: { nodeName, containers: [{ resources: { requests: { cpu: "100m", memory: "1Gi" } } }] },
    status: { phase },
  });
  const requested = new RequestedByNode();
  for (
    const one of [
      pod("a", "Running"),
      pod("a", "Pending"),
      pod("a", "Succeeded"),
      pod(undefined, "Pending"),
      pod("b", "Failed"),
    ]
  ) {
    requested.add(one);
  }
  assert.equal(coresText(requested.of("a").cpu), "200m");
  assert.equal(requested.of("a").pods, 2);
  assert.equal(requested.of("b").pods, 0);
});
