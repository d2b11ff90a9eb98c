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
