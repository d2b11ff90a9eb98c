/** Which pod's log is to be searched where the errors are of one pod of several, on a real control plane and Prometheus. */
import assert from "@std/assert";
import { createLogger } from "../../src/common/log.ts";
import { serviceHealthReport } from "../../src/platform/service_health_report.ts";
import { kubernetesAvailable, sharedKubernetes } from "../support/kubernetes.ts";
import { alignedSeconds, OpenMetrics } from "../support/openmetrics.ts";
import { prometheusAvailable, startPrometheus } from "../support/prometheus.ts";
import { apiOf } from "../support/prometheus_api.ts";
import { callTool } from "../support/tools.ts";

Deno.test({
  name: "where one pod has the errors, its log is the one to search",
  ignore: !kubernetesAvailable || !prometheusAvailable,
  async fn() {
    const kubernetes = await sharedKubernetes();
    const namespace = await kubernetes.namespace("blamed");
    const pods = ["trio-1", "trio-2", "trio-3"];
    await kubernetes.apply([
      {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "trio", namespace },
        spec: { selector: { app: "trio" }, ports: [{ port: 80 }] },
      },
      ...pods.map((name) => ({
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name, namespace, labels: { app: "trio" } },
        spec: { containers: [{ name: "app", image: "app:1" }] },
      })),
    ]);
    const now = alignedSeconds(Date.now(), 15);
    const span = { from: now - 3_600, to: now + 1_200, step: 15 };
    const series = new OpenMetrics();
    for (const pod of pods) {
      const labels = { job: "trio", namespace, pod, instance: `${pod}:80` };
      series.gauge("up", labels, span, 1)
        .counter("http_requests_total", { ...labels, status: "200" }, span, 10)
        .counter("http_requests_total", { ...labels, status: "500" }, span, pod === "trio-2" ? 5 : 0);
      await kubernetes.kubectl(
        "wait",
        "--for=condition=Ready",
        `pod/${pod}`,
        "-n",
        namespace,
        "--timeout=60s",
      );
      await kubernetes.setPodLogs(namespace, pod, [{ container: "app", lines: ["INFO listening"] }]);
    }
    await using server = await startPrometheus({ backfill: series.lines });
    using prometheus = apiOf(server.url);
    const sources = {
      clusters: kubernetes.clusters(),
      prometheus: prometheus.api,
      database: undefined,
      log: createLogger("off"),
    };
    const tool = serviceHealthReport(sources, new Set(["get_pod_logs"]));
    const { text } = await callTool(tool, { service: "trio", namespace });
    assert.match(text.replace(/\n {3,}/g, " "), /100% of the errors are of 1 of 3 instances: .*pod=trio-2$/m);
    assert.deepEqual(text.match(/"pod_name":"[^"]+"/g), ['"pod_name":"trio-2"']);
  },
});
