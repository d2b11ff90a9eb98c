/** What others name as they like, however long it is and whatever is in it: answers stay within their budget, and queries what they are. */
import assert from "@std/assert";
import { createLogger } from "../../src/common/log.ts";
import { rankServicesByErrorRate } from "../../src/platform/rank_services_by_error_rate.ts";
import { serviceHealthReport } from "../../src/platform/service_health_report.ts";
import { checkServiceHealth } from "../../src/prometheus/check_service_health.ts";
import { getErrorRate } from "../../src/prometheus/get_error_rate.ts";
import { clustersAt } from "../support/kubernetes/fake_apiserver.ts";
import { alignedSeconds, OpenMetrics } from "../support/openmetrics.ts";
import { prometheusAvailable, startPrometheus } from "../support/prometheus.ts";
import { apiOf } from "../support/prometheus_api.ts";
import { callTool, type Structured } from "../support/tools.ts";

const long = "a".repeat(40_000);
const hostile = `x"} or vector(1) #\n\x1b[31m'`;

function series(): OpenMetrics {
  const now = alignedSeconds(Date.now(), 15);
  const span = { from: now - 7_200, to: now + 1_200, step: 15 };
  const until = (minutes: number) => ({ ...span, to: now - 60 * minutes });
  const all = new OpenMetrics();
  for (const job of ["shop", "many", "evil"]) all.gauge("up", { job, instance: `${job}:80` }, span, 1);
  const status = "200";
  all.counter("http_requests_total", { job: "shop", status }, until(8), 10);
  all.counter(`http_requests_${long}_total`, { job: "shop", status }, { ...span, from: now - 480 }, 10);
  all.counter("http_requests_total", { job: hostile, namespace: long, status }, until(8), 20);
  all.counter("http_requests_total", { job: long, status }, until(8), 30);
  all.counter("http_requests_total", { job: "many", namespace: long, status }, span, 10);
  const probe = (labels: Readonly<Record<string, string>>, value: number) =>
    all.gauge("probe_success", { job: "blackbox", ...labels }, span, value);
  probe({ instance: `shop/${long}` }, 0);
  probe({ instance: `evil/${hostile}`, target: hostile }, 0);
  for (let each = 0; each < 60; each++) probe({ instance: `https://many/${each}` }, each < 50 ? 0 : 1);
  return all;
}

Deno.test({
  name: "names of any length and content",
  ignore: !prometheusAvailable,
  async fn(t) {
    await using server = await startPrometheus({ backfill: series().lines });
    using prometheus = apiOf(server.url);
    const clusters = clustersAt("http://127.0.0.1:2");
    const { api } = prometheus;
    const sources = { clusters: undefined, prometheus: api, database: undefined, log: createLogger("off") };
    const report = (service: string) =>
      callTool(serviceHealthReport(sources, new Set(["query_metrics_range"])), { service });

    const queryOf = ({ next }: Structured) => JSON.parse(next[0].arguments).query;

    await t.step("a probe's address, and the counter that has another's place", async () => {
      const { structured } = await report("shop");
      assert.equal(queryOf(structured), 'probe_success{job="blackbox"}');
      assert.match(JSON.stringify(structured.evidence), /; http_requests_a+… has been there since/);
      await callTool(checkServiceHealth(api), { service: "shop" });
      const { text } = await callTool(getErrorRate(api), { service: "shop" });
      assert.match(text, /; http_requests_a+… has been there since$/m);
    });

    await t.step("what looks like a query's end is a value", async () => {
      const { structured } = await report("evil");
      const found = await api.query(queryOf(structured), undefined, { signal: new AbortController().signal });
      assert.deepEqual(found.series.map(({ metric }) => metric.target), [hostile]);
    });

    await t.step("of many probes that fail it is said that there are more", async () => {
      const { structured } = await report("many");
      assert.match(structured.findings[0].text, /^At least 10 of 60 probes from outside fail: /);
    });

    await t.step("services and namespaces that are ranked, and that are gone", async () => {
      const tool = rankServicesByErrorRate({ ...sources, clusters });
      const { structured } = await callTool(tool, {});
      assert.deepEqual(structured.services.map(({ service }: { service: string }) => service), ["many"]);
      assert.equal(structured.gone_count, 3);
      assert.ok(structured.gone.every(({ namespace }: { namespace: string }) => namespace.length <= 100));
    });
    clusters.close();
  },
});
