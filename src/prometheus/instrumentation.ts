/**
 * How services count their requests and measure how long these take: the libraries, proxies and meshes that are known,
 * in the order in which they are preferred.
 */
import { escapeRegex, type Matcher } from "./promql_literal.ts";

/** Which values of a code label are errors of the service: as PromQL's regex, and as what does the same here. */
export interface ErrorCodes {
  readonly regex: string;
  readonly matches: (code: string) => boolean;
  /** Whether it is a code of this kind at all: a `status` may be anything. */
  readonly isCode: (code: string) => boolean;
  /** Whether the service answered that the caller is wrong. */
  readonly isRefusal: (code: string) => boolean;
}

const serverErrors: ErrorCodes = {
  regex: "5..",
  matches: (code) => /^5..$/.test(code),
  isCode: (code) => /^[1-5](?:\d\d|xx)$/i.test(code),
  isRefusal: (code) => /^4..$/.test(code),
};
const errorClass: ErrorCodes = {
  regex: "5",
  matches: (code) => code === "5",
  isCode: (code) => /^[1-5]$/.test(code),
  isRefusal: (code) => code === "4",
};
const failureClass: ErrorCodes = {
  regex: "failure",
  matches: (code) => code === "failure",
  isCode: (code) => code === "success" || code === "failure",
  isRefusal: () => false,
};
/** Where a status is a word. */
export const wordErrors: ErrorCodes = {
  regex: "(?i:error|errors|err|fail|failed|failure|server_?error|exception)",
  matches: (code) => /^(?:error|errors|err|fail|failed|failure|server_?error|exception)$/i.test(code),
  isCode: (code) =>
    /^(?:ok|success|succeeded|error|errors|err|fail|failed|failure|(?:client|server)_?error|exception)$/i
      .test(code),
  isRefusal: () => false,
};
const grpcRegex =
  "(?i:unknown|deadline_?exceeded|unimplemented|internal|unavailable|data_?loss)|2|4|12|13|14|15";
/** https://opentelemetry.io/docs/specs/semconv/rpc/grpc/: the codes that are errors on the server's side. */
export const grpcErrors: ErrorCodes = {
  regex: grpcRegex,
  matches: (code) =>
    /^(?:unknown|deadline_?exceeded|unimplemented|internal|unavailable|data_?loss|2|4|12|13|14|15)$/i.test(
      code,
    ),
  isCode: (code) => code !== "",
  isRefusal: (code) =>
    /^(?:cancell?ed|invalid_?argument|not_?found|already_?exists|permission_?denied|resource_?exhausted|failed_?precondition|aborted|out_?of_?range|unauthenticated|1|3|[5-9]|1[016])$/i
      .test(code),
};

/** One way to instrument. */
export interface Instrumentation {
  /** Whose it is. */
  readonly from: string;
  /** A counter of requests; without one, the duration's `_count` is used. */
  readonly counter?: string;
  /** A histogram (or summary) of durations, without `_bucket`; its name says the unit. */
  readonly duration?: string;
  /** Labels that may hold the code, the likeliest first. */
  readonly codes: readonly string[];
  readonly errors: ErrorCodes;
  /** What keeps a request from being counted twice. */
  readonly matchers?: readonly Matcher[];
  /** Where it stands before services, labels that say whose requests it counts, the likeliest first. */
  readonly serves?: readonly string[];
}

const httpCodes = [
  "status",
  "code",
  "status_code",
  "http_status_code",
  "http_response_status_code",
  "http_status",
  "response_code",
  "statusCode",
  "outcome",
  "result",
];
const http = { codes: httpCodes, errors: serverErrors };

