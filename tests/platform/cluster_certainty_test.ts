/** What looks well in the cluster and is not: nobody is called ready for it. */
import assert from "@std/assert";
import { createLogger } from "../../src/common/log.ts";
import { describePod } from "../../src/kubernetes/describe_pod.ts";
import { getPods } from "../../src/kubernetes/get_pods.ts";
import { serviceHealthReport } from "../../src/platform/service_health_report.ts";
import { readWorkload } from "../../src/platform/workload.ts";
import { kubernetesAvailable, sharedKubernetes, type TestKubernetes } from "../support/kubernetes.ts";
import { callTool } from "../support/tools.ts";
import { until } from "../support/until.ts";

const template = (app: string) => ({
  metadata: { labels: { app } },
  spec: { containers: [{ name: "app", image: "app:1" }] },
});

const workload = (namespace: string, name: string, more: Readonly<Record<string, unknown>>) => ({
  apiVersion: "apps/v1",
  metadata: { name, namespace },
  ...more,
});

/** A deployment of that many pods. */
const deployment = (namespace: string, name: string, replicas = 1) =>
  workload(namespace, name, {
    kind: "Deployment",
    spec: { replicas, selector: { matchLabels: { app: name } }, template: template(name) },
  });

async function untilReady(kubernetes: TestKubernetes, namespace: string, pods: number): Promise<void> {
  await until(`${pods} ready pods in ${namespace}`, async () => {
    const printed = await kubernetes.kubectl("get", "pods", "-n", namespace, "--no-headers");
    return (printed.match(/1\/1 +Running/g) ?? []).length === pods;
  });
}

/** A running pod whose containers are ready, and which is not: its node is lost, or a readiness gate is shut. */
async function notReady(kubernetes: TestKubernetes, namespace: string, app: string): Promise<void> {
  await kubernetes.apply([{
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: app, namespace, labels: { app, "test/held": "true" } },
    spec: { nodeName: "node-1", ...template(app).spec },
  }]);
  const lastTransitionTime = new Date(Date.now() - 120_000).toISOString().replace(/\.\d+/, "");
  const condition = (type: string, status: string, more = {}) => ({
    type,
    status,
    lastTransitionTime,
    ...more,
  });
  await kubernetes.setPodStatus(namespace, app, {
    phase: "Running",
    conditions: [
      condition("Ready", "False", { reason: "NodeNotReady", message: "Node is not ready" }),
      condition("ContainersReady", "True"),
      condition("Initialized", "True"),
      condition("PodScheduled", "True"),
    ],
    containerStatuses: [{
      name: "app",
      image: "app:1",
      imageID: "",
      restartCount: 0,
      started: true,
      ready: true,
      state: { running: { startedAt: lastTransitionTime } },
    }],
  });
}

