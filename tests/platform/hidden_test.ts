/** What the figures of a whole service hide: one route that fails, refusals, a day before that is no measure. */
import assert from "@std/assert";
import { checkServiceHealth } from "../../src/prometheus/check_service_health.ts";
import { metricsReporter } from "../support/metrics_report.ts";
import { alignedSeconds, OpenMetrics, type SeriesLabels, type Span } from "../support/openmetrics.ts";
import { prometheusAvailable, startPrometheus } from "../support/prometheus.ts";
import { openApi } from "../support/service_tools.ts";
import { standingClock } from "../support/standing_clock.ts";
import { callTool } from "../support/tools.ts";

const hour = 3_600;
const counter = "http_requests_total";

interface Search {
  /** Of its buckets, and searches a second before they became slow. */
  readonly bounds: readonly string[];
  readonly usual: number;
  /** They take longer than the last bound. */
  readonly isEndless?: boolean;
}

/** Each is scraped, and what is known of it stands beside it. */
function series(now: number): OpenMetrics {
  const all = new OpenMetrics();
  const span: Span = { from: now - 27 * hour, to: now + 1_200, step: 60 };
  const grow = (labels: SeriesLabels, rate: (time: number) => number, within = span) => {
    let value = 0;
    all.gauge(counter, labels, within, (time, since) => {
      if (since > 0) value += within.step * rate(time);
      return Number(value.toFixed(6));
    });
  };
  const jobs = [
    "shop",
    "late",
    "old",
    "guarded",
    "batch",
    "lost",
    "young",
    "front",
    "inner",
    "deep",
    "once",
    "rarely",
    "removed",
    "fresh",
    "blip",
    "sluggish",
    "slower",
    "quick",
    "seldom",
    "worse",
    "endless",
    "stuck",
    "tokens",
    "lookups",
  ];
  for (const job of jobs) all.gauge("up", { job, instance: `${job}:80` }, span, 1);
  const since = (seconds: number) => (time: number) => time > now - seconds;

  // A route of one request in 200 fails: for 20 minutes, for 4 minutes, and always.
  const begins = { shop: since(1_200), late: since(300), old: since(30 * hour) };
  for (const [job, isBad] of Object.entries(begins)) {
    grow({ job, route: "/", status: "200" }, () => 99.5);
    grow({ job, route: "/checkout", status: "200" }, (time) => isBad(time) ? 0 : 0.5);
    grow({ job, route: "/checkout", status: "500" }, (time) => isBad(time) ? 0.5 : 0);
  }
  // Of 10 requests one is a payment, and fails.
  grow({ job: "mixed", route: "/", status: "200" }, () => 9);
  grow({ job: "mixed", route: "/pay", status: "500" }, (time) => since(1_200)(time) ? 1 : 0);
  grow({ job: "mixed", route: "/pay", status: "200" }, (time) => since(1_200)(time) ? 0 : 1);
  // Of a request in 200 each: a route of which most fail, one a tenth before; one of which less than half do; one of too few.
  grow({ job: "partly", route: "/", status: "200" }, () => 198);
  for (const [route, bad, usual] of [["/most", 0.7, 0.1], ["/some", 0.3, 0]] as const) {
    const failed = (time: number) => since(1_200)(time) ? bad : usual;
    grow({ job: "partly", route, status: "200" }, (time) => 1 - failed(time));
    grow({ job: "partly", route, status: "500" }, failed);
  }
  grow({ job: "partly", route: "/rare", status: "500" }, () => 0.02);
  // 6% fail, and 10% since 20 minutes.
  grow({ job: "worse", status: "200" }, (time) => since(1_200)(time) ? 9 : 9.4);
  grow({ job: "worse", status: "500" }, (time) => since(1_200)(time) ? 1 : 0.6);
  // A request in 100 is a search, as fast as the others until 20 minutes ago, and takes up to the last bucket's bound since.
  const searches = {
    sluggish: { bounds: ["0.1", "1", "5"], usual: 1 },
    slower: { bounds: ["0.1", "0.35"], usual: 1 },
    quick: { bounds: ["0.01", "0.1"], usual: 1 },
    seldom: { bounds: ["0.1", "1", "5"], usual: 0.03 },
    endless: { bounds: ["0.1", "1"], usual: 1, isEndless: true },
    stuck: { bounds: ["0.1", "10"], usual: 300, isEndless: true },
  };
  for (const [job, { bounds, usual, isEndless = false }] of Object.entries<Search>(searches)) {
    for (const route of ["/", "/search"]) {
      const labels = { job, route };
      const isSlow = (time: number) => route === "/search" && since(1_200)(time);
      const rate = (time: number) => route === "/" ? 99 : isSlow(time) ? Math.max(1, usual) : usual;
      for (const le of [...bounds, "+Inf"]) {
        const holdsSlow = (le === bounds.at(-1) && !isEndless) || le === "+Inf";
        let value = 0;
        all.gauge("http_request_duration_seconds_bucket", { ...labels, le }, span, (time) => {
          return value += isSlow(time) && !holdsSlow ? 0 : 60 * rate(time);
        });
      }
      let count = 0;
      all.gauge("http_request_duration_seconds_count", labels, span, (time) => count += 60 * rate(time));
      grow({ ...labels, status: "200" }, rate);
    }
  }
  // 30% are refused since 20 minutes, 0.2% before.
  grow({ job: "guarded", status: "200" }, (time) => since(1_200)(time) ? 7 : 9.98);
  grow({ job: "guarded", status: "401" }, (time) => since(1_200)(time) ? 3 : 0.02);
  // Calls by gRPC: all are refused since 20 minutes; a quarter finds nothing, as ever.
  const called = (job: string, code: string, rate: (time: number) => number) => {
    let value = 0;
    all.gauge(
      "grpc_server_handled_total",
      { job, grpc_code: code },
      span,
      (time) => value += 60 * rate(time),
    );
  };
  called("tokens", "OK", (time) => since(1_200)(time) ? 0 : 10);
  called("tokens", "Unauthenticated", (time) => since(1_200)(time) ? 10 : 0);
  called("lookups", "OK", () => 15);
  called("lookups", "NotFound", () => 5);
  // Traffic for an hour a day; all day, until 20 minutes ago; for 25 hours in all.
  grow({ job: "batch", status: "200" }, (time) => Math.abs(time - (now - 24 * hour)) < hour / 2 ? 20 : 0);
  grow({ job: "lost", status: "200" }, (time) => since(1_200)(time) ? 0 : 20);
  grow({ job: "young", status: "200" }, () => 10, { ...span, from: now - 25 * hour });
  // Probed by a job of its own, from two places, of which one fails since 10 minutes; and by its address, where one fails since a minute.
  grow({ job: "front", status: "200" }, () => 10);
  grow({ job: "inner", status: "200" }, () => 10);
  grow({ job: "deep", status: "200" }, () => 10);
  const probe = (labels: SeriesLabels, fails: (time: number) => boolean, within = span) =>
    all.gauge("probe_success", { job: "blackbox", ...labels }, within, (time) => fails(time) ? 0 : 1);
  probe({ service: "front", instance: "https://front.example/", place: "here" }, since(600));
  probe({ service: "front", instance: "https://front.example/", place: "there" }, () => false);
  probe({ instance: "http://inner.shop.svc:8080/healthz" }, since(90));
  probe({ instance: "http://inner-other.shop.svc/" }, () => true);
  probe({ instance: "https://inner.vendor.com/" }, () => true);
  probe({ instance: "deep:8080" }, () => true);
  // One of a single scrape; one that has begun minutes ago; one of every ten minutes, of which the last failed, or three; one whose target is gone.
  for (const job of ["once", "rarely", "removed", "fresh", "blip"]) grow({ job, status: "200" }, () => 10);
  probe({ instance: "once:8080" }, () => true, { ...span, from: now - 30, to: now - 30 });
  probe({ instance: "fresh:8080" }, () => true, { ...span, from: now - 150 });
  probe({ instance: "blip:8080" }, since(600), { from: now - 7_260, to: now, step: 600 });
  probe({ instance: "rarely:8080" }, since(1_700), { from: now - 7_260, to: now, step: 600 });
  probe({ instance: "removed:8080" }, () => true, { ...span, to: now - 480 });
  return all;
}

