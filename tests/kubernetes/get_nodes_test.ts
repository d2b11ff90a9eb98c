import assert from "@std/assert";
import { getNodes } from "../../src/kubernetes/get_nodes.ts";
import { kubernetesAvailable, sharedKubernetes } from "../support/kubernetes.ts";
import { callTool } from "../support/tools.ts";
import { until } from "../support/until.ts";

Deno.test({
  name: "get_nodes on a real control plane",
  ignore: !kubernetesAvailable,
  async fn(t) {
    const kubernetes = await sharedKubernetes();
    const clusters = kubernetes.clusters();
    const tool = getNodes(clusters);
    const namespace = await kubernetes.namespace("nodes");
    await kubernetes.apply([{
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "greedy", namespace },
      spec: {
        nodeName: "node-1",
        containers: [{ name: "app", image: "x", resources: { requests: { cpu: "1500m", memory: "3Gi" } } }],
      },
    }]);
    await kubernetes.kubectl(
      "wait",
      "pod/greedy",
      "--for=condition=Ready",
      `--namespace=${namespace}`,
      "--timeout=120s",
    );

    await t.step(
      "ready nodes, and what is requested of them, as kubectl describe node adds it up",
      async () => {
        const { text, structured } = await callTool(tool, {});
        assert.match(text, /^2 nodes, context test\n/);
        const node = structured.nodes.find(({ name }: { name: string }) => name === "node-1");
        assert.equal(node.ready, "True");
        assert.deepEqual(node.allocatable, { cpu_milli: 32_000, memory_bytes: 256 * 1024 ** 3, pods: 5000 });
        const described = await kubernetes.kubectl("describe", "node", "node-1");
        const [, cpu = ""] = /^ {2}cpu +(\d+m?) /m.exec(described) ?? [];
        const [, pods = ""] = /^Non-terminated Pods: +\((\d+) in total\)/m.exec(described) ?? [];
        assert.equal(
          node.requested.cpu_milli,
          cpu.endsWith("m") ? Number(cpu.slice(0, -1)) : Number(cpu) * 1000,
        );
        assert.equal(node.requested.pods, Number(pods));
        assert.match(
          text,
          new RegExp(
            `node-1 .*\\| ${cpu}/32 \\(\\d+%\\) +\\| [\\d.]+[GM]i/256Gi \\(\\d+%\\) +\\| ${pods}/5000`,
          ),
        );
      },
    );

    await t.step("a node in trouble comes first, with since when", async () => {
      // kwok, which plays its kubelet, writes its own conditions again: ours are written until they are seen.
      const name = `sick-${crypto.randomUUID().slice(0, 8)}`;
      await kubernetes.apply([{
        apiVersion: "v1",
        kind: "Node",
        metadata: { name },
        spec: { unschedulable: true, taints: [{ key: "dedicated", value: "db", effect: "NoSchedule" }] },
      }]);
      try {
        const patch = {
          status: {
            nodeInfo: { osImage: "Debian" },
            conditions: [
              {
                type: "Ready",
                status: "False",
                reason: "KubeletNotReady",
                message: "container runtime is down",
                lastHeartbeatTime: new Date().toISOString(),
                lastTransitionTime: new Date(Date.now() - 5 * 60_000).toISOString(),
              },
            ],
          },
        };
        let { text, structured } = await callTool(tool, {});
        await until("the node's trouble", async () => {
          await kubernetes.kubectl(
            "patch",
            "node",
            name,
            "--subresource=status",
            "--type=merge",
            `--patch=${JSON.stringify(patch)}`,
          );
          ({ text, structured } = await callTool(tool, {}));
          return structured.nodes[0].name === name && text.includes("container runtime is down") &&
            structured.nodes[0].system?.startsWith("Debian");
        });
        assert.match(
          text,
          new RegExp(`\n- ${name}: NotReady for (\\d+m\\S*): KubeletNotReady: container runtime is down\n`),
        );
        assert.match(text, new RegExp(`\n${name} +\\| NotReady,SchedulingDisabled`));
        assert.match(text, /dedicated=db:NoSchedule/);
        assert.match(text, /\n- sick/);
        // Each of them, where they differ.
        assert.equal(structured.system, undefined);
        assert.match(structured.nodes[1].system, /^kwok, /);
      } finally {
        await kubernetes.kubectl("delete", "node", name);
      }
    });

    await t.step("a label, a limit, and a small budget", async () => {
      const one = await callTool(tool, { label_selector: "kubernetes.io/hostname=node-0" });
      assert.deepEqual(one.structured.nodes.map(({ name }: { name: string }) => name), ["node-0"]);
      assert.match(one.structured.system, /^kwok, /);
      assert.equal(one.structured.nodes[0].system, undefined);
      const limited = await callTool(tool, { limit: 1 });
      assert.match(limited.text, /^1 of 2 nodes/);
      await callTool(tool, {}, 2_048);
    });
    clusters.close();
  },
});

Deno.test({
  name: "get_nodes for one who may not see pods, or not see nodes",
  ignore: !kubernetesAvailable,
  async fn(t) {
    const kubernetes = await sharedKubernetes();
    const user = `viewer-${crypto.randomUUID().slice(0, 8)}`;
    await kubernetes.kubectl("create", "clusterrole", user, "--verb=get,list", "--resource=nodes");
    await kubernetes.kubectl("create", "clusterrolebinding", user, `--clusterrole=${user}`, `--user=${user}`);
    const { cert, key } = await kubernetes.clientCertificate(user);
    const kubeconfig = await kubernetes.kubeconfigFor({
      "client-certificate-data": btoa(cert),
      "client-key-data": btoa(key),
    });
    await t.step("nodes without their requests, and why", async () => {
      const clusters = kubernetes.clusters({ KUBECONFIG: kubeconfig });
      await until("the binding", async () => {
        try {
          await callTool(getNodes(clusters), {});
          return true;
        } catch {
          return false;
        }
      });
      const { text, structured } = await callTool(getNodes(clusters), {});
      assert.equal(structured.nodes[0].requested, undefined);
      assert.match(
        text,
        /\nWhat pods request was not seen: Cannot list pods as "viewer-\w+" lacks the right to list pods\.\n/,
      );
      assert.match(text, /\?\/32 /);
      clusters.close();
    });
    await t.step("no nodes at all is an error", async () => {
      const nobody = await kubernetes.kubeconfigFor({ token: kubernetes.nobodyToken });
      const clusters = kubernetes.clusters({ KUBECONFIG: nobody });
      await assert.rejects(callTool(getNodes(clusters), {}), { kind: "refused" });
      clusters.close();
    });
    await kubernetes.kubectl("delete", "clusterrolebinding", user);
    await kubernetes.kubectl("delete", "clusterrole", user);
  },
});
