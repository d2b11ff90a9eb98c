import assert from "@std/assert";
import { MetricCatalogue } from "../../src/prometheus/metric_catalogue.ts";
import { queryMetrics } from "../../src/prometheus/query_metrics.ts";
import { OpenMetrics } from "../support/openmetrics.ts";
import {
  prometheusAvailable,
  prometheusMajor,
  sharedPrometheus,
  startPrometheus,
} from "../support/prometheus.ts";
import { FakePrometheus, success } from "../support/fake_prometheus.ts";
import { apiOf } from "../support/prometheus_api.ts";
import { SampleService } from "../support/sample_service.ts";
import { permitted } from "../support/permitted.ts";
import { rejection } from "../support/rejection.ts";
import { callTool } from "../support/tools.ts";

Deno.test({
  name: "query_metrics",
  ignore: !prometheusAvailable,
  async fn(context) {
    const server = await sharedPrometheus();
    using client = apiOf(server.url);
    const tool = queryMetrics(client.api, new MetricCatalogue(client.api, 60));
    const at = String(server.now);
    const ask = (query: string, more: Record<string, unknown> = {}) =>
      callTool(tool, { query, time: at, ...more });
    const refused = (query: string) => rejection(ask(query));

    await context.step("gives values by series, highest first, what they share said once", async () => {
      const { text, structured } = await ask('http_requests_total{job="checkout"}');
      // 2 h at 4, 0.75 and 0.25 a second.
      assert.deepEqual(structured.series.map(({ value }: { value: string }) => value), [
        "28800",
        "28800",
        "5400",
        "5400",
        "1800",
        "1800",
      ]);
      assert.equal(structured.total, 6);
      assert.equal(structured.hints, undefined);
      assert.deepEqual(structured.common_labels, { __name__: "http_requests_total", job: "checkout" });
      assert.deepEqual(structured.series[2].labels, {
        instance: structured.series[2].labels.instance,
        method: "POST",
        status: "500",
      });
      assert.equal(text.split('job="checkout"').length, 2);
      assert.match(text, /^6 series at .*Z\nall: http_requests_total\{job="checkout"\}\n/);
      assert.match(text, /5400 \| POST +\| 500 +\| 10\.0\.0\.1:8080|5400 \| 10\.0\.0\.1:8080 \| POST/);
    });

    await context.step("up is lowest first, as 0 is what matters, and has no warning", async () => {
      const { text, structured } = await ask("up", { limit: 2 });
      assert.equal(structured.series[0].labels.job, "broken");
      assert.equal(structured.series[0].value, "0");
      assert.deepEqual(Object.keys(structured), [
        "time",
        "type",
        "total",
        "notes",
        "narrower",
        "common_labels",
        "series",
      ]);
      assert.match(text, /\[Cut: 2 of 6 series shown\. For a result that fits: topk\(2, up\)/);
      assert.deepEqual(structured.notes, [
        "Cut: 2 of 6 series shown. For a result that fits: the queries of narrower",
      ]);
    });

    await context.step("keeps the order that the query asks for", async () => {
      const { structured } = await ask("sort(sum by (status) (http_requests_total))");
      const values = structured.series.map(({ value }: { value: string }) => Number(value));
      assert.deepEqual(values, values.toSorted((a: number, b: number) => a - b));
    });

    await context.step("the queries that it offers in place of a cut one work", async () => {
      const { structured } = await ask("rate(http_requests_total[5m])", { limit: 3 });
      assert.equal(structured.narrower.length, 2);
      for (const query of structured.narrower) {
        const narrower = await ask(query);
        assert.ok(narrower.structured.total <= 3 + 5, query);
        assert.ok(narrower.structured.total > 0, query);
      }
    });

    await context.step("scalars, strings, ranges, NaN and infinities keep their text", async () => {
      assert.match((await ask("1/0")).text, /^\+Inf\nscalar at /);
      assert.match((await ask("NaN")).text, /^NaN\n/);
      assert.match((await ask('"a\\tb"')).text, /^a\\tb\nstring at /);
      const { structured, text } = await ask('queue_length{job="batch"}[1m]');
      assert.equal(structured.type, "matrix");
      assert.equal(structured.series[0].sample_count, prometheusMajor < 3 ? 5 : 4);
      assert.equal(structured.common_labels, undefined, "one series has labels of its own alone");
      const [{ seconds, values }] = structured.series;
      assert.equal(values.at(-1), "220");
      assert.deepEqual(seconds, values.map((_: string, index: number) => 15 * index));
      assert.match(text, /[45] samples, from .* 219\.25, \+\d+s 219\.5, \+\d+s 219\.75, \+(45|60)s 220/);
      const { structured: nan } = await ask("queue_length * NaN or up");
      assert.equal(nan.series.at(-1).value, "NaN");
    });

    await context.step({
      name: "native histograms are shown by count, sum and mean",
      ignore: prometheusMajor < 3,
      async fn() {
        const { structured, text } = await callTool(tool, {
          query: "prometheus_http_request_duration_seconds",
        });
        const [{ histogram }] = structured.series;
        assert.ok(Number(histogram.count) > 0 && Number(histogram.sum) > 0);
        const mean = Number(histogram.sum) / Number(histogram.count);
        assert.ok(Math.abs(histogram.mean - mean) < 1e-5 * mean, JSON.stringify(histogram));
        assert.ok(
          text.includes(`count ${histogram.count}, sum ${histogram.sum}, mean ${histogram.mean}`),
          text,
        );
      },
    });

    await context.step("units come from names and metadata", async () => {
      const memory = await callTool(tool, { query: "process_resident_memory_bytes" });
      assert.equal(memory.structured.unit, "bytes");
      assert.match(memory.text, /\} \d+(?:e\+\d+)? \(\d+ MB\)/);
      const age = await callTool(tool, { query: "time() - process_start_time_seconds" });
      assert.equal(age.structured.unit, "seconds");
      assert.ok(age.text.includes(` (${age.structured.series[0].is})`), "the value as people read it");
    });

    await context.step(
      "a mistake is a warning beside the answer, and Prometheus's own words stay",
      async () => {
        const { structured, text } = await ask("rate(queue_length[5m])");
        assert.equal(structured.total, 1);
        assert.equal(structured.infos.length, 1);
        assert.match(
          structured.infos[0],
          /^PromQL info: metric might not be a counter, name does not end in/,
        );
        assert.ok(text.includes(`Prometheus notes: ${structured.infos[0]}`));
        const gauge = await callTool(tool, { query: "rate(go_goroutines[1m])" });
        assert.match(gauge.structured.hints[0], /^go_goroutines is a gauge: rate\(\)/);
        assert.match(gauge.text, /^Warning: go_goroutines is a gauge/m);
      },
    );

    const errors: readonly (readonly [query: string, message: RegExp, hint: RegExp])[] = [
      ["foo bar", /bad_data: .*1:5: parse error: unexpected identifier "bar"$/, /^look at ▸ in: foo ▸bar$/],
      ["sum(\n  rate(x[5m]) oops)", /2:15: parse error/, /sum\(\\n {2}rate\(x\[5m\]\) ▸oops\)/],
      ['{a="é😀"} oops', /1:14: parse error/, /\} ▸oops$/],
      ["rate(http_requests_total)", /expected type range vector/, /rate\(http_requests_total\[5m\]\)/],
      ["sum(up[5m])", /got range vector|expected type instant vector/, /sum\(rate\(x\[5m\]\)\)/],
      ["raate(up[5m])", /unknown function with name "raate"/, /did you mean rate\?/],
      ["up{job=api}", /parse error/, /label values are quoted/],
      ['up{job=="api"}', /parse error/, /a single equals sign/],
      ["rate(x_total[$__rate_interval])", /parse error/, /\$__rate_interval, are not PromQL/],
      ['up{job=~"*api*"}', /missing argument to repetition operator/, /write \.\* for a shell's \*/],
      ["{}", /at least one non-empty matcher/, /name the metric/],
      ["up * on (job) http_requests_total", /duplicate series|many-to-many/, /group_left or group_right/],
    ];
    for (const [query, message, hint] of errors) {
      await context.step(`an error has its place and what to write: ${query}`, async () => {
        const error = await refused(query);
        assert.match(error.message, message);
        assert.match(error.hint ?? "", hint);
      });
    }

    await context.step("a time that could mean anything is refused before anything is asked", async () => {
      await assert.rejects(ask("up", { time: "yesterday" }), /Cannot read time "yesterday"/);
    });

    await context.step("keeps to a small budget, and says what was cut", async () => {
      const { text, structured } = await callTool(tool, { query: '{__name__=~"go_.+"}', limit: 500 }, 2_048);
      assert.ok(structured.series.length > 3 && structured.series.length < structured.total);
      assert.match(text, new RegExp(`\\[Cut: ${structured.series.length} of ${structured.total} series`));
      const long = `go_goroutines{job=~"${"é|".repeat(4_000)}"}`;
      for (const query of [long, `${long} or up`, `up == bool ${"1 + ".repeat(2_000)}1`]) {
        await callTool(tool, { query }, 2_048);
      }
    });
  },
});

