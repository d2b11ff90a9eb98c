import assert from "@std/assert";
import { topPods } from "../../src/kubernetes/top_pods.ts";
import { FakeApiserver } from "./fake_apiserver.ts";
import { kubernetesAvailable, sharedKubernetes } from "../support/kubernetes.ts";
import { permitted } from "../support/permitted.ts";
import { callTool } from "../support/tools.ts";

Deno.test({
  name: "top_pods where there is no metrics API: one sentence",
  ignore: !kubernetesAvailable,
  async fn() {
    const clusters = (await sharedKubernetes()).clusters();
    await assert.rejects(callTool(topPods(clusters), {}), {
      kind: "unavailable",
      message: "Cannot show what pods use as this cluster has no metrics API",
      hint: /metrics-server/,
    });
    clusters.close();
  },
});

const metrics = (name: string, ...containers: readonly (readonly [cpu: string, memory: string])[]) => ({
  metadata: { name, namespace: "shop" },
  timestamp: "2026-01-01T10:00:00Z",
  window: "15s",
  containers: containers.map(([cpu, memory], at) => ({ name: `c${at}`, usage: { cpu, memory } })),
});

const pod = (name: string, ...limits: readonly (Record<string, string> | undefined)[]) => ({
  metadata: { name, namespace: "shop" },
  spec: { containers: limits.map((one) => ({ resources: one === undefined ? {} : { limits: one } })) },
});

Deno.test({
  name: "top_pods: what metrics-server answers, added up, the greatest first, beside the limits",
  ignore: !permitted,
  async fn(t) {
    await using apiserver = FakeApiserver.start({
      "/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods": {
        kind: "PodMetricsList",
        items: [
          metrics("small", ["1234567n", "12Mi"]),
          metrics("two", ["250m", "900Mi"], ["251m", "100Mi"]),
          metrics("big", ["1500m", "64Mi"]),
        ],
      },
      "/api/v1/namespaces/shop/pods": {
        kind: "PodList",
        items: [
          pod("small", { memory: "16Mi" }),
          pod("two", { cpu: "1", memory: "1Gi" }, { cpu: "1" }),
          pod("big", undefined),
        ],
      },
    });
    const tool = topPods(apiserver.clusters);
    await t.step("by cpu", async () => {
      const { structured, text } = await callTool(tool, { namespace: "shop" });
      assert.deepEqual(
        structured.pods.map((one: Record<string, unknown>) => [
          one.name,
          one.cpu_milli,
          one.memory_bytes,
          one.cpu_limit_percent,
          one.memory_limit_percent,
        ]),
        [
          ["big", 1500, 64 * 1024 ** 2, undefined, undefined],
          ["two", 501, 1000 * 1024 ** 2, 25, undefined],
          ["small", 2, 12 * 1024 ** 2, undefined, 75],
        ],
      );
      assert.match(text, /^3 pods in namespace shop, context fake; most cpu first\n/);
      assert.match(text, /\ntwo +\| +501m \| +25% \| +1000Mi \| +-\n/);
    });
    await t.step("by memory, with a limit", async () => {
      const { structured, text } = await callTool(tool, { namespace: "shop", sort_by: "memory", limit: 1 });
      assert.deepEqual([structured.pods[0].name, structured.most_first], ["two", "memory"]);
      assert.match(
        text,
        /^1 of 3 pods .*\n[^]*\[Cut: Narrow it with namespace or label_selector, or raise limit\.\]$/,
      );
    });
    await t.step("an empty answer", async () => {
      apiserver.answers["/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods"] = {
        kind: "PodMetricsList",
        items: [],
      };
      assert.match((await callTool(tool, { namespace: "shop" })).text, /^No pods in namespace shop/);
    });
    await t.step("an empty answer of a namespace that can't be read", async () => {
      apiserver.answers["/api/v1/namespaces/shop"] = () =>
        Response.json({ kind: "Status", code: 403, reason: "Forbidden", message: "no" }, { status: 403 });
      const { text, structured } = await callTool(tool, { namespace: "shop" });
      assert.equal(
        structured.note,
        "Can't tell whether namespace shop exists: this identity may not read namespaces.",
      );
      assert.ok(text.endsWith(`\n${structured.note}`), text);
    });
    await t.step("usage without limits where pods can't be listed", async () => {
      apiserver.answers["/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods"] = {
        kind: "PodMetricsList",
        items: [metrics("small", ["1m", "1Mi"])],
      };
      apiserver.answers["/api/v1/namespaces/shop/pods"] = new Response(
        JSON.stringify({ kind: "Status", code: 403, reason: "Forbidden", message: "no" }),
        { status: 403 },
      );
      const { structured } = await callTool(tool, { namespace: "shop" });
      assert.equal(structured.pods[0].memory_limit_percent, undefined);
    });
  },
});
