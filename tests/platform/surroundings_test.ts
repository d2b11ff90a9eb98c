/** What is around the pods of a service and ails it: volumes, networks, nodes, autoscalers; and what may not be read. */
import assert from "@std/assert";
import { createLogger } from "../../src/common/log.ts";
import { describePod } from "../../src/kubernetes/describe_pod.ts";
import { getPods } from "../../src/kubernetes/get_pods.ts";
import { serviceHealthReport } from "../../src/platform/service_health_report.ts";
import {
  kubernetesAvailable,
  sharedKubernetes,
  startKubernetes,
  type TestKubernetes,
} from "../support/kubernetes.ts";
import { callTool } from "../support/tools.ts";
import { until } from "../support/until.ts";

type Fields = Readonly<Record<string, unknown>>;

const namespace = "shop";
const ago = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString().replace(/\.\d+/, "");
const condition = (type: string, status: string, more: Fields = {}) => ({
  type,
  status,
  lastTransitionTime: ago(20),
  ...more,
});

const template = (app: string) => ({
  metadata: { labels: { app } },
  spec: { containers: [{ name: "app", image: "app:1" }] },
});

function deployment(name: string, replicas: number): Fields {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace },
    spec: { replicas, selector: { matchLabels: { app: name } }, template: template(name) },
  };
}

/** Sets what no controller and no kubelet is there to set. */
async function setStatus(kubernetes: TestKubernetes, kind: string, name: string, status: Fields) {
  await kubernetes.kubectl(
    ...["patch", kind, name, `--namespace=${namespace}`, "--subresource=status", "--type=merge"],
    `--patch=${JSON.stringify({ status })}`,
  );
}

/** A pod on that node, whose container waits for `waiting`, or runs and is ready. */
async function addPod(kubernetes: TestKubernetes, app: string, name: string, node: string, waiting?: string) {
  await kubernetes.apply([{
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace, labels: { app } },
    spec: { nodeName: node, ...template(app).spec },
  }]);
  const ready = waiting === undefined;
  const words = ready
    ? {}
    : { reason: "ContainersNotReady", message: "containers with unready status: [app]" };
  await setStatus(kubernetes, "pod", name, {
    phase: ready ? "Running" : "Pending",
    conditions: ["Ready", "ContainersReady"].map((type) => condition(type, ready ? "True" : "False", words)),
    containerStatuses: [{
      name: "app",
      image: "app:1",
      imageID: "",
      restartCount: 0,
      ready,
      started: ready,
      state: ready ? { running: { startedAt: ago(20) } } : { waiting: { reason: waiting } },
    }],
  });
}

/** A deployment with its pods, of which none waits. */
async function serve(kubernetes: TestKubernetes, app: string, nodes: readonly string[]): Promise<void> {
  await kubernetes.apply([deployment(app, nodes.length)]);
  const counts = { replicas: nodes.length, updatedReplicas: nodes.length, availableReplicas: nodes.length };
  await setStatus(kubernetes, "deployment", app, {
    observedGeneration: 1,
    readyReplicas: nodes.length,
    ...counts,
  });
  for (const [index, node] of nodes.entries()) await addPod(kubernetes, app, `${app}-${index}`, node);
}

let events = 0;

/** Of this moment: an earlier one would be about another pod of that name. */
async function warn(
  kubernetes: TestKubernetes,
  pod: string,
  reason: string,
  warnings: readonly (readonly [count: number, message: string])[],
): Promise<void> {
  const uid = await kubernetes.kubectl(
    "get",
    "pod",
    pod,
    `--namespace=${namespace}`,
    "--output=jsonpath={.metadata.uid}",
  );
  await kubernetes.apply(warnings.map(([count, message]) => ({
    apiVersion: "v1",
    kind: "Event",
    metadata: { name: `${pod}.${events++}`, namespace },
    involvedObject: { kind: "Pod", name: pod, namespace, uid, apiVersion: "v1" },
    type: "Warning",
    reason,
    message,
    count,
    firstTimestamp: ago(15),
    lastTimestamp: ago(0),
  })));
}

function autoscaler(name: string, metric: Fields): Fields {
  return {
    apiVersion: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
    metadata: { name, namespace },
    spec: {
      minReplicas: 1,
      maxReplicas: 2,
      scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name },
      metrics: [metric],
    },
  };
}

