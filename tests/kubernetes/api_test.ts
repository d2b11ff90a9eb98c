/** Reading a real cluster: kinds, pages, tables, logs. */
import assert from "@std/assert";
import { CallError } from "../../src/common/errors.ts";
import type { Cluster } from "../../src/kubernetes/api.ts";
import { podType } from "../../src/kubernetes/well_known.ts";
import { kubernetesAvailable, sharedKubernetes, type TestKubernetes } from "../support/kubernetes.ts";
import { until } from "../support/until.ts";

const options = { signal: new AbortController().signal };

function test(name: string, fn: (cluster: Cluster, kubernetes: TestKubernetes) => Promise<void>): void {
  Deno.test({
    name,
    ignore: !kubernetesAvailable,
    async fn() {
      const kubernetes = await sharedKubernetes();
      const clusters = kubernetes.clusters();
      try {
        await fn(clusters.cluster(undefined), kubernetes);
      } finally {
        clusters.close();
      }
    },
  });
}

async function collect(lines: AsyncIterable<string>): Promise<readonly string[]> {
  const all: string[] = [];
  for await (const line of lines) all.push(line);
  return all;
}

test("kinds by the names that people type, as kubectl takes them", async (cluster, kubernetes) => {
  const names = [
    "po",
    "Pod",
    "pods",
    "deploy",
    "Deployment",
    "deployments.apps",
    "deployments.v1.apps",
    "svc",
    "cj",
  ];
  for (
    const name of [
      ...names,
      "cronjobs.batch",
      "ep",
      "ing",
      "sc",
      "hpa",
      "netpol",
      "events",
      "ns",
      "no",
      "crd",
      "sa",
    ]
  ) {
    const { plural, group } = await cluster.type(name, options);
    const explained = await kubernetes.kubectl(
      "get",
      name,
      "--ignore-not-found",
      "--output=name",
      "--v=6",
      "--all-namespaces",
    )
      .catch((error: Error) => error.message);
    assert.ok(!explained.includes("doesn't have a resource type"), name);
    assert.ok(
      plural !== "" &&
        (group === "" || group.includes(".") || ["apps", "batch", "autoscaling"].includes(group)),
      name,
    );
  }
  assert.equal((await cluster.type("events", options)).group, "");
  assert.equal((await cluster.type("events.events.k8s.io", options)).group, "events.k8s.io");
});

test(
  "every kind that kubectl api-resources lists is found by its full name, and is of that scope",
  async (cluster, kubernetes) => {
    const listed = await kubernetes.kubectl("api-resources", "--no-headers", "--output=wide", "--verbs=list");
    assert.ok(listed.split("\n").length > 40);
    for (const line of listed.trim().split("\n")) {
      const [, name = "", version = "", namespaced, kind] =
        line.match(/^(\S+) .*?(\S+)\s+(true|false)\s+(\S+)\s/) ?? [];
      const group = version.includes("/") ? version.split("/")[0] : "";
      const type = await cluster.type(group === "" ? name : `${name}.${group}`, options);
      assert.deepEqual([type.plural, type.kind, type.namespaced], [name, kind, namespaced === "true"], line);
    }
  },
);

test("a kind that was made a moment ago, and one that never was", async (cluster, kubernetes) => {
  await assert.rejects(
    cluster.type("widgetz", options),
    (error: unknown) => error instanceof CallError && error.kind === "not_found",
  );
  await kubernetes.apply([{
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "widgets.example.com" },
    spec: {
      group: "example.com",
      scope: "Namespaced",
      names: { plural: "widgets", singular: "widget", kind: "Widget", shortNames: ["wd"] },
      versions: [{
        name: "v1alpha1",
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
      }],
    },
  }]);
  const fresh = kubernetes.clusters();
  try {
    await until("the new kind", async () => {
      try {
        return (await fresh.cluster(undefined).type("wd", options)).kind === "Widget";
      } catch {
        fresh.close();
        return false;
      }
    });
  } finally {
    fresh.close();
    await kubernetes.kubectl("delete", "crd", "widgets.example.com");
  }
});

