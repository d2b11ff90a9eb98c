/** Rollouts that go on as they should, and pods that do not become ready: which is told first, and whether it alarms. */
import assert from "@std/assert";
import { createLogger } from "../../src/common/log.ts";
import { deploymentRolling, setRolling } from "../../src/platform/rolling.ts";
import { serviceHealthReport } from "../../src/platform/service_health_report.ts";
import { kubernetesAvailable, sharedKubernetes } from "../support/kubernetes.ts";
import { callTool } from "../support/tools.ts";
import { until } from "../support/until.ts";

type Fields = Readonly<Record<string, unknown>>;

const ago = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString().replace(/\.\d+/, "");
const running = { running: { startedAt: ago(1) } };

/** A container as the kubelet tells of it. */
const container = (name: string, ready: boolean, more: Fields = {}) => ({
  name,
  image: "app:1",
  imageID: "",
  restartCount: 0,
  ready,
  started: ready,
  state: running,
  ...more,
});
type Container = ReturnType<typeof container>;
const crashing = {
  restartCount: 5,
  state: { waiting: { reason: "CrashLoopBackOff", message: "back-off 2m40s restarting failed container" } },
  lastState: { terminated: { exitCode: 1, reason: "Error", startedAt: ago(2), finishedAt: ago(1) } },
};

Deno.test("how many pods a rollout may miss, and whether one goes on", () => {
  const deployment = (strategy: Fields) => deploymentRolling({ spec: { replicas: 7, strategy } }).mayMiss;
  assert.equal(deployment({}), 1);
  assert.equal(deployment({ rollingUpdate: { maxUnavailable: "50%" } }), 3);
  assert.equal(deployment({ rollingUpdate: { maxUnavailable: 2 } }), 2);
  assert.equal(deployment({ type: "Recreate" }), 0);
  const revisions = { currentRevision: "db-1", updateRevision: "db-2" };
  const stateful = (updateStrategy: Fields, updatedReplicas: number) =>
    setRolling({ spec: { replicas: 7, updateStrategy }, status: { ...revisions, updatedReplicas } });
  assert.deepEqual(stateful({}, 2), { updated: 2, mayMiss: 1 });
  assert.equal(stateful({ rollingUpdate: { maxUnavailable: "50%" } }, 2)?.mayMiss, 4);
  assert.equal(stateful({ rollingUpdate: { partition: 5 } }, 1)?.updated, 1);
  assert.equal(stateful({ rollingUpdate: { partition: 5 } }, 2), undefined);
  assert.equal(stateful({ type: "OnDelete" }, 2), undefined);
  const counts = { desiredNumberScheduled: 3, currentNumberScheduled: 3 };
  const daemon = (updatedNumberScheduled: number) =>
    setRolling({ status: { ...counts, updatedNumberScheduled } });
  assert.deepEqual(daemon(1), { updated: 1, mayMiss: 1 });
  assert.equal(daemon(3), undefined);
});