const cpu = (key: "target" | "current", averageUtilization: number) => ({
  type: "Resource",
  resource: {
    name: "cpu",
    [key]: {
      averageUtilization,
      ...(key === "target" ? { type: "Utilization" } : { averageValue: "830m" }),
    },
  },
});
const queue = (key: "target" | "current", averageValue: string) => ({
  type: "Pods",
  pods: {
    metric: { name: "queue_depth" },
    [key]: { averageValue, ...(key === "target" ? { type: "AverageValue" } : {}) },
  },
});

const sources = (clusters: ReturnType<TestKubernetes["clusters"]>) => ({
  clusters,
  prometheus: undefined,
  database: undefined,
  log: createLogger("off"),
});
const tools = new Set(["describe_resource", "describe_pod", "get_nodes", "get_pods"]);

/** The words of a report, each paragraph on one line. */
async function report(clusters: ReturnType<TestKubernetes["clusters"]>, service: string): Promise<string> {
  const { text } = await callTool(serviceHealthReport(sources(clusters), tools), { service, namespace });
  return text.replace(/\n {3,}/g, " ");
}

Deno.test({
  name: "service_health_report: what is around the pods",
  ignore: !kubernetesAvailable,
  async fn(t) {
    // Without controllers: none writes over the states that are to be seen.
    await using kubernetes = await startKubernetes({ controllers: false });
    const clusters = kubernetes.clusters();
    const node = (name: string) => ({ apiVersion: "v1", kind: "Node", metadata: { name } });
    await kubernetes.apply([
      { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
      { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "default", namespace } },
      ...["good", "silent", "full", "cordoned"].map(node),
    ]);
    const nodeStatus = async (name: string, conditions: readonly Fields[]) =>
      await setStatus(kubernetes, "node", name, { conditions });
    const lost = { reason: "NodeStatusUnknown", message: "Kubelet stopped posting node status." };
    await nodeStatus("good", [condition("Ready", "True"), condition("MemoryPressure", "False")]);
    await nodeStatus("cordoned", [condition("Ready", "True")]);
    await nodeStatus("full", [condition("Ready", "True"), condition("DiskPressure", "True")]);
    await nodeStatus("silent", [
      condition("MemoryPressure", "Unknown", lost),
      condition("Ready", "Unknown", lost),
    ]);
    await kubernetes.kubectl("cordon", "cordoned");

    await t.step("volumes that miss objects, in one finding for all of them", async () => {
      await serve(kubernetes, "web", ["good"]);
      const mount = (volume: string, kind: string, name: string) =>
        `MountVolume.SetUp failed for volume "${volume}" : ${kind} "${name}" not found`;
      for (const name of ["web-1", "web-2"]) {
        await addPod(kubernetes, "web", name, "good", "ContainerCreating");
        await warn(kubernetes, name, "FailedMount", [
          [12, mount("settings", "configmap", "web-settings")],
          [12, mount("tls", "secret", "web-tls")],
          [3, "Unable to attach or mount volumes: timed out"],
        ]);
      }
      const text = await report(clusters, "web");
      assert.match(
        text,
        /^1\. 2 of 3 pods can't start their containers, as ConfigMap web-settings and Secret web-tls do not exist: web-1: ContainerCreating, FailedMount: MountVolume\.SetUp failed for volume "settings" : configmap "web-settings" not found \(x12, \w+ ago\)$/m,
      );
      // What has never run has no log that could be missed.
      assert.doesNotMatch(text, /^2\. .*unhealthy|the log of/m);
      assert.match(text, /^ {2}describe_pod \{"pod_name":"web-1","namespace":"shop"\}$/m);
      const described = await callTool(describePod(clusters), { namespace, pod_name: "web-1" });
      assert.match(
        described.text,
        /^- A volume can't be mounted: ConfigMap web-settings and Secret web-tls do not exist$/m,
      );
    });

    await t.step("a probe that kills containers again and again", async () => {
      const crash = async (name: string, exitCode: number) => {
        await addPod(kubernetes, "probed", name, "good");
        await setStatus(kubernetes, "pod", name, {
          containerStatuses: [{
            name: "app",
            image: "app:1",
            imageID: "",
            restartCount: 6,
            ready: false,
            started: false,
            state: { waiting: { reason: "CrashLoopBackOff", message: "back-off 5m0s restarting container" } },
            lastState: { terminated: { exitCode, reason: "Error", startedAt: ago(2), finishedAt: ago(1) } },
          }],
        });
        await warn(kubernetes, name, "Unhealthy", [
          [18, "Liveness probe failed: HTTP probe failed with statuscode: 500"],
          [19, 'Readiness probe failed: Get "http://10.0.0.1/ready": connection refused'],
        ]);
      };
      await crash("probed-0", 137);
      const told = /last ended with exit code 137 \(Error\), Liveness probe failed: .*: 500 \(x18, /;
      assert.match(await report(clusters, "probed"), told);
      const list = async () => (await callTool(getPods(clusters), { namespace, status: "unhealthy" })).text;
      assert.match(await list(), /probed-0.*Liveness probe failed: HTTP probe failed with statuscode: 500/);
      // What ended by itself, no probe has killed.
      await kubernetes.kubectl("delete", "pod", "probed-0", `--namespace=${namespace}`, "--force");
      await crash("probed-1", 1);
      const text = await report(clusters, "probed");
      assert.match(text, /last ended with exit code 1 \(Error\), back-off 5m0s/);
      assert.doesNotMatch(text + await list(), /probe failed: HTTP/);
      await kubernetes.kubectl("delete", "pod", "probed-1", `--namespace=${namespace}`, "--force");
    });

    await t.step("a volume that another node holds", async () => {
      await addPod(kubernetes, "disk", "disk-0", "good", "ContainerCreating");
      await warn(kubernetes, "disk-0", "FailedAttachVolume", [[1, 'Multi-Attach error for volume "pvc-1"']]);
      assert.match(
        await report(clusters, "disk"),
        /^1\. 1 of 1 pod can't start its containers: disk-0: ContainerCreating, FailedAttachVolume: Multi-Attach error for volume "pvc-1" /m,
      );
    });

    await t.step("a network that gives no address: the ids of the attempts are no other text", async () => {
      await addPod(kubernetes, "net", "net-0", "good", "ContainerCreating");
      const sandbox = (digit: string) =>
        `Failed to create pod sandbox: failed to setup network for sandbox "${
          digit.repeat(64)
        }": no IP addresses left`;
      await warn(kubernetes, "net-0", "FailedCreatePodSandBox", [
        [1, sandbox("a")],
        [9, `(combined from similar events): ${sandbox("b")}`],
      ]);
      const told = /network for sandbox "[ab]{8}…": no IP addresses left \(x10, /;
      assert.match(
        await report(clusters, "net"),
        new RegExp(`^1\\. .*FailedCreatePodSandBox.*${told.source}`, "m"),
      );
      assert.match((await callTool(getPods(clusters), { namespace, status: "unhealthy" })).text, told);
      const { text } = await callTool(describePod(clusters), { namespace, pod_name: "net-0" });
      assert.match(
        text,
        /^- Its sandbox \(network\) can't be made\n {4}Failed .*"[ab]{8}…": no IP addresses left \(x10\)\n\nName:/m,
      );
    });

    await t.step("a node that does not report any more, and one that there is not", async () => {
      await serve(kubernetes, "api", ["good", "silent"]);
      assert.match(
        await report(clusters, "api"),
        /^1\. 1 of the 2 nodes that its pods are on is unhealthy: silent \(1 pod\): Ready unknown for 2\dm \(NodeStatusUnknown: Kubelet stopped posting node status\.\)$/m,
      );
      await addPod(kubernetes, "api", "api-gone", "gone", "ContainerCreating");
      const text = await report(clusters, "api");
      assert.match(
        text,
        /^1\. 2 of the 3 nodes .* are unhealthy: gone \(1 pod, 1 unhealthy\): there is no such/m,
      );
      assert.match(text, /^ {2}get_nodes \{"name":"gone"\}$/m);
    });

    await t.step("pressure and a cordon are of note while the pods are well", async () => {
      await serve(kubernetes, "calm", ["full", "cordoned", "good"]);
      const text = await report(clusters, "calm");
      assert.match(text, /^calm: UNKNOWN/);
      assert.match(
        text,
        /^1\. Of note about 2 of the 3 nodes that its pods are on: cordoned \(1 pod\): unschedulable \(cordoned\); full \(1 pod\): DiskPressure for 2\dm$/m,
      );
      await addPod(kubernetes, "calm", "calm-sick", "full", "ContainerCreating");
      assert.match(
        await report(clusters, "calm"),
        /^1\. 1 of the 3 nodes that its pods are on is unhealthy: full \(2 pods, 1 unhealthy\): DiskPressure/m,
      );
    });

    await t.step("a drain that waits for a PodDisruptionBudget", async () => {
      await serve(kubernetes, "held", ["cordoned", "good"]);
      assert.doesNotMatch(await report(clusters, "held"), /drain/);
      const budget = (name: string, selector: Fields) => ({
        apiVersion: "policy/v1",
        kind: "PodDisruptionBudget",
        metadata: { name, namespace },
        spec: { minAvailable: 2, selector },
      });
      const counts = { currentHealthy: 2, desiredHealthy: 2, expectedPods: 2, observedGeneration: 1 };
      await kubernetes.apply([
        budget("held", { matchExpressions: [{ key: "app", operator: "In", values: ["held", "x"] }] }),
        budget("others", { matchLabels: { app: "calm" } }),
      ]);
      await setStatus(kubernetes, "pdb", "held", { ...counts, disruptionsAllowed: 0 });
      await setStatus(kubernetes, "pdb", "others", { ...counts, disruptionsAllowed: 0 });
      const text = await report(clusters, "held");
      assert.match(
        text,
        /^1\. Of note, a drain of node cordoned can't evict 1 pod \(held-0\): PodDisruptionBudget shop\/held allows none to go: 2 healthy, 2 wanted at least$/m,
      );
      assert.match(
        text,
        /^ {2}describe_resource \{"kind":"poddisruptionbudget","name":"held","namespace":"shop"\}$/m,
      );
      await setStatus(kubernetes, "pdb", "held", { ...counts, disruptionsAllowed: 1 });
      assert.doesNotMatch(await report(clusters, "held"), /drain/);
      await kubernetes.apply([budget("all", {})]);
      await setStatus(kubernetes, "pdb", "all", { ...counts, disruptionsAllowed: 1 });
      assert.match(
        await report(clusters, "held"),
        /: PodDisruptionBudgets all and held are both about it, which no eviction passes$/m,
      );
    });

    await t.step("an autoscaler that may have no more pods", async () => {
      await serve(kubernetes, "busy", ["good", "good"]);
      await kubernetes.apply([autoscaler("busy", cpu("target", 70))]);
      const limited = (status: string, reason: string) => ({
        currentReplicas: 2,
        desiredReplicas: 2,
        currentMetrics: [cpu("current", 183)],
        conditions: [
          condition("ScalingActive", "True", { reason: "ValidMetricFound", message: "" }),
          condition("ScalingLimited", status, { reason, message: "the desired count is not allowed" }),
        ],
      });
      await setStatus(kubernetes, "hpa", "busy", limited("True", "TooManyReplicas"));
      const text = await report(clusters, "busy");
      assert.match(
        text,
        /^1\. Of note, HorizontalPodAutoscaler shop\/busy has been at its maximum of 2 pods for 2\dm and wants more: cpu is 183%, target 70%$/m,
      );
      assert.match(text, /^ {2}HorizontalPodAutoscaler shop\/busy: 2 of 1 to 2 pods$/m);
      assert.match(text, /^ {2}describe_resource \{"kind":"hpa","name":"busy","namespace":"shop"\}$/m);
      // The controller's own tolerance, the minimum, the pace.
      for (const reason of ["DesiredWithinRange", "TooFewReplicas", "ScaleUpLimit"]) {
        await setStatus(kubernetes, "hpa", "busy", limited("True", reason));
        assert.doesNotMatch(await report(clusters, "busy"), /wants more/, reason);
      }
    });

    await t.step("one whose controller tells no conditions, by a metric of the pods", async () => {
      await serve(kubernetes, "queue", ["good", "good"]);
      await kubernetes.apply([autoscaler("queue", queue("target", "10"))]);
      const status = (value: string) => ({
        currentReplicas: 2,
        desiredReplicas: 2,
        currentMetrics: [queue("current", value)],
      });
      await setStatus(kubernetes, "hpa", "queue", status("45"));
      assert.match(
        await report(clusters, "queue"),
        /has been at its maximum of 2 pods and wants more: queue_depth is 45, target 10$/m,
      );
      await setStatus(kubernetes, "hpa", "queue", status("10500m"));
      assert.doesNotMatch(await report(clusters, "queue"), /wants more/);
    });

    await t.step("few requests, and none twice", async () => {
      const before = (await kubernetes.audit()).length;
      await report(clusters, "busy");
      let asked: readonly string[] = [];
      await until("the audit log", async () => {
        asked = (await kubernetes.audit()).slice(before).map(({ requestURI }) => requestURI)
          .filter((uri) => uri.includes(namespace) || uri.includes("/nodes/"));
        return asked.some((uri) => uri.includes("/nodes/")) && asked.some((uri) => uri.includes("/services"));
      });
      assert.deepEqual(asked.filter((uri, at) => asked.indexOf(uri) !== at), []);
      assert.ok(asked.length <= 8, asked.join("\n"));
    });

    await t.step("what may not be read is said in few words, and speaks against nothing", async () => {
      await kubernetes.apply([
        {
          apiVersion: "rbac.authorization.k8s.io/v1",
          kind: "Role",
          metadata: { name: "few", namespace },
          rules: [
            { apiGroups: [""], resources: ["pods"], verbs: ["list"] },
            {
              apiGroups: ["apps"],
              resources: ["deployments", "statefulsets", "daemonsets"],
              verbs: ["list"],
            },
          ],
        },
        {
          apiVersion: "rbac.authorization.k8s.io/v1",
          kind: "RoleBinding",
          metadata: { name: "few", namespace },
          roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "few" },
          subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "nobody" }],
        },
      ]);
      const few = kubernetes.clusters({
        KUBECONFIG: await kubernetes.kubeconfigFor({ token: kubernetes.nobodyToken }, { namespace }),
      });
      await until("the role", async () => {
        try {
          return (await report(few, "busy")).startsWith("busy: UNKNOWN, its pods are ready");
        } catch {
          return false;
        }
      });
      const before = (await kubernetes.audit()).length;
      const busy = await report(few, "busy");
      for (
        const note of [
          "when its revision was rolled out was not seen: no right to list replicasets",
          "autoscalers were not looked at: no right to list horizontalpodautoscalers",
          "the nodes that its pods are on were not looked at: no right to get nodes",
        ]
      ) assert.match(busy, new RegExp(`^ {2}${note}$`, "m"));
      assert.doesNotMatch(busy, /not seen, cluster|list events/);
      // Of nodes one refusal is enough, however many there are.
      await serve(kubernetes, "wide", ["good", "full", "silent"]);
      assert.match(await report(few, "wide"), /were not looked at: no right to get nodes$/m);
      const nodes = (await kubernetes.audit()).slice(before).filter(({ requestURI, user }) =>
        user.username === "nobody" && requestURI.includes("/nodes/")
      );
      assert.ok(nodes.length <= 2, `${nodes.length} requests for nodes`);
      assert.match(
        await report(few, "web"),
        /^ {2}warnings about its pods were not seen: no right to list events$/m,
      );
      few.close();
    });
    clusters.close();
  },
});

