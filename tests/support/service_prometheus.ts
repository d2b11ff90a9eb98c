/** A real Prometheus with services of every kind of instrumentation, whose figures are known because they were made so. */
import { alignedSeconds, OpenMetrics, type SeriesLabels, type Span } from "./openmetrics.ts";
import { type SharedPrometheus, startPrometheus } from "./prometheus.ts";

let shared: Promise<SharedPrometheus> | undefined;

/** The one server that the tests of this process share; it ends with the process. */
export function servicePrometheus(): Promise<SharedPrometheus> {
  return shared ??= (async () => {
    const now = alignedSeconds(Date.now(), 60);
    const server = await startPrometheus({
      scrapeItself: ["prometheus"],
      backfill: serviceSeries(now).lines,
      rules: [{
        name: "services",
        rules: [
          alert("ShopBurns", "shop", "critical", "shop {{ $labels.job }} burns"),
          alert("Watchdog", "steady", "none", "always fires"),
        ],
      }],
    });
    return Object.assign(server, { now });
  })();
}

function alert(name: string, job: string, severity: string, summary: string): unknown {
  return { alert: name, expr: `up{job="${job}"} == 1`, labels: { severity }, annotations: { summary } };
}

const hour = 3_600;

/** The series; each service says in a line what is known of it. */
function serviceSeries(now: number): OpenMetrics {
  const series = new OpenMetrics();
  const long: Span = { from: now - 26 * hour, to: now + 1_200, step: 60 };
  const short: Span = { from: now - 2 * hour, to: now + 1_200, step: 15 };
  /** One rate until two hours ago, another since. */
  const changing = (name: string, labels: SeriesLabels, before: number, after: number) =>
    series.gauge(name, labels, long, (time, since) => {
      const late = Math.max(0, time - (now - 2 * hour));
      return before * (since - late) + after * late;
    });
  const at = (job: string, instance = `${job}:80`) => ({ job, instance });
  const up = (job: string, span = short) => series.gauge("up", at(job), span, 1);

  // shop: 20% of 10/s fail, 1% of 5/s a day before; half below 0.1 s and half below 1 s, all below 0.1 s a day before.
  up("shop", long);
  changing("http_requests_total", { ...at("shop"), status: "200", handler: "/pay" }, 4.95, 8);
  changing("http_requests_total", { ...at("shop"), status: "503", handler: "/pay" }, 0.05, 1.5);
  changing("http_requests_total", { ...at("shop"), status: "500", handler: "/cart" }, 0, 0.5);
  for (const [le, before, after] of [["0.1", 5, 5], ["1", 5, 10], ["+Inf", 5, 10]] as const) {
    changing("http_request_duration_seconds_bucket", { ...at("shop"), le }, before, after);
  }
  changing("http_request_duration_seconds_count", at("shop"), 5, 10);
  changing("http_request_duration_seconds_sum", at("shop"), 0.25, 3);

  // steady: 1 of 1,000 fails, and did the day before; nothing has changed.
  up("steady", long);
  changing("http_requests_total", { ...at("steady"), code: "200" }, 9.99, 9.99);
  changing("http_requests_total", { ...at("steady"), code: "500" }, 0.01, 0.01);

  // lost: 10/s a day before, and nothing now.
  up("lost", long);
  changing("http_requests_total", { ...at("lost"), code: "200" }, 10, 0);

  // spring: 10%; otel: 25%, with durations; grpc: 5%, NotFound is no error of the server.
  up("spring");
  for (const [status, outcome, rate] of [["200", "SUCCESS", 9], ["500", "SERVER_ERROR", 1]] as const) {
    series.counter(
      "http_server_requests_seconds_count",
      { ...at("spring"), status, outcome, uri: "/a" },
      short,
      rate,
    );
  }
  up("otel");
  for (const [code, rate] of [["200", 3], ["500", 1]] as const) {
    const labels = { ...at("otel"), http_response_status_code: code, http_route: `/${code}` };
    series.histogram("http_server_request_duration_seconds", labels, short, {
      "0.1": 0,
      "0.2": rate,
      "+Inf": 0,
    }, 0.15);
  }
  up("grpc");
  for (const [code, rate] of [["OK", 17], ["NotFound", 2], ["Unavailable", 1]] as const) {
    series.counter("grpc_server_handled_total", { ...at("grpc"), grpc_code: code }, short, rate);
  }

  // mesh: 20% of 5/s, told by both ends; linkerd: 50% of 2/s inbound.
  for (const reporter of ["destination", "source"]) {
    for (const [code, rate] of [["200", 4], ["503", 1]] as const) {
      const labels = { job: "envoy-stats", destination_service_name: "mesh", reporter, response_code: code };
      series.counter("istio_requests_total", labels, short, rate);
    }
  }
  for (const [direction, rate] of [["inbound", 1], ["outbound", 7]] as const) {
    for (const classification of ["success", "failure"]) {
      const labels = { job: "linkerd-proxy", deployment: "linkerd", direction, classification };
      series.counter("response_total", labels, short, rate);
    }
  }

  // words: 25%; opaque: a status that says nothing; utf8: 10%, with names of OpenTelemetry's own.
  series.counter("http_requests_total", { ...at("words"), status: "success" }, short, 3)
    .counter("http_requests_total", { ...at("words"), status: "error" }, short, 1)
    .counter("http_requests_total", { ...at("opaque"), status: "done" }, short, 3);
  for (const [code, rate] of [["200", 9], ["500", 1]] as const) {
    const labels = { service_name: "utf8", "http.response.status_code": code };
    series.counter("http.server.request.duration_seconds_count", labels, short, rate);
  }

  // born: 7 errors in a series that begins with them; reset: starts again at 0 two minutes before; idle: no growth.
  series.counter("http_requests_total", { ...at("born"), status: "200" }, short, 10)
    .gauge("http_requests_total", { ...at("born"), status: "500" }, { ...short, from: now - 120 }, 7);
  for (const [status, rate] of [["200", 3], ["500", 1]] as const) {
    series.gauge(
      "http_requests_total",
      { ...at("reset"), status },
      short,
      (time, since) => rate * (time >= now - 120 ? time - (now - 120) : since),
    );
  }
  up("idle");
  series.gauge("http_requests_total", { ...at("idle"), status: "200" }, short, 42);

  // sparse: scraped once a minute.
  const minutely = { ...short, step: 60 };
  up("sparse", minutely);
  series.counter("http_requests_total", { ...at("sparse"), status: "200" }, minutely, 1);

  // tail: a tenth above the greatest bound; digest: a summary of two instances.
  series.histogram("http_request_duration_seconds", at("tail"), short, { "0.1": 9, "+Inf": 1 });
  for (const [instance, p95] of [["one:80", 0.2], ["two:80", 0.9]] as const) {
    const labels = at("digest", instance);
    series.gauge("http_request_duration_seconds", { ...labels, quantile: "0.95" }, short, p95)
      .counter("http_request_duration_seconds_count", labels, short, 2)
      .counter("http_request_duration_seconds_sum", labels, short, 0.5);
  }

  // pods: one up, one down for ten minutes, one gone for fifteen; gone: the last sample half an hour ago.
  series.gauge("up", { ...at("pods", "a:80"), app: "pods-app" }, short, 1)
    .gauge("up", at("pods", "b:80"), short, (time) => time > now - 600 ? 0 : 1)
    .gauge("up", at("pods", "c:80"), { ...short, to: now - 900 }, 1)
    .gauge("up", at("gone"), { ...short, to: now - 1_800 }, 1);

  // masked: down, and what calls it counts requests by its name.
  series.gauge("up", at("masked"), short, 0)
    .gauge("up", { ...at("caller"), service: "masked" }, short, 1)
    .counter("http_requests_total", { ...at("caller"), service: "masked", status: "200" }, short, 5);

  // dual: two things of one name.
  return series.counter("http_requests_total", { job: "dual", status: "200" }, short, 1)
    .counter("http_requests_total", { job: "other", service: "dual", status: "200" }, short, 2)
    .counter("http_requests_total", { job: "other", service: "dual", status: "500" }, short, 2)
    // The operator's and OpenTelemetry's names.
    .counter("http_requests_total", { job: "shop-ns/prefixed", status: "500" }, short, 1);
}

/** Names that must stay names. */
export const injections: readonly (readonly [what: string, name: string])[] = [
  ["an injected query", 'x"} or vector(1) #'],
  ["an injected matcher", 'x",job=~".+'],
  ["a backslash", "x\\"],
  ["a backslash and a quote", 'x\\"} or vector(1) #'],
  ["a line break", 'x"}\nor vector(1)'],
  ["a backtick", "x`} or vector(1) #"],
  ["quotes", `"'"'`],
  ["an emoji", "🦄"],
  ["all", ".*"],
  ["some", "shop|.+"],
  ["a choice of one's own, injected", 'job=shop"} or vector(1) #'],
  ["a choice of one's own, a pattern", "job=.*"],
  ["a metric for a label", "__name__=up"],
  ["a comment", "shop #"],
];
