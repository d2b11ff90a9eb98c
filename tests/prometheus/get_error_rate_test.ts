import assert from "@std/assert";
import { getErrorRate } from "../../src/prometheus/get_error_rate.ts";
import { alignedSeconds, OpenMetrics } from "../support/openmetrics.ts";
import { prometheusAvailable, prometheusMajor, startPrometheus } from "../support/prometheus.ts";
import { injections, servicePrometheus } from "../support/service_prometheus.ts";
import { askAbout, assertFigure, wordsOf } from "../support/service_tools.ts";

const ask = (args: Readonly<Record<string, unknown>>, budget?: number) =>
  askAbout((api, now) => getErrorRate(api, now), args, budget === undefined ? {} : { budget });

interface Known {
  readonly service: string;
  readonly ratio: number;
  readonly perSecond: number;
  readonly metric: string;
  readonly label: string;
  readonly foundBy: string;
}

const known: readonly Known[] = [
  {
    service: "shop",
    ratio: 0.2,
    perSecond: 10,
    metric: "http_requests_total",
    label: "status",
    foundBy: 'job="shop"',
  },
  {
    service: "steady",
    ratio: 0.001,
    perSecond: 10,
    metric: "http_requests_total",
    label: "code",
    foundBy: 'job="steady"',
  },
  {
    service: "spring",
    ratio: 0.1,
    perSecond: 10,
    metric: "http_server_requests_seconds_count",
    label: "status",
    foundBy: 'job="spring"',
  },
  {
    service: "otel",
    ratio: 0.25,
    perSecond: 4,
    metric: "http_server_request_duration_seconds_count",
    label: "http_response_status_code",
    foundBy: 'job="otel"',
  },
  {
    service: "grpc",
    ratio: 0.05,
    perSecond: 20,
    metric: "grpc_server_handled_total",
    label: "grpc_code",
    foundBy: 'job="grpc"',
  },
  {
    service: "mesh",
    ratio: 0.2,
    perSecond: 5,
    metric: "istio_requests_total",
    label: "response_code",
    foundBy: 'destination_service_name="mesh"',
  },
  {
    service: "linkerd",
    ratio: 0.5,
    perSecond: 2,
    metric: "response_total",
    label: "classification",
    foundBy: 'deployment="linkerd"',
  },
  {
    service: "words",
    ratio: 0.25,
    perSecond: 4,
    metric: "http_requests_total",
    label: "status",
    foundBy: 'job="words"',
  },
  {
    service: "utf8",
    ratio: 0.1,
    perSecond: 10,
    metric: "http.server.request.duration_seconds_count",
    label: "http.response.status_code",
    foundBy: 'service_name="utf8"',
  },
  {
    service: "prefixed",
    ratio: 1,
    perSecond: 1,
    metric: "http_requests_total",
    label: "status",
    foundBy: 'job=~".+/prefixed"',
  },
  {
    service: "service=dual",
    ratio: 0.5,
    perSecond: 4,
    metric: "http_requests_total",
    label: "status",
    foundBy: 'service="dual"',
  },
  {
    service: 'job="other", service=dual,status=500',
    ratio: 1,
    perSecond: 2,
    metric: "http_requests_total",
    label: "status",
    foundBy: 'job="other",service="dual",status="500"',
  },
];

for (const { service, ratio, perSecond, metric, label, foundBy } of known) {
  Deno.test({
    name: `the figures of ${service} are those it was made with`,
    ignore: !prometheusAvailable || (service === "utf8" && prometheusMajor < 3),
    async fn() {
      const { structured } = await ask({ service });
      assertFigure(structured.error_ratio, ratio);
      assertFigure(structured.requests_per_second, perSecond);
      assertFigure(structured.errors_per_second, ratio * perSecond);
      assert.deepEqual([structured.metric, structured.code_label, structured.found_by], [
        metric,
        label,
        foundBy,
      ]);
      const server = await servicePrometheus();
      assertFigure(await server.value(structured.query, server.now), ratio);
    },
  });
}

