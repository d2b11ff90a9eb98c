import assert from "@std/assert";
import type { Clusters } from "../../src/kubernetes/api.ts";
import type { Tool } from "../../src/common/tool.ts";
import { getDeployments } from "../../src/kubernetes/get_deployments.ts";
import { getEvents } from "../../src/kubernetes/get_events.ts";
import { getPodLogs } from "../../src/kubernetes/get_pod_logs.ts";
import { getPods } from "../../src/kubernetes/get_pods.ts";
import { getServices } from "../../src/kubernetes/get_services.ts";
import { listResources } from "../../src/kubernetes/list_resources.ts";
import { kubernetesAvailable, sharedKubernetes } from "../support/kubernetes.ts";
import { callTool } from "../support/tools.ts";
import { until } from "../support/until.ts";

const asked: readonly (readonly [tool: (clusters: Clusters) => Tool, args: Record<string, unknown>])[] = [
  [getPods, {}],
  [getServices, {}],
  [getServices, { label_selector: "app=web" }],
  [getDeployments, {}],
  [getEvents, {}],
  [getEvents, { for: "pod/web-1" }],
  [listResources, { kind: "configmaps" }],
  [getPodLogs, { selector: "app=web" }],
];

Deno.test({
  name: "a namespace that does not exist is not an empty one",
  ignore: !kubernetesAvailable,
  async fn(t) {
    const kubernetes = await sharedKubernetes();
    const clusters = kubernetes.clusters();
    const empty = await kubernetes.namespace("empty");
    for (const [make, args] of asked) {
      const tool = make(clusters);
      await t.step(`${tool.name} ${JSON.stringify(args)}`, async () => {
        await assert.rejects(
          callTool(tool, { ...args, namespace: `${empty}-typo` }),
          /there is no such namespace/,
        );
        // One that exists may well have none.
        await callTool(tool, { ...args, namespace: empty });
      });
    }
    await clusters.close();
    await kubernetes.kubectl("delete", "namespace", empty, "--wait=false");
  },
});

Deno.test({
  name: "one who may not read namespaces is told that an empty one may not exist",
  ignore: !kubernetesAvailable,
  async fn(t) {
    const kubernetes = await sharedKubernetes();
    const user = `lister-${crypto.randomUUID().slice(0, 8)}`;
    const resources = "pods,services,events,configmaps,endpointslices.discovery.k8s.io,deployments.apps";
    await kubernetes.kubectl("create", "clusterrole", user, "--verb=get,list", `--resource=${resources}`);
    await kubernetes.kubectl("create", "clusterrolebinding", user, `--clusterrole=${user}`, `--user=${user}`);
    const { cert, key } = await kubernetes.clientCertificate(user);
    const kubeconfig = await kubernetes.kubeconfigFor({
      "client-certificate-data": btoa(cert),
      "client-key-data": btoa(key),
    });
    const clusters = kubernetes.clusters({ KUBECONFIG: kubeconfig });
    await until("the binding", async () => {
      try {
        await callTool(getPods(clusters), {});
        return true;
      } catch {
        return false;
      }
    });
    const namespace = `lost-${user}`;
    const says = `an't tell whether namespace ${namespace} exists: this identity may not read namespaces`;
    for (const [make, args] of [...asked, [getPods, { status: "unhealthy" }] as const]) {
      const tool = make(clusters);
      await t.step(`${tool.name} ${JSON.stringify(args)}`, async () => {
        const { text, structured } = await callTool(tool, { ...args, namespace });
        assert.equal(text.split(`\nC${says}.`).length, 2, text);
        assert.ok(JSON.stringify(structured).includes(says));
        // Who may not see the namespaces may well not look into all of them.
        assert.doesNotMatch(text, /looks everywhere/);
        const everywhere = "selector" in args ? {} : await callTool(tool, { ...args, all_namespaces: true });
        assert.ok(!JSON.stringify(everywhere).includes(says.slice(0, 20)));
      });
    }
    await t.step("a pod that is not there", async () => {
      await assert.rejects(callTool(getPodLogs(clusters), { pod_name: "web", namespace }), {
        hint: new RegExp(`\\bc${says}`),
      });
    });
    clusters.close();
    await kubernetes.kubectl("delete", "clusterrolebinding", user);
    await kubernetes.kubectl("delete", "clusterrole", user);
  },
});

Deno.test({
  name: "the namespace of a service account that is only impersonated may not exist",
  ignore: !kubernetesAvailable,
  async fn() {
    const kubernetes = await sharedKubernetes();
    const namespace = `lost-${crypto.randomUUID().slice(0, 8)}`;
    const user = `system:serviceaccount:${namespace}:reader`;
    await kubernetes.kubectl("create", "clusterrole", namespace, "--verb=get,list", "--resource=pods");
    await kubernetes.kubectl(
      "create",
      "clusterrolebinding",
      namespace,
      `--clusterrole=${namespace}`,
      `--user=${user}`,
    );
    const clusters = kubernetes.clusters({
      KUBECONFIG: await kubernetes.kubeconfigFor({ token: kubernetes.adminToken, as: user }),
    });
    let text = "";
    await until("the binding", async () => {
      try {
        ({ text } = await callTool(getPods(clusters), { namespace }));
        return true;
      } catch {
        return false;
      }
    });
    assert.match(text, /Can't tell whether namespace/);
    clusters.close();
    await kubernetes.kubectl("delete", "clusterrolebinding", namespace);
    await kubernetes.kubectl("delete", "clusterrole", namespace);
  },
});
