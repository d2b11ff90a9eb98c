import assert from "@std/assert";
import { MetricCatalogue } from "../../src/prometheus/metric_catalogue.ts";
import { queryMetricsRange } from "../../src/prometheus/query_metrics_range.ts";
import { utf8Length } from "../../src/common/utf8.ts";
import { utc } from "../../src/prometheus/time.ts";
import { alignedSeconds, OpenMetrics } from "../support/openmetrics.ts";
import { prometheusAvailable, sharedPrometheus, startPrometheus } from "../support/prometheus.ts";
import { apiOf } from "../support/prometheus_api.ts";
import { callTool } from "../support/tools.ts";

const day = 86_400;

Deno.test({
  name: "query_metrics_range",
  ignore: !prometheusAvailable,
  async fn(context) {
    const server = await sharedPrometheus();
    using client = apiOf(server.url);
    const tool = queryMetricsRange(client.api, new MetricCatalogue(client.api, 60), { maxPoints: 100 });
    const end = String(server.now);
    const ask = (query: string, more: Record<string, unknown> = {}) =>
      callTool(tool, { query, end, ...more });

    await context.step("figures of a series that is known: growth, extremes, gap", async () => {
      const { text, structured } = await ask('queue_length{job="batch"}');
      assert.equal(structured.start, utc(server.now - 3600));
      assert.equal(structured.end, utc(server.now));
      assert.equal(structured.step_seconds, 60);
      const [series] = structured.series;
      assert.deepEqual(series.first, { time: utc(server.now - 3600), value: "160" });
      assert.deepEqual(series.last, { time: utc(server.now), value: "220" });
      assert.deepEqual(series.min, series.first);
      assert.deepEqual(series.max, series.last);
      assert.equal(series.change, 60);
      assert.equal(series.change_percent, 37.5);
      assert.equal(series.trend, "rising");
      // Prometheus looks back five minutes: of a gap from 30 to 20 minutes ago it shows six points.
      assert.deepEqual(series.gaps, [{
        from: utc(server.now - 1500),
        to: utc(server.now - 1200),
        points: 6,
      }]);
      assert.equal(series.points, 55);
      assert.equal(series.values.length, 61);
      assert.equal(series.values.filter((value: unknown) => value === null).length, 6);
      assert.match(text, /first 160, last 220: \+60 \(\+37\.5%\), rising /);
      assert.match(text, /no values .* \(6 points\)/);
      assert.match(text, /^▁.* {2}.*█$/m);
      assert.deepEqual(structured.hints, []);
    });

    await context.step("a rate that is known, to the digit, over several series", async () => {
      const { structured } = await ask('sum by (status) (rate(http_requests_total{job="checkout"}[5m]))');
      const averages = structured.series.map((series: { labels: { status: string }; average: number }) => [
        series.labels.status,
        Number(series.average.toPrecision(12)),
      ]);
      assert.deepEqual(averages, [["200", 8], ["500", 1.5], ["404", 0.5]]);
    });

    await context.step("a raw counter is told, with what it counted", async () => {
      const { text, structured } = await ask('http_requests_total{job="catalog",code="200"}', {
        duration: "30m",
      });
      assert.equal(structured.series[0].counter_increase, 20 * 1800);
      assert.match(text, /a counter: it counted 36000 in that time/);
    });

    await context.step("a series that ends within the range says when", async () => {
      const { text, structured } = await ask('http_requests_total{job="broken"}', { duration: "2h" });
      // An hour ago its last sample was taken; it is looked back to for less than five minutes more.
      assert.ok(structured.series[0].last.time < utc(server.now - 3600 + 300));
      assert.match(text, /ends at \d/);
    });

    await context.step("step and ends are the caller's, the points still few", async () => {
      const { structured, text } = await ask("up", { duration: "1h", step: "15s" });
      assert.equal(structured.step_seconds, 15);
      assert.equal(structured.series[0].points, 241);
      assert.ok(structured.series[0].values.length <= 100);
      assert.equal(structured.axis.step_seconds % 15, 0);
      assert.ok(utf8Length(text) < 2_500, text);
      const between = await ask("up", { start: utc(server.now - 900), end: utc(server.now - 600) });
      assert.equal(between.structured.start, utc(server.now - 900));
      assert.equal(between.structured.end, utc(server.now - 600));
      assert.equal(between.structured.step_seconds, 15, "the scrape interval");
    });

    await context.step("a target scraped each second has a step as short", async () => {
      await server.untilAnswered('count_over_time(up{job="prometheus"}[1m]) > 2');
      const { structured } = await callTool(tool, { query: 'up{job="prometheus"}', duration: "30s" });
      assert.ok(structured.step_seconds < 15, `${structured.step_seconds}`);
    });

    await context.step("refusals say what to write", async () => {
      await assert.rejects(ask("up", { duration: "1.5h" }), /Cannot read duration "1\.5h"/);
      await assert.rejects(ask("up", { start: "last week" }), /Cannot read start "last week"/);
      await assert.rejects(ask("up", { duration: "30d", step: "1s" }), /2,592,001 points per series/);
      await assert.rejects(ask("up", { start: "now+1d" }), /the end is before the start/);
      await assert.rejects(ask("foo bar"), /1:5: parse error/);
    });

    await context.step("an empty result is explained", async () => {
      const { text, structured } = await ask("queue_lenght");
      assert.equal(structured.total, 0);
      assert.match(
        text,
        /^No result from .* step 1m\.\nThere is no metric queue_lenght\.\nNearest names: queue_length\.$/,
      );
    });

    await context.step("a range that is shorter than the step is noted, and is no mistake", async () => {
      const { structured, text } = await ask("sum(rate(http_requests_total[1m]))", { duration: "2h" });
      assert.deepEqual(structured.hints, []);
      assert.match(text, /^Note: \[1m\] is shorter than the step: .*; \[2m\] sees all\.$/m);
    });

    await context.step("native histograms are shown by their counts, and say so", async () => {
      await server.untilAnswered("prometheus_http_request_duration_seconds");
      const { structured, text } = await callTool(tool, {
        query: "prometheus_http_request_duration_seconds",
        duration: "10s",
        step: "1s",
      });
      assert.ok(Number(structured.series[0].last.value) >= 1);
      assert.match(text, /native histograms are shown by their counts/);
    });

    await context.step("infinities and NaN keep their text", async () => {
      const { structured, text } = await ask('queue_length{job="batch"} / 0', { duration: "5m" });
      assert.equal(structured.series[0].first.value, "+Inf");
      assert.equal(structured.series[0].min, undefined);
      assert.match(text, /first \+Inf, last \+Inf: no growth to tell/);
    });

    await context.step("keeps to a small budget, figures before points", async () => {
      const { structured } = await callTool(tool, { query: "http_requests_total", end }, 2_048);
      assert.ok(structured.series.length >= 2);
      assert.equal(structured.total, 9);
    });
  },
});