Deno.test({
  name: "rollouts, and pods that do not become ready",
  ignore: !kubernetesAvailable,
  async fn(t) {
    const kubernetes = await sharedKubernetes();
    const namespace = await kubernetes.namespace("roll");
    const clusters = kubernetes.clusters();
    const get = (kind: string, name: string, path: string) =>
      kubernetes.kubectl("get", kind, name, "-n", namespace, `--output=jsonpath={${path}}`);
    const held = async (app: string) =>
      (await kubernetes.kubectl(
        "get",
        "pods",
        "-n",
        namespace,
        "-l",
        `app=${app},test/held=true`,
        "-o",
        "name",
      ))
        .trim().split("\n").filter((line) => line !== "").map((line) => line.replace("pod/", ""));
    const workload = (kind: string, app: string, spec: Fields, more: Fields = {}, pod: Fields = {}) => ({
      apiVersion: "apps/v1",
      kind,
      metadata: { name: app, namespace },
      spec: {
        selector: { matchLabels: { app } },
        template: {
          metadata: { labels: { app, ...more } },
          spec: { containers: [{ name: "app", image: `${app}:${"test/held" in more ? 2 : 1}` }], ...pod },
        },
        ...spec,
      },
    });
    const toHold = { "test/held": "true" };
    const setPod = async (
      pod: string,
      containers: readonly Container[],
      inits: readonly Container[] = [],
    ) => {
      const ready = containers.every((one) => one.ready === true);
      const unready = { reason: "ContainersNotReady", message: "containers with unready status: [app]" };
      await kubernetes.setPodStatus(namespace, pod, {
        phase: inits.length > 0 ? "Pending" : "Running",
        conditions: ["Ready", "ContainersReady"].map((type) => ({
          type,
          status: ready ? "True" : "False",
          lastTransitionTime: ago(1),
          ...(ready ? {} : unready),
        })),
        containerStatuses: containers,
        initContainerStatuses: inits,
      });
      await kubernetes.setPodLogs(
        namespace,
        pod,
        [...containers, ...inits].map(({ name }) => ({
          container: name,
          lines: [name === "app" ? "INFO listening" : `ERROR ${name} gives up`],
          previous: [`ERROR ${name} gives up`],
        })),
      );
    };
    const warn = async (pod: string, message: string, count: number) => {
      const uid = await get("pod", pod, ".metadata.uid");
      await kubernetes.apply([{
        apiVersion: "v1",
        kind: "Event",
        metadata: { name: `${pod}.warned`, namespace },
        involvedObject: { kind: "Pod", name: pod, namespace, uid, apiVersion: "v1" },
        type: "Warning",
        reason: "Unhealthy",
        message,
        count,
        firstTimestamp: ago(5),
        lastTimestamp: ago(0),
      }]);
    };
    const tools = new Set([
      "get_pod_logs",
      "get_pods",
      "describe_pod",
      "describe_resource",
      "get_deployments",
    ]);
    const sources = { clusters, prometheus: undefined, database: undefined, log: createLogger("off") };
    const report = async (service: string) =>
      (await callTool(serviceHealthReport(sources, tools), { service, namespace })).text
        .replace(/\n {3,}/g, " ");

    await t.step("a deployment's that goes on as its strategy lets it alarms nobody", async () => {
      const spec = {
        replicas: 4,
        strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 1, maxSurge: 1 } },
      };
      await kubernetes.apply([workload("Deployment", "web", spec)]);
      await until("4 pods", async () => await get("deployment", "web", ".status.readyReplicas") === "4");
      await kubernetes.apply([workload("Deployment", "web", spec, toHold)]);
      await until("2 new pods", async () => (await held("web")).length === 2);
      for (const pod of await held("web")) await setPod(pod, [container("app", false)]);
      await until("3 of 4", async () => await get("deployment", "web", ".status.readyReplicas") === "3");
      const text = await report("web");
      assert.match(text, /^web: UNKNOWN, nothing bad was seen/);
      assert.match(
        text,
        /^1\. At the same time: revision 2 of \S+ was rolled out \w+ ago \(web:1 before, now web:2\); it is going on: 2 of 4 pods updated, 3 ready$/m,
      );
      assert.doesNotMatch(text, /^2\./m);
    });

    await t.step("a stateful set's as well", async () => {
      const spec = { replicas: 2, serviceName: "db" };
      await kubernetes.apply([workload("StatefulSet", "db", spec)]);
      await until("2 pods", async () => await get("statefulset", "db", ".status.readyReplicas") === "2");
      await kubernetes.apply([workload("StatefulSet", "db", spec, toHold)]);
      await until("a new pod", async () => (await held("db")).length === 1);
      await setPod("db-1", [container("app", false)]);
      await until("the count", async () => {
        const [ready, updated] = ["readyReplicas", "updatedReplicas"].map((name) =>
          get("statefulset", "db", `.status.${name}`)
        );
        return await ready === "1" && await updated === "1";
      });
      const text = await report("db");
      assert.match(text, /^db: UNKNOWN/);
      assert.match(
        text,
        /^1\. Of note, a rollout of StatefulSet \S+\/db is going on: 1 of 2 pods updated, 1 ready$/m,
      );
    });

    await t.step("pods that a stateful set can't create, and why", async () => {
      const own = await kubernetes.namespace("quota");
      await kubernetes.kubectl("create", "quota", "none", "-n", own, "--hard=pods=0");
      await kubernetes.apply([
        {
          ...workload("StatefulSet", "db", { replicas: 1, serviceName: "db" }),
          metadata: { name: "db", namespace: own },
        },
      ]);
      const tool = serviceHealthReport(sources, tools);
      let text = "";
      await until("the warning", async () => {
        text = (await callTool(tool, { service: "db", namespace: own })).text.replace(/\n {3,}/g, " ");
        return text.includes("exceeded quota");
      });
      assert.match(text, /^db: DOWN, none of its pods is ready/);
      assert.match(text, /^1\. StatefulSet \S+\/db can't create pods: .*exceeded quota: none.* ago\)$/m);
      assert.match(
        text,
        /^ {2}describe_resource \{"kind":"StatefulSet","name":"db","namespace":"quota-\w+"\}$/m,
      );
    });

    await t.step("why a pod is not ready stands in the first line, and once", async () => {
      await kubernetes.apply([workload("Deployment", "api", { replicas: 2 }, toHold)]);
      await until("2 pods", async () => (await held("api")).length === 2);
      const [one = "", other = ""] = await held("api");
      await setPod(one, [container("app", true)]);
      await setPod(other, [container("app", false)]);
      await warn(other, "Readiness probe failed: HTTP probe failed with statuscode: 503", 80);
      const text = await report("api");
      assert.match(text, /^api: DEGRADED/);
      assert.match(
        text,
        /^1\. Deployment \S+\/api has 1 of 2 pods ready, while a rollout is going on: api-\S+: Running, Readiness probe failed: HTTP probe failed with statuscode: 503 \(x80, \w+ ago\)$/m,
      );
      assert.doesNotMatch(text, /^2\./m);
      assert.match(text, new RegExp(`^ {2}describe_pod \\{"pod_name":"${other}"`, "m"));
    });

    await t.step("of several containers the one that crashes is named, and its log asked for", async () => {
      const two = { containers: ["app", "proxy"].map((name) => ({ name, image: "app:1" })) };
      await kubernetes.apply([workload("Deployment", "side", { replicas: 1 }, toHold, two)]);
      await until("a pod", async () => (await held("side")).length === 1);
      const [pod = ""] = await held("side");
      await setPod(pod, [container("app", true), container("proxy", false, crashing)]);
      const text = await report("side");
      assert.match(
        text,
        /^1\. 1 of 1 pod is crashing: .*, container proxy last ended with exit code 1 \(Error\)/m,
      );
      // What it said is of the run that ended, and the cause of what stands behind it.
      assert.match(text, /^2\. Its log says: ERROR proxy gives up/m);
      assert.deepEqual(text.match(/^ {2}get_pod_logs .*$/gm), [
        `  get_pod_logs {"pod_name":"${pod}","namespace":"${namespace}","container":"proxy","previous":true}`,
      ]);
    });

    await t.step("an init container is one of several", async () => {
      const init = { initContainers: [{ name: "migrate", image: "app:1" }] };
      await kubernetes.apply([workload("Deployment", "init", { replicas: 1 }, toHold, init)]);
      await until("a pod", async () => (await held("init")).length === 1);
      const [pod = ""] = await held("init");
      const waiting = { state: { waiting: { reason: "PodInitializing" } } };
      await setPod(pod, [container("app", false, waiting)], [container("migrate", false, crashing)]);
      const text = await report("init");
      assert.match(
        text,
        /^1\. .*Init:CrashLoopBackOff, 5 restarts, container migrate last ended with exit code 1/m,
      );
      assert.match(text, /^2\. Its log says: ERROR migrate gives up/m);
      assert.match(text, /^ {2}get_pod_logs \{.*"container":"migrate","previous":true\}$/m);
    });
    await t.step("an init container that others wait for says what it waits for", async () => {
      const init = { initContainers: [{ name: "wait-for-db", image: "app:1" }] };
      await kubernetes.apply([workload("Deployment", "billing", { replicas: 1 }, toHold, init)]);
      await until("a pod", async () => (await held("billing")).length === 1);
      const [pod = ""] = await held("billing");
      const waiting = { state: { waiting: { reason: "PodInitializing" } } };
      await setPod(pod, [container("app", false, waiting)], [container("wait-for-db", false)]);
      await kubernetes.setPodLogs(namespace, pod, [{
        container: "wait-for-db",
        lines: ["billing-db:5432 - no response", "billing-db:5432 - no response"],
      }]);
      const unmet = { reason: "ContainersNotInitialized", message: "containers with incomplete status: [w]" };
      await kubernetes.setPodStatus(namespace, pod, {
        conditions: [
          { type: "Initialized", status: "False", ...unmet },
          { type: "ContainersReady", status: "False", message: "containers with unready status: [app]" },
        ],
      });
      const text = await report("billing");
      assert.match(
        text,
        /^1\. The others wait for init container wait-for-db, its last line: billing-db:5432 - no response \(\w+ ago\)$/m,
      );
      assert.match(
        text,
        /^2\. Deployment \S+ has 0 of 1 pod ready, .*: Init:0\/1, .* incomplete status: \[w\]$/m,
      );
      // In little room, too, a finding is told to a length that says something, and what is cut is marked.
      const tool = serviceHealthReport(sources, tools);
      const asked = { service: "billing", namespace };
      const small = await callTool(tool, asked, 2_300);
      assert.match(small.text.replace(/\n {3,}/g, " "), /^2\. Deployment .{120,}(?:…|\[w\])$/m);
      // A filter for errors would leave out all that it says.
      assert.match(text, /^ {2}get_pod_logs \{[^}]*"container":"wait-for-db"\}$/m);
      assert.match(text, /^ {2}billing-\S+ said last: billing-db:5432 - no response \(\w+ ago\)$/m);
    });

    await t.step(
      "a rollout that has timed out: what its pods wait for, and that nothing else fails",
      async () => {
        const slow = { replicas: 1, progressDeadlineSeconds: 2, minReadySeconds: 1 };
        const before = workload("Deployment", "slow", slow);
        await kubernetes.apply([before]);
        await until(
          "a pod",
          async () => (await get("deployment", "slow", ".status.availableReplicas")) === "1",
        );
        await kubernetes.apply([workload("Deployment", "slow", slow, toHold)]);
        await until("a new pod", async () => (await held("slow")).length === 1);
        const [pod = ""] = await held("slow");
        await setPod(pod, [container("app", false)]);
        await warn(pod, "Readiness probe failed: HTTP probe failed with statuscode: 500", 30);
        let text = "";
        await until("a rollout that has timed out", async () => {
          text = await report("slow");
          return text.includes("stalled");
        });
        assert.match(
          text,
          /^1\. The rollout of \S+\/slow is stalled: ProgressDeadlineExceeded: .*: slow-\S+: Running, Readiness probe failed: HTTP probe failed with statuscode: 500 \(x30, \w+ ago\)$/m,
        );
        assert.match(
          text,
          /^2\. The pods that fail were all created after revision 2 of \S+\/slow was rolled out/m,
        );
        assert.doesNotMatch(text, /^3\./m);
        // Where no old one serves it is told once.
        await kubernetes.apply([workload("Deployment", "new", slow, toHold)]);
        await until("a new pod", async () => (await held("new")).length === 1);
        await setPod((await held("new"))[0] ?? "", [container("app", false)]);
        await until("a rollout that has timed out", async () => {
          text = await report("new");
          return text.includes("timed out");
        });
        assert.match(
          text,
          /^1\. Deployment \S+\/new has 0 of 1 pod ready, and its rollout has timed out: new-/m,
        );
        assert.doesNotMatch(text, /^2\./m);
      },
    );

    await t.step("of several containers the one that is not ready is named", async () => {
      const two = { containers: ["app", "istio-proxy"].map((name) => ({ name, image: "app:1" })) };
      await kubernetes.apply([workload("Deployment", "cart", { replicas: 1 }, toHold, two)]);
      await until("a pod", async () => (await held("cart")).length === 1);
      const [pod = ""] = await held("cart");
      await setPod(pod, [container("app", true), container("istio-proxy", false)]);
      await warn(pod, "Readiness probe failed: HTTP probe failed with statuscode: 503", 9);
      assert.match(
        await report("cart"),
        /^\d\. Deployment \S+ has 0 of 1 pod ready.*: Running, container istio-proxy is not ready, Readiness probe failed: HTTP/m,
      );
    });

    await t.step("pods of no workload that is known are told once", async () => {
      await kubernetes.apply([{
        apiVersion: "apps/v1",
        kind: "ReplicaSet",
        metadata: { name: "canary-6c8f9d7b5", namespace },
        spec: {
          selector: { matchLabels: { app: "canary" } },
          template: {
            metadata: { labels: { app: "canary", ...toHold } },
            spec: { containers: [{ name: "app", image: "app:1" }] },
          },
        },
      }]);
      await until("a pod", async () => (await held("canary")).length === 1);
      const [pod = ""] = await held("canary");
      await setPod(pod, [container("app", false)]);
      await warn(pod, "Readiness probe failed: HTTP probe failed with statuscode: 503", 9);
      const text = await report("canary");
      assert.match(text, /^1\. 1 of 1 pod is not ready: canary-\S+: Running, Readiness probe failed/m);
      assert.doesNotMatch(text, /^2\./m);
    });

    await t.step("pods that can't be made are not asked for, nor the logs of those that serve", async () => {
      const small = await kubernetes.namespace("small");
      const hard = { hard: { pods: "1" } };
      await kubernetes.apply([
        { apiVersion: "v1", kind: "ResourceQuota", metadata: { name: "one", namespace: small }, spec: hard },
      ]);
      await until("the quota", async () =>
        (await kubernetes.kubectl(
          ...["get", "resourcequota", "one", "-n", small, "--output=jsonpath={.status.hard.pods}"],
        )) === "1");
      const packer = workload("Deployment", "packer", { replicas: 3 });
      await kubernetes.apply([{ ...packer, metadata: { name: "packer", namespace: small } }]);
      let text = "";
      await until("a pod that serves and others that can't be made", async () => {
        ({ text } = await callTool(serviceHealthReport(sources, tools), {
          service: "packer",
          namespace: small,
        }));
        return /^packer: DEGRADED.*\n1\. The rollout of .* is stalled/.test(text);
      });
      assert.deepEqual(text.match(/^ {2}(get_\w+|describe_\w+) \{/gm), ["  get_deployments {"]);
    });
    clusters.close();
  },
});
