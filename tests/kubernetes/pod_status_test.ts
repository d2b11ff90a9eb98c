import assert from "@std/assert";
import { podStatus, restartsText } from "../../src/kubernetes/pod_status.ts";
import { kubernetesAvailable, sharedKubernetes } from "../support/kubernetes.ts";
import { container, podOf, podStates, running, terminated } from "./pod_states.ts";

for (const state of podStates) {
  Deno.test(`podStatus: ${state.name} is ${state.printed[1]}`, () => {
    const { metadata, ...rest } = podOf(state, "default");
    const status = podStatus({
      ...rest,
      metadata: {
        ...Object(metadata),
        ...(state.deleted === true ? { deletionTimestamp: new Date().toISOString() } : {}),
      },
      status: state.status,
    });
    assert.deepEqual(
      [`${status.readyContainers}/${status.containers}`, status.status, status.restarts],
      state.printed,
    );
    assert.equal(status.healthy, state.healthy);
  });
}

Deno.test("what the kubelet says of a back-off is told without the names and the id that end it", () => {
  const message = "back-off 5m0s restarting failed container=app pod=web-1_shop(86510b67-877e-4b3f)";
  const waits = { waiting: { reason: "CrashLoopBackOff", message } };
  const status = podStatus({
    spec: { containers: [{ name: "app" }] },
    status: { phase: "Running", containerStatuses: [container("app", waits)] },
  });
  assert.equal(status.message, "back-off 5m0s restarting failed container");
});

Deno.test("a pod that runs again is unhealthy for ten minutes, and says how it ended", () => {
  const now = Date.now();
  const ended = (msAgo: number) =>
    podStatus({
      spec: { containers: [{ name: "app" }] },
      status: {
        phase: "Running",
        conditions: [{ type: "Ready", status: "True" }],
        containerStatuses: [
          container("app", running, {
            ready: true,
            restartCount: 3,
            lastState: terminated(1, "Error", {
              finishedAt: new Date(now - msAgo).toISOString(),
              message: "no database\n",
            }),
          }),
        ],
      },
    }, now);
  const lately = ended(180_000);
  assert.equal(lately.status, "Running");
  assert.equal(lately.healthy, false);
  assert.equal(lately.message, "no database");
  assert.deepEqual(
    { ...lately.lastEnding, finished: 0 },
    {
      container: "app",
      reason: "Error",
      exitCode: 1,
      signal: undefined,
      finished: 0,
      message: "no database",
    },
  );
  assert.equal(restartsText(lately, now), "3 (3m ago)");
  assert.equal(ended(3_600_000).healthy, true);
});

Deno.test("whatever a pod looks like, it has a status", () => {
  for (
    const pod of [undefined, null, 1, "x", [], {}, { status: null }, {
      status: { containerStatuses: [null, 1, {}] },
    }]
  ) {
    assert.equal(podStatus(pod).healthy, false);
  }
});

Deno.test(
  { name: "READY, STATUS and RESTARTS are kubectl's, in every state", ignore: !kubernetesAvailable },
  async () => {
    const kubernetes = await sharedKubernetes();
    const namespace = await kubernetes.namespace("states");
    await kubernetes.apply(podStates.map((state) => podOf(state, namespace)));
    await Promise.all(podStates.map((state) => kubernetes.setPodStatus(namespace, state.name, state.status)));
    const deleted = podStates.filter((state) => state.deleted === true).map(({ name }) => name);
    await kubernetes.kubectl("delete", "pod", `--namespace=${namespace}`, "--wait=false", ...deleted);
    const list = JSON.parse(
      await kubernetes.kubectl("get", "pods", `--namespace=${namespace}`, "--output=json"),
    );
    // kubectl tells the age at some moment between the two.
    const before = Date.now();
    const printed = await kubernetes.kubectl("get", "pods", `--namespace=${namespace}`, "--no-headers");
    const after = Date.now();
    const seconds = Array.from({ length: Math.ceil((after - before) / 1000) }, (_, second) => second);
    const moments = [...seconds.map((second) => before + 1000 * second), after];
    const lines = new Map(printed.trim().split("\n").map((line) => [line.split(/\s+/)[0], line]));
    assert.equal(lines.size, podStates.length);
    for (const pod of list.items) {
      const status = podStatus(pod);
      const beginning =
        `${pod.metadata.name} ${status.readyContainers}/${status.containers} ${status.status}`;
      const ours = moments.map((now) => `${beginning} ${restartsText(status, now)} `);
      const theirs = (lines.get(pod.metadata.name) ?? "").replace(/\s+/g, " ").trim();
      assert.ok(ours.some((text) => theirs.startsWith(text)), `kubectl: ${theirs}\nours: ${ours[0]}`);
    }
    await kubernetes.kubectl(
      ...[
        "patch",
        "pod",
        `--namespace=${namespace}`,
        "--type=merge",
        '--patch={"metadata":{"finalizers":null}}',
      ],
      ...deleted,
    );
    await kubernetes.kubectl("delete", "namespace", namespace, "--wait=false");
  },
);

Deno.test.each(
  [
    // As schedulers of 1.34 and 1.28 say it.
    [
      "0/2 nodes are available: 2 Insufficient cpu. no new claims to deallocate, preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.",
      "0/2 nodes are available: 2 Insufficient cpu",
    ],
    [
      "0/2 nodes are available: 1 Insufficient cpu, 1 Too many pods. preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod.",
      "0/2 nodes are available: 1 Insufficient cpu, 1 Too many pods",
    ],
    ["0/2 nodes are available: 2 Insufficient cpu.", "0/2 nodes are available: 2 Insufficient cpu."],
  ] as const,
)("pod_status: of a pod that has no node, why: %s", (message, said) => {
  const conditions = [{ type: "PodScheduled", status: "False", reason: "Unschedulable", message }];
  assert.equal(podStatus({ status: { phase: "Pending", conditions } }).message, said);
});

Deno.test("pod_status: an init container that has not ended comes before what waits for it", () => {
  const unmet = (type: string, message: string) => ({ type, status: "False", message });
  const conditions = [unmet("Ready", "unready: [app]"), unmet("Initialized", "incomplete: [wait]")];
  assert.equal(podStatus({ status: { phase: "Pending", conditions } }).message, "incomplete: [wait]");
});