Deno.test({
  name: "query_metrics_range: how much has traffic grown in 24 hours, in one call",
  ignore: !prometheusAvailable,
  async fn() {
    const now = alignedSeconds(Date.now(), 900);
    const series = new OpenMetrics();
    // 10 requests a second at first, half as many again at the end: the counter is the integral of that line.
    const span = { from: now - day - 3600, to: now, step: 60 };
    series.gauge("http_requests_total", { job: "shop" }, span, (time) => {
      const hours = (time - (now - day)) / 3600;
      return 1_000_000 + 3600 * (10 * hours + (5 / 24) * hours ** 2 / 2);
    });
    await using server = await startPrometheus({ backfill: series.lines });
    using client = apiOf(server.url);
    const tool = queryMetricsRange(client.api, new MetricCatalogue(client.api, 0), { maxPoints: 100 });
    const { text, structured } = await callTool(tool, {
      query: "sum(rate(http_requests_total[30m]))",
      duration: "24h",
      end: String(now),
    });
    const [{ first, last, change_percent: grown, points }] = structured.series;
    assert.equal(points, 97);
    assert.equal(structured.step_seconds, 900);
    // The window leaves its start out, so that rate() spans 29 minutes; the mean of a line lies in the middle of them.
    const before = 5 / 24 * (14.5 / 60);
    assert.equal(Number(Number(first.value).toFixed(6)), Number((10 - before).toFixed(6)));
    assert.equal(Number(Number(last.value).toFixed(6)), Number((15 - before).toFixed(6)));
    assert.equal(grown.toFixed(4), (5 / (10 - before) * 100).toFixed(4));
    assert.match(text, /last 14\.95: \+5 \(\+50\.3%\), rising 0\.208 an hour/);
    assert.ok(utf8Length(text) < 2_000, `${utf8Length(text)} bytes`);
  },
});