/** See the module. */
const instrumentations: readonly Instrumentation[] = [
  {
    from: "HTTP client libraries",
    counter: "http_requests_total",
    duration: "http_request_duration_seconds",
    ...http,
  },
  {
    from: "OpenTelemetry",
    duration: "http_server_request_duration_seconds",
    ...http,
    codes: ["http_response_status_code", ...httpCodes],
  },
  {
    from: "OpenTelemetry, UTF-8 names",
    duration: "http.server.request.duration_seconds",
    ...http,
    codes: ["http.response.status_code", ...httpCodes],
  },
  {
    from: "OpenTelemetry, UTF-8 names",
    duration: "http.server.request.duration",
    ...http,
    codes: ["http.response.status_code", ...httpCodes],
  },
  { from: "OpenTelemetry before 1.21", duration: "http_server_duration_milliseconds", ...http },
  { from: "OpenTelemetry before 1.21", duration: "http_server_duration_seconds", ...http },
  { from: "Spring", duration: "http_server_requests_seconds", ...http },
  {
    from: "gRPC",
    counter: "grpc_server_handled_total",
    duration: "grpc_server_handling_seconds",
    codes: ["grpc_code"],
    errors: grpcErrors,
  },
  ...["rpc_server_call_duration_seconds", "rpc_server_duration_milliseconds", "rpc_server_duration_seconds"]
    .map((duration) => ({
      from: "OpenTelemetry RPC",
      duration,
      codes: ["rpc_response_status_code", "rpc_grpc_status_code"],
      errors: grpcErrors,
    })),
  {
    from: "prometheus-net",
    counter: "http_requests_received_total",
    duration: "http_request_duration_seconds",
    ...http,
  },
  {
    from: "Flask",
    counter: "flask_http_request_total",
    duration: "flask_http_request_duration_seconds",
    ...http,
  },
  {
    from: "Django",
    counter: "django_http_responses_total_by_status_total",
    duration: "django_http_requests_latency_including_middlewares_seconds",
    ...http,
  },
  {
    from: "Starlette",
    counter: "starlette_requests_total",
    duration: "starlette_requests_processing_time_seconds",
    ...http,
  },
  {
    from: "Istio",
    counter: "istio_requests_total",
    duration: "istio_request_duration_milliseconds",
    codes: ["response_code"],
    errors: serverErrors,
    // Both ends of a request count it: only the one that serves is asked.
    matchers: [["reporter", "=~", "destination|waypoint"]],
    serves: ["destination_service_name", "destination_workload"],
  },
  {
    from: "Linkerd",
    counter: "response_total",
    duration: "response_latency_ms",
    codes: ["classification"],
    errors: failureClass,
    matchers: [["direction", "=", "inbound"]],
    serves: ["deployment"],
  },
  {
    from: "ingress-nginx",
    counter: "nginx_ingress_controller_requests",
    duration: "nginx_ingress_controller_request_duration_seconds",
    ...http,
    serves: ["exported_service", "service", "ingress"],
  },
  {
    from: "Traefik",
    counter: "traefik_service_requests_total",
    duration: "traefik_service_request_duration_seconds",
    ...http,
    serves: ["exported_service", "service"],
  },
  {
    from: "Kong",
    counter: "kong_http_requests_total",
    duration: "kong_request_latency_ms",
    ...http,
    serves: ["exported_service", "service"],
  },
  {
    from: "Envoy",
    counter: "envoy_cluster_upstream_rq_xx",
    duration: "envoy_cluster_upstream_rq_time",
    codes: ["envoy_response_code_class"],
    errors: errorClass,
    serves: ["envoy_cluster_name"],
  },
  { from: "HAProxy", counter: "haproxy_backend_http_responses_total", ...http, serves: ["proxy", "backend"] },
  { from: "Caddy", duration: "caddy_http_request_duration_seconds", ...http },
  {
    from: "Kubernetes API server",
    counter: "apiserver_request_total",
    duration: "apiserver_request_duration_seconds",
    ...http,
  },
  {
    from: "Prometheus",
    counter: "prometheus_http_requests_total",
    duration: "prometheus_http_request_duration_seconds",
    ...http,
  },
  { from: "HTTP client libraries", duration: "http_request_duration_milliseconds", ...http },
  { from: "HTTP client libraries", duration: "http_request_duration_ms", ...http },
  { from: "HTTP client libraries", duration: "http_response_time_seconds", ...http },
  { from: "HTTP client libraries", duration: "request_duration_seconds", ...http },
  { from: "HTTP client libraries", counter: "requests_total", ...http },
];

