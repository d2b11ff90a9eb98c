import assert from "@std/assert";
import { createLogger } from "../../src/common/log.ts";
import type { Clusters } from "../../src/kubernetes/api.ts";
import { completePrompts } from "../../src/platform/complete_prompts.ts";
import { serviceHealthReport } from "../../src/platform/service_health_report.ts";
import { namespacesOf, readWorkload } from "../../src/platform/workload.ts";
import { kubernetesAvailable, sharedKubernetes, type TestKubernetes } from "../support/kubernetes.ts";
import { RawClient } from "../support/mcp.ts";
import { callTool } from "../support/tools.ts";
import { until } from "../support/until.ts";

const { signal } = new AbortController();
const sources = (clusters: Clusters) => ({
  clusters,
  prometheus: undefined,
  database: undefined,
  log: createLogger("off"),
});

/** The words of a report; all tools are there that a next call may name. */
async function report(clusters: Clusters, args: Readonly<Record<string, string>>): Promise<string> {
  const tools = new Set(["service_health_report", "get_pods", "get_pod_logs", "describe_pod"]);
  return (await callTool(serviceHealthReport(sources(clusters), tools), args)).text;
}

/** A deployment of that many pods, once they are as they are to be. */
async function deploy(
  kubernetes: TestKubernetes,
  namespace: string,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<void> {
  const template = {
    metadata: { labels: { app: name, ...labels } },
    spec: { containers: [{ name: "app", image: `${name}:1` }] },
  };
  await kubernetes.apply([{
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace },
    spec: { replicas: 2, selector: { matchLabels: { app: name } }, template },
  }]);
  const wanted = "test/crash" in labels ? /CrashLoopBackOff +2 /g : /1\/1 +Running/g;
  await until(`the pods of ${name}`, async () => {
    const pods = await kubernetes.kubectl(
      "get",
      "pods",
      "-n",
      namespace,
      "-l",
      `app=${name}`,
      "--no-headers",
    );
    return (pods.match(wanted) ?? []).length === 2;
  });
}

Deno.test({
  name: "workload: an identity of one namespace looks there, and says so",
  ignore: !kubernetesAvailable,
  async fn(t) {
    const kubernetes = await sharedKubernetes();
    const namespace = await kubernetes.namespace("own");
    await deploy(kubernetes, namespace, "web");
    const roles = new URL("../../deploy/kubernetes/rbac-namespace.yaml", import.meta.url).pathname;
    await kubernetes.kubectl("apply", "--namespace", namespace, "--filename", roles);
    const token = (await kubernetes.kubectl("create", "token", "kubernetes-mcp", "-n", namespace)).trim();
    const clusters = kubernetes.clusters({
      KUBECONFIG: await kubernetes.kubeconfigFor({ token }, { namespace }),
    });
    await t.step("the workload, and a note", async () => {
      const found = await readWorkload(clusters, "web", undefined, signal);
      assert.deepEqual([found.namespace, found.pods.length, found.unseen], [namespace, 2, []]);
      assert.match(
        found.notes.join(),
        new RegExp(`^looked for in namespace ${namespace} alone: .*lacks the right`),
      );
    });
    await t.step("the report tells it, and that nodes are not of a namespace", async () => {
      const text = await report(clusters, { service: "web" });
      assert.match(text, /^ {2}the nodes that its pods are on were not looked at: no right to get nodes$/m);
      assert.doesNotMatch(text, /no right to list/);
      assert.match(text, /^web: UNKNOWN, its pods are ready, but nothing tells whether its requests succeed/);
      assert.match(text, new RegExp(`looked for in namespace ${namespace} alone`));
    });
    await t.step("a name that is none there: the nearest of that namespace", async () => {
      await assert.rejects(report(clusters, { service: "wep" }), (error: Error & { hint?: string }) => {
        assert.match(error.message, new RegExp(`in namespace ${namespace} \\(looked for in namespace`));
        assert.equal(error.hint, "did you mean web?");
        return true;
      });
    });
    await t.step("another namespace, named: the right that is missing, and who can grant it", async () => {
      await assert.rejects(
        report(clusters, { service: "web", namespace: "default" }),
        (error: Error & { hint?: string }) => {
          assert.match(error.message, /lacks the right to list deployments/);
          assert.match(error.hint ?? "", /an operator can grant it with a rule/);
          return true;
        },
      );
    });
    await t.step("completions are of that namespace, too", async () => {
      const complete = (argument: string) =>
        callTool(completePrompts(sources(clusters)), { prompt: "p", argument, value: "", known: {} });
      assert.deepEqual((await complete("namespace")).structured.values, [namespace]);
      assert.deepEqual((await complete("service")).structured.values, ["web"]);
    });
    clusters.close();
  },
});

