import assert from "@std/assert";
import { getEvents } from "../../src/kubernetes/get_events.ts";
import { kubernetesAvailable, sharedKubernetes } from "../support/kubernetes.ts";
import { callTool } from "../support/tools.ts";

Deno.test({
  name: "get_events on a real control plane",
  ignore: !kubernetesAvailable,
  async fn(t) {
    const kubernetes = await sharedKubernetes();
    const clusters = kubernetes.clusters();
    const tool = getEvents(clusters);
    const namespace = await kubernetes.namespace("events");
    const now = Date.now();
    const ago = (minutes: number) => new Date(now - minutes * 60_000).toISOString().replace(/\.\d+Z/, "Z");
    const micro = (minutes: number) => new Date(now - minutes * 60_000).toISOString().replace("Z", "000Z");
    const core = (name: string, pod: string, fields: Record<string, unknown>) => ({
      apiVersion: "v1",
      kind: "Event",
      metadata: { name, namespace },
      involvedObject: { apiVersion: "v1", kind: "Pod", name: pod, namespace },
      source: { component: "kubelet" },
      type: "Normal",
      ...fields,
    });
    await kubernetes.apply([
      core("a", "web-7d4b9c6f5d-x2x9z", {
        type: "Warning",
        reason: "BackOff",
        message: "Back-off pulling web-7d4b9c6f5d-x2x9z",
        count: 4,
        firstTimestamp: ago(30),
        lastTimestamp: ago(5),
      }),
      core("b", "web-7d4b9c6f5d-k8dwq", {
        type: "Warning",
        reason: "BackOff",
        message: "Back-off pulling web-7d4b9c6f5d-k8dwq",
        count: 6,
        firstTimestamp: ago(20),
        lastTimestamp: ago(3),
      }),
      core("c", "web-7d4b9c6f5d-x2x9z", {
        reason: "Pulled",
        message: "An image\u202e with\u001b[31m hidden characters",
        count: 1,
        firstTimestamp: ago(1),
        lastTimestamp: ago(1),
      }),
      {
        apiVersion: "events.k8s.io/v1",
        kind: "Event",
        metadata: { name: "d", namespace },
        regarding: { apiVersion: "batch/v1", kind: "Job", name: "nightly", namespace },
        reportingController: "test.example.org/controller",
        reportingInstance: "one",
        action: "Binding",
        eventTime: micro(40),
        series: { count: 9, lastObservedTime: micro(2) },
        type: "Warning",
        reason: "TooSlow",
        note: "It takes too long",
      },
    ]);

    await t.step("warnings first, folded, with counts, last seen and both forms of an event", async () => {
      const { text, structured } = await callTool(tool, { namespace });
      assert.deepEqual(
        structured.events.map((event: Record<string, unknown>) => [
          event.reason,
          event.type,
          event.count,
          event.objects,
        ]),
        [
          ["TooSlow", "Warning", 9, undefined],
          ["BackOff", "Warning", 10, 2],
          ["Pulled", undefined, undefined, undefined],
        ],
      );
      assert.deepEqual([structured.warnings, structured.events_read], [2, 4]);
      assert.equal(structured.events[1].over, "27m");
      assert.match(text, /^3 events in namespace \S+, context test: 2 warnings first, folded from 4/);
      assert.match(
        text,
        /\n\dm\S* Warning BackOff Pod\/web-7d4b9c6f5d-k8dwq and 1 more \(x10 over 27m\): Back-off/,
      );
      assert.match(text, /TooSlow Job\/nightly \(x9 over 38m\): It takes too long/);
    });
    await t.step("hidden characters are made visible", async () => {
      const { text } = await callTool(tool, { namespace, type: "Normal" });
      assert.match(text, /An image\\u\{202e\} with\\x1b\[31m hidden/);
      assert.match(text, /: no warnings; ages/);
    });
    await t.step("of one object, by kind and name, or by name", async () => {
      for (const about of ["pod/web-7d4b9c6f5d-x2x9z", "po/web-7d4b9c6f5d-x2x9z", "web-7d4b9c6f5d-x2x9z"]) {
        assert.equal((await callTool(tool, { namespace, for: about })).structured.total, 2, about);
      }
      assert.equal((await callTool(tool, { namespace, for: "jobs/nightly" })).structured.total, 1);
      const none = await callTool(tool, { namespace, for: "pod/nobody" });
      assert.match(
        none.text,
        /^No events of pod\/nobody in namespace .*by default an hour\. all_namespaces: true/,
      );
      await assert.rejects(callTool(tool, { namespace, for: "a/b/c" }), /neither kind\/name nor a name/);
      await assert.rejects(callTool(tool, { namespace, for: "x,involvedObject.name!=y" }), /neither kind/);
    });
    await t.step("a node's events are looked for where they are kept", async () => {
      const { text } = await callTool(tool, { for: "node/node-0" });
      assert.match(text, /of node\/node-0 in namespace default/);
    });
    await t.step("a limit, and a small budget", async () => {
      const one = await callTool(tool, { namespace, limit: 1 });
      assert.match(
        one.text,
        /\[Cut: 1 of 3 shown\. Narrow it with for, type or namespace, or raise limit\.\]$/,
      );
      assert.equal(one.structured.shown, 1);
      await callTool(tool, { all_namespaces: true, limit: 500 }, 2_048);
    });
    clusters.close();
  },
});