Deno.test({
  name: "service_health_report: an autoscaler that can't read its metrics",
  ignore: !kubernetesAvailable,
  async fn() {
    // With its controller, which finds no metrics API here.
    const kubernetes = await sharedKubernetes();
    const own = await kubernetes.namespace("blind");
    const clusters = kubernetes.clusters();
    const inOwn = (object: Fields) => ({ ...object, metadata: { name: "web", namespace: own } });
    await kubernetes.apply([inOwn(deployment("web", 1)), inOwn(autoscaler("web", cpu("target", 70)))]);
    const tool = serviceHealthReport(sources(clusters), tools);
    let text = "";
    await until("the autoscaler's word", async () => {
      text = (await callTool(tool, { service: "web", namespace: own })).text.replace(/\n {3,}/g, " ");
      return text.includes("FailedGet") && text.includes("1/1 ready");
    });
    assert.match(
      text,
      /^1\. Of note, HorizontalPodAutoscaler blind-\w+\/web has not been able to scale Deployment web for \w+: FailedGetResourceMetric: the HPA was unable to compute the replica count: .*pods\.metrics\.k8s\.io/m,
    );
    // At zero the autoscaler keeps off, and that is no fault of it.
    await kubernetes.kubectl("scale", "deployment/web", "--replicas=0", `--namespace=${own}`);
    await until("ScalingDisabled", async () => {
      const printed = await kubernetes.kubectl("get", "hpa", "web", `--namespace=${own}`, "--output=json");
      return printed.includes("ScalingDisabled");
    });
    assert.doesNotMatch((await callTool(tool, { service: "web", namespace: own })).text, /has not been able/);
    clusters.close();
  },
});