Deno.test({
  name: "workload: one name in two namespaces is told, and the calls that judge them apart",
  ignore: !kubernetesAvailable,
  async fn() {
    const kubernetes = await sharedKubernetes();
    const [good, bad] = [await kubernetes.namespace("good"), await kubernetes.namespace("bad")];
    const name = `twin-${crypto.randomUUID().slice(0, 8)}`;
    await deploy(kubernetes, good, name);
    await deploy(kubernetes, bad, name, { "test/crash": "true" });
    const clusters = kubernetes.clusters();
    assert.deepEqual(namespacesOf((await readWorkload(clusters, name, undefined, signal)).pods), [bad, good]);
    const text = await report(clusters, { service: name });
    assert.match(text, /: DEGRADED, it serves, but not well/);
    assert.match(text, new RegExp(`^1\\. 2 of 4 pods are crashing: ${bad}/${name}-`, "m"));
    assert.match(
      text.replace(/\n +/g, " "),
      new RegExp(
        `note: its pods in 2 namespaces are judged here as if they were one service's: ${bad}, ${good}$`,
        "m",
      ),
    );
    const calls = [bad, good].map((namespace) =>
      `  service_health_report ${JSON.stringify({ service: name, namespace })}`
    );
    assert.ok(text.includes(`next:\n${calls.join("\n")}\n`), text);
    // The program has that tool, too.
    const variables = { KUBECONFIG: kubernetes.kubeconfig };
    await using client = await RawClient.connect({ program: "platform", variables });
    const told = await client.call("service_health_report", { service: name });
    assert.ok(told.text.includes(`next:\n${calls.join("\n")}\n`), told.text);
    assert.match(
      await report(clusters, { service: name, namespace: bad }),
      /: DOWN, none of its pods is ready/,
    );
    assert.match(await report(clusters, { service: name, namespace: good }), /: UNKNOWN, its pods are ready/);
    clusters.close();
  },
});

Deno.test({
  name: "workload: a line of a log comes with the age of the last time",
  ignore: !kubernetesAvailable,
  async fn() {
    const kubernetes = await sharedKubernetes();
    const namespace = await kubernetes.namespace("said");
    const name = `said-${crypto.randomUUID().slice(0, 8)}`;
    await deploy(kubernetes, namespace, name, { "test/crash": "true" });
    const pods = (await kubernetes.kubectl("get", "pods", "-n", namespace, "-l", `app=${name}`, "-o", "name"))
      .trim().split("\n").map((line) => line.replace("pod/", ""));
    const line = (minutes: number, text: string) => ({
      time: new Date(Date.now() - minutes * 60_000).toISOString(),
      text,
    });
    for (const [index, pod] of pods.entries()) {
      await kubernetes.setPodLogs(namespace, pod, [{
        container: "app",
        lines: [line(1, "INFO started")],
        previous: [
          line(300, "ERROR too many connections"),
          line(200 + 60 * index, "ERROR too many connections"),
          ...(index === 0 ? [line(190, "FATAL giving up")] : []),
        ],
      }]);
    }
    const clusters = kubernetes.clusters();
    const text = (await report(clusters, { service: name, namespace })).replace(/\n +/g, " ");
    // Older than three hours, ages are told in hours and minutes; the run of the test takes some.
    assert.match(
      text,
      /2 pods \(before the restart\) said: ERROR too many connections \(4 times, last 3h2\dm ago\)/,
    );
    assert.match(text, / \(before the restart\) said: FATAL giving up \(3h1\dm ago\)/);
    assert.match(
      text,
      /the service's log says: ERROR too many connections \(2 times, last (3h2|4h2)\dm ago\)/,
    );
    clusters.close();
  },
});
