/** What changed in the last minutes of a long window, and what is known no more: nobody is called healthy over it. */
import assert from "@std/assert";
import { getErrorRate } from "../../src/prometheus/get_error_rate.ts";
import { checkServiceHealth } from "../../src/prometheus/check_service_health.ts";
import { listAlerts } from "../../src/prometheus/list_alerts.ts";
import { metricsReporter } from "../support/metrics_report.ts";
import { alignedSeconds, OpenMetrics, type Span } from "../support/openmetrics.ts";
import { prometheusAvailable, startPrometheus } from "../support/prometheus.ts";
import { SampleService } from "../support/sample_service.ts";
import { openApi } from "../support/service_tools.ts";
import { standingClock } from "../support/standing_clock.ts";
import { callTool } from "../support/tools.ts";
import { until } from "../support/until.ts";

const { signal } = new AbortController();
const minute = 60;
const hour = 60 * minute;

/** Each answers 10 requests a second well, and is scraped. */
function series(now: number): OpenMetrics {
  const all = new OpenMetrics();
  const span: Span = { from: now - 2 * hour, to: now + 1_200, step: 15 };
  const daily: Span = { ...span, from: now - 26 * hour, step: 30 };
  const requests = "http_requests_total";
  const buckets = "http_request_duration_seconds_bucket";
  const jobs = [
    "well",
    "vanished",
    "late",
    "renamed",
    "idle",
    "slower",
    "daily",
    "newborn",
    "rare",
    "relabelled",
    "recovered",
    "dead",
    "worded",
  ];
  for (const job of jobs) all.gauge("up", { job }, span, 1);

  for (const job of ["well", "slower", "daily", "newborn", "rare"]) {
    all.counter(requests, { job, status: "200" }, span, 10);
  }
  // Without a marker of staleness, a series is seen for five minutes after its last sample.
  for (const [job, minutes] of [["vanished", 8], ["renamed", 20], ["late", 3]] as const) {
    all.counter(requests, { job, status: "200" }, { ...span, to: now - minutes * minute }, 10);
  }
  all.counter("http_server_requests_seconds_count", { job: "renamed", status: "200" }, span, 10);
  // By a name of its own since then, beside what counts something else.
  const sinceThen = { ...span, from: now - 10 * minute };
  all.counter(requests, { job: "relabelled", status: "200" }, { ...span, to: sinceThen.from }, 10);
  for (const name of ["app_requests_total", "queue_jobs_total", "app_http_requests_total"]) {
    all.counter(name, { job: "relabelled", status: "200" }, sinceThen, 10);
  }
  all.counter("http_requests_in_all_total", { job: "relabelled" }, span, 10);
  all.gauge(requests, { job: "idle", status: "200" }, { ...span, to: now - 8 * minute }, 42);

  // All failed, of more requests than there are since then.
  const recovered = now - 20 * minute;
  all.gauge(
    requests,
    { job: "recovered", status: "500" },
    span,
    (time) => 10 * (Math.min(time, recovered) - span.from),
  );
  all.gauge(
    requests,
    { job: "recovered", status: "200" },
    span,
    (time) => Math.max(0, time - recovered),
  );

  // All fail since nine minutes, of which a quarter of an hour shows half; and one that tells outcomes by words.
  const died = now - 9 * minute;
  all.gauge(requests, { job: "dead", status: "200" }, span, (time) => 10 * Math.min(time, died))
    .gauge(requests, { job: "dead", status: "503" }, span, (time) => 10 * Math.max(0, time - died))
    .counter(requests, { job: "worded", outcome: "success" }, span, 9)
    .counter(requests, { job: "worded", outcome: "error" }, span, 1);

  /** All take less than 0.1 s, but those of the times that `isSlow` is true of take up to 0.4 s. */
  const durations = (job: string, within: Span, perSecond: number, isSlow: (time: number) => boolean) => {
    const fast = new Map<number, number>();
    let count = 0;
    for (let time = within.from; time <= within.to; time += within.step) {
      fast.set(time, count);
      if (!isSlow(time)) count += perSecond * within.step;
    }
    all.gauge(buckets, { job, le: "0.1" }, within, (time) => fast.get(time) ?? 0);
    for (const le of ["0.4", "+Inf"]) {
      all.gauge(buckets, { job, le }, within, (_, since) => perSecond * since);
    }
    all.gauge("http_request_duration_seconds_count", { job }, within, (_, since) => perSecond * since);
  };
  const lately = (time: number) => time > now - 5 * minute;
  durations("slower", daily, 10, lately);
  // As slow at this time of every day.
  durations("daily", daily, 10, (time) => (now + 1_200 - time) % (24 * hour) < 25 * minute);
  durations("newborn", span, 10, lately);
  durations("rare", daily, 0.01, lately);
  return all;
}

