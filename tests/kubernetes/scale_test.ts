import assert from "@std/assert";
import { getDeployments } from "../../src/kubernetes/get_deployments.ts";
import { getEvents } from "../../src/kubernetes/get_events.ts";
import { getNodes } from "../../src/kubernetes/get_nodes.ts";
import { getServices } from "../../src/kubernetes/get_services.ts";
import { kubernetesResources } from "../../src/kubernetes/resources.ts";
import { permitted } from "../support/permitted.ts";
import { callTool } from "../support/tools.ts";
import { FakeApiserver } from "./fake_apiserver.ts";

const ignore = !permitted;

/** A list in pages, as the apiserver gives it: `continue` is where the next one starts. */
function pages(kind: string, items: number, make: (index: number) => object): (request: Request) => Response {
  return (request) => {
    const query = new URL(request.url).searchParams;
    const start = Number(query.get("continue") ?? 0);
    const end = Math.min(items, start + Number(query.get("limit") ?? items));
    return Response.json({
      kind,
      metadata: end < items ? { continue: String(end), remainingItemCount: items - end } : {},
      items: Array.from({ length: end - start }, (_, at) => make(start + at)),
    });
  };
}

const pod = (index: number) => ({
  metadata: { name: `pod-${index}`, namespace: `n${index % 3}`, labels: { app: "web" } },
  spec: {
    nodeName: "node-0",
    containers: [{ name: "a", resources: { requests: { cpu: "10m", memory: "1Mi" } } }],
  },
  status: { phase: "Running" },
});

const node = {
  metadata: { name: "node-0" },
  status: {
    conditions: [{ type: "Ready", status: "True" }],
    allocatable: { cpu: "96", memory: "64Gi", pods: "6000" },
  },
};

Deno.test({
  name: "requests of 4,999 pods are added up page by page",
  ignore,
  async fn() {
    await using apiserver = FakeApiserver.start({
      "/api/v1/nodes": pages("NodeList", 1, () => node),
      "/api/v1/pods": pages("PodList", 4_999, pod),
    });
    const { structured, text } = await callTool(getNodes(apiserver.clusters), {});
    assert.deepEqual(structured.nodes[0].requested, {
      cpu_milli: 49_990,
      memory_bytes: 4_999 * 1024 ** 2,
      pods: 4_999,
      cpu_percent: 52,
      memory_percent: 7,
      pods_percent: 83,
    });
    assert.equal(structured.note, undefined);
    assert.match(text, /49990m\/96 \(52%\)/);
    const asked = apiserver.asked.filter((path) => path.startsWith("/api/v1/pods"));
    assert.equal(asked.length, 10);
    assert.ok(asked.every((path) => path.includes("limit=500")));
  },
});

Deno.test({
  name: "of 20,000 pods 5,000 are looked at, and the answers say so",
  ignore,
  async fn(t) {
    await using apiserver = FakeApiserver.start({
      "/version": { gitVersion: "v1.36.0" },
      "/api/v1/nodes": pages("NodeList", 1, () => node),
      "/api/v1/namespaces": { kind: "Table", columnDefinitions: [], rows: [] },
      "/api/v1/events": pages("EventList", 0, () => ({})),
      "/apis/apps/v1/deployments": pages("DeploymentList", 0, () => ({})),
      "/api/v1/pods": pages("PodList", 20_000, pod),
    });
    await t.step("get_nodes", async () => {
      const { text, structured } = await callTool(getNodes(apiserver.clusters), {});
      assert.equal(structured.nodes[0].requested.pods, 5_000);
      assert.match(text, /\nRequests are of the first 5,000 pods only; there are more\.\n/);
    });
    await t.step("the overview", async () => {
      const { text } = await callTool(kubernetesResources(apiserver.clusters).read, {
        uri: "kubernetes://overview",
      });
      assert.match(text, /\nPods: the first 5,000, there are more, in 3 namespaces\n/);
    });
    assert.equal(apiserver.asked.filter((path) => path.startsWith("/api/v1/pods")).length, 20);
  },
});

Deno.test({
  name: "a service that selects nothing costs one page of pods, however many there are",
  ignore,
  async fn() {
    await using apiserver = FakeApiserver.start({
      "/api/v1/namespaces/shop/services": pages("ServiceList", 40, (index) => ({
        metadata: { name: `s${index}`, namespace: "shop" },
        spec: { selector: { app: `wbe${index}` }, ports: [{ port: 80 }] },
      })),
      "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices": pages("EndpointSliceList", 0, () => ({})),
      "/api/v1/namespaces/shop/pods": (request) =>
        new URL(request.url).searchParams.has("labelSelector")
          ? Response.json({ kind: "PodList", items: [] })
          : pages("PodList", 5_000, pod)(request),
    });
    const { text, structured } = await callTool(getServices(apiserver.clusters), { namespace: "shop" });
    assert.equal(structured.services.length, 40);
    assert.match(text, /- s0: selects nothing: no pod has app=wbe0/);
    const asked = apiserver.asked.filter((path) => path.includes("/pods"));
    // One for each of the ten that are looked at; what is compared with them is shared.
    assert.ok(asked.length >= 11 && asked.length <= 20, String(asked.length));
    assert.ok(asked.every((path) => /[?&]limit=(?:100|250)\b/.test(path)), asked.join("\n"));
  },
});

Deno.test({
  name: "200 calls at once are 200 requests at once, and the same ones are a few",
  ignore,
  async fn(t) {
    const together = Promise.withResolvers<void>();
    let arrived = 0;
    const empty = async () => {
      // Nobody is answered before all have asked: calls one after the other would wait here for ever.
      if (++arrived === 200) together.resolve();
      await together.promise;
      return Response.json({ kind: "DeploymentList", items: [] });
    };
    const path = (namespace: string) => `/apis/apps/v1/namespaces/${namespace}/deployments`;
    const names = Array.from({ length: 200 }, (_, index) => `n${index}`);
    await using apiserver = FakeApiserver.start(Object.fromEntries(names.map((name) => [path(name), empty])));
    const tool = getDeployments(apiserver.clusters);
    await t.step("different ones", async () => {
      await Promise.all(names.map((namespace) => callTool(tool, { namespace })));
      assert.equal(apiserver.mostAtOnce, 200);
    });
    await t.step("the same ones", async () => {
      apiserver.asked.length = 0;
      await Promise.all(names.map(() => callTool(tool, { namespace: "n0" })));
      assert.equal(apiserver.asked.filter((asked) => asked.startsWith(path("n0"))).length, 2);
    });
  },
});

Deno.test({
  name: "a flood of ordinary events does not hide the warnings",
  ignore,
  async fn() {
    const event = (type: string) => (index: number) => ({
      metadata: { name: `e${index}`, namespace: "shop" },
      involvedObject: { kind: "Pod", name: `job-${index}`, namespace: "shop" },
      type,
      reason: type === "Warning" ? "BackOff" : "Started",
      message: "It did",
      lastTimestamp: "2026-01-01T10:00:00Z",
    });
    await using apiserver = FakeApiserver.start({
      "/api/v1/namespaces/shop/events": (request) =>
        new URL(request.url).searchParams.get("fieldSelector")?.includes("!=") === true
          ? pages("EventList", 3, event("Warning"))(request)
          : pages("EventList", 9_000, event("Normal"))(request),
    });
    const { structured, text } = await callTool(getEvents(apiserver.clusters), { namespace: "shop" });
    assert.equal(structured.events[0].reason, "BackOff");
    assert.equal(structured.events_read, 2_003);
    assert.equal(structured.unread, true);
    assert.match(text, /7,000 events were not read\./);
  },
});