/**
 * Every name that tells of a known instrumentation. Alternatives without `?` and wildcards are cheap, as servers look each
 * of them up; and it has to be short, as it stands in a query many times.
 */
export const knownMetricsRegex: string = [
  ...alternatives(instrumentations.flatMap(({ counter }) => counter ?? [])),
  `(?:${
    alternatives(instrumentations.flatMap(({ duration }) => duration ?? [])).join("|")
  })(?:_count|_bucket|)`,
].join("|");

function alternatives(names: readonly string[]): readonly string[] {
  return [...new Set(names)].map(escapeRegex);
}

/** What a metric's name says its durations are in. */
export function unitOf(duration: string): "s" | "ms" | undefined {
  if (/(?:_|\.)seconds$|^http\.server\.request\.duration$/.test(duration)) return "s";
  if (/_(?:milliseconds|ms)$|^envoy_.*_rq_time$/.test(duration)) return "ms";
  return undefined;
}

/** What counts the requests of a service, and how its rate is written. */
export interface RequestCounter {
  readonly instrumentation: Instrumentation;
  /** The series: a counter, or a native histogram. */
  readonly metric: string;
  readonly native: boolean;
}

/** The counters that a service has, the preferred first. */
export function requestCounters(metrics: ReadonlyMap<string, number>): readonly RequestCounter[] {
  const found = new Map<string, RequestCounter>();
  for (const instrumentation of instrumentations) {
    const { counter, duration } = instrumentation;
    if (counter !== undefined && metrics.has(counter)) {
      if (!found.has(counter)) found.set(counter, { instrumentation, metric: counter, native: false });
      continue;
    }
    if (duration === undefined) continue;
    const metric = metrics.has(`${duration}_count`) ? `${duration}_count` : duration;
    if (!metrics.has(metric) || found.has(metric)) continue;
    // A summary always has a `_count`: what has none is a native histogram.
    found.set(metric, { instrumentation, metric, native: metric === duration });
  }
  return [...found.values()];
}

/** What picks a service's series of a metric. */
export function matchersOf(
  { matchers }: { readonly matchers: readonly Matcher[] },
  { instrumentation }: { readonly instrumentation: Instrumentation },
): readonly Matcher[] {
  return [...matchers, ...(instrumentation.matchers ?? [])];
}

/** The form that durations have. */
export type DurationForm = "native histogram" | "classic histogram" | "summary" | "average";

/** What measures the durations of a service. */
export interface DurationMetric {
  readonly instrumentation: Instrumentation;
  /** Without `_bucket`, `_count`. */
  readonly metric: string;
  readonly form: DurationForm;
}

/** The durations that a service has: native histograms first, then classic ones, and so on. */
export function durationMetrics(metrics: ReadonlyMap<string, number>): readonly DurationMetric[] {
  const found = new Map<string, DurationMetric>();
  for (const instrumentation of instrumentations) {
    const { duration: metric } = instrumentation;
    if (metric === undefined || found.has(metric)) continue;
    const [plain, bucket, count] = ["", "_bucket", "_count"].map((suffix) => metrics.has(metric + suffix));
    if (plain !== true && bucket !== true && count !== true) continue;
    // A summary and a classic histogram can't share a name: beside buckets the plain name is a native histogram.
    const form = plain === true && (bucket === true || count !== true)
      ? "native histogram"
      : bucket === true
      ? "classic histogram"
      : plain === true
      ? "summary"
      : "average";
    found.set(metric, { instrumentation, metric, form });
  }
  const forms = ["native histogram", "classic histogram", "summary", "average"];
  return [...found.values()].sort((a, b) => forms.indexOf(a.form) - forms.indexOf(b.form));
}