Deno.test({
  name: "query_metrics on more series than it fetches: the highest of all, and their exact number",
  ignore: !prometheusAvailable,
  async fn() {
    const now = Math.floor(Date.now() / 1000);
    const series = new OpenMetrics();
    const total = 3_000;
    for (let index = 0; index < total; index++) {
      const span = { from: now - 60, to: now - 60, step: 15 };
      series.gauge(
        "many",
        { instance: `i${String(index).padStart(4, "0")}`, zone: `z${index % 3}` },
        span,
        index,
      );
    }
    await using server = await startPrometheus({ backfill: series.lines });
    using client = apiOf(server.url);
    const tool = queryMetrics(client.api, new MetricCatalogue(client.api, 0));
    const { text, structured } = await callTool(tool, {
      query: "many # a comment",
      time: String(now),
      limit: 3,
    });
    assert.equal(structured.total, total);
    assert.deepEqual(structured.series.map(({ value }: { value: string }) => value), [
      "2999",
      "2998",
      "2997",
    ]);
    assert.equal(structured.warnings, undefined);
    assert.match(text, /\[Cut: 3 of 3,000 series shown/);
  },
});

Deno.test({
  name: "query_metrics shows labels safely",
  ignore: !prometheusAvailable,
  async fn() {
    await using service = new SampleService();
    service.set("odd", { a: "x\ny | z", b: "\u202eevil", url: "postgres://bob:hunter2@db/x" }, 1)
      .set("odd", { a: "other", b: "", url: "x".repeat(5_000) }, 2);
    await using server = await startPrometheus({ scrape: [{ job_name: "odd", targets: [service.address] }] });
    using client = apiOf(server.url);
    const tool = queryMetrics(client.api, new MetricCatalogue(client.api, 0));
    await server.untilAnswered("odd");
    const { text, structured } = await callTool(tool, { query: "odd" });
    assert.doesNotMatch(text + JSON.stringify(structured), /hunter2|\u202e/);
    assert.match(text, /x\\ny \| z/);
    assert.match(text, /\\u\{202e\}evil/);
    assert.ok(text.length < 1_500, `${text.length}`);
  },
});

Deno.test({
  name: "query_metrics: a syntax that only the server knows is the server's to judge",
  ignore: !permitted,
  async fn() {
    const result = [{ metric: {}, value: [1_795_305_900, "1"] }];
    await using server = new FakePrometheus({
      play: ({ path }) => path.endsWith("/query") ? success({ resultType: "vector", result }) : undefined,
    });
    using client = apiOf(server.url);
    const tool = queryMetrics(client.api, new MetricCatalogue(client.api, 0));
    const { structured } = await callTool(tool, { query: "brand_new_function(up) default 0" });
    assert.equal(structured.total, 1);
    assert.equal(structured.time, "2026-11-22T00:05:00Z");
  },
});
