import assert from "@std/assert";
import { describeResource } from "../../src/kubernetes/describe_resource.ts";
import { kubernetesAvailable, sharedKubernetes } from "../support/kubernetes.ts";
import { stallRollout } from "../support/kubernetes/stalled_rollout.ts";
import { callTool } from "../support/tools.ts";
import { until } from "../support/until.ts";

const marker = "hunter2-marker-91c4";

Deno.test({
  name: "describe_resource on a real control plane",
  ignore: !kubernetesAvailable,
  async fn(t) {
    const kubernetes = await sharedKubernetes();
    const clusters = kubernetes.clusters();
    const tool = describeResource(clusters);
    const namespace = await kubernetes.namespace("describe");
    await kubernetes.apply([
      {
        apiVersion: "v1",
        kind: "Secret",
        metadata: { name: "db", namespace },
        stringData: { password: marker, "ca.crt": marker },
      },
      {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name: "settings", namespace, finalizers: ["example.org/hold"] },
        data: { "app.properties": `db.password=${marker}\ncolour=green\n`, long: "x".repeat(90_000) },
      },
      {
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: { name: "user-service", namespace },
        spec: {
          replicas: 2,
          selector: { matchLabels: { app: "user" } },
          template: {
            metadata: { labels: { app: "user" } },
            spec: {
              containers: [{
                name: "app",
                image: "registry.example.org/user:3",
                env: [{ name: "DB_PASSWORD", value: marker }, { name: "COLOUR", value: "green" }],
                resources: { requests: { cpu: "5000" }, limits: { cpu: "5000" } },
              }],
            },
          },
        },
      },
      {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "user", namespace },
        spec: { selector: { app: "user" }, ports: [{ port: 80 }] },
      },
    ]);
    const everything: string[] = [];
    const describe = async (args: Record<string, unknown>, budget?: number) => {
      const answer = await callTool(tool, { namespace, ...args }, budget);
      everything.push(answer.text, JSON.stringify(answer.structured));
      return answer;
    };

    await t.step(
      "a deployment: verdict, pods that hold it up, conditions, events, and the object",
      async () => {
        await stallRollout(kubernetes, namespace, "user-service", 2);
        let text = "";
        await until("the event", async () => {
          text = (await describe({ kind: "deployment", name: "user-service" })).text;
          return text.includes("ScalingReplicaSet");
        });
        const order = [
          /^Deployment user-service in namespace \S+, context test, \d\S* old\n/,
          /\nuser-service: STALLED, ProgressDeadlineExceeded: ReplicaSet "user-service-\w+" has timed out progressing\n/,
          /\n- current replica set user-service-\w+: 0 of 2 pods ready/,
          /\n- pod user-service-\S+: Pending: .*Insufficient cpu/,
          /\nConditions:\n- \w+ False/,
          /\nEvents:\n- \d\S* Normal ScalingReplicaSet: Scaled up replica set user-service-\w+ from 0 to 2\n/,
          /\nstatus: \{replicas: 2, updatedReplicas: 2, unavailableReplicas: 2\}\n/,
          /\nspec:\n {2}replicas: 2\n/,
          /\n {8}- \{name: DB_PASSWORD, value: "\*\*\*"\}\n {8}- \{name: COLOUR, value: green\}\n/,
        ];
        let at = 0;
        for (const pattern of order) {
          const found = text.slice(at).search(pattern);
          assert.ok(found >= 0, `${pattern} is not in its place in:\n${text}`);
          at += found;
        }
      },
    );
    await t.step("the object is read once, so that one answer says one thing of it", async () => {
      const asked = async (name: string) =>
        (await kubernetes.audit()).filter(({ userAgent, requestURI }) =>
          userAgent === "kubernetes-mcp" && requestURI.endsWith(name)
        ).length;
      for (
        const [kind, name, path] of [
          ["deployment", "user-service", `/namespaces/${namespace}/deployments/user-service`],
          ["service", "user", `/namespaces/${namespace}/services/user`],
          ["node", "node-1", "/nodes/node-1"],
        ] as const
      ) {
        const before = await asked(path);
        await describe({ kind, name });
        await describe({ kind, name });
        // A record is written when its request is over: by the end of the second call those of the first are there.
        await until(`the records of ${name}`, async () => await asked(path) >= before + 2);
        assert.equal(await asked(path), before + 2);
      }
    });
    await t.step("a service: its problem", async () => {
      const { structured, text } = await describe({ kind: "svc", name: "user" });
      assert.match(text, /- user: selects 2 pods, none with an address: Pending \(2\)/);
      assert.equal(structured.verdict.includes("selects 2 pods"), true);
      assert.match(structured.manifest, /selector: \{app: user\}/);
    });
    await t.step("a secret: keys and sizes", async () => {
      const { text } = await describe({ kind: "secret", name: "db" });
      assert.match(text, new RegExp(`password: "\\*\\*\\* \\(${marker.length} bytes\\)"`));
      assert.match(text, /ca\.crt:/);
    });
    await t.step("a config map: without its credentials, and what holds its deletion", async () => {
      await kubernetes.kubectl("delete", "configmap", "settings", `--namespace=${namespace}`, "--wait=false");
      const { text, structured } = await describe({ kind: "cm", name: "settings" });
      assert.match(text, /; being deleted since \d{4}-.*, held by the finalizers example\.org\/hold\n/);
      assert.match(structured.facts[0], /^being deleted since \d{4}-.*, held by the finalizers/);
      assert.deepEqual(structured.events, []);
      assert.match(text, /colour=green/);
      assert.ok(structured.manifest.length < 10_000);
      await kubernetes.kubectl(
        ...["patch", "configmap", "settings", `--namespace=${namespace}`, "--type=merge"],
        '--patch={"metadata":{"finalizers":null}}',
      );
    });
    await t.step("a part of it", async () => {
      const { text, structured } = await describe({
        kind: "deploy",
        name: "user-service",
        path: "spec.template.spec.containers[0].resources",
      });
      // That there are none is not said of what was not looked at.
      assert.deepEqual([structured.conditions, structured.events], [undefined, undefined]);
      assert.match(text, /\n\n\{limits: \{cpu: 5k\}, requests: \{cpu: 5k\}\}$/);
      await assert.rejects(describe({ kind: "deploy", name: "user-service", path: "spec.nothing" }), {
        hint: /replicas, selector/,
      });
    });
    await t.step("an object without a namespace", async () => {
      const { text } = await describe({ kind: "node", name: "node-0" });
      assert.match(
        text,
        /^Node node-0, context test, .* old\n\nNAME .*\nnode-0 .*\nEmpty: ROLES, TAINTS\n\n[^]*\nConditions:\n/,
      );
      assert.match(text, /allocatable: \{cpu: "32"/);
    });
    await t.step("a pod: what describe_pod says", async () => {
      const [name = ""] =
        (await kubernetes.kubectl("get", "pods", `--namespace=${namespace}`, "--output=name"))
          .replaceAll("pod/", "").split("\n");
      const { text, structured } = await describe({ kind: "po", name });
      assert.match(text, new RegExp(`^Pod ${name} in namespace ${namespace}, context test\n\n`));
      assert.match(text, /Insufficient cpu/);
      assert.ok(structured.verdict.includes(name));
    });
    await t.step("no such object, no such kind, no subresource", async () => {
      await assert.rejects(describe({ kind: "deploy", name: "user-servic" }), {
        hint: "did you mean user-service?",
      });
      await assert.rejects(describe({ kind: "nothing", name: "x" }), { kind: "not_found" });
      await assert.rejects(describe({ kind: "pods/exec", name: "x" }), { kind: "refused" });
      await assert.rejects(describe({ kind: "pods", name: "x/exec" }), { kind: "invalid" });
      await assert.rejects(describe({ kind: "pods", name: "x", namespace: "a/b" }), { kind: "invalid" });
    });
    await t.step("keeps to a small budget, and says what is missing", async () => {
      const { text } = await describe({ kind: "deploy", name: "user-service" }, 1_700);
      assert.match(text, /STALLED/);
      assert.match(text, /\[Cut: \d+ lines of the object left out\. Ask for a part with path\.\]$/);
      await describe({ kind: "deploy", name: "user-service" }, 2_048);
    });
    await t.step("nothing secret is in any of it", () => {
      for (const said of everything) {
        assert.ok(!said.includes(marker) && !said.includes(btoa(marker)));
      }
    });
    clusters.close();
  },
});
