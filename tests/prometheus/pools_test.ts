import assert from "@std/assert";
import { metricsReporter } from "../support/metrics_report.ts";
import { alignedSeconds, OpenMetrics } from "../support/openmetrics.ts";
import { prometheusAvailable, startPrometheus } from "../support/prometheus.ts";
import { apiOf } from "../support/prometheus_api.ts";

/** Each fails in 30%, and measures its pool in its own way; of one nobody waits, and one is well. */
function series(): OpenMetrics {
  const now = alignedSeconds(Date.now(), 15);
  const span = { from: now - 3_600, to: now + 1_200, step: 15 };
  const all = new OpenMetrics();
  const serve = (job: string, failed = 3) => {
    const labels = { job, instance: `${job}:80` };
    all.gauge("up", labels, span, 1)
      .counter("http_requests_total", { ...labels, status: "200" }, span, 10 - failed)
      .counter("http_requests_total", { ...labels, status: "500" }, span, failed);
    return labels;
  };
  const hikari = (job: string, pending: number, failed?: number) => {
    const labels = { ...serve(job, failed), pool: "main" };
    all.gauge("hikaricp_connections_pending", labels, span, pending)
      .gauge("hikaricp_connections_active", labels, span, 10)
      .gauge("hikaricp_connections_max", labels, span, 10);
  };
  hikari("spring", 30);
  hikari("idle", 0);
  hikari("well", 30, 0);
  const otel = serve("otel");
  all.gauge("db_client_connection_pending_requests", otel, span, 4)
    .gauge("db_client_connection_count", { ...otel, state: "used" }, span, 8)
    .gauge("db_client_connection_count", { ...otel, state: "idle" }, span, 1)
    .gauge("db_client_connection_max", otel, span, 8);
  const go = (job: string, seconds: number) => {
    const labels = { ...serve(job), db_name: "shop" };
    all.counter("go_sql_wait_count_total", labels, span, 5)
      .counter("go_sql_wait_duration_seconds_total", labels, span, seconds);
  };
  go("go", 2);
  // Many wait, and none for long.
  go("brief", 0.01);
  return all;
}

Deno.test({
  name: "requests that wait for a connection of the service's pool stand before what they lead to",
  ignore: !prometheusAvailable,
  async fn() {
    await using server = await startPrometheus({ backfill: series().lines });
    using prometheus = apiOf(server.url);
    const report = metricsReporter(prometheus.api, ["database_health"]);
    const waits = /^1\. Requests wait for a connection of the service's database pool: (.*)$/m;
    const expected = {
      spring: "30 on average in 5m (hikaricp_connections_pending), 10 of 10 in use",
      otel: "4 on average in 5m (db_client_connection_pending_requests), 8 of 8 in use",
      go: "2 on average in 5m (go_sql_wait_duration_seconds_total)",
    };
    for (const [job, said] of Object.entries(expected)) {
      const text = await report(job);
      assert.equal(waits.exec(text)?.[1], said);
      assert.match(text, /^2\. 30% of requests fail/m);
      assert.match(text, /^ {2}database_health \{\}$/m);
    }
    for (const job of ["idle", "well", "brief"]) assert.doesNotMatch(await report(job), waits);
  },
});
