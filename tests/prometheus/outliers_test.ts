/** One instance of several that is to blame, by a real Prometheus. */
import assert from "@std/assert";
import { metricsReporter } from "../support/metrics_report.ts";
import { alignedSeconds, OpenMetrics } from "../support/openmetrics.ts";
import { prometheusAvailable, startPrometheus } from "../support/prometheus.ts";
import { apiOf } from "../support/prometheus_api.ts";

const hour = 3_600;

/** Requests of five instances; `errors` and `slow` are shares of the requests of each. */
function serve(
  series: OpenMetrics,
  job: string,
  now: number,
  instances: readonly { readonly errors: number; readonly slow: number }[],
): void {
  const span = { from: now - 26 * hour, to: now + 600, step: 60 };
  const lately = (time: number) => Math.max(0, time - (now - 40 * 60));
  for (const [index, { errors, slow }] of instances.entries()) {
    const labels = { job, instance: `10.0.0.${index}:80`, pod: `${job}-${index}` };
    series.gauge("up", labels, span, 1);
    const grow = (name: string, more: Record<string, string>, before: number, after: number) =>
      series.gauge(
        name,
        { ...labels, ...more },
        span,
        (time, since) => before * (since - lately(time)) + after * lately(time),
      );
    grow("http_requests_total", { status: "200" }, 10, 10 - 10 * errors);
    grow("http_requests_total", { status: "500" }, 0, 10 * errors);
    for (const [le, share] of [["0.1", 1 - slow], ["2", 1], ["+Inf", 1]] as const) {
      grow("http_request_duration_seconds_bucket", { le }, 10, 10 * share);
    }
    grow("http_request_duration_seconds_count", {}, 10, 10);
    grow("http_request_duration_seconds_sum", {}, 1, 1 + 10 * slow);
  }
}

Deno.test({
  name: "an instance that alone fails or is slow is named, and none where all do or are",
  ignore: !prometheusAvailable,
  async fn(t) {
    const now = alignedSeconds(Date.now(), 60);
    const series = new OpenMetrics();
    const well = { errors: 0, slow: 0 };
    serve(series, "one-fails", now, [well, { errors: 0.5, slow: 0 }, well, well, well]);
    serve(series, "all-fail", now, Array.from({ length: 3 }, () => ({ errors: 0.2, slow: 0 })));
    serve(series, "one-slow", now, [well, well, { errors: 0, slow: 0.6 }]);
    serve(series, "all-slow", now, Array.from({ length: 3 }, () => ({ errors: 0, slow: 0.6 })));
    serve(series, "single", now, [{ errors: 0.5, slow: 0.6 }]);
    await using server = await startPrometheus({ backfill: series.lines });
    using prometheus = apiOf(server.url);
    const report = metricsReporter(prometheus.api);
    const cases: readonly (readonly [string, RegExp])[] = [
      [
        "one-fails",
        /^1\. 10% of requests fail \(5 of 50\/s\), 0% a day before; since about \d\d:\d\dZ \(4\dm ago\); 100% of the errors are of 1 of 5 instances: instance=10\.0\.0\.1:80 pod=one-fails-1$/m,
      ],
      [
        "all-fail",
        /^1\. 20% of requests fail \(6 of 30\/s\), 0% a day before; since about \d\d:\d\dZ \(4\dm ago\)$/m,
      ],
      [
        "one-slow",
        /^1\. The 95th percentile .* a day before \(95 ms\); since about \d\d:\d\dZ \(4\dm ago\); 1 of 3 instances is slow: instance=10\.0\.0\.2:80 pod=one-slow-2 1\.84 s, the next 95 ms$/m,
      ],
      [
        "all-slow",
        /^1\. The 95th percentile .* a day before \(95 ms\); since about \d\d:\d\dZ \(4\dm ago\)$/m,
      ],
      [
        "single",
        /^1\. 50% of requests fail \(5 of 10\/s\), 0% a day before; since about \d\d:\d\dZ \(4\dm ago\)$/m,
      ],
    ];
    for (const [service, says] of cases) {
      await t.step(service, async () => assert.match(await report(service), says));
    }
  },
});
