/** What pods say in their logs, of a real control plane, beside the figures of a real Prometheus. */
import assert from "@std/assert";
import { createLogger } from "../../src/common/log.ts";
import { serviceHealthReport } from "../../src/platform/service_health_report.ts";
import { kubernetesAvailable, sharedKubernetes, type TestKubernetes } from "../support/kubernetes.ts";
import { prometheusAvailable } from "../support/prometheus.ts";
import { apiOf } from "../support/prometheus_api.ts";
import { servicePrometheus } from "../support/service_prometheus.ts";
import { callTool } from "../support/tools.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Makes a pod that the kubelet leaves alone, on a node, with that status of its container. */
async function hold(
  kubernetes: TestKubernetes,
  namespace: string,
  [app, name]: readonly [app: string, name: string],
  phase: string,
  container: Fields,
): Promise<void> {
  await kubernetes.apply([{
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace, labels: { app, "test/held": "true" } },
    spec: { nodeName: "node-0", containers: [{ name: "app", image: "app:1" }] },
  }]);
  const state = { name: "app", image: "app:1", imageID: "", restartCount: 0, ready: false, ...container };
  await kubernetes.setPodStatus(namespace, name, { phase, containerStatuses: [state] });
}

const waiting = (reason: string, message: string) => ({ state: { waiting: { reason, message } } });
const ago = (seconds: number) => new Date(Date.now() - seconds * 1000).toISOString().replace(/\.\d+/, "");
const failed = (seconds: number) => ({
  lastState: {
    terminated: {
      exitCode: 1,
      reason: "Error",
      startedAt: ago(seconds + 5),
      finishedAt: ago(seconds),
    },
  },
});