Deno.test({
  name: "a counter that a service stops to tell is missed at once",
  ignore: !prometheusAvailable,
  async fn() {
    await using service = new SampleService();
    const clock = setInterval(() => service.add("http_requests_total", { status: "200" }), 100);
    try {
      await using server = await startPrometheus({
        scrape: [{ job_name: "web", targets: [service.address], scrape_interval: "1s" }],
      });
      const api = openApi(server.url);
      const check = async () => (await callTool(checkServiceHealth(api), { service: "web" })).text;
      // By then it is looked for at one moment at least.
      const lived = 'count_over_time(http_requests_total{job="web"}[1m]) > 16';
      await until(
        "some scrapes",
        async () => (await api.query(lived, undefined, { signal })).series.length > 0,
      );
      assert.match(await check(), /^web: HEALTHY/);
      // As after a restart: the client library knows a label's values only from the first request on.
      service.body = "process_start_time_seconds 1\n";
      await until(
        "the missing",
        async () => / no data since [1-5]?\ds: http_requests_total /.test(await check()),
      );
      assert.match(await check(), /^web: UNKNOWN/);
      api.close();
    } finally {
      clearInterval(clock);
    }
  },
});

Deno.test({
  name: "the last minutes of a long window, and what has no samples any more",
  ignore: !prometheusAvailable,
  async fn(t) {
    const now = alignedSeconds(Date.now(), 60);
    // No rule at all.
    await using server = await startPrometheus({ backfill: series(now).lines });
    await using standing = standingClock(server.url, now);
    const api = openApi(standing.url);
    const ask = metricsReporter(api);
    const report = (service: string, window = "2h") => ask(service, { window });
    const check = async (service: string) => (await callTool(checkServiceHealth(api), { service })).text;
    try {
      await t.step("no alerting rule is not the same as none that fires", async () => {
        const text = await report("well");
        assert.match(text, /^well: HEALTHY/);
        assert.match(text, /^ {2}no alerting rule is defined, so no alert can fire$/m);
        const checked = await check("well");
        assert.match(checked, /^well: HEALTHY, .*alerts not judged$/m);
        assert.match(checked, /^- not known: alerts: no alerting rule is defined$/m);
        assert.match(checked, /^alerts: no alerting rule is defined, so none can fire$/m);
        const listed = await callTool(listAlerts(api), { service: "well" });
        assert.match(listed.text, /No alerting rule is loaded: nothing can fire\./);
      });

      await t.step("what failed nearly always, and does no more, is not down", async () => {
        const text = await report("recovered");
        assert.match(text, /^recovered: DEGRADED, it had problems until (19|20|21)m ago/);
        assert.match(
          text,
          /^1\. 9\d[\d.]*% of requests fail .*; until about \d\d:\d\dZ \(\d+m ago\), not since/m,
        );
      });

      await t.step("what fails altogether by now is down, though most of the window was before", async () => {
        const text = await report("dead", "15m");
        assert.match(text, /^dead: DOWN, nearly all of its requests fail/);
        assert.match(
          text,
          /^1\. [56]\d[\d.]*% of requests fail \(.*\/s\), 100% in the last 5m, no figure from a day/m,
        );
        assert.doesNotMatch(await report("recovered", "1h"), /in the last 5m/);
      });

      await t.step("outcomes that are told by words in a label of that name", async () => {
        assert.match(await report("worded"), /^1\. 10% of requests fail \(1 of 10\/s\)/m);
      });

      await t.step("a counter that has gone: no data since then", async () => {
        for (const window of ["15m", "2h"]) {
          const text = await report("vanished", window);
          assert.match(
            text,
            /^vanished: UNKNOWN, nothing bad was seen, but there is no data on its requests since (8|9|10)m/,
          );
          assert.match(
            text,
            /^ {2}requests: no data since (8|9|10)m: http_requests_total had its last sample then$/m,
          );
          assert.doesNotMatch(text, /^not seen, metrics/m);
        }
        const checked = await check("vanished");
        assert.match(checked, /^vanished: UNKNOWN/);
        assert.match(
          checked,
          /^- not known: errors: no data since (8|9|10)m: http_requests_total had its last/m,
        );
      });

      await t.step("one that Prometheus still answers with, though its last sample is old", async () => {
        assert.match(await report("late"), /^late: UNKNOWN, .*no data on its requests since [345]m/);
        assert.match(await check("late"), /^- not known: errors: no data since [345]m/m);
      });

      await t.step("nor does get_error_rate tell a rate over it", async () => {
        const ask = async (service: string) => (await callTool(getErrorRate(api), { service })).text;
        const gone = await ask("vanished");
        assert.match(gone, /^vanished: no data on errors: what counted its requests has no samples now$/m);
        assert.match(gone, /^note: no data since (8|9|10)m: http_requests_total had its last sample then$/m);
        const late = await ask("late");
        assert.match(late, /^late: 0% of requests are known to fail/);
        assert.match(late, /^note: no data since [345]m: http_requests_total had its last sample then$/m);
        assert.match(await ask("well"), /^well: 0%: no request fails/);
      });

      await t.step("one whose requests another may count now", async () => {
        const text = await report("renamed");
        assert.match(text, /^renamed: UNKNOWN/);
        const gone = /no data since 2\dm: http_requests_total had its last sample then; /;
        assert.match(text, new RegExp(gone.source + "http_server_requests_seconds_count counts 10/s now"));
      });

      await t.step("one that has another name since then", async () => {
        const renamed =
          /no data since 1[0-2]m: http_requests_total had its last sample then; app_http_requests_total has been there since$/m;
        assert.match(await report("relabelled"), renamed);
        assert.match(await check("relabelled"), renamed);
        assert.match((await callTool(getErrorRate(api), { service: "relabelled" })).text, renamed);
        assert.doesNotMatch(await report("vanished"), /has been there since|counts/);
      });

      await t.step("one that counted nothing before is not missed", async () => {
        const text = await report("idle");
        assert.match(text, /^idle: UNKNOWN, nothing bad was seen, but nothing tells/);
        assert.doesNotMatch(text, /no data since/);
      });

      await t.step("latency of the last minutes, against a day before", async () => {
        const text = await report("slower");
        assert.match(text, /^slower: DEGRADED/);
        assert.match(
          text,
          /^1\. The 95th percentile of latency of the last 5m is 3\d\d ms, [34](\.\d+)? times that of a day before \(95 ms\), [\d.]+ ms in 2h; since about \d\d:\d\dZ \([4-8]m ago\)$/m,
        );
      });

      await t.step("against the window, where there was nothing a day before", async () => {
        assert.match(
          await report("newborn"),
          /^1\. The 95th percentile of latency of the last 5m is 3\d\d ms, .* times that of the whole 2h \([\d.]+ ms\); since about \d\d:\d\dZ \([4-8]m ago\)$/m,
        );
      });

      await t.step("as slow at this time of every day, or too few requests to tell", async () => {
        for (const service of ["daily", "rare"]) assert.match(await report(service), /: HEALTHY/, service);
      });
    } finally {
      api.close();
    }
  },
});
