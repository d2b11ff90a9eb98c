import assert from "@std/assert";
import { explainEmpty } from "../../src/prometheus/empty_result.ts";
import { MetricCatalogue } from "../../src/prometheus/metric_catalogue.ts";
import { loadPromql, readPromql } from "../../src/prometheus/promql.ts";
import { utc } from "../../src/prometheus/time.ts";
import { FakePrometheus, faults } from "../support/fake_prometheus.ts";
import { permitted } from "../support/permitted.ts";
import { OpenMetrics } from "../support/openmetrics.ts";
import { prometheusAvailable, sharedPrometheus, startPrometheus } from "../support/prometheus.ts";
import { apiOf } from "../support/prometheus_api.ts";

const signal = new AbortController().signal;

Deno.test({
  name: "an empty result is explained",
  ignore: !prometheusAvailable,
  async fn(context) {
    await loadPromql();
    const server = await sharedPrometheus();
    using client = apiOf(server.url);
    const catalogue = new MetricCatalogue(client.api, 0);
    const { now } = server;
    const explain = async (query: string, time = now) =>
      (await explainEmpty(readPromql(query), time, { api: client.api, catalogue, options: { signal }, now }))
        .join("\n");

    const cases: readonly (readonly [query: string, explanation: RegExp])[] = [
      ["http_requests_totl", /^There is no metric http_requests_totl\.\nNearest names: http_requests_total/],
      ["zzzz_qqqq", /^There is no metric zzzz_qqqq\.\nNo metric has a name like it; find_metrics/],
      [
        'http_requests_total{job="checkoutt"}',
        /^http_requests_total has 8 series, but none with job="checkoutt"\.\nValues of job: broken, catalog, checkout\.$/,
      ],
      [
        'http_requests_total{job="checkout",status="503"}',
        /none with status="503"; without that condition 6 series match\.\nValues of status: 200, 404, 500\./,
      ],
      [
        'http_requests_total{jobb="checkout"}',
        /There is no label jobb there; its labels are code, instance, job, method/,
      ],
      ['http_requests_total{job="catalog",status="200"}', /has 8 series, but none with (?:job|status)=/],
      ['http_requests_total{status="5.."}', /status="5\.\." compares literally; a pattern needs =~\.$/],
      [
        'sum(rate(http_requests_total{job="broken"}[5m]))',
        /none with job="broken".*\n.*\nSuch series had samples in the 30 days before\.$/,
      ],
      [
        "queue_length > 1e6",
        /^queue_length matches 1 series at .*\nThe values are 220, not > 1000000\.$/,
      ],
      ["absent(queue_length)", /absent\(\) is empty as there are such series/],
      ["rate(queue_length[10s])", /rate\(\) needs two samples within its range of 10s/],
      [
        "sum by (job) (queue_length) / sum(queue_length)",
        /The left side of \/ has 1 series, the right side 1, but none has the labels/,
      ],
      ["sum(rate(http_requests_total[10s])) > 5", /\nrate\(\) needs two samples within its range of 10s/],
      [
        "rate(queue_length[10s]) / queue_length",
        /\nThe left side of \/ has no result\. rate\(\) needs two samples/,
      ],
      ["http_requests_total < 0 # a comment", /None of 8 values is < 0: they lie between 0 and 144000\./],
      ["10 < up", /None of 6 values is > 10: they lie between 0 and 1\./],
      ["up unless up", /Every series on the left side of unless has a match on the right side/],
      ["scalar(queue_length) > bool 5 > 1000", /./],
      ["queue_length + on (job) nope", /There is no metric nope/],
      ['{job="nobody"}', /^None with job="nobody"\.\nValues of job: /],
      ["vector(1) > 2", /^The values are 1, not > 2\.$/],
      [
        "queue_length offset 40d",
        /^queue_length has samples now, but none at .* or in the 30 days before\.$/,
      ],
    ];
    for (const [query, expected] of cases) {
      await context.step(query, async () => assert.match(await explain(query), expected));
    }

    await context.step("in the gap, with the time it was last seen", async () => {
      const inGap = now - 1200 - 15;
      assert.equal(
        await explain("queue_length", inGap),
        `queue_length has no samples at ${utc(inGap)}; it was last seen at ${
          utc(now - 1815)
        }, 10 min before.`,
      );
    });

    await context.step("a time in the future", async () => {
      assert.equal(await explain("up", now + 7200), `That time is in the future: it is ${utc(now)} now.`);
    });

    await context.step("values of the caller stay values in the probes", async () => {
      const odd = 'x"} or vector(1) #\n\\`\0';
      const query = `http_requests_total{job=${JSON.stringify(odd).replace("\\u0000", "\\x00")}}`;
      assert.match(
        await explain(query),
        /^http_requests_total has 8 series, but none with job="x\\"\} or vector\(1\)/,
      );
    });
  },
});

Deno.test({
  name: "an explanation takes at most four probes, and none that fails matters",
  ignore: !permitted,
  async fn() {
    await loadPromql();
    await using server = new FakePrometheus();
    using client = apiOf(server.url);
    const catalogue = new MetricCatalogue(client.api, 0);
    const now = Date.now() / 1000;
    const explain = (query: string) =>
      explainEmpty(readPromql(query), now, { api: client.api, catalogue, options: { signal }, now });
    for (
      const query of [
        "a",
        'a{b="c"}',
        'a{b="c",d="e",f="g",h="i",j="k",l="m",n="o",p="q"}',
        "a + b + c + d + e + f",
        '{a="b"} / {c="d"}',
        "sum(rate(a[5m])) / sum(rate(b[5m]))",
        "abcdefghijklmnopqrstuvwxyz".split("").map((name) => `${name}{b="c",d="e"}`).join(" + "),
      ]
    ) {
      server.requests.length = 0;
      assert.ok((await explain(query)).length > 0, query);
      assert.ok(server.requests.length <= 4, `${query}: ${server.requests.length} requests`);
      const branches = server.requests.map(({ parameters }) =>
        (parameters.get("query") ?? "").split("label_replace(").length - 1
      );
      assert.ok(Math.max(...branches) <= 3 * 8, `${query}: ${branches} branches`);
    }
    for (const fault of [faults.unavailable, faults.html, faults.badData, faults.notFound]) {
      server.play = fault;
      assert.deepEqual(await explain('a{b="c"}'), []);
    }
  },
});

Deno.test({
  name: "one of very many series is named with the time it was last seen",
  ignore: !prometheusAvailable,
  async fn() {
    await loadPromql();
    const now = Math.floor(Date.now() / 1000);
    const past = { from: now - 7200, to: now - 7200, step: 15 };
    const series = new OpenMetrics();
    for (let index = 100; index < 300; index++) series.gauge("gone", { instance: `i${index}` }, past, 1);
    await using server = await startPrometheus({ backfill: series.lines });
    using client = apiOf(server.url);
    const catalogue = new MetricCatalogue(client.api, 0);
    const [sentence] = await explainEmpty(readPromql("gone"), now, {
      api: client.api,
      catalogue,
      options: { signal },
      now,
    });
    assert.match(
      sentence ?? "",
      /^gone\{instance="i\d+"\} has no samples at that time; it was last seen at .*, 2 h before\.$/,
    );
  },
});
