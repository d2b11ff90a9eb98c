/** Which series are a service's where one Prometheus has those of several clusters and namespaces. */
import assert from "@std/assert";
import { createLogger } from "../../src/common/log.ts";
import { serviceHealthReport } from "../../src/platform/service_health_report.ts";
import { alignedSeconds, OpenMetrics } from "../support/openmetrics.ts";
import { prometheusAvailable, startPrometheus } from "../support/prometheus.ts";
import { apiOf } from "../support/prometheus_api.ts";
import { callTool } from "../support/tools.ts";

function series(): OpenMetrics {
  const now = alignedSeconds(Date.now(), 15);
  const span = { from: now - 3_600, to: now + 1_200, step: 15 };
  const metrics = new OpenMetrics();
  const requests = "http_requests_total";
  // Of two clusters one fails.
  for (const [cluster, failed] of [["eu", 0], ["us", 9]] as const) {
    const labels = { job: "pay", namespace: "shop", cluster, instance: "10.0.0.2:80" };
    metrics.gauge("up", labels, span, 1)
      .counter(requests, { ...labels, code: "200" }, span, 10 - failed)
      .counter(requests, { ...labels, code: "500" }, span, failed);
  }
  // Sent by two replicas that scrape the same.
  for (const prometheus_replica of ["a", "b"]) {
    const labels = { job: "twice", namespace: "shop", instance: "10.0.0.4:80", prometheus_replica };
    metrics.gauge("up", labels, span, 1).counter(requests, { ...labels, code: "200" }, span, 10);
  }
  // What an ingress counts for a service of another namespace.
  const ingress = { job: "ingress-nginx", namespace: "ingress", exported_namespace: "shop" };
  for (const [status, perSecond] of [["200", 20], ["502", 5]] as const) {
    const labels = { ...ingress, exported_service: "web", ingress: "web", status };
    metrics.counter("nginx_ingress_controller_requests", labels, span, perSecond);
  }
  // Gone for some minutes.
  const gone = { job: "gone", namespace: "shop", instance: "10.0.0.3:80" };
  const past = { ...span, to: now - 840 };
  return metrics.gauge("up", gone, past, 1).counter(requests, { ...gone, code: "200" }, past, 10);
}

Deno.test({
  name: "what one Prometheus has of several clusters and namespaces",
  ignore: !prometheusAvailable,
  async fn(t) {
    await using server = await startPrometheus({ backfill: series().lines });
    using prometheus = apiOf(server.url);
    const sources = {
      clusters: undefined,
      prometheus: prometheus.api,
      database: undefined,
      log: createLogger("off"),
    };
    const tool = serviceHealthReport(sources, new Set());
    const report = async (service: string, namespace?: string) =>
      (await callTool(tool, { service, ...(namespace === undefined ? {} : { namespace }) })).text
        .replace(/\n {3,}/g, " ");

    await t.step("that several clusters are judged as one is said, and how to ask for each", async () => {
      const text = await report("pay");
      assert.match(text, /^1\. 45% of requests fail/m);
      assert.match(
        text,
        /^note: the figures are of 2 clusters together \(eu, us\); ask with job=pay,cluster=eu for one$/m,
      );
      const one = await report("job=pay,cluster=us");
      assert.match(one, /^1\. 90% of requests fail/m);
      assert.doesNotMatch(one, /clusters/);
    });
    await t.step("that the rates of replicas are added up is said", async () => {
      const text = await report("twice");
      assert.match(text, /^ {2}20 requests\/s, 0% fail/m);
      assert.match(
        text,
        /^note: 2 replicas of one Prometheus \(prometheus_replica\) are counted together: rates/m,
      );
      assert.doesNotMatch(await report("pay"), /replicas/);
    });
    await t.step("an ingress of another namespace counts for the service's own", async () => {
      assert.match(await report("web", "shop"), /^1\. 20% of requests fail/m);
      await assert.rejects(report("web", "lab"), /no series of it is of namespace lab; .* ingress, shop/);
    });
    await t.step("what is gone was of its namespace", async () => {
      const text = await report("gone", "shop");
      assert.match(text, /^1\. Prometheus has no samples of it any more/m);
      assert.doesNotMatch(text, /has a namespace/);
      await assert.rejects(report("gone", "lab"), /no series of it is of namespace lab/);
    });
  },
});
