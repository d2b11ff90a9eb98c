import assert from "@std/assert";
import { CallError } from "../../src/common/errors.ts";
import { kubernetesResources } from "../../src/kubernetes/resources.ts";
import { kubernetesAvailable, sharedKubernetes } from "../support/kubernetes.ts";
import { stallRollout } from "../support/kubernetes/stalled_rollout.ts";
import { callTool } from "../support/tools.ts";
import { until } from "../support/until.ts";

const uri = "kubernetes://overview";

Deno.test({
  name: "the overview of a real control plane",
  ignore: !kubernetesAvailable,
  async fn(t) {
    const kubernetes = await sharedKubernetes();
    const clusters = kubernetes.clusters();
    const { list, read, complete, templates } = kubernetesResources(clusters);
    const namespace = await kubernetes.namespace("overview");
    await kubernetes.apply([{
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "stuck", namespace },
      spec: {
        replicas: 2,
        selector: { matchLabels: { app: "stuck" } },
        template: {
          metadata: { labels: { app: "stuck" } },
          spec: {
            containers: [{
              name: "app",
              image: "x",
              resources: { requests: { cpu: "5000" }, limits: { cpu: "5000" } },
            }],
          },
        },
      },
    }]);

    await t.step("it is listed, and nothing else is", async () => {
      const { structured } = await callTool(list, {});
      assert.deepEqual(structured.resources.map((one: { uri: string }) => one.uri), [uri]);
      assert.deepEqual(templates, []);
      await assert.rejects(callTool(list, { cursor: "7" }), CallError);
      assert.equal(complete, undefined);
    });
    await t.step("version, nodes, pods by namespace, deployments in trouble, warnings", async () => {
      await stallRollout(kubernetes, namespace, "stuck", 2);
      let text = "";
      const warnings = new RegExp(`Warning FailedScheduling ${namespace}/Pod/stuck-\\S+ and 1 more`);
      await until("the warnings of both pods", async () => {
        text = (await callTool(read, { uri })).text;
        return warnings.test(text);
      });
      assert.ok(text.includes(`${namespace}/stuck: stalled`), text);
      assert.match(text, /^Context test: Kubernetes v1\.\d+\.\d+/);
      assert.match(text, /\nNodes: \d+ of \d+ ready/);
      assert.match(text, /\nPods: \d+, in \d+ namespaces?; \d+ namespaces? without pods\nNAMESPACE/);
      assert.match(text, new RegExp(`\n${namespace} +\\| +2 \\| 2 Pending`));
      assert.match(text, /\nDeployments: \d+ of \d+ in trouble\n/);
      const small = await callTool(read, { uri }, 2_048);
      assert.ok(small.text.length > 100);
    });
    await t.step("what may not be seen is named, and the rest is told", async () => {
      const nobody = await kubernetes.kubeconfigFor({ token: kubernetes.nobodyToken });
      const others = kubernetes.clusters({ KUBECONFIG: nobody });
      const { text } = await callTool(kubernetesResources(others).read, { uri });
      assert.match(text, /^Context test: Kubernetes v1/);
      assert.match(
        text,
        /\nNodes were not seen: Cannot list nodes as "nobody" lacks the right to list nodes\n/,
      );
      assert.match(text, /\nPods were not seen: /);
      assert.match(text, /\nWarnings were not seen: /);
      others.close();
    });
    for (const wrong of ["kubernetes://pods/x", "file:///etc/passwd", "kubernetes://overview/"]) {
      await t.step(`there is no resource ${wrong}`, async () => {
        await assert.rejects(callTool(read, { uri: wrong }), { kind: "not_found" });
      });
    }
    clusters.close();
  },
});
