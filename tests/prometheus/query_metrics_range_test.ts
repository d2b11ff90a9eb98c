import assert from "@std/assert";
import { encode } from "gpt-tokenizer/encoding/o200k_base";
import { MetricCatalogue } from "../../src/prometheus/metric_catalogue.ts";
import { queryMetricsRange } from "../../src/prometheus/query_metrics_range.ts";
import { utf8Length } from "../../src/common/utf8.ts";
import { utc } from "../../src/prometheus/time.ts";
import { alignedSeconds, OpenMetrics } from "../support/openmetrics.ts";
import {
  prometheusAvailable,
  prometheusMajor,
  sharedPrometheus,
  startPrometheus,
} from "../support/prometheus.ts";
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
      assert.deepEqual([series.first, series.last], [{ value: "160" }, { value: "220" }]);
      assert.deepEqual(series.min, { time: structured.start, value: "160" });
      assert.deepEqual(series.max, { time: structured.end, value: "220" });
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
      assert.equal(series.shape, undefined, "the values have it");
      assert.equal(structured.hints, undefined);
    });

    await context.step("a rate that is known, to the digit, over several series", async () => {
      const { structured, text } = await ask(
        'sum by (status) (rate(http_requests_total{job="checkout"}[5m]))',
      );
      const rates = structured.series.map((
        { labels, constant }: { labels: { status: string }; constant: string },
      ) => [labels.status, constant]);
      assert.deepEqual(rates, [["200", "8"], ["500", "1.5"], ["404", "0.5"]]);
      assert.doesNotMatch(text, /[▁-█]/, "a constant has no shape");
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
      const last = utc(server.now - 3600 + 300);
      assert.ok(
        prometheusMajor < 3 ? structured.series[0].last.time <= last : structured.series[0].last.time < last,
      );
      assert.match(text, /ends at \d/);
      const [constant] =
        (await ask('http_requests_total{job="broken"} * 0 + 7', { duration: "2h" })).structured.series;
      assert.equal(constant.constant, "7");
      assert.ok(constant.last.time <= last, "it ends as early");
    });

    await context.step("step and ends are the caller's, the points still few", async () => {
      const { structured, text } = await ask('up{job="checkout"}', { duration: "1h", step: "15s" });
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
      assert.equal(structured.hints, undefined);
      assert.match(structured.notes[0], /^\[1m\] is shorter than the step: .*; \[2m\] sees all$/);
      assert.match(text, /^Note: \[1m\] is shorter than the step: .*; \[2m\] sees all\.$/m);
    });

    await context.step({
      name: "native histograms are shown by their counts, and say so",
      ignore: prometheusMajor < 3,
      async fn() {
        await server.untilAnswered("prometheus_http_request_duration_seconds");
        const { structured, text } = await callTool(tool, {
          query: "prometheus_http_request_duration_seconds",
          duration: "10s",
          step: "1s",
        });
        const [{ last, constant }] = structured.series;
        assert.ok(Number(last?.value ?? constant) >= 1);
        assert.match(text, /native histograms are shown by their counts/);
      },
    });

    await context.step("infinities and NaN keep their text", async () => {
      const { structured, text } = await ask('queue_length{job="batch"} / 0', { duration: "5m" });
      assert.equal(structured.series[0].first.value, "+Inf");
      assert.equal(structured.series[0].min, undefined);
      assert.match(text, /first \+Inf, last \+Inf: growth unknown/);
      const once = `vector(5) / (time() != bool ${server.now - 300})`;
      const holed = await ask(once, { duration: "10m", step: "1m" });
      assert.equal(holed.structured.series[0].constant, undefined);
      assert.doesNotMatch(holed.text, /constant/);
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
    // Prometheus 3 leaves a window's start out, so that rate() spans 29 minutes; the mean of a line lies in their middle.
    const before = 5 / 24 * ((prometheusMajor < 3 ? 15 : 14.5) / 60);
    assert.ok(Math.abs(Number(first.value) - (10 - before)) < 0.001, first.value);
    assert.ok(Math.abs(Number(last.value) - (15 - before)) < 0.001, last.value);
    assert.equal(grown, Number((5 / (10 - before) * 100).toPrecision(6)));
    assert.match(text, /last 14\.9[45]\d*: \+5 \(\+50\.3%\), rising 0\.208 an hour/);
    assert.ok(utf8Length(text) < 2_000, `${utf8Length(text)} bytes`);
  },
});