Deno.test({
  name: "words in a label outcome or result tell errors where there is no status",
  ignore: !prometheusAvailable,
  async fn() {
    const now = alignedSeconds(Date.now(), 15);
    const span = { from: now - 3_600, to: now + 1_200, step: 15 };
    const series = new OpenMetrics();
    const labels = ["outcome", "result"];
    for (const label of labels) {
      series.counter("http_requests_total", { job: label, [label]: "success" }, span, 9)
        .counter("http_requests_total", { job: label, [label]: "error" }, span, 1);
    }
    await using server = await startPrometheus({ backfill: series.lines });
    const make: Parameters<typeof askAbout>[0] = (api, now) => getErrorRate(api, now);
    for (const service of labels) {
      const { structured } = await askAbout(make, { service }, { url: server.url });
      assertFigure(structured.error_ratio, 0.1);
      assert.equal(structured.code_label, service);
    }
  },
});

Deno.test({
  name: "the answer in words, by code and by where the errors come from",
  ignore: !prometheusAvailable,
  async fn() {
    const { text, structured } = await ask({ service: "shop", window: "10m" });
    assert.equal(structured.more_may_fail, undefined);
    const lines = text.split("\n");
    assert.equal(lines[0], "shop: 20% of requests fail (by status)");
    assert.match(lines[1] ?? "", /^2 of 10 requests\/s; about 1,200 of 6,000 in 10m until /);
    assert.equal(lines[2], "by status: 200 8/s 80%, 503 1.5/s 15% (error), 500 0.5/s 5% (error)");
    assert.equal(
      lines[3],
      "errors from: handler=/pay instance=shop:80 1.5/s; handler=/cart instance=shop:80 0.5/s",
    );
    assert.match(
      text,
      /passed over: http_request_duration_seconds_count \(none of its labels holds a status/,
    );
    assert.deepEqual(
      structured.by_code.map(({ code, count }: { code: string; count: number }) => [code, count]),
      [
        ["200", 4_800],
        ["503", 900],
        ["500", 300],
      ],
    );
    assert.ok(text.length < 1_500);
  },
});

Deno.test({
  name: "no error is 0, no traffic is no data, and neither is the other",
  ignore: !prometheusAvailable,
  async fn() {
    const none = await ask({ service: "sparse" });
    assert.equal(none.structured.error_ratio, 0);
    assert.match(none.text, /^sparse: 0%: no request fails/);
    const idle = await ask({ service: "idle" });
    assert.equal(idle.structured.error_ratio, null);
    assert.equal(idle.structured.notes[0], "no data: no request in the last 5m, which is not 0% errors");
    assert.match(idle.text, /^idle: no data: no request in the last 5m, which is not 0% errors/);
    const opaque = await ask({ service: "opaque" });
    assert.equal(opaque.structured.error_ratio, null);
    assert.match(
      opaque.structured.notes[0],
      /^no data on errors: nothing that counts .*\. find_metrics shows/,
    );
    const { requests_per_second: requests, by_code: codes } = opaque.structured;
    assert.deepEqual([requests, codes], [undefined, undefined], "nothing is made up");
    assert.match(opaque.text, /^opaque: no data on errors/);
    assert.match(opaque.text, /passed over: http_requests_total \(none of its labels holds a status/);
    assert.match((await ask({ service: "pods" })).text, /^pods: no data on errors/);
  },
});

Deno.test({
  name: "the window holds at least four scrapes",
  ignore: !prometheusAvailable,
  async fn() {
    const { text, structured } = await ask({ service: "sparse", window: "1m" });
    assert.equal(structured.window, "4m");
    assert.match(text, /note: window 1m holds fewer than four scrapes, which come every 1m: 4m is used/);
    assertFigure(structured.requests_per_second, 1);
    // Without an up of its own.
    assert.equal((await ask({ service: "words", window: "15s" })).structured.window, "1m");
  },
});

Deno.test({
  name: "errors that a series begins with are told, though no rate sees them",
  ignore: !prometheusAvailable,
  async fn() {
    const { text, structured } = await ask({ service: "born" });
    assert.equal(structured.errors_per_second, 0);
    assert.equal(structured.more_may_fail, true);
    assert.match(structured.notes[0], /^series of errors that began within 5m hold 7 errors/);
    const keys = Object.keys(structured);
    assert.deepEqual(keys.slice(0, 4), ["service", "error_ratio", "more_may_fail", "notes"]);
    assert.deepEqual(keys.slice(-2), ["found_by", "query"]);
    assert.match(
      text,
      /note: series of errors that began within 5m hold 7 errors, of which the rate sees about 0/,
    );
    assert.doesNotMatch((await ask({ service: "shop" })).text, /began within/);
  },
});

Deno.test({
  name: "a counter that starts again is no negative rate",
  ignore: !prometheusAvailable,
  async fn() {
    const { structured } = await ask({ service: "reset" });
    assertFigure(structured.error_ratio, 0.25);
    // 19 intervals of 15 s are seen, one of them with the restart, in which nothing is known to have grown; a 2 sees 20.
    const intervals = prometheusMajor < 3 ? 20 : 19;
    assertFigure(structured.requests_per_second, 4 * (intervals - 1) / intervals);
  },
});

Deno.test({
  name: "burn rates by several windows",
  ignore: !prometheusAvailable,
  async fn() {
    const { text, structured } = await ask({ service: "shop", objective: 99 });
    const { verdict, windows } = structured.burn_rate;
    assert.equal(verdict, "page");
    assert.deepEqual(
      windows.map(({ long, short, threshold }: Record<string, unknown>) => [long, short, threshold]),
      [
        ["1h", "5m", 14.4],
        ["6h", "30m", 6],
        ["1d", "2h", 3],
        ["3d", "6h", 1],
      ],
    );
    const [first, second, third] = windows;
    assertFigure(first.long_burn, 20);
    assertFigure(first.short_burn, 20);
    assert.equal(first.burns, true);
    // 2 h of 20% of 10/s after 4 h of 1% of 5/s, on a budget of 1%.
    const expected = (2 * 2 + 4 * 0.05) / (2 * 10 + 4 * 5) / 0.01;
    assert.ok(Math.abs(second.long_burn - expected) < 0.05, `${second.long_burn} is not ${expected}`);
    assert.equal(third.covered, undefined);
    assert.equal(windows[3].covered, false);
    assert.deepEqual([structured.errors, structured.requests], [600, 3000], "as the text has them");
    assert.match(text, /error budget of 99%: burns fast enough to page somebody/);

    const calm = (await ask({ service: "steady", objective: 0.999 })).structured.burn_rate;
    assert.equal(calm.verdict, "ok");
    assert.equal(calm.objective_percent, 99.9);
    const strict = (await ask({ service: "steady", objective: 99.99999 })).structured.burn_rate;
    assert.equal(strict.objective_percent, 99.99999);
    assertFigure(calm.windows[0].long_burn, 1);
    assert.equal((await ask({ service: "idle", objective: 99.9 })).structured.burn_rate.verdict, "no data");
    await assert.rejects(ask({ service: "shop", objective: 5 }), /Cannot take 5 as an objective/);
  },
});

Deno.test({
  name: "two things of one name: which was taken, and how to choose",
  ignore: !prometheusAvailable,
  async fn() {
    const { text, structured } = await ask({ service: "dual" });
    assert.equal(structured.found_by, 'job="dual"');
    assert.deepEqual(structured.also_found_by, ['service="dual"']);
    assert.match(text, /note: ambiguous: service="dual" \(2 series\) is something else of that name/);
  },
});

Deno.test({
  name: "a service that nobody knows is not found, with the nearest names",
  ignore: !prometheusAvailable,
  async fn() {
    const failed = (service: string) => wordsOf(ask({ service }));
    assert.match(
      await failed("sprnig"),
      /^not_found: Cannot find a service named "sprnig".*did you mean spring \(job\)\?/,
    );
    assert.match(await failed("mehs"), /did you mean mesh \(destination_service_name\)\?/);
    for (const [what, name] of injections) {
      assert.match(await failed(name), /^not_found: /, what);
    }
  },
});

Deno.test({
  name: "small budgets are kept",
  ignore: !prometheusAvailable,
  async fn() {
    const { text, structured } = await ask({ service: "shop", objective: 99 }, 2_048);
    assert.match(text, /^shop: 20%/);
    assert.equal(structured.notes, undefined);
    const whole = await ask({ service: "shop" });
    const small = await ask({ service: "shop" }, JSON.stringify(whole.structured).length - 1);
    const { by_code: codes = [], code_count: all, notes } = small.structured;
    assert.ok(codes.length < all, small.text);
    assert.equal(notes[0], `Cut: the first ${codes.length} of ${all} codes shown`);
  },
});