test("pages: a limit, the rest by its token, and all of them", async (cluster, kubernetes) => {
  const namespace = await kubernetes.namespace("pages");
  await kubernetes.apply(Array.from({ length: 25 }, (_, index) => ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: {
      name: `item-${String(index).padStart(2, "0")}`,
      namespace,
      labels: { even: String(index % 2 === 0) },
    },
  })));
  const configMapType = await cluster.type("configmaps", options);
  const page = await cluster.list(configMapType, namespace, { ...options, limit: 10 });
  assert.equal(page.items.length, 10);
  // kube-root-ca.crt is there as well.
  assert.equal(page.more, 16);
  const next = await cluster.list(configMapType, namespace, {
    ...options,
    limit: 10,
    continue: page.continue,
  });
  assert.notDeepEqual(next.items[0]?.metadata?.name, page.items[0]?.metadata?.name);
  const all = await cluster.listAll(configMapType, namespace, { ...options, limit: 7, maxItems: 100 });
  assert.equal(all.items.length, 26);
  assert.equal(all.more, 0);
  const some = await cluster.listAll(configMapType, namespace, { ...options, limit: 7, maxItems: 12 });
  assert.equal(some.items.length, 12);
  assert.equal(some.more, 14);
  const selected = await cluster.list(configMapType, namespace, {
    ...options,
    limit: 5,
    labelSelector: "even=true",
  });
  assert.equal(selected.more, "unknown");
  const table = await cluster.table(configMapType, namespace, { ...options, limit: 3 });
  assert.deepEqual(table.columns.map(({ name }) => name), ["Name", "Data", "Age"]);
  assert.equal(table.rows.length, 3);
  assert.equal(table.rows[0]?.namespace, namespace);
  assert.equal(table.more, 23);
});

test("a selector that is none is the caller's mistake", async (cluster) => {
  await assert.rejects(
    cluster.list(podType, "default", { ...options, labelSelector: "a==b==c" }),
    (error: unknown) =>
      error instanceof CallError && error.kind === "invalid" && /as the apiserver says/.test(error.message),
  );
});

test("logs: the tail, the container before, and what is not there", async (cluster, kubernetes) => {
  const namespace = await kubernetes.namespace("logs");
  await kubernetes.kubectl("run", "web", "--image=web", `--namespace=${namespace}`);
  await kubernetes.kubectl("wait", "pod/web", "--for=condition=Ready", `--namespace=${namespace}`);
  await kubernetes.setPodLogs(namespace, "web", [{
    container: "web",
    lines: ["one", "password=swordfish", "three"],
    previous: ["before"],
  }]);
  assert.deepEqual(await collect(cluster.logs(namespace, "web", { ...options, tailLines: 2 })), [
    "password=***",
    "three",
  ]);
  assert.deepEqual(await collect(cluster.logs(namespace, "web", { ...options, previous: true })), ["before"]);
  await assert.rejects(
    collect(cluster.logs(namespace, "web", { ...options, container: "none" })),
    (error: unknown) =>
      error instanceof CallError && error.kind === "invalid" &&
      /container none is not valid/.test(error.message),
  );
});

test("Secrets come without their values, in objects, lists and tables", async (cluster, kubernetes) => {
  const namespace = await kubernetes.namespace("secrets");
  await kubernetes.kubectl(
    "create",
    "secret",
    "generic",
    "login",
    `--namespace=${namespace}`,
    "--from-literal=key=swordfish",
  );
  const type = await cluster.type("secrets", options);
  const answers = [
    await cluster.get(type, namespace, "login", options),
    await cluster.list(type, namespace, options),
    await cluster.table(type, namespace, options),
  ];
  const text = JSON.stringify(answers);
  assert.ok(text.includes("login"));
  assert.ok(!text.includes("swordfish") && !text.includes(btoa("swordfish")));
});