Deno.test({
  name: "what pods log is told where it may be the cause",
  ignore: !kubernetesAvailable || !prometheusAvailable,
  async fn(t) {
    const kubernetes = await sharedKubernetes();
    const clusters = kubernetes.clusters();
    using prometheus = apiOf((await servicePrometheus()).url);
    const namespace = await kubernetes.namespace("logs");
    const sources = { clusters, prometheus: prometheus.api, database: undefined, log: createLogger("off") };
    const tools = new Set(["get_pod_logs", "get_error_rate", "describe_pod"]);
    const report = async (service: string) =>
      (await callTool(serviceHealthReport(sources, tools), { service })).text.replace(/\n {3,}/g, " ");

    /** A deployment of one pod that is ready, and its log. */
    const serve = async (app: string, lines: readonly { readonly time: string; readonly text: string }[]) => {
      const template = {
        metadata: { labels: { app } },
        spec: { containers: [{ name: "app", image: "app:1" }] },
      };
      await kubernetes.apply([{
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: { name: app, namespace },
        spec: { selector: { matchLabels: { app } }, template },
      }]);
      await kubernetes.kubectl("rollout", "status", `deployment/${app}`, "-n", namespace, "--timeout=60s");
      const [pod = ""] =
        (await kubernetes.kubectl("get", "pods", "-n", namespace, "-l", `app=${app}`, "-o", "name"))
          .trim().split("\n").map((line) => line.replace("pod/", ""));
      await kubernetes.setPodLogs(namespace, pod, [{ container: "app", lines }]);
      return pod;
    };
    const line = (seconds: number, text: string) => ({ time: ago(seconds), text });

    await t.step("of pods that are ready, where requests fail, and of the window alone", async () => {
      const pod = await serve("shop", [
        line(7_200, "FATAL an old story"),
        line(60, "ERROR pay 17: card service answers 402"),
        line(50, "ERROR pay 18: card service answers 402"),
        line(40, "ERROR cart is empty"),
        line(30, "INFO GET / 200"),
      ]);
      const text = await report("shop");
      assert.match(text, /^1\. 20% of requests fail/m);
      assert.match(
        text,
        /^3\. At the same time its log says: ERROR pay 18: card service answers 402 \(2 times, last \w+ ago\)$/m,
      );
      assert.doesNotMatch(text, /an old story/);
      assert.ok(
        text.includes(
          `  get_pod_logs {"pod_name":"${pod}","namespace":"${namespace}","since":"15m","include":`,
        ),
        text,
      );
    });
    await t.step("not of pods that are ready, where nothing is wrong", async () => {
      await serve("steady", [line(60, "ERROR one of a thousand")]);
      assert.match(await report("steady"), /^steady: HEALTHY/);
      assert.doesNotMatch(await report("steady"), /one of a thousand/);
    });
    await t.step("the end of a run that crashed without a word of trouble", async () => {
      const crashing = { ...waiting("CrashLoopBackOff", "back-off"), ...failed(30), restartCount: 5 };
      await hold(kubernetes, namespace, ["config", "config-1"], "Running", crashing);
      await kubernetes.setPodLogs(namespace, "config-1", [{
        container: "app",
        lines: ["INFO starting"],
        previous: ["INFO starting", "INFO reading config.yaml", "yaml: line 14: did not find expected key"],
      }]);
      const text = await report("config");
      assert.match(text, /^\d\. The last line before it ended: yaml: line 14: did not find expected key /m);
      assert.match(text, /^ {2}config-1 \(before the restart\) said last: yaml: line 14/m);
    });
    await t.step("no log is asked for of a container that never ran", async () => {
      await hold(
        kubernetes,
        namespace,
        ["image", "image-1"],
        "Pending",
        waiting("ImagePullBackOff", "no image"),
      );
      const text = await report("image");
      assert.match(text, /^image: DOWN/);
      assert.doesNotMatch(text, /the log of image-1/);
      const asked = (await kubernetes.audit()).filter(({ requestURI }) =>
        requestURI.includes("/image-1/log")
      );
      assert.deepEqual(asked, []);
    });
    await t.step("why an image can't be pulled, where the pod says no more than that it waits", async () => {
      const message = 'Back-off pulling image "r.example/app:9"';
      await hold(kubernetes, namespace, ["pull", "pull-1"], "Pending", waiting("ImagePullBackOff", message));
      const event = (name: string, message: string) => ({
        apiVersion: "v1",
        kind: "Event",
        metadata: { name: `pull-1.${name}`, namespace },
        involvedObject: { apiVersion: "v1", kind: "Pod", name: "pull-1", namespace },
        type: "Warning",
        reason: "Failed",
        message,
        count: 4,
        firstTimestamp: ago(0),
        lastTimestamp: ago(-1),
      });
      const said =
        'Failed to pull image "r.example/app:9": rpc error: code = NotFound desc = failed to pull and ' +
        'unpack image "r.example/app:9": failed to resolve reference "r.example/app:9": r.example/app:9: not found';
      await kubernetes.apply([event("1", said), event("2", "Error: ErrImagePull")]);
      assert.match(
        await report("pull"),
        /^1\. 1 of 1 pod is waiting for an image: pull-1: ImagePullBackOff, Failed to pull image "r\.example\/app:9": not found \(x4, /m,
      );
    });
    await t.step("that a secret for an image is missing, beside what the registry says", async () => {
      const message = 'Back-off pulling image "r.example/app:9": ErrImagePull: authorization failed';
      await hold(
        kubernetes,
        namespace,
        ["private", "private-1"],
        "Pending",
        waiting("ImagePullBackOff", message),
      );
      await kubernetes.apply([{
        apiVersion: "v1",
        kind: "Event",
        metadata: { name: "private-1.1", namespace },
        involvedObject: { apiVersion: "v1", kind: "Pod", name: "private-1", namespace },
        type: "Warning",
        reason: "FailedToRetrieveImagePullSecret",
        message:
          "Unable to retrieve some image pull secrets (regcred); attempting to pull the image may not succeed.",
        firstTimestamp: ago(0),
        lastTimestamp: ago(-1),
      }]);
      assert.match(
        await report("private"),
        /^1\. 1 of 1 pod is waiting for an image: private-1: ImagePullBackOff, image pull secret regcred can't be retrieved; Back-off pulling .*: authorization failed$/m,
      );
    });
    await t.step("of the container that serves, and not of a proxy beside it", async () => {
      await kubernetes.kubectl("delete", "deployment", "shop", "-n", namespace, "--wait");
      await kubernetes.apply([{
        apiVersion: "v1",
        kind: "Pod",
        metadata: {
          name: "shop",
          namespace,
          labels: { app: "shop" },
          annotations: { "kubectl.kubernetes.io/default-container": "app" },
        },
        spec: { containers: [{ name: "a-proxy", image: "proxy:1" }, { name: "app", image: "app:1" }] },
      }]);
      await kubernetes.kubectl("wait", "--for=condition=Ready", "pod/shop", "-n", namespace, "--timeout=60s");
      await kubernetes.setPodLogs(namespace, "shop", [
        { container: "a-proxy", lines: [line(20, "ERROR of the proxy")] },
        { container: "app", lines: [line(20, "ERROR of the service")] },
      ]);
      assert.match(await report("shop"), /^\d\. At the same time its log says: ERROR of the service/m);
    });
    await t.step("where no line was found, the call that searches all of the log", async () => {
      await hold(kubernetes, namespace, ["mute", "mute-1"], "Running", {
        state: { running: { startedAt: ago(900) } },
      });
      await kubernetes.setPodLogs(namespace, "mute-1", [{ container: "app", lines: ["INFO listening"] }]);
      const text = await report("mute");
      assert.doesNotMatch(text, / said: /);
      assert.ok(
        text.includes(`  get_pod_logs {"pod_name":"mute-1","namespace":"${namespace}","include":"(?i)error|`),
        text,
      );
    });
    await t.step("one line of trouble far from the end of a log", async () => {
      const running = { state: { running: { startedAt: ago(900) } } };
      await hold(kubernetes, namespace, ["chatty", "chatty-1"], "Running", running);
      const info = Array.from({ length: 1_500 }, (_, index) => `INFO GET /${index} 200`);
      await kubernetes.setPodLogs(namespace, "chatty-1", [{
        container: "app",
        lines: ["INFO listening", "ERROR /data is full: the queue stopped", ...info],
      }]);
      assert.match(await report("chatty"), /^\d\. Its log says: ERROR \/data is full: the queue stopped/m);
    });
    clusters.close();
  },
});