Deno.test({
  name: "query_metrics_range: the step is no shorter than scrapes that come every five minutes",
  ignore: !prometheusAvailable,
  async fn() {
    const now = alignedSeconds(Date.now(), 300);
    const series = new OpenMetrics();
    const span = { from: now - 7_200, to: now, step: 300 };
    const labels = { job: "slow", instance: "slow:80" };
    series.gauge("up", labels, span, 1).gauge("depth", labels, span, (time) => (time - now) / 300);
    await using server = await startPrometheus({ backfill: series.lines });
    using client = apiOf(server.url);
    const tool = queryMetricsRange(client.api, new MetricCatalogue(client.api, 0), { maxPoints: 100 });
    const { structured } = await callTool(tool, { query: 'depth{job="slow"}', end: String(now) });
    assert.equal(structured.step_seconds, 300);
    assert.deepEqual(
      structured.series[0].values,
      Array.from({ length: 13 }, (_, index) => String(index - 12)),
    );
  },
});

Deno.test({
  name: "query_metrics_range: of more series than can be fetched, those with the greatest averages",
  ignore: !prometheusAvailable,
  async fn() {
    const many = 2_500;
    const now = alignedSeconds(Date.now(), 60);
    const series = new OpenMetrics();
    const span = { from: now - 600, to: now, step: 60 };
    // Numbers in an order that is not the labels'; the two halves differ in their names alone.
    for (let index = 0; index < many; index++) {
      const labels = { job: "many", id: String(index * 7 % many) };
      series.gauge("one_of_many", labels, span, index).gauge("other_of_many", labels, span, index);
    }
    await using server = await startPrometheus({ backfill: series.lines });
    using client = apiOf(server.url);
    const tool = queryMetricsRange(client.api, new MetricCatalogue(client.api, 0), { maxPoints: 100 });
    const ask = (query: string) =>
      callTool(tool, { query, duration: "10m", end: String(now), step: "1m", limit: 2 });
    const { text, structured } = await ask("one_of_many # all of them");
    assert.deepEqual([structured.total, structured.more, structured.looked_at], [many, undefined, undefined]);
    assert.deepEqual(
      structured.series.map(({ constant }: { constant: string }) => constant),
      [many - 1, many - 2].map(String),
    );
    assert.match(text, /^2,500 series, /);
    assert.match(text, /\[Cut: 2 of 2,500 series shown, by average\. For/);
    assert.equal(structured.warnings, undefined);
    assert.equal(
      structured.notes[0],
      "Cut: 2 of 2,500 series shown, by average. For a result that fits: the queries of narrower",
    );
    assert.ok(text.includes(`For a result that fits: ${structured.narrower.join(" or ")}]`), text);

    const both = await ask('{__name__=~"one_of_many|other_of_many"}');
    assert.equal(both.structured.total, 2 * many);
    assert.equal(both.structured.looked_at, 2_000);
    assert.match(
      both.text,
      /\[Cut: 2 shown, by average among the 2,000 that Prometheus gave of 5,000 series: others may be greater\./,
    );
  },
});

for (const jobs of [1, 2, 3, 4, 12]) {
  Deno.test({
    name:
      `query_metrics_range: an answer as it comes by default costs less than 2,000 tokens: ${jobs} series`,
    ignore: !prometheusAvailable,
    async fn() {
      const now = alignedSeconds(Date.now(), 900);
      const series = new OpenMetrics();
      const span = { from: now - day, to: now, step: 900 };
      for (let job = 0; job < jobs; job++) {
        const wave = (time: number) => 10 + 3.7 * job + 2.3456789 * Math.sin(time / 6_300 + job);
        series.gauge("depth", { job: `service-${job}`, namespace: "production" }, span, wave);
      }
      await using server = await startPrometheus({ backfill: series.lines });
      using client = apiOf(server.url);
      const tool = queryMetricsRange(client.api, new MetricCatalogue(client.api, 0), { maxPoints: 100 });
      const { text, structured } = await callTool(tool, { query: "depth", duration: "1d", end: String(now) });
      assert.equal(structured.total, jobs);
      assert.equal(structured.series[0].values !== undefined, jobs <= 3);
      assert.equal(structured.series[0].shape?.length, jobs <= 3 ? undefined : 24);
      const [asText, asJson] = [encode(text).length, encode(JSON.stringify(structured)).length];
      assert.ok(asText < 2_000 && asJson < 2_000, `${asText} as text, ${asJson} as JSON`);
    },
  });
}
