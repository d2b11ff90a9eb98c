import assert from "@std/assert";
import { listResources } from "../../src/kubernetes/list_resources.ts";
import { kubernetesAvailable, sharedKubernetes } from "../support/kubernetes.ts";
import { callTool } from "../support/tools.ts";

/** A custom kind with columns of its own. */
const widgetDefinition = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "widgets.test.example.org" },
  spec: {
    group: "test.example.org",
    scope: "Namespaced",
    names: { plural: "widgets", singular: "widget", kind: "Widget", shortNames: ["wdg"] },
    versions: [{
      name: "v1alpha1",
      served: true,
      storage: true,
      schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
      additionalPrinterColumns: [
        { name: "Size", type: "integer", jsonPath: ".spec.size" },
        { name: "Token", type: "string", jsonPath: ".spec.token" },
        { name: "Login", description: "How to log in", type: "string", jsonPath: ".spec.password" },
        { name: "Clients", type: "string", jsonPath: ".spec.clients", priority: 1 },
        { name: "Colour", type: "string", jsonPath: ".spec.colour", priority: 1 },
      ],
    }],
  },
};

Deno.test({
  name: "list_resources on a real control plane",
  ignore: !kubernetesAvailable,
  async fn(t) {
    const kubernetes = await sharedKubernetes();
    const clusters = kubernetes.clusters();
    const tool = listResources(clusters);
    const namespace = await kubernetes.namespace("lists");
    await kubernetes.apply([widgetDefinition]);
    await kubernetes.kubectl("wait", "--for=condition=Established", "crd/widgets.test.example.org");
    const widget = (name: string, spec: Record<string, unknown>) => ({
      apiVersion: "test.example.org/v1alpha1",
      kind: "Widget",
      metadata: { name, namespace, labels: { app: "web" } },
      spec,
    });
    await kubernetes.apply([
      widget("one", {
        size: 3,
        token: "marker-in-a-column",
        password: "marker-in-a-column-of-another-name",
        clients: [{ id: "web", secret: "marker-in-a-list" }],
        colour: "green",
      }),
      widget("two", { colour: "red\u202e" }),
      {
        apiVersion: "v1",
        kind: "Secret",
        metadata: { name: "db", namespace },
        stringData: { password: "marker" },
      },
      {
        apiVersion: "batch/v1",
        kind: "CronJob",
        metadata: { name: "nightly", namespace },
        spec: {
          schedule: "0 3 * * *",
          jobTemplate: {
            spec: {
              template: { spec: { restartPolicy: "Never", containers: [{ name: "app", image: "x" }] } },
            },
          },
        },
      },
    ]);

    for (const kind of ["widgets", "widget", "wdg", "Widget", "widgets.test.example.org"]) {
      await t.step(`a custom kind by the name ${kind}`, async () => {
        const { structured, text } = await callTool(tool, { kind, namespace });
        assert.deepEqual(structured.columns, ["NAME", "SIZE", "TOKEN", "LOGIN"]);
        assert.equal(structured.resource, "widgets.test.example.org");
        assert.equal(structured.total, 2);
        assert.match(text, /^2 widgets\.test\.example\.org in namespace \S+, context test\n\nNAME +\| SIZE/);
        assert.match(text, /\none +\| +3 +\|/);
        assert.match(text, /\ntwo +\| +- +\| -/);
        assert.ok(!text.includes("marker-in-a-column"));
      });
    }
    await t.step("all columns, hidden characters made visible", async () => {
      const { text } = await callTool(tool, { kind: "wdg", namespace, wide: true });
      assert.match(text, /COLOUR/);
      assert.match(text, /red\\u\{202e\}/);
      assert.match(text, /web/);
      assert.ok(!text.includes("marker-in-a-"), text);
    });
    for (
      const [kind, resource] of [
        ["cronjobs.batch", "cronjobs.batch"],
        ["cj", "cronjobs.batch"],
        ["deploy", "deployments.apps"],
        ["svc", "services"],
        ["ingress", "ingresses.networking.k8s.io"],
        ["events", "events"],
      ] as const
    ) {
      await t.step(`${kind} is ${resource}`, async () => {
        const { structured } = await callTool(tool, { kind, namespace });
        assert.equal(structured.resource, resource);
        assert.equal(structured.total, kind.startsWith("c") ? 1 : 0);
      });
    }
    await t.step("secrets: how many keys, and nothing of them", async () => {
      const { text } = await callTool(tool, { kind: "secrets", namespace });
      assert.match(text, /^1 Secret in namespace/);
      assert.match(text, /\ndb +\| Opaque \| +1 \|/);
    });
    await t.step("all namespaces come with their names", async () => {
      const { structured, text } = await callTool(tool, { kind: "wdg", all_namespaces: true });
      assert.equal(structured.columns[0], "NAMESPACE");
      assert.deepEqual([structured.namespace, structured.all_namespaces], [undefined, true]);
      assert.match(text, new RegExp(`\n${namespace} +\\| one`));
    });
    await t.step("a kind without namespaces is not narrowed by one, and the answer says so", async () => {
      const { text, structured } = await callTool(tool, { kind: "nodes", namespace });
      assert.match(
        text,
        /^\d+ nodes, context test\nNode is a kind without namespaces: these are all there are\.\n/,
      );
      assert.deepEqual([structured.namespace, structured.all_namespaces], [undefined, undefined]);
      assert.equal(structured.note, "Node is a kind without namespaces: these are all there are.");
    });
    await t.step("selectors and a limit", async () => {
      assert.equal(
        (await callTool(tool, { kind: "wdg", namespace, label_selector: "app!=web" })).structured.total,
        0,
      );
      const one = await callTool(tool, { kind: "wdg", namespace, field_selector: "metadata.name=two" });
      assert.equal(one.structured.rows[0][0], "two");
      const limited = await callTool(tool, { kind: "wdg", namespace, limit: 1 });
      assert.match(limited.text, /^1 of 2 widgets/);
      assert.match(limited.text, /\[Cut: Narrow it/);
    });
    for (
      const kind of [
        "pods/exec",
        "pods/log",
        "nodes/proxy",
        "../secrets",
        "pods/x/proxy",
        "deployments/scale",
      ]
    ) {
      await t.step(`${kind} can't be read`, async () => {
        await assert.rejects(callTool(tool, { kind, namespace }), {
          kind: "refused",
        });
      });
    }
    await t.step("a kind that there is not: what is near", async () => {
      await assert.rejects(callTool(tool, { kind: "wigets", namespace }), {
        kind: "not_found",
        hint: /widgets/,
      });
    });
    await t.step("one namespace and all of them at once is an error", async () => {
      await assert.rejects(callTool(tool, { kind: "pods", namespace, all_namespaces: true }), {
        kind: "invalid",
      });
    });
    clusters.close();
  },
});