Deno.test({
  name: "what the figures of a whole service hide",
  ignore: !prometheusAvailable,
  async fn(t) {
    const now = alignedSeconds(Date.now(), 60);
    await using server = await startPrometheus({
      backfill: series(now).lines,
      rules: [{
        name: "hidden",
        rules: [{
          alert: "SlowBurn",
          expr: 'up{job="young"} == 1',
          for: "3h",
          labels: { severity: "critical" },
        }],
      }],
    });
    await using standing = standingClock(server.url, now);
    const api = openApi(standing.url);
    const report = metricsReporter(api, ["get_error_rate", "query_metrics_range"]);
    const check = async (service: string) => (await callTool(checkServiceHealth(api), { service })).text;
    try {
      await t.step("a route that fails, of which the average tells nothing", async () => {
        const text = await report("shop");
        assert.match(text, /^shop: DEGRADED/);
        assert.match(
          text,
          /^1\. 100% of the requests of route=\/checkout fail \(0\.5 of 0\.5\/s\), 0% a day before, though only 0\.5% of all requests do; since about \d\d:\d\dZ \((19|2[0-3])m ago\)$/m,
        );
        assert.match(text, /^ {2}get_error_rate \{"service":"shop"\}$/m);
        const checked = await check("shop");
        assert.match(checked, /^shop: DEGRADED/);
        assert.match(checked, /^- 100% of the requests of route=\/checkout fail .*; since about \d\d:\d\dZ/m);
      });

      await t.step("the route that most of the errors are of", async () => {
        assert.match(
          await report("mixed"),
          /^1\. 10% of requests fail .*; 100% of the requests of route=\/pay fail \(1 of 1\/s\), 0% a day before$/m,
        );
      });

      await t.step("one of which most requests fail, and no other", async () => {
        assert.match(
          await report("partly"),
          /^1\. 70% of the requests of route=\/most fail \(0\.7 of 1\/s\), 10% a day before, though only /m,
        );
      });

      await t.step("errors that were fewer begin where they became more", async () => {
        assert.match(await report("worse"), /^1\. 10% of requests fail .*; since about \d\d:\d\dZ \(/m);
      });

      await t.step("one that fails since a few minutes of a long window", async () => {
        assert.match(
          await report("late", { window: "6h" }),
          /^1\. [\d.]+% of the requests of route=\/checkout fail in the last 5m \(.*; since about \d\d:\d\dZ \([4-7]m/m,
        );
      });

      await t.step("one that always fails is of note, and judges nothing", async () => {
        const text = await report("old");
        assert.match(text, /^old: HEALTHY, 99\.5% of its requests succeed/);
        assert.match(text, /^1\. Of note, as a day before: 100% of the requests of route=\/checkout fail/m);
        assert.match(await check("old"), /^old: HEALTHY/);
      });

      await t.step("a route that has become slow", async () => {
        const text = await report("sluggish");
        assert.match(text, /^sluggish: DEGRADED/);
        assert.match(
          text,
          /^1\. The 95th percentile of latency of route=\/search is 4\.\d+ s, a day before 95 ms, though that of all requests has not grown so; since about \d\d:\d\dZ \((19|2[0-3])m ago\)$/m,
        );
        assert.match(
          await report("sluggish", { window: "6h" }),
          /^1\. .* of route=\/search is 4\.\d+ s in the last 5m, a day before 95 ms, .*; since about \d\d:\d\dZ \(/m,
        );
        assert.match(
          await check("sluggish"),
          /^- p95 latency of route=\/search is 4\.\d+ s, a day before 95 ms; since about \d\d:\d\dZ \(/m,
        );
        for (const job of ["slower", "quick", "seldom"]) {
          assert.match(await report(job), new RegExp(`^${job}: HEALTHY`));
        }
      });

      await t.step("what takes longer than the last bucket is told as above it", async () => {
        assert.match(
          await report("endless"),
          /^1\. The 95th percentile of latency of route=\/search is above 1 s, a day before 95 ms, though/m,
        );
        const text = await report("stuck");
        assert.match(
          text,
          /^1\. The 95th percentile of latency is above 10 s, at least [\d.]+ times that of a day before/m,
        );
        assert.match(text, /^ {2}latency: p50 above 10 s \(a day before \d+ ms\), p95 above 10 s/m);
      });

      await t.step("what gRPC refuses has not succeeded", async () => {
        const text = await report("tokens");
        assert.match(text, /^tokens: DEGRADED/);
        assert.match(text, /^1\. 100% of requests are refused \(Unauthenticated 10\/s\), 0% a day before$/m);
        assert.match(
          await report("lookups"),
          /^lookups: HEALTHY, none of its requests fails, 25% are refused \(NotFound\)/,
        );
      });

      await t.step("a probe from outside that fails, and one that has not for long", async () => {
        const text = await report("front");
        assert.match(text, /^front: DEGRADED/);
        const fails = "1 of 2 probes from outside fails: https:\/\/front\.example\/";
        const since = `${fails}; since about \\d\\d:\\d\\dZ \\((9|10|11)m ago\\)$`;
        assert.match(text, new RegExp(`^1\\. ${since}`, "m"));
        assert.match(
          text,
          /^ {2}query_metrics_range \{"query":"probe_success\{job=\\"blackbox\\",instance=/m,
        );
        assert.match(await check("front"), new RegExp(`^- ${since}`, "m"));
        assert.match(await check("status=200,job=front"), new RegExp(`^- ${since}`, "m"));
        assert.match(
          await report("deep"),
          /^1\. Its probe from outside fails: deep:8080; for all of the last (59m|1h)$/m,
        );
        assert.match(
          await report("rarely"),
          /^1\. Its probe from outside fails: rarely:8080; since about \d\d:\d\dZ \(2\dm ago\)$/m,
        );
        for (const job of ["inner", "once", "removed", "fresh", "blip"]) {
          assert.match(await report(job), new RegExp(`^${job}: HEALTHY`));
        }
      });

      await t.step("an alert that is to fire soon", async () => {
        assert.match(await report("young"), /^ {2}no alert about it fires; pending: SlowBurn$/m);
      });

      await t.step("many more refusals than a day before", async () => {
        const text = await report("guarded");
        assert.match(text, /^guarded: HEALTHY, none of its requests fails, 30% are refused/);
        assert.match(text, /^1\. Of note, 30% of requests are refused \(401 3\/s\), 0\.2% a day before$/m);
      });

      await t.step("what has no traffic for most of a day has lost none", async () => {
        const text = await report("batch");
        assert.match(text, /^batch: UNKNOWN, nothing bad was seen, but no requests arrive/);
        assert.match(
          text,
          /^1\. Of note, traffic fell from [\d.]+\/s a day before to nothing, as in 9\d(\.\d)?% of the time since then$/m,
        );
        assert.doesNotMatch(await check("batch"), /traffic fell/);
        assert.match(await report("lost"), /^lost: DEGRADED, nearly all of its traffic is gone/);
        assert.match(await check("lost"), /^- traffic fell from/m);
      });

      await t.step("a day before of which there is a part alone is no measure", async () => {
        const text = await report("young", { window: "1d" });
        assert.doesNotMatch(text, /times the traffic/);
        assert.match(text, /^ {2}[\d.]+ requests\/s, 0% fail; no figures from a day before \(over 1d\)$/m);
        assert.match(await report("young"), /a day before 10\/s, 0% \(over 15m\)$/m);
      });
    } finally {
      api.close();
    }
  },
});
