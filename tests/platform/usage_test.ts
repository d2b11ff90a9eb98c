/** Containers near their limits, of a real control plane, by the kubelet's metrics in a real Prometheus. */
import assert from "@std/assert";
import { createLogger } from "../../src/common/log.ts";
import { serviceHealthReport } from "../../src/platform/service_health_report.ts";
import { readUsage } from "../../src/platform/usage.ts";
import type { Pod } from "../../src/platform/workload.ts";
import { kubernetesAvailable, sharedKubernetes } from "../support/kubernetes.ts";
import { alignedSeconds, OpenMetrics } from "../support/openmetrics.ts";
import { prometheusAvailable, startPrometheus } from "../support/prometheus.ts";
import { apiOf } from "../support/prometheus_api.ts";
import { callTool } from "../support/tools.ts";

const mebibyte = 1024 * 1024;

Deno.test({
  name: "containers that are throttled or near their memory limit are told, and judge nothing",
  ignore: !kubernetesAvailable || !prometheusAvailable,
  async fn(t) {
    const kubernetes = await sharedKubernetes();
    const namespace = await kubernetes.namespace("usage");
    const deployment = (app: string, limits: Readonly<Record<string, string>>) => ({
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: app, namespace },
      spec: {
        selector: { matchLabels: { app } },
        template: {
          metadata: { labels: { app } },
          spec: { containers: [{ name: "app", image: "app:1", resources: { limits } }] },
        },
      },
    });
    const apps = ["throttled", "full", "roomy", "endless", "many"];
    const many = deployment("many", { cpu: "500m" });
    await kubernetes.apply([
      ...apps.slice(0, 3).map((app) => deployment(app, { cpu: "500m", memory: "512Mi" })),
      deployment("endless", {}),
      { ...many, spec: { ...many.spec, replicas: 60 } },
    ]);
    const now = alignedSeconds(Date.now(), 60);
    const span = { from: now - 3_600, to: now + 600, step: 60 };
    const series = new OpenMetrics();
    for (const app of apps) {
      await kubernetes.kubectl("rollout", "status", `deployment/${app}`, "-n", namespace, "--timeout=60s");
      const names = await kubernetes.kubectl(
        "get",
        "pods",
        "-n",
        namespace,
        "-l",
        `app=${app}`,
        "-o",
        "name",
      );
      const pods = names.trim().split("\n").map((line) => line.replace("pod/", "")).sort();
      const pod = pods.at(-1) ?? "";
      series.gauge("up", { job: app, instance: `${app}:80` }, span, 1)
        .counter("http_requests_total", { job: app, instance: `${app}:80`, status: "200" }, span, 10);
      // The pod's own cgroup counts the whole of it, the pause container next to nothing.
      for (const [container, part] of [["app", 1], ["", 2], ["POD", 0.01]] as const) {
        const labels = { job: "kubelet", namespace, pod, container };
        const throttled = app === "throttled" || app === "many" ? 8 : 0.1;
        series.counter("container_cpu_cfs_periods_total", labels, span, 10 * part)
          .counter("container_cpu_cfs_throttled_periods_total", labels, span, throttled * part)
          .gauge(
            "container_memory_working_set_bytes",
            labels,
            span,
            (app === "roomy" ? 300 : 500) * mebibyte * part,
          );
      }
    }
    await using server = await startPrometheus({ backfill: series.lines });
    using prometheus = apiOf(server.url);
    const clusters = kubernetes.clusters();
    const sources = { clusters, prometheus: prometheus.api, database: undefined, log: createLogger("off") };
    const tools = new Set(["query_metrics", "query_metrics_range"]);
    const report = async (service: string) => {
      const { text, structured } = await callTool(serviceHealthReport(sources, tools), { service });
      return { text: text.replace(/\n {3,}/g, " "), structured };
    };

    await t.step("throttled: how much, and the query that shows it", async () => {
      const { text, structured } = await report("throttled");
      assert.match(text, /^throttled: HEALTHY/);
      assert.match(
        text,
        /^1\. At the same time 1 container of 1 is throttled by the CPU limit, throttled-\S+ \(app\) in 80% of its periods$/m,
      );
      const [{ arguments: args }] = structured.next;
      const { result } = await server.ask("query", JSON.parse(args));
      assert.equal(result[0].value[1], "0.8");
    });
    await t.step("near its memory limit", async () => {
      assert.match(
        (await report("full")).text,
        /^1\. Of note, 1 container of 1 is near the memory limit, above which it is killed: full-\S+ \(app\) uses 97\.7% of 512 MB$/m,
      );
    });
    await t.step("the last of many pods, and of too many kinds of pods how many were not seen", async () => {
      assert.match(
        (await report("many")).text,
        /^1\. At the same time 1 container of 1 is throttled by the CPU limit, many-\S+ \(app\) in 80% of its/m,
      );
      const pods = Array.from({ length: 21 }, (_, index) => ({
        namespace,
        name: `kind${index}-0`,
        status: { phase: "Running" },
      })) as unknown as readonly Pod[];
      const signal = new AbortController().signal;
      assert.equal((await readUsage(prometheus.api, pods, 900, signal)).unread, 1);
    });
    await t.step("in little room a call is left out, and none is cut", async () => {
      const { structured } = await callTool(
        serviceHealthReport(sources, tools),
        { service: "throttled" },
        1_536,
      );
      assert.match(structured.findings[0].text, /throttled by the CPU limit/);
      assert.ok(structured.next.every((call: { arguments: string }) => JSON.parse(call.arguments)));
    });
    for (const app of ["roomy", "endless"]) {
      await t.step(`${app}: nothing to tell`, async () => {
        assert.doesNotMatch((await report(app)).text, /limit|throttled/);
      });
    }
    clusters.close();
  },
});
