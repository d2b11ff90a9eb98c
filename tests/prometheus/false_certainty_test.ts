/** What looks well in one figure and is not, or not known to be: nobody is called healthy for it. */
import assert from "@std/assert";
import { createLogger } from "../../src/common/log.ts";
import { rankServicesByErrorRate } from "../../src/platform/rank_services_by_error_rate.ts";
import { serviceHealthReport } from "../../src/platform/service_health_report.ts";
import { checkServiceHealth } from "../../src/prometheus/check_service_health.ts";
import { getErrorRate } from "../../src/prometheus/get_error_rate.ts";
import { beforeServer, FakePrometheus, faults, type Play, success } from "../support/fake_prometheus.ts";
import { alignedSeconds, OpenMetrics, type SeriesLabels, type Span } from "../support/openmetrics.ts";
import { prometheusAvailable, startPrometheus } from "../support/prometheus.ts";
import { openApi } from "../support/service_tools.ts";
import { callTool } from "../support/tools.ts";

const hour = 3_600;

/** Services that answer some of their requests well, and what is wrong with each. */
function misleading(now: number): OpenMetrics {
  const series = new OpenMetrics();
  const span: Span = { from: now - 2 * hour, to: now + 1_200, step: 15 };
  const requests = "http_requests_total";
  const counter = (job: string, labels: SeriesLabels, perSecond: number, metric = requests) =>
    series.counter(metric, { job, instance: `${job}:80`, ...labels }, span, perSecond);
  const jobs = [
    "probed",
    "halves",
    "wordy",
    "bare",
    "broken",
    "born",
    "ruled",
    "refusing",
    "moved",
    "used",
    "vast",
  ];
  for (const job of jobs) series.gauge("up", { job, instance: `${job}:80` }, span, 1);

  counter("probed", { status: "200" }, 1);
  counter("probed", { grpc_code: "OK" }, 5, "grpc_server_handled_total");
  counter("probed", { grpc_code: "Unavailable" }, 5, "grpc_server_handled_total");
  counter("halves", { instance: "a:80", status: "200" }, 5);
  counter("halves", { instance: "b:80", code: "500" }, 5);
  counter("wordy", { status: "200" }, 1);
  counter("wordy", { status: "exception" }, 9);
  counter("bare", { status: "200" }, 1);
  counter("bare", {}, 9);
  counter("broken", { status: "200" }, 1);
  series.gauge(requests, { job: "broken", status: "500" }, span, "NaN");
  counter("born", { status: "200" }, 0.1);
  series.gauge(requests, { job: "born", status: "500" }, { ...span, from: now - 60 }, 5_000);
  counter("ruled", { status: "200" }, 1);
  // More than anything can count: sums of such are no numbers any more.
  counter("vast", { status: "200" }, 1e303);
  counter("vast", { status: "500" }, 1e303);
  counter("refusing", { status: "404" }, 10);

  // Few of a quarter of an hour, and nearly all of the last minutes.
  series.gauge(requests, { job: "late", status: "200" }, span, (time) => 10 * Math.min(time, now - 30));
  series.gauge(requests, { job: "late", status: "500" }, span, (time) => 10 * Math.max(0, time - (now - 30)));
  series.gauge(requests, { job: "silent", status: "200" }, span, (time) => 10 * Math.min(time, now - 420));

  // In one namespace of two; some say it in OpenTelemetry's word, and some do not say it.
  counter("placed", { namespace: "prod", status: "200" }, 5);
  // In two: an alert of all of them, one of what is in lab alone, and one of a service that is in one namespace.
  for (const namespace of ["prod", "lab"]) {
    for (const job of ["twin", "twice"]) counter(job, { namespace, status: "200" }, 5);
  }
  for (const job of ["alone", "excused"]) counter(job, { namespace: "prod", status: "200" }, 5);
  counter("otel", { k8s_namespace_name: "prod", status: "200" }, 5);
  counter("unplaced", { status: "200" }, 5);

  // As many refused a day before, and none.
  const long: Span = { ...span, from: now - 26 * hour, step: 60 };
  series.counter(requests, { job: "used", status: "404" }, long, 10);
  series.counter(requests, { job: "moved", status: "200" }, long, 10);
  return series.gauge(
    requests,
    { job: "moved", status: "404" },
    long,
    (time) => 90 * Math.max(0, time - (now - hour)),
  );
}

/** Two series on its left side meet one on its right: it can't be evaluated, and never fires. */
const neverEvaluated = {
  alert: "RuledBurns",
  expr: 'http_requests_total{job="ruled"} > on () group_left () up',
  labels: { severity: "critical" },
};

