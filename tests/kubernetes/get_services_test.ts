import assert from "@std/assert";
import { getServices } from "../../src/kubernetes/get_services.ts";
import { kubernetesAvailable, sharedKubernetes } from "../support/kubernetes.ts";
import { callTool } from "../support/tools.ts";
import { until } from "../support/until.ts";

function pod(name: string, labels: Record<string, string>, cpu = "10m") {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, labels: { ...labels, "test/held": "true" } },
    spec: {
      containers: [{
        name: "app",
        image: "registry.example.org/app:1",
        ports: [{ name: "http", containerPort: 8080 }],
        resources: { requests: { cpu } },
      }],
    },
  };
}

function service(name: string, spec: Record<string, unknown>) {
  return { apiVersion: "v1", kind: "Service", metadata: { name }, spec };
}

function status(ready: boolean, ip: string) {
  return {
    phase: "Running",
    podIP: ip,
    podIPs: [{ ip }],
    conditions: [{ type: "Ready", status: ready ? "True" : "False" }],
  };
}

Deno.test({
  name: "get_services on a real control plane",
  ignore: !kubernetesAvailable,
  async fn(t) {
    const kubernetes = await sharedKubernetes();
    const clusters = kubernetes.clusters();
    const tool = getServices(clusters);
    const namespace = await kubernetes.namespace("services");
    const inNamespace = <Manifest extends { metadata: object }>(object: Manifest) => ({
      ...object,
      metadata: { ...object.metadata, namespace },
    });
    await kubernetes.apply([
      pod("web-a", { app: "web" }),
      pod("web-b", { app: "web" }),
      pod("sick-a", { app: "sick" }),
      pod("waiting", { app: "waiting" }, "5000"),
      service("well", { selector: { app: "web", half: "a" }, ports: [{ port: 80 }] }),
      service("half", { selector: { app: "web" }, ports: [{ name: "http", port: 80, targetPort: "http" }] }),
      service("unready", { selector: { app: "sick" }, ports: [{ port: 80 }] }),
      service("pending", { selector: { app: "waiting" }, ports: [{ port: 80 }] }),
      service("typo", { selector: { app: "wbe" }, ports: [{ port: 80 }] }),
      service("portless", {
        selector: { app: "web" },
        ports: [{ name: "http", port: 80, targetPort: "http" }, {
          name: "admin",
          port: 81,
          targetPort: "admin",
        }],
      }),
      service("headless", { clusterIP: "None", selector: { app: "web", half: "a" }, ports: [{ port: 80 }] }),
      service("outside", { type: "ExternalName", externalName: "db.example.org" }),
      service("by-hand", { ports: [{ port: 5432 }] }),
      service("node", { type: "NodePort", selector: { app: "web", half: "a" }, ports: [{ port: 80 }] }),
    ].map(inNamespace));
    await kubernetes.kubectl("label", "pod", "web-a", "half=a", `--namespace=${namespace}`);
    await kubernetes.kubectl(
      "wait",
      "pod",
      "web-a",
      "web-b",
      "sick-a",
      "--for=condition=PodScheduled",
      `--namespace=${namespace}`,
    );
    await kubernetes.setPodStatus(namespace, "web-a", status(true, "10.9.0.1"));
    await kubernetes.setPodStatus(namespace, "web-b", status(false, "10.9.0.2"));
    await kubernetes.setPodStatus(namespace, "sick-a", status(false, "10.9.0.3"));

    // deno-lint-ignore no-explicit-any
    let services: Record<string, any> = {};
    let text = "";
    await until("endpoints of every service", async () => {
      const answer = await callTool(tool, { namespace });
      text = answer.text;
      services = Object.fromEntries(
        answer.structured.services.map((one: { name: string }) => [one.name, one]),
      );
      return ["well", "half", "unready", "portless", "headless", "node"].every((name) =>
        services[name].ready + services[name].unready > 0
      ) && services.half.ready === 1 && services.half.unready === 1;
    });

    const expected:
      readonly (readonly [name: string, problem: string | null, counts: readonly (number | undefined)[]])[] =
        [
          ["well", null, [1, 0]],
          ["half", "1 of 2 endpoints not ready: web-b", [1, 1]],
          ["unready", "selects 1 pod, none ready: sick-a", [0, 1]],
          ["pending", "selects 1 pod, none with an address: Pending (1)", [0, 0]],
          ["typo", "selects nothing: no pod has app=wbe, but app=web there is", [0, 0]],
          [
            "portless",
            '1 of 2 endpoints not ready: web-b; port 81: no pod has a container port named "admin"',
            [1, 1],
          ],
          ["headless", null, [1, 0]],
          ["outside", null, [undefined, undefined]],
          ["by-hand", "no selector and no endpoints: nobody answers", [0, 0]],
          ["node", null, [1, 0]],
        ];
    for (const [name, problem, counts] of expected) {
      await t.step(`${name}: ${problem ?? "well"}`, () => {
        assert.equal(services[name].problem ?? null, problem);
        assert.deepEqual([services[name].ready, services[name].unready], counts);
      });
    }

    await t.step("the text has everything, the sick first", () => {
      assert.match(
        text,
        new RegExp(`^10 services in namespace ${namespace}, context test\n\n- by-hand: no selector`),
      );
      assert.match(text, /\nheadless +\| ClusterIP +\| None \(headless\) +\| - +\| 80\/TCP/);
      assert.match(text, /\noutside +\| ExternalName \| - +\| db\.example\.org/);
      assert.match(text, /\nnode +\| NodePort .*80:3\d{4}\/TCP/);
      assert.match(text, /\nhalf .*http 80→http\/TCP +\| +1\/2 \| app=web /);
    });

    await t.step("one by its name, a label, a limit", async () => {
      const one = await callTool(tool, { namespace, name: "typo" });
      assert.equal(one.structured.total, 1);
      const three = await callTool(tool, { namespace, limit: 3 });
      assert.equal(three.structured.services.length, 3);
      assert.equal(three.structured.total, 10);
      assert.match(three.text, /^3 of 10 services in/);
      assert.match(
        three.text,
        /\[Cut: Narrow it with namespace, name or label_selector, or raise limit\.\]$/,
      );
      const none = await callTool(tool, { namespace, label_selector: "no=such" });
      assert.match(none.text, /^No services in namespace .* all_namespaces: true looks everywhere\.$/);
    });

    await t.step("a name that is not there: what is near, or where it is", async () => {
      await assert.rejects(callTool(tool, { namespace, name: "hedless" }), {
        hint: "did you mean headless?",
      });
      await assert.rejects(callTool(tool, { namespace: "kube-public", name: "headless" }), {
        hint: new RegExp(`^there is one of that name in namespace .*\\b${namespace}\\b`),
      });
    });

    await t.step("keeps to a small budget", async () => {
      const { structured, text } = await callTool(tool, { namespace }, 1_200);
      assert.ok(structured.shown < 10 && structured.shown > 0);
      assert.match(structured.note, /^Cut: \d of 10 shown\. Narrow it with namespace, name/);
      assert.match(text, /\[Cut: /);
    });
    clusters.close();
  },
});
