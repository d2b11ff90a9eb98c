import assert from "@std/assert";
import { getLatency } from "../../src/prometheus/get_latency.ts";
import { prometheusAvailable, prometheusMajor } from "../support/prometheus.ts";
import { injections, servicePrometheus } from "../support/service_prometheus.ts";
import { askAbout, assertFigure, wordsOf } from "../support/service_tools.ts";

const ask = (args: Readonly<Record<string, unknown>>, budget?: number) =>
  askAbout((api, now) => getLatency(api, now), args, budget === undefined ? {} : { budget });

Deno.test({
  name: "quantiles of a classic histogram, with their buckets and the day before",
  ignore: !prometheusAvailable,
  async fn() {
    const { text, structured } = await ask({ service: "shop", quantiles: [0.95, 50] });
    assert.equal(structured.form, "classic histogram");
    const [p50, p95] = structured.quantiles;
    // Half of the requests are spread evenly from 0 to 0.1 s, the others from 0.1 to 1 s; all below 0.1 s the day before.
    assertFigure(p50.value, 0.1);
    assertFigure(p95.value, 0.1 + 0.9 * 0.9);
    assert.deepEqual([p95.bucket_lower, p95.bucket_upper, p95.text], [0.1, 1, undefined]);
    assertFigure(p50.day_before, 0.05);
    assertFigure(p95.day_before, 0.095);
    assertFigure(structured.mean, 0.3);
    assertFigure(structured.observations_per_second, 10);
    const server = await servicePrometheus();
    assertFigure(await server.value(structured.query, server.now), p95.value);
    assert.match(text, /^p95: 910 ms \(bucket 100 ms to 1 s\); a day before 95 ms$/m);
    assert.match(text, /^mean: 300 ms$/m);
  },
});

Deno.test({
  name: "quantiles over all routes are not those of one, and the slowest are named",
  ignore: !prometheusAvailable,
  async fn() {
    const { text, structured } = await ask({ service: "otel", quantiles: [0.5] });
    assertFigure(structured.quantiles[0].value, 0.15);
    assert.equal(structured.metric, "http_server_request_duration_seconds");
    assert.deepEqual([structured.slowest_quantile, structured.slowest.length], [0.5, 2]);
    const given = (await ask({ service: "otel", quantiles: [0.99999999] })).structured;
    assert.deepEqual([given.quantiles[0].quantile, given.slowest_quantile], [0.99999999, 0.99999999]);
    assert.match(text, /^slowest by p50: (http_route=\/\d+ instance=otel:80 150 ms(; )?){2}$/m);
  },
});

Deno.test({
  name: "a quantile in the last bucket has no value, only a bound",
  ignore: !prometheusAvailable,
  async fn() {
    const { text, structured } = await ask({ service: "tail", quantiles: [0.5, 0.95] });
    const [p50, p95] = structured.quantiles;
    assertFigure(p50.value, 0.5 * 10 / 9 * 0.1);
    assert.deepEqual(p95, {
      quantile: 0.95,
      value: null,
      text: "above 100 ms: in the last bucket, which has no end",
      bucket_lower: 0.1,
    });
    assert.match(text, /^p95: above 100 ms: in the last bucket, which has no end$/m);
  },
});

Deno.test({
  name: "native histograms come first, on a real one",
  ignore: !prometheusAvailable || prometheusMajor < 3,
  async fn() {
    const server = await servicePrometheus();
    // It is asked about twice: at a time whose samples are all there.
    const query = "sum(histogram_count(rate(prometheus_http_request_duration_seconds[1m] offset 7s))) > 0";
    await server.untilAnswered(query);
    const { getLatency } = await import("../../src/prometheus/get_latency.ts");
    const { openApi } = await import("../support/service_tools.ts");
    const { callTool } = await import("../support/tools.ts");
    const api = openApi(server.url);
    try {
      const time = Math.floor(Date.now() / 1000) * 1000 - 5_000;
      const answer = await callTool(getLatency(api, () => time), {
        service: "prometheus",
        window: "1m",
        quantiles: [0.9],
      });
      const { structured, text } = answer;
      assert.equal(structured.form, "native histogram");
      assert.equal(structured.metric, "prometheus_http_request_duration_seconds");
      const [p90] = structured.quantiles;
      const expected =
        'histogram_quantile(0.9, sum(rate(prometheus_http_request_duration_seconds{job="prometheus"}[1m])))';
      assert.equal(structured.query, expected);
      assertFigure(p90.value, await server.value(expected, time / 1000));
      assert.ok(p90.bucket_lower <= p90.value && p90.value <= p90.bucket_upper, JSON.stringify(p90));
      assert.match(text, /measured by prometheus_http_request_duration_seconds \(native histogram\)/);
    } finally {
      api.close();
    }
  },
});

Deno.test({
  name: "summaries are never averaged: the range among the instances, and so said",
  ignore: !prometheusAvailable,
  async fn() {
    const { text, structured } = await ask({ service: "digest" });
    assert.equal(structured.form, "summary");
    assert.deepEqual(
      structured.quantiles,
      [{ quantile: 0.95, value: 0.9, text: "200 ms to 900 ms, by instance" }],
    );
    assert.match(text, /^p95: 200 ms to 900 ms, by instance$/m);
    assert.match(text, /note: a summary: .*can't be combined/);
    assert.match(text, /note: the summary has no quantile 0\.5, 0\.99/);
    assertFigure(structured.mean, 0.25);
  },
});

Deno.test({
  name: "nothing that measures, and nothing measured",
  ignore: !prometheusAvailable,
  async fn() {
    for (const service of ["steady", "pods"]) {
      const { text, structured } = await ask({ service });
      const why =
        "no data on latency: nothing that measures its requests was found. find_metrics shows what it has.";
      assert.ok(text.startsWith(`${service}: ${why}\n`), text);
      assert.equal(structured.notes[0], why);
      const { metric, quantiles, mean } = structured;
      assert.deepEqual([metric, quantiles, mean], [null, [], undefined]);
    }
  },
});

Deno.test({
  name: "windows and quantiles as people write them, and what can't be read",
  ignore: !prometheusAvailable,
  async fn() {
    const { structured } = await ask({ service: "tail", quantiles: [99.9, 0.999, 50], window: "30s" });
    assert.deepEqual(structured.quantiles.map(({ quantile }: { quantile: number }) => quantile), [
      0.5,
      0.999,
    ]);
    assert.equal(structured.window, "1m");
    assert.match(
      await wordsOf(ask({ service: "tail", quantiles: [5] })),
      /^invalid: Cannot tell which quantile 5 is/,
    );
    assert.match(
      await wordsOf(ask({ service: "tail", window: "soon" })),
      /^invalid: Cannot read window "soon"/,
    );
  },
});

Deno.test({
  name: "a name stays a name",
  ignore: !prometheusAvailable,
  async fn() {
    for (const [what, name] of injections) {
      assert.match(await wordsOf(ask({ service: name })), /^not_found: /, what);
    }
  },
});

Deno.test({
  name: "small budgets are kept",
  ignore: !prometheusAvailable,
  async fn() {
    const quantiles = [0.1, 0.2, 0.3, 0.4, 0.5, 0.9, 0.95, 0.99];
    assert.match((await ask({ service: "otel", quantiles }, 2_048)).text, /^otel: latency/);
  },
});
