import assert from "@std/assert";
import type { Cluster } from "../../src/kubernetes/api.ts";
import { podStatus } from "../../src/kubernetes/pod_status.ts";
import type { Hosts } from "../../src/platform/hosts.ts";
import { readHeldPods } from "../../src/platform/own_budgets.ts";
import type { Pod } from "../../src/platform/workload.ts";

const ready = podStatus({ status: { phase: "Running", conditions: [{ type: "Ready", status: "True" }] } });

Deno.test("of pods on cordoned nodes in many namespaces it is said in how many nothing was looked at", async () => {
  const asked: (string | undefined)[] = [];
  const listAll: Cluster["listAll"] = (_, namespace) => {
    asked.push(namespace);
    return Promise.resolve({ items: [] } as never);
  };
  const waiting = podStatus({ status: { phase: "Pending" } });
  // What does not serve is missed by nobody.
  const pods = ["a", "b", "c", "d", "e", "f"].map((namespace): Pod => ({
    namespace,
    name: "web",
    node: "old",
    created: undefined,
    status: namespace === "f" ? waiting : ready,
    container: undefined,
    cause: undefined,
  }));
  const hosts = { found: [{ name: "old", unschedulable: true }], total: 1, notes: [] } as unknown as Hosts;
  const { held, notes } = await readHeldPods(
    { listAll } as Cluster,
    { objects: [], pods },
    hosts,
    new AbortController().signal,
  );
  assert.deepEqual(asked, ["a", "b", "c"]);
  assert.deepEqual(held, []);
  assert.deepEqual(notes, ["what keeps its pods on cordoned nodes was not looked at in 2 namespaces"]);
});
