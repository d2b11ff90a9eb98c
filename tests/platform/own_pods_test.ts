/** Whose pods are a service's: those of a canary, of another colour, of a Job, and those that Prometheus has another name for. */
import assert from "@std/assert";
import { createLogger } from "../../src/common/log.ts";
import { jobOfPods } from "../../src/platform/other_names.ts";
import { serviceHealthReport } from "../../src/platform/service_health_report.ts";
import { FakePrometheus, faults } from "../support/fake_prometheus.ts";
import { kubernetesAvailable, sharedKubernetes } from "../support/kubernetes.ts";
import { alignedSeconds, OpenMetrics } from "../support/openmetrics.ts";
import { prometheusAvailable, startPrometheus } from "../support/prometheus.ts";
import { openApi } from "../support/service_tools.ts";
import { callTool } from "../support/tools.ts";
import { until } from "../support/until.ts";

type Labels = Readonly<Record<string, string>>;

Deno.test({
  name: "the pods of a service, whatever else is called like it",
  ignore: !kubernetesAvailable || !prometheusAvailable,
  async fn(t) {
    const kubernetes = await sharedKubernetes();
    const namespace = await kubernetes.namespace("pods");
    const clusters = kubernetes.clusters();
    const pods = async (selector: string) =>
      (await kubernetes.kubectl("get", "pods", "-n", namespace, "-l", selector, "-o", "name"))
        .trim().split("\n").filter((line) => line !== "").map((line) => line.replace("pod/", ""));
    const held = { "test/held": "true" };
    const deployment = (name: string, replicas: number, labels: Labels, more: Labels = {}) => ({
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name, namespace },
      spec: {
        replicas,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels: { ...labels, ...more } },
          spec: { containers: [{ name: "app", image: `${name}:1` }] },
        },
      },
    });
    const service = (name: string, selector: Labels) => ({
      apiVersion: "v1",
      kind: "Service",
      metadata: { name, namespace },
      spec: { selector, ports: [{ port: 80 }] },
    });
    const untilReady = (name: string, ready: number) =>
      until(`${ready} pods of ${name}`, async () =>
        (await kubernetes.kubectl(
          ...["get", "deployment", name, "-n", namespace, "-o", "jsonpath={.status.readyReplicas}"],
        )) === String(ready));
    /** The Service's endpoints are made by another controller than the pods' counts. */
    const untilServed = (name: string, ready: number) =>
      until(`${ready} endpoints of ${name}`, async () =>
        (await kubernetes.kubectl(
          ...["get", "endpointslices", "-n", namespace, "-l", `kubernetes.io/service-name=${name}`],
          ...["-o", "jsonpath={.items[*].endpoints[?(@.conditions.ready==true)].targetRef.name}"],
        )).split(" ").filter((pod) => pod !== "").length === ready);
    await kubernetes.apply([deployment("user-service", 2, { app: "user-service" })]);
    await untilReady("user-service", 2);

    const now = alignedSeconds(Date.now(), 15);
    const span = { from: now - 3_600, to: now + 1_200, step: 15 };
    const series = new OpenMetrics();
    for (const pod of await pods("app=user-service")) {
      for (const job of ["users", "all-pods"]) {
        const labels = { job, namespace, pod, instance: `${pod}:80` };
        series.gauge("up", labels, span, 1);
        if (job === "users") {
          series.counter("http_requests_total", { ...labels, status: "200" }, span, 10)
            .counter("http_requests_total", { ...labels, status: "500" }, span, 5);
        }
      }
    }
    for (const pod of ["other-1", "other-2"]) {
      series.gauge("up", { job: "all-pods", namespace, pod, instance: `${pod}:80` }, span, 1);
    }
    series.gauge("up", { job: "prometheus", instance: "localhost:9090" }, span, 1)
      .gauge("up", { job: "twins", namespace: "elsewhere", pod: "twin-0", instance: "twin-0:80" }, span, 1);
    for (const space of [namespace, "elsewhere"]) {
      series.gauge("up", { job: "pairs", namespace: space, pod: "pair-0", instance: `${space}:80` }, span, 1);
    }
    await using server = await startPrometheus({ backfill: series.lines });
    const api = openApi(server.url);
    const sources = { clusters, prometheus: api, database: undefined, log: createLogger("off") };
    const tools = new Set(["get_error_rate", "get_services", "describe_resource"]);
    const report = async (service: string) =>
      (await callTool(serviceHealthReport(sources, tools), { service, namespace })).text
        .replace(/\n {3,}/g, " ");
    try {
      await t.step("what Prometheus has another name for, by its pods", async () => {
        const text = await report("user-service");
        assert.match(text, /^user-service: DEGRADED/);
        assert.match(text, /^1\. 33\.3% of requests fail \(10 of 30\/s\)/m);
        assert.match(text, /^metrics: found by job="users",namespace="pods-\w+": 2 up/m);
        assert.match(text, /^ {2}nothing there is called user-service: found by its pods$/m);
        // By that name the other tools find it as well.
        assert.match(text, /^ {2}get_error_rate \{"service":"job=users"\}$/m);
      });

      await t.step("what the cluster has another name for, by the pods that are scraped", async () => {
        const text = await report("users");
        assert.match(text, /^users: DEGRADED/);
        assert.match(text, /^cluster: Deployment pods-\w+\/user-service .*: 2\/2 ready/m);
        assert.match(text, /^ {2}2 pods, 2 healthy, found by the pods that Prometheus scrapes for it$/m);
      });

      await t.step("alerts about its pods and its workload, in which its name does not stand", async () => {
        const [one = "", two = ""] = await pods("app=user-service");
        const about = (alert: string, labels: Labels) => ({
          alert,
          expr: "vector(1)",
          labels: { severity: "warning", job: "kube-state-metrics", namespace, ...labels },
        });
        const exported = (namespace: string, pod: string) => (
          { exported_namespace: namespace, exported_pod: pod }
        );
        const rules = [
          about("KubePodCrashLooping", { pod: one, container: "app" }),
          about("KubePodCrashLooping", { pod: two, container: "app" }),
          about("KubeDeploymentReplicasMismatch", { deployment: "user-service" }),
          about("OfAnotherNamespace", { namespace: "elsewhere", pod: one }),
          about("OfAnotherPod", { pod: "user-service" }),
          // Scraped without honor_labels: what it is about is called exported, the other labels are the exporter's own.
          about("KubePodNotReady", { namespace: "ops", pod: "ksm-0", ...exported(namespace, one) }),
          about("OfWhatItExports", exported("elsewhere", "other-1")),
          about("OfWhatItsPodExports", { pod: one, ...exported("elsewhere", "other-1") }),
          about("OfAWorkloadThatItsPodExports", {
            pod: one,
            exported_namespace: "elsewhere",
            deployment: "x",
          }),
          about("OfNoPod", {}),
        ];
        const firing =
          "KubeDeploymentReplicasMismatch \\(warning\\), KubePodCrashLooping \\(warning\\) x2, " +
          "KubePodNotReady \\(warning\\)";
        const watched = [{ name: "kubernetes", interval: "1s", rules }];
        // What rules leave comes after what there is.
        const past = new OpenMetrics();
        for (const pod of [one, two]) {
          past.gauge("up", { job: "users", namespace, pod, instance: `${pod}:80` }, { ...span, to: now }, 1);
        }
        await using alerting = await startPrometheus({ backfill: past.lines, rules: watched });
        await alerting.untilAnswered(`count(ALERTS) == ${rules.length}`);
        // The rules, and where those can't be read what they leave.
        for (const isRefused of [false, true]) {
          await using front = new FakePrometheus({
            play: async ({ path, parameters }) =>
              isRefused && path.endsWith("/rules")
                ? faults.unavailable()
                : await fetch(`${alerting.url}${path}?${parameters}`),
          });
          const prometheus = openApi(front.url);
          const tool = serviceHealthReport({ ...sources, prometheus }, new Set(["list_alerts"]));
          const { text } = await callTool(tool, { service: "user-service", namespace });
          prometheus.close();
          assert.match(
            text.replace(/\n {3,}/g, " "),
            new RegExp(`^\\d\\. 4 alerts fire: ${firing}$`, "m"),
          );
          assert.match(text.replace(/\n {3,}/g, " "), new RegExp(`^ {2}alerts firing: ${firing}$`, "m"));
          assert.match(text, /^ {2}list_alerts \{"state":"firing"\}$/m);
        }
      });

      await t.step("a Service of another name than its deployment", async () => {
        await kubernetes.apply([service("user-svc", { app: "user-service" })]);
        await untilServed("user-svc", 2);
        const text = await report("user-svc");
        assert.match(text, /^user-svc: DEGRADED/);
        assert.match(text, /^cluster: Deployment pods-\w+\/user-service .*: 2\/2 ready/m);
        assert.match(text, /^ {2}2 pods, 2 healthy, found by the Service of that name$/m);
      });

      await t.step("a job that scrapes others as well is no other name of it", async () => {
        await kubernetes.apply([deployment("lonely", 1, { app: "lonely" })]);
        await untilReady("lonely", 1);
        const [pod = ""] = await pods("app=lonely");
        const more = new OpenMetrics();
        for (const name of [pod, "other-1"]) {
          more.gauge("up", { job: "all-pods", namespace, pod: name }, span, 1);
        }
        await using shared = await startPrometheus({ backfill: more.lines });
        const other = openApi(shared.url);
        const tool = serviceHealthReport({ ...sources, prometheus: other }, tools);
        const { text } = await callTool(tool, { service: "lonely", namespace });
        assert.match(text, /^lonely: UNKNOWN, its pods are ready, but Prometheus does not know it/);
        other.close();
      });

      await t.step("without pods, no job is another name of it", async () => {
        await kubernetes.apply([deployment("asleep", 0, { app: "asleep" })]);
        const text = await report("asleep");
        assert.doesNotMatch(text, /found by/);
        assert.match(text, /^not seen, metrics: no job, service, app or similar label has that value/m);
      });

      await t.step("a pod of the same name in another namespace is another", async () => {
        const { signal } = new AbortController();
        const jobOf = (namespace: string, name: string) => jobOfPods(api, [{ namespace, name }], signal);
        assert.equal(await jobOf("elsewhere", "twin-0"), "job=twins");
        assert.equal(await jobOf(namespace, "twin-0"), undefined);
        assert.equal(await jobOf(namespace, "pair-0"), undefined);
      });

      await t.step("a canary that its Service leads to as well", async () => {
        await kubernetes.apply([
          deployment("cart", 2, { app: "cart", track: "stable" }),
          deployment("cart-canary", 1, { app: "cart", track: "canary" }, held),
          service("cart", { app: "cart" }),
        ]);
        await untilReady("cart", 2);
        await until("the canary", async () => (await pods("track=canary")).length === 1);
        const [pod = ""] = await pods("track=canary");
        await kubernetes.setPodStatus(namespace, pod, {
          phase: "Running",
          conditions: [{ type: "Ready", status: "False", reason: "ContainersNotReady" }],
          containerStatuses: [{
            name: "app",
            image: "cart:2",
            imageID: "",
            ready: false,
            restartCount: 4,
            state: { waiting: { reason: "CrashLoopBackOff", message: "back-off" } },
            lastState: {
              terminated: { exitCode: 3, reason: "Error", finishedAt: new Date().toISOString() },
            },
          }],
        });
        await untilServed("cart", 2);
        const text = await report("cart");
        assert.match(text, /^cart: DEGRADED/);
        assert.match(text, /^1\. 1 of 3 pods is crashing: cart-canary-\S+: CrashLoopBackOff, 4 restarts/m);
        assert.match(text, /^cluster: Deployment pods-\w+\/cart .*: 2\/2 ready/m);
        assert.match(text, /^ {2}Deployment pods-\w+\/cart-canary .*: 0\/1 ready/m);
      });

      await t.step("of two colours the one that its Service leads to counts", async () => {
        await kubernetes.apply([
          deployment("pay-blue", 1, { app: "pay", color: "blue" }),
          deployment("pay-green", 1, { app: "pay", color: "green" }, held),
          service("pay", { app: "pay", color: "green" }),
        ]);
        await untilReady("pay-blue", 1);
        await until("green", async () => (await pods("app=pay")).length === 2);
        const text = await report("pay");
        assert.match(text, /^pay: DOWN, its Service has no ready pod behind it/);
        assert.match(text, /^1\. Service pods-\w+\/pay selects 1 pod, none with an address/m);
        assert.match(text, /^2\. Deployment pods-\w+\/pay-green has 0 of 1 pod ready/m);
      });

      await t.step("the pods of a Job with its labels are none of it", async () => {
        await kubernetes.apply([deployment("news", 1, { app: "news" }), {
          apiVersion: "batch/v1",
          kind: "Job",
          metadata: { name: "news-migrate", namespace },
          spec: {
            backoffLimit: 0,
            template: {
              metadata: { labels: { app: "news", ...held } },
              spec: { restartPolicy: "Never", containers: [{ name: "app", image: "news:1" }] },
            },
          },
        }]);
        await untilReady("news", 1);
        await until("the job", async () => (await pods("app=news,test/held=true")).length === 1);
        const [pod = ""] = await pods("app=news,test/held=true");
        const terminated = { exitCode: 1, reason: "Error", finishedAt: new Date().toISOString() };
        await kubernetes.setPodStatus(namespace, pod, {
          phase: "Failed",
          containerStatuses: [{
            name: "app",
            image: "news:1",
            imageID: "",
            ready: false,
            restartCount: 0,
            state: { terminated },
          }],
        });
        const text = await report("news");
        assert.match(text, /^news: UNKNOWN, its pods are ready/);
        assert.match(text, /^ {2}1 pod, 1 healthy$/m);
        // Which jobs there are would help where nothing was found.
        assert.match(
          text.replace(/\n {3,}/g, " "),
          /^not seen, metrics: no job, service, app or similar label has that value$/m,
        );
      });

      await t.step("what is found by a label has its workload's autoscaler", async () => {
        await kubernetes.apply([deployment("lab-v2", 1, { app: "lab" }), {
          apiVersion: "autoscaling/v2",
          kind: "HorizontalPodAutoscaler",
          metadata: { name: "lab", namespace },
          spec: {
            maxReplicas: 3,
            scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "lab-v2" },
          },
        }]);
        await untilReady("lab-v2", 1);
        const text = await report("lab");
        assert.match(text, /^cluster: Deployment pods-\w+\/lab-v2 .*: 1\/1 ready, rollout complete/m);
        assert.match(text, /^ {2}HorizontalPodAutoscaler pods-\w+\/lab: /m);
        assert.match(text, /^ {2}1 pod, 1 healthy, found by the label app=lab$/m);
      });

      await t.step("a Service that selects nothing, and no pod of its name", async () => {
        await kubernetes.apply([service("void", { app: "users-service" })]);
        const text = await report("void");
        assert.match(text, /^void: DOWN, its Service has no ready pod behind it/);
        assert.match(
          text,
          /^1\. Service pods-\w+\/void selects nothing: no pod has app=users-service, but app=user-service/m,
        );
      });
    } finally {
      api.close();
      clusters.close();
    }
  },
});