/** Alerts that name no namespace, as they are of sums. */
const aggregated = [
  [
    "TwinBurns",
    'sum by (job) (up{job="twin"}) or sum by (job) (rate(http_requests_total{job="twin"}[5m])) > 0',
  ],
  ["LabBurns", 'sum by (job) (rate(http_requests_total{job="twice",namespace="lab"}[5m])) > 0'],
  ["AloneBurns", 'sum by (job) (rate(http_requests_total{job="alone"}[5m])) > 0'],
  [
    "ExcusedBurns",
    'sum by (job) (rate(http_requests_total{job="excused"}[5m])) > 0 unless on () maintenance{namespace="ops"}',
  ],
].map(([alert, expr]) => ({ alert, expr, labels: { severity: "critical" } }));

/** The first line, and one below it. */
const checks: readonly (readonly [service: string, headline: RegExp, line: RegExp])[] = [
  [
    "probed",
    /DEGRADED/,
    /^- 50% of requests fail by grpc_server_handled_total \(5 of 10\/s\); for all of the last 1h$/m,
  ],
  ["halves", /UNKNOWN/, /^- not known: errors: 50% of requests have no known status \(none 5\/s\)$/m],
  ["wordy", /UNKNOWN/, /^- not known: errors: 90% of requests have no known status \(exception 9\/s\)$/m],
  ["bare", /UNKNOWN/, /^- not known: errors: 90% of requests have no known status \(none 9\/s\)$/m],
  ["broken", /UNKNOWN/, /^- not known: errors: the rate of status 500 is not a number$/m],
  ["vast", /UNKNOWN/, /^errors: no data; a day before no data$/m],
  ["born", /UNKNOWN/, /^- not known: errors: .* hold 5,000 errors, of which the rate sees about 0/m],
  ["ruled", /UNKNOWN/, /^- not known: alerts: RuledBurns can't be evaluated: .*many-to-many|many-to-one/m],
  ["refusing", /UNKNOWN/, /^- not known: errors: 100% of requests are refused \(404 10\/s\), which/m],
  ["moved", /DEGRADED/, /^- 90% of requests are refused \(404 90\/s\), a day before 0%$/m],
  ["used", /HEALTHY/, /^errors: 0%/m],
  [
    "job=twin,namespace=prod",
    /UNKNOWN/,
    /^- not known: alerts: TwinBurns \(critical\) fires, and may be about another namespace$/m,
  ],
  ["job=alone,namespace=prod", /DEGRADED/, /^- alert AloneBurns fires \(critical\)$/m],
];

/** What the report says of one, in a namespace or without. */
const reports:
  readonly (readonly [service: string, namespace: string | undefined, says: readonly RegExp[]])[] = [
    ["probed", undefined, [
      /^probed: DEGRADED/,
      /^1\. 50% of requests that grpc_server_handled_total\s+counts fail/m,
    ]],
    ["halves", undefined, [/^halves: UNKNOWN/, /^not seen, metrics: errors: 50% of requests have no known/m]],
    ["broken", undefined, [/^broken: UNKNOWN/]],
    ["born", undefined, [/^born: UNKNOWN/]],
    ["vast", undefined, [
      /^vast: UNKNOWN, nothing bad was seen, but nothing tells whether its requests succeed/,
      /^ {2}requests: no data by status of http_requests_total: its rate is not a number$/m,
    ]],
    ["ruled", undefined, [/^ruled: UNKNOWN/, /^not seen, metrics: alerts: RuledBurns can't be evaluated/m]],
    ["refusing", undefined, [
      /^refusing: UNKNOWN/,
      /^not seen, metrics: errors: 100% of requests are refused/m,
    ]],
    ["moved", undefined, [/^moved: DEGRADED/, /^1\. 90% of requests are refused/m]],
    ["used", undefined, [/^used: HEALTHY, none of its requests fails, 100% are refused \(404\)/]],
    ["late", undefined, [
      /^late: DEGRADED/,
      /^1\. [\d.]+% of requests of the last 5m fail .*, [\d.]+% in 15m/m,
    ]],
    ["silent", undefined, [
      /^silent: UNKNOWN, .*no request arrived in the last 5m/,
      /^ {2}[\d.]+ requests\/s, 0% fail.* \(over 15m\); none in the last 5m$/m,
    ]],
    ["placed", "prod", [/^placed: HEALTHY/]],
    ["otel", "prod", [/^otel: HEALTHY/]],
    ["twin", "prod", [
      /^twin: UNKNOWN, nothing bad was seen, but an alert fires that may be about it/,
      /^1\. Of note, 1 alert fires that may be about another namespace: TwinBurns \(critical\)$/m,
    ]],
    ["twice", "prod", [/^twice: HEALTHY/, /^ {2}no alert about it fires$/m]],
    ["twice", "lab", [/^twice: DEGRADED/, /^1\. 1 alert fires: LabBurns \(critical\)$/m]],
    ["alone", "prod", [/^alone: DEGRADED/, /^1\. 1 alert fires: AloneBurns \(critical\)$/m]],
    ["excused", "prod", [/^excused: DEGRADED/, /^1\. 1 alert fires: ExcusedBurns \(critical\)$/m]],
    ["unplaced", "staging", [
      /^unplaced: HEALTHY/,
      /^ {2}no series of it has a namespace: the figures are of all$/m,
    ]],
  ];

Deno.test({
  name: "never healthy by a part of what is known",
  ignore: !prometheusAvailable,
  async fn(t) {
    const now = alignedSeconds(Date.now(), 60);
    await using server = await startPrometheus({
      backfill: misleading(now).lines,
      rules: [{ name: "services", rules: [neverEvaluated, ...aggregated] }],
      config: { global: { evaluation_interval: "1s" } },
    });
    const api = openApi(server.url);
    try {
      for (const [service, headline, line] of checks) {
        await t.step(`check_service_health: ${service}`, async () => {
          const { text } = await callTool(checkServiceHealth(api), { service });
          assert.match(text.split("\n")[0] ?? "", headline);
          assert.match(text, line);
        });
      }
      const sources = { clusters: undefined, prometheus: api, database: undefined, log: createLogger("off") };
      const report = (args: Readonly<Record<string, string>>) =>
        callTool(serviceHealthReport(sources, new Set()), args);
      for (const [service, namespace, says] of reports) {
        await t.step(`service_health_report: ${service}`, async () => {
          const { text } = await report({ service, ...(namespace === undefined ? {} : { namespace }) });
          for (const expected of says) assert.match(text, expected);
        });
      }
      await t.step("service_health_report: an alert of which the series alone are known", async () => {
        // Beside samples that lie ahead, as they do here, Prometheus stores none of its own alerts.
        const alert = { __name__: "ALERTS", alertname: "TwinBurns", severity: "critical", job: "twin" };
        const play: Play = ({ path, parameters }) => {
          if (path.endsWith("/rules")) return faults.unavailable();
          const isOfNamespace = parameters.get("query")?.includes("namespace") === true;
          const result = isOfNamespace ? [] : [{ metric: alert, value: [now, "1"] }];
          return success({ resultType: "vector", result });
        };
        await using front = new FakePrometheus({ play: beforeServer(server.url, /\/rules|ALERTS/, play) });
        const prometheus = openApi(front.url);
        const tool = serviceHealthReport({ ...sources, prometheus }, new Set());
        const { text } = await callTool(tool, { service: "twin", namespace: "prod" });
        prometheus.close();
        assert.match(text, /^twin: UNKNOWN, nothing bad was seen, but an alert fires/);
      });
      for (const service of ["placed", "otel"]) {
        await t.step(`figures of another namespace are none of this one: ${service}`, async () => {
          await assert.rejects(
            report({ service, namespace: "staging" }),
            /no series of it is of namespace staging; there are some of prod/,
          );
        });
      }
      await t.step(
        "rank_services_by_error_rate takes the worse counter, and says whose status is not known",
        async () => {
          const { text, structured } = await callTool(rankServicesByErrorRate(sources), { limit: 50 });
          const probed = structured.services.find(({ service }: { service: string }) => service === "probed");
          assert.equal(probed.metric, "grpc_server_handled_total");
          assert.match(text, /^note: .*bare, broken, halves, vast and wordy: .*no known status.*$/m);
          assert.match(text, /^vast +\| +\| +unknown \|/m);
        },
      );
      for (
        const [service, note] of [["wordy", /90% of requests have no known/], [
          "broken",
          /is not a number/,
        ]] as const
      ) {
        await t.step(`get_error_rate does not say that none fails: ${service}`, async () => {
          const { text } = await callTool(getErrorRate(api), { service });
          assert.match(text, /^\w+: 0% of requests are known to fail \(by status\)$/m);
          assert.match(text, note);
        });
      }
      await t.step("get_error_rate says that what it passed over fails", async () => {
        const { text } = await callTool(getErrorRate(api), { service: "probed" });
        assert.match(
          text,
          /^passed over: grpc_server_handled_total \(it counts 10\/s beside, 50% of them errors\)/m,
        );
      });
    } finally {
      api.close();
    }
  },
});
