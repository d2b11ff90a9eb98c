import assert from "@std/assert";
import { type Endpoints, endpointsByService } from "../../src/kubernetes/endpoints.ts";
import { readService, type Selected } from "../../src/kubernetes/services.ts";

const none: Endpoints = { ready: [], unready: [], terminating: 0, ports: new Set() };

function service(spec: Record<string, unknown>, status: Record<string, unknown> = {}) {
  return {
    metadata: { name: "web", namespace: "shop" },
    spec: { type: "ClusterIP", selector: { app: "web" }, ports: [{ name: "http", port: 80 }], ...spec },
    status,
  };
}

function slice(endpoints: readonly Record<string, unknown>[], ports: readonly string[] = ["http"]) {
  return {
    metadata: { namespace: "shop", labels: { "kubernetes.io/service-name": "web" } },
    endpoints,
    ports: ports.map((name) => ({ name, port: 8080 })),
  };
}

const endpoint = (name: string, conditions: Record<string, unknown> = { ready: true }) => ({
  addresses: ["10.0.0.1"],
  conditions,
  targetRef: { kind: "Pod", name },
});

Deno.test("a pod in two slices is one endpoint, and ready where nothing is said", () => {
  const found = endpointsByService([
    slice([endpoint("a"), endpoint("b", { ready: false })]),
    slice([endpoint("a"), endpoint("c", {})], ["metrics"]),
    slice([endpoint("d", { ready: false, serving: true, terminating: true })]),
    { metadata: { namespace: "shop" }, endpoints: [endpoint("nobody's")] },
  ]).get("shop/web");
  assert.deepEqual(found?.ready, ["a", "c"]);
  assert.deepEqual(found?.unready, ["b", "d"]);
  assert.equal(found?.terminating, 1);
  assert.deepEqual([...found?.ports ?? []], ["http", "metrics"]);
});

const ready: Endpoints = { ...none, ready: ["a", "b"], ports: new Set(["http"]) };

type Case = readonly [
  name: string,
  object: ReturnType<typeof service>,
  endpoints: Endpoints | undefined,
  selected: Selected | undefined,
  problem: RegExp | null,
];
const cases: readonly Case[] = [
  ["all is well", service({}), ready, undefined, null],
  ["endpoints that were not seen are no problem", service({}), undefined, undefined, null],
  [
    "it selects nothing, and what is near is named",
    service({}),
    none,
    { pods: 0, labels: new Map([["app", new Set(["web2", "db"])]]) },
    /^selects nothing: no pod has app=web, but app=web2 there is$/,
  ],
  [
    "a label that no pod has",
    service({}),
    none,
    { pods: 0, labels: new Map() },
    /^selects nothing: no pod has a label app$/,
  ],
  [
    "labels that no pod has together",
    service({ selector: { app: "web", tier: "x" } }),
    none,
    { pods: 0, labels: new Map([["app", new Set(["web"])], ["tier", new Set(["x"])]]) },
    /^selects nothing: no pod has all of its labels together$/,
  ],
  [
    "it selects pods that have no address",
    service({}),
    none,
    { pods: 3, states: ["Pending (3)"] },
    /^selects 3 pods, none with an address: Pending \(3\)$/,
  ],
  [
    "it selects pods, and none is ready",
    service({}),
    { ...none, unready: ["a", "b", "c", "d"], ports: new Set(["http"]) },
    undefined,
    /^selects 4 pods, none ready: a, b, c and 1 more$/,
  ],
  [
    "some are not ready",
    service({}),
    { ...ready, unready: ["c"], terminating: 1 },
    undefined,
    /^1 of 3 endpoints not ready: c \(1 terminating\)$/,
  ],
  [
    "a port that no pod has",
    service({ ports: [{ name: "http", port: 80 }, { name: "admin", port: 90, targetPort: "adm" }] }),
    ready,
    undefined,
    /^port 90: no pod has a container port named "adm"$/,
  ],
  [
    "no selector and nobody behind it",
    service({ selector: null }),
    none,
    undefined,
    /^no selector and no endpoints/,
  ],
  ["no selector, endpoints by hand", service({ selector: null }), ready, undefined, null],
  [
    "no address of a load balancer yet",
    service({ type: "LoadBalancer" }),
    ready,
    undefined,
    /^waits for its load balancer's address$/,
  ],
  [
    "a name that stands for another",
    service({ type: "ExternalName", externalName: "db.example.org" }),
    none,
    undefined,
    null,
  ],
];
for (const [name, object, endpoints, selected, problem] of cases) {
  Deno.test(`a service's problem: ${name}`, () => {
    const said = readService(object, endpoints, selected).problem;
    if (problem === null) assert.equal(said, null);
    else assert.match(said ?? "", problem);
  });
}

Deno.test("a service's addresses and ports read as kubectl shows them", () => {
  const balancer = readService(
    service({
      type: "LoadBalancer",
      clusterIP: "10.96.0.7",
      externalIPs: ["192.0.2.9"],
      ports: [{ name: "http", port: 80, targetPort: 8080, nodePort: 30080, protocol: "TCP" }, {
        port: 53,
        targetPort: "dns",
        protocol: "UDP",
      }, { port: 9, targetPort: 9 }],
    }, { loadBalancer: { ingress: [{ ip: "192.0.2.1" }, { hostname: "lb.example.org" }] } }),
    ready,
  );
  assert.deepEqual(balancer.external, ["192.0.2.1", "lb.example.org", "192.0.2.9"]);
  assert.deepEqual(balancer.ports, ["http 80→8080:30080/TCP", "53→dns/UDP", "9/TCP"]);
  assert.equal(balancer.cluster_ip, "10.96.0.7");
  const external = readService(service({ type: "ExternalName", externalName: "db.example.org" }), none);
  assert.deepEqual(external.external, ["db.example.org"]);
  assert.equal(external.ready, null);
});