Deno.test({
  name: "never ready by a part of what is known",
  ignore: !kubernetesAvailable,
  async fn(t) {
    const kubernetes = await sharedKubernetes();
    const clusters = kubernetes.clusters({ KUBECONFIG: kubernetes.kubeconfig });
    const namespace = await kubernetes.namespace("certain");
    const sources = { clusters, prometheus: undefined, database: undefined, log: createLogger("off") };
    const tools = new Set(["get_services", "describe_resource", "get_deployments"]);
    const report = async (service: string, where: { readonly namespace?: string } = { namespace }) =>
      (await callTool(serviceHealthReport(sources, tools), { service, ...where })).text;

    await t.step("a pod whose containers are ready and which itself is not", async () => {
      await notReady(kubernetes, namespace, "lost");
      assert.match(
        await report("lost"),
        /^lost: DOWN, none of its pods is ready .*\n1\. .*Node is not ready/,
      );
      const { text } = await callTool(getPods(clusters), { namespace, status: "unhealthy" });
      assert.match(text, /1 unhealthy/);
      assert.match(text, /Node is not ready/);
      const described = await callTool(describePod(clusters), { namespace, pod_name: "lost" });
      assert.match(described.text, /^- .*not ready, though its containers are: Node is not ready/m);
      await kubernetes.kubectl("delete", "pod", "lost", "-n", namespace, "--force");
    });

    await t.step("a Service that selects none of the ready pods", async () => {
      await kubernetes.apply([deployment(namespace, "cart"), {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "cart", namespace },
        spec: { selector: { app: "carts" }, ports: [{ port: 80 }] },
      }]);
      await untilReady(kubernetes, namespace, 1);
      const text = await report("cart");
      assert.match(text, /^cart: DOWN, its Service has no ready pod behind it/);
      assert.match(
        text,
        /^1\. Service certain-\w+\/cart selects nothing: no pod has app=carts, but\s+app=cart/m,
      );
      assert.match(text, /^ {2}get_services \{"namespace":"certain-\w+","name":"cart"\}$/m);
    });

    await t.step("a Service with a port that no pod has", async () => {
      await kubernetes.apply([deployment(namespace, "till"), {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "till", namespace },
        spec: { selector: { app: "till" }, ports: [{ port: 80, targetPort: "web" }] },
      }]);
      await untilReady(kubernetes, namespace, 2);
      const slices = ["get", "endpointslices", "-n", namespace, "-l", "kubernetes.io/service-name=till"];
      await until(
        "its endpoint",
        async () => (await kubernetes.kubectl(...slices, "-o", "yaml")).includes("targetRef"),
      );
      const text = await report("till");
      assert.match(text, /^till: DEGRADED/);
      assert.match(
        text,
        /^1\. Service certain-\w+\/till port 80: no pod has a container port named "web"$/m,
      );
      await kubernetes.kubectl("delete", "deployment", "till", "-n", namespace, "--wait");
      await untilReady(kubernetes, namespace, 1);
    });

    await t.step("what the revision before had is told beside what this one has", async () => {
      const revision = (image: string) =>
        workload(namespace, "news", {
          kind: "Deployment",
          spec: {
            selector: { matchLabels: { app: "news" } },
            template: { ...template("news"), spec: { containers: [{ name: "app", image }] } },
          },
        });
      const rollout = ["rollout", "status", "deployment/news", "-n", namespace, "--timeout=60s"];
      for (const image of ["news:1", "news:2"]) {
        await kubernetes.apply([revision(image)]);
        await kubernetes.kubectl(...rollout);
      }
      assert.match(
        (await report("news")).replace(/\n +/g, " "),
        /: revision 2 of certain-\w+\/news was rolled out \w+ ago \(news:1 before, now news:2\)/,
      );
      // A rollback takes the replica set that is there, whose age says nothing of it. Times are whole seconds.
      const first = [
        "get",
        "replicasets",
        "-n",
        namespace,
        "-l",
        "app=news",
        "--sort-by=.metadata.creationTimestamp",
      ];
      const times = await kubernetes.kubectl(
        ...first,
        "-o",
        "jsonpath={.items[*].metadata.creationTimestamp}",
      );
      const made = Date.parse(times.split(" ")[0] ?? "");
      await until("a later second", () => Date.now() >= made + 1_000);
      await kubernetes.kubectl("rollout", "undo", "deployment/news", "-n", namespace);
      await kubernetes.kubectl(...rollout);
      const { workloads: [news] } = await readWorkload(
        clusters,
        "news",
        namespace,
        new AbortController().signal,
      );
      assert.deepEqual(news?.before, ["news:2"]);
      assert.ok((news?.changed ?? 0) > made, `${news?.changed} is not after ${made}`);
      await kubernetes.kubectl("delete", "deployment", "news", "-n", namespace, "--wait");
      await untilReady(kubernetes, namespace, 1);
    });

    await t.step("two workloads that select the same pods have each of them once", async () => {
      await kubernetes.apply([workload(namespace, "cart", {
        kind: "StatefulSet",
        spec: {
          replicas: 1,
          serviceName: "cart",
          selector: { matchLabels: { app: "cart" } },
          template: template("cart"),
        },
      })]);
      await untilReady(kubernetes, namespace, 2);
      assert.match(await report("cart"), /^ {2}2 pods, 2 healthy$/m);
    });

    await t.step("a DaemonSet that fits no node is not scaled to zero", async () => {
      await kubernetes.apply([workload(namespace, "agent", {
        kind: "DaemonSet",
        spec: {
          selector: { matchLabels: { app: "agent" } },
          template: {
            ...template("agent"),
            spec: { ...template("agent").spec, nodeSelector: { gpu: "none" } },
          },
        },
      })]);
      const text = await report("agent");
      assert.match(text, /^agent: DOWN, it is scaled to zero/);
      assert.match(text, /^1\. DaemonSet certain-\w+\/agent is to run on no node$/m);
    });

    await t.step("a CronJob or a Job of that name is no unknown name", async () => {
      const jobTemplate = { spec: { template: { spec: { ...template("x").spec, restartPolicy: "Never" } } } };
      await kubernetes.apply([{
        apiVersion: "batch/v1",
        kind: "CronJob",
        metadata: { name: "nightly", namespace },
        spec: { schedule: "0 3 * * *", jobTemplate },
      }]);
      await assert.rejects(report("nightly"), (error: Error & { hint?: string }) => {
        assert.match(error.message, /no deployment, stateful set, daemon set, Service or pod of that name/);
        assert.match(
          error.hint ?? "",
          /there is a CronJob certain-\w+\/nightly: describe_resource shows it/,
        );
        return true;
      });
    });

    await t.step("pods of a CronJob's are no service, and how its last Job ended is told", async () => {
      await kubernetes.apply([{
        apiVersion: "batch/v1",
        kind: "CronJob",
        metadata: { name: "export", namespace },
        spec: {
          schedule: "0 3 1 1 *",
          jobTemplate: {
            spec: {
              backoffLimit: 0,
              template: {
                metadata: { labels: { app: "export", "test/held": "true" } },
                spec: { ...template("export").spec, restartPolicy: "Never" },
              },
            },
          },
        },
      }]);
      await kubernetes.kubectl("create", "job", "export-1", "--from=cronjob/export", "-n", namespace);
      const pods = async () =>
        (await kubernetes.kubectl("get", "pods", "-n", namespace, "-l", "app=export", "-o", "name")).trim();
      await until("its pod", async () => (await pods()) !== "");
      const terminated = { exitCode: 1, reason: "Error" };
      await kubernetes.setPodStatus(namespace, (await pods()).replace("pod/", ""), {
        phase: "Failed",
        containerStatuses: [{
          name: "app",
          image: "app:1",
          imageID: "",
          restartCount: 0,
          ready: false,
          state: { terminated },
        }],
      });
      await kubernetes.kubectl("wait", "--for=condition=Failed", "job/export-1", "-n", namespace);
      await assert.rejects(report("export"), (error: Error & { hint?: string }) => {
        assert.match(
          error.hint ?? "",
          /there is a CronJob certain-\w+\/export, whose last Job export-1 failed \w+ ago \(BackoffLimitExceeded\): get_pod_logs with selector batch\.kubernetes\.io\/job-name=export-1 has its log/,
        );
        return true;
      });
    });

    await t.step("workloads that were not read are told", async () => {
      const name = `many${namespace.slice(-4)}`;
      for (let index = 0; index < 21; index++) {
        const another = `${name}-${index}`;
        await kubernetes.kubectl("create", "namespace", another);
        await kubernetes.apply([deployment(another, name, 0)]);
      }
      const text = await report(name, {});
      assert.match(
        text,
        /^not seen, cluster: more than the first 20 deployments of that name: name a namespace$/m,
      );
    });
    clusters.close();
  },
});
