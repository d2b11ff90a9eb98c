/**
 * A Prometheus for the program under test: a little shop whose error ratios, growth and latency are known, with a rule
 * that fires and targets that are down.
 */
import { alignedSeconds, OpenMetrics, type SeriesLabels, type Span } from "./openmetrics.ts";
import { startPrometheus, type TestPrometheus } from "./prometheus.ts";
import { until } from "./until.ts";

/** The server, and how the program reaches it. */
export interface ProgramPrometheus extends AsyncDisposable {
  readonly server: TestPrometheus;
  /** Epoch seconds, a multiple of 60: the samples go on for 20 min after it. */
  readonly now: number;
  readonly variables: Readonly<Record<string, string>>;
}

const day = 86_400;

/** Starts it. */
export async function startProgramPrometheus(): Promise<ProgramPrometheus> {
  const now = alignedSeconds(Date.now(), 60);
  const server = await startPrometheus({
    backfill: shopSeries(now).lines,
    scrapeItself: ["prometheus"],
    scrape: [{ job_name: "mailer", targets: ["127.0.0.1:1"] }],
    rules: [{
      name: "shop",
      rules: [{
        alert: "TargetDown",
        expr: "up == 0",
        labels: { severity: "critical" },
        annotations: { summary: "{{ $labels.job }} can't be scraped" },
      }],
    }],
  });
  await until("the rule fires for both", async () => (await server.ask("alerts")).alerts.length === 2);
  return {
    server,
    now,
    variables: { PROMETHEUS_URL: server.url, RATE_LIMIT_PER_MINUTE: "0", CACHE_TTL_SECONDS: "0" },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/**
 * Every 30 s, from 26 h before `now` to 20 min after it:
 *
 * | job | requests | errors | latency |
 * |---|---|---|---|
 * | `user-service` | grow from 10/s to 20/s within the 24 h before `now`, and go on growing | 1% | until an hour ago, all below 0.1 s; since then, half of them between 0.5 and 1 s |
 * | `payment` | 4/s | 25% | |
 * | `catalog` | 30/s | none | |
 * | `invoices` | `up` is 0 | | |
 */
export function shopSeries(now: number): OpenMetrics {
  const span: Span = { from: now - day - 7200, to: now + 1200, step: 30 };
  const series = new OpenMetrics();
  const label = (job: string, host: number): SeriesLabels => ({ job, instance: `10.0.0.${host}:8080` });

  // Requests per second are 10 * (1 + t / day), t the seconds since a day before now: this is their integral.
  const requests = (time: number) => {
    const t = time - (now - day);
    return 100_000 + 10 * t + 5 * t * t / day;
  };
  const user = label("user-service", 1);
  series.gauge("up", user, span, 1);
  for (const [status, share] of [["200", 0.99], ["500", 0.01]] as const) {
    series.gauge("http_requests_total", { ...user, status }, span, (time) => requests(time) * share);
  }
  const slowFrom = now - 3600;
  const name = "http_request_duration_seconds";
  const all = (time: number) => requests(time);
  const slow = (time: number) => Math.max(0, requests(time) - requests(slowFrom)) / 2;
  for (const le of ["0.1", "0.5"]) {
    series.gauge(`${name}_bucket`, { ...user, le }, span, (time) => all(time) - slow(time));
  }
  for (const le of ["1", "+Inf"]) series.gauge(`${name}_bucket`, { ...user, le }, span, all);
  series.gauge(`${name}_count`, user, span, all)
    .gauge(`${name}_sum`, user, span, (time) => all(time) * 0.05 + slow(time) * 0.7);

  const payment = label("payment", 2);
  series.gauge("up", payment, span, 1)
    .counter("http_requests_total", { ...payment, status: "200" }, span, 3)
    .counter("http_requests_total", { ...payment, status: "500" }, span, 1);
  const catalog = label("catalog", 3);
  series.gauge("up", catalog, span, 1)
    .counter("http_requests_total", { ...catalog, status: "200" }, span, 30)
    .counter("http_requests_total", { ...catalog, status: "500" }, span, 0);
  return series.gauge("up", label("invoices", 4), span, 0);
}
