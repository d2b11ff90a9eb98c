/** The rules that look at what Prometheus counts. Their thresholds are those of check_service_health where it has one. */
import { count, percent, plural } from "../common/units.ts";
import type { Dependency } from "../prometheus/dependencies.ts";
import { durationText } from "../prometheus/latency.ts";
import { episodeClause } from "../prometheus/episode.ts";
import type { Outlier } from "../prometheus/outliers.ts";
import { rate } from "../prometheus/requests.ts";
import {
  type Failing,
  failing,
  isOftenIdle,
  refusals,
  refusalsRose,
  trafficIsLost,
} from "../prometheus/request_verdict.ts";
import { slowerLately, slowerQuantile, slowLatency } from "../prometheus/latency_verdict.ts";
import { alertText, type FiringAlert } from "../prometheus/service_alerts.ts";
import { flaps } from "../prometheus/service_health.ts";
import { formatDuration, utc } from "../prometheus/time.ts";
import { type Evidence, seen } from "./evidence.ts";
import type { MetricsReport } from "./metrics.ts";
import type { Finding, Rule } from "./rule.ts";

/** From here on so many requests fail that the service is as good as down. */
const downRatio = 0.9;
/** Requests in the window below which a ratio is chance. */
const leastRequests = 20;
/** From here on it is not one route that fails. */
const mostOfAll = 0.5;
/** From this share of requests on, at so many times that of a day before, refusals are of note. */
const notedRefused = 0.05;
const moreRefused = 4;
/** Times as much traffic as a day before. */
const moreTraffic = 2;
/** Requests per second below which a change of traffic is chance. */
const leastTraffic = 0.1;

export const metricsRules: readonly Rule[] = [
  {
    name: "gone",
    explains: 62,
    when: "Prometheus has no samples of it any more",
    find(evidence) {
      const since = seen(evidence.metrics)?.service.goneSince;
      if (since === undefined) return undefined;
      return {
        severity: "down",
        text: `Prometheus has no samples of it any more: the last was at ${utc(Math.floor(since))}`,
        next: [{ tool: "list_targets", arguments: { service: nameOf(evidence) } }],
      };
    },
  },
  {
    name: "instances_down",
    explains: 60,
    when: "Prometheus can't scrape instances, or scrapes none any more",
    find(evidence) {
      const instances = seen(evidence.metrics)?.instances?.all ?? [];
      const down = instances.filter(({ state }) => state === "DOWN");
      const present = instances.filter(({ state }) => state !== "STALE");
      const named = (list: readonly { readonly name: string }[]) =>
        list.slice(0, 3).map(({ name }) => name).join(", ") + (list.length > 3 ? ", …" : "");
      const targets = (more: Readonly<Record<string, string>>) => [
        { tool: "list_targets", arguments: { service: nameOf(evidence), ...more } },
      ];
      if (instances.length > 0 && present.length === 0) {
        return {
          severity: "down",
          text: `Prometheus scrapes none of its instances any more: ${named(instances)} gone`,
          next: targets({}),
        };
      }
      if (down.length === 0) return undefined;
      const all = down.length === present.length;
      return {
        severity: all ? "down" : "degraded",
        text: `Prometheus can scrape ${all ? "none" : `${present.length - down.length}`} of ${
          plural(present.length, "instance")
        }: ${named(down)} down`,
        next: targets({ state: "down" }),
      };
    },
  },
  {
    name: "probes",
    explains: 59,
    when: "probes from outside (blackbox_exporter) fail",
    find(evidence) {
      const probes = seen(evidence.metrics)?.probes;
      if (probes === undefined) return undefined;
      return {
        severity: "degraded",
        text: probes.text,
        next: [{ tool: "query_metrics_range", arguments: { query: probes.query, duration: "6h" } }],
      };
    },
  },
  {
    name: "errors",
    explains: 50,
    when: "so many requests fail that check_service_health calls it degraded, too",
    find(evidence) {
      const metrics = seen(evidence.metrics);
      const [worst] = metrics === undefined ? [] : failing(metrics);
      if (metrics === undefined || worst === undefined) return undefined;
      const { rates, of } = worst;
      const requests = rates.requestsPerSecond * (of === "window" ? metrics.window : rates.window);
      const few = requests < leastRequests;
      const which = of === "recent"
        ? " of the last " + formatDuration(rates.window)
        : of === "beside"
        ? " that " + rates.source.counter.metric + " counts"
        : "";
      return {
        // What another counter counts may be a small part of all.
        severity: rates.ratio >= downRatio && !few && of !== "beside" ? "down" : "degraded",
        text: `${percent(rates.ratio)} of requests${which} fail (${rate(rates.errorsPerSecond)} of ${
          rate(rates.requestsPerSecond)
        }/s${few ? `, about ${count(Math.round(requests))} requests in all: few to judge by` : ""})${
          comparison(of, metrics)
        }${episodeClause(metrics.episodes.errors, metrics.time)}${blamed(metrics.outliers.errors)}${
          of === "window" && rates.ratio < mostOfAll ? blamed(metrics.failingRoute) : ""
        }`,
        next: [{ tool: "get_error_rate", arguments: { service: nameOf(evidence) } }],
      };
    },
  },
  {
    name: "failing_route",
    explains: 48,
    when: "most requests of one route fail, and few of all",
    find(evidence) {
      const metrics = seen(evidence.metrics);
      if (metrics?.failingRoute === undefined || failing(metrics).length > 0) return undefined;
      const { text, isNew } = metrics.failingRoute;
      const all = percent(metrics.requests?.rates?.ratio ?? NaN);
      return {
        severity: isNew ? "degraded" : "coincidence",
        text: `${isNew ? "" : "Of note, as a day before: "}${text}, though only ${all} of all requests do${
          isNew ? episodeClause(metrics.episodes.errors, metrics.time) : ""
        }`,
        next: [{ tool: "get_error_rate", arguments: { service: nameOf(evidence) } }],
      };
    },
  },
  {
    name: "failing_dependency",
    explains: 53,
    when: "calls that it makes fail, while its own requests are slow or fail",
    find(evidence) {
      const dependency = seen(evidence.metrics)?.dependencies?.failing;
      return dependency?.isNew === true ? dependencyFinding(dependency) : undefined;
    },
  },
  {
    name: "always_failing_dependency",
    explains: 29,
    when: "calls that it makes fail as a day before, while its own requests are slow or fail",
    find(evidence) {
      const dependency = seen(evidence.metrics)?.dependencies?.failing;
      const found = dependencyFinding(dependency);
      if (found === undefined || dependency?.isNew !== false) return undefined;
      return { ...found, severity: "coincidence", text: `Of note, as a day before: ${found.text}` };
    },
  },
  {
    name: "slow_dependency",
    explains: 51,
    when: "what it calls takes longer than a day before, while its own requests are slow or fail",
    find: (evidence) => dependencyFinding(seen(evidence.metrics)?.dependencies?.slow),
  },
  {
    name: "refusals",
    explains: 49,
    when: "most requests are answered with 4xx, and twice as many of them as a day before",
    find(evidence) {
      const metrics = seen(evidence.metrics);
      const refused = metrics && refusals(metrics);
      if (refused === undefined || !refusalsRose(refused)) return undefined;
      return {
        severity: "degraded",
        text: `${refused.text}, ${percent(refused.before)} a day before`,
        next: [{ tool: "get_error_rate", arguments: { service: nameOf(evidence) } }],
      };
    },
  },
  {
    name: "more_refusals",
    explains: 31,
    when: "many more requests than a day before are answered with 4xx, though not most",
    find(evidence) {
      const metrics = seen(evidence.metrics);
      if (metrics === undefined) return undefined;
      const refused = refusals(metrics, notedRefused);
      if (refused === undefined || !(refused.share >= moreRefused * refused.before)) return undefined;
      const most = refusals(metrics);
      if (most !== undefined && refusalsRose(most)) return undefined;
      return {
        severity: "coincidence",
        text: `Of note, ${refused.text}, ${percent(refused.before)} a day before`,
        next: [{ tool: "get_error_rate", arguments: { service: nameOf(evidence) } }],
      };
    },
  },
  {
    name: "instances_flap",
    explains: 47,
    when: "Prometheus could not scrape an instance again and again, and can now",
    find(evidence) {
      const flapping = (seen(evidence.metrics)?.instances?.all ?? [])
        .filter(({ state, failures }) => state === "UP" && failures >= flaps);
      const [first] = flapping;
      if (first === undefined) return undefined;
      return {
        severity: "degraded",
        text: `${plural(flapping.length, "instance goes", "instances go")} down and up again: ${first.name} ${
          plural(first.failures, "time")
        }`,
        next: [{ tool: "check_service_health", arguments: { service: nameOf(evidence) } }],
      };
    },
  },
  {
    name: "latency",
    explains: 45,
    when: "latency has grown so much since the day before that check_service_health calls it degraded, too",
    find(evidence) {
      const metrics = seen(evidence.metrics);
      const text = metrics && (latelyText(metrics) ?? slowerText(metrics));
      if (metrics === undefined || text === undefined) return undefined;
      return {
        severity: "degraded",
        text: `The 95th percentile of latency ${text}${
          episodeClause(metrics.episodes.latency, metrics.time)
        }${blamed(metrics.outliers.latency)}${blamed(metrics.slowRoute)}`,
        next: [
          { tool: "get_latency", arguments: { service: nameOf(evidence) } },
          ...(evidence.database.state === "seen" ? [{ tool: "top_queries", arguments: {} }] : []),
        ],
      };
    },
  },
  {
    name: "slow_route",
    explains: 42,
    when: "one route has become slow, and the service as a whole has not",
    find(evidence) {
      const metrics = seen(evidence.metrics);
      if (metrics?.slowRoute === undefined || slowLatency(metrics) !== undefined) return undefined;
      return {
        severity: "degraded",
        text:
          `The 95th percentile of latency of ${metrics.slowRoute.text}, though that of all requests has not grown so${
            episodeClause(metrics.episodes.latency, metrics.time)
          }`,
        next: [{ tool: "get_latency", arguments: { service: nameOf(evidence) } }],
      };
    },
  },
  {
    name: "alerts",
    explains: 40,
    when: "alerts about the service fire, other than mere information",
    find(evidence) {
      const firing = (seen(evidence.metrics)?.alerts?.firing ?? []).filter(({ matters }) => matters);
      if (firing.length === 0) return undefined;
      return {
        severity: "degraded",
        text: `${plural(firing.length, "alert fires", "alerts fire")}: ${alertNames(firing)}`,
        next: [{ tool: "list_alerts", arguments: { service: nameOf(evidence) } }],
      };
    },
  },
  {
    name: "vague_alerts",
    explains: 25,
    when: "alerts fire that name no namespace, and other namespaces have a service of that name",
    find(evidence) {
      const vague = (seen(evidence.metrics)?.alerts?.firing ?? []).filter(({ isVague }) => isVague);
      if (vague.length === 0) return undefined;
      return {
        severity: "coincidence",
        text: `Of note, ${
          plural(vague.length, "alert fires", "alerts fire")
        } that may be about another namespace: ${alertNames(vague)}`,
        next: [{ tool: "list_alerts", arguments: { service: nameOf(evidence) } }],
      };
    },
  },
  {
    name: "no_traffic",
    explains: 30,
    when: "nearly all of the traffic of the day before is gone",
    find(evidence) {
      const { now, before } = traffic(evidence);
      if (now === undefined || !trafficIsLost(now, before)) return undefined;
      const metrics = seen(evidence.metrics);
      const isUsual = metrics !== undefined && isOftenIdle(metrics);
      return {
        severity: isUsual ? "coincidence" : "degraded",
        text: `${isUsual ? "Of note, traffic" : "Traffic"} fell from ${rate(before)}/s a day before to ${
          now === 0 ? "nothing" : `${rate(now)}/s`
        }${isUsual ? `, as in ${percent(metrics.idle ?? NaN)} of the time since then` : ""}`,
        next: [],
      };
    },
  },
  {
    name: "more_traffic",
    explains: 28,
    when: `there are at least ${moreTraffic} times as many requests as a day before`,
    find(evidence) {
      const { now = 0, before } = traffic(evidence);
      if (before < leastTraffic || now < moreTraffic * before) return undefined;
      return {
        severity: "coincidence",
        text: `At the same time there is ${rate(now / before)} times the traffic of a day before: ${
          rate(now)
        }/s, ${rate(before)}/s then`,
        next: [],
      };
    },
  },
];

function alertNames(alerts: readonly FiringAlert[]): string {
  return alerts.slice(0, 3).map(alertText).join(", ") + (alerts.length > 3 ? ", …" : "");
}

/** The name that Prometheus has for it. */
function nameOf({ service, metrics }: Evidence): string {
  return seen(metrics)?.service.name ?? service;
}

function dependencyFinding(dependency: Dependency | undefined): Omit<Finding, "rule"> | undefined {
  if (dependency === undefined) return undefined;
  const { name, text, isDatabase } = dependency;
  // Of a name such as pricing.shop.svc the first part is the service.
  const [service = ""] = name.split(/[.:/]/);
  const calls = isDatabase
    ? [{ tool: "database_health", arguments: {} }, { tool: "top_queries", arguments: {} }]
    : /^[a-z][a-z0-9-]*$/.test(service)
    ? [{ tool: "service_health_report", arguments: { service } }]
    : [];
  return { severity: "degraded", text, next: calls };
}

function slowerText({ latency }: MetricsReport): string | undefined {
  const slower = slowerQuantile(latency);
  if (latency === undefined || slower === undefined) return undefined;
  const { value, dayBefore } = slower;
  return `is ${durationText(value, latency.unit)}, ${rate(value / dayBefore)} times that of a day before (${
    durationText(dayBefore, latency.unit)
  })`;
}

/** Of the last minutes, where the window does not show it. */
function latelyText(metrics: MetricsReport): string | undefined {
  const lately = slowerLately(metrics);
  if (lately === undefined) return undefined;
  const { quantile: { value }, unit, than, whole } = lately;
  const span = formatDuration(metrics.window);
  return `of the last ${formatDuration(lately.window)} is ${durationText(value, unit)}, ${
    rate(value / than.value)
  } times that of ${than.of === "window" ? `the whole ${span}` : "a day before"} (${
    durationText(than.value, unit)
  })${than.of === "window" ? "" : `, ${durationText(whole, unit)} in ${span}`}`;
}

/** The one instance of several, or the one route, as a clause more. */
function blamed(one: Pick<Outlier, "text"> | undefined): string {
  return one === undefined ? "" : `; ${one.text}`;
}

/** What a ratio of errors is to be compared with. */
function comparison(of: Failing["of"], { requests, dayBefore, window }: MetricsReport): string {
  if (of === "beside") return "";
  if (of === "recent") return `, ${percent(requests?.rates?.ratio ?? NaN)} in ${formatDuration(window)}`;
  const before = dayBefore?.rates?.ratio ?? NaN;
  return Number.isNaN(before) ? ", no figure from a day before" : `, ${percent(before)} a day before`;
}

/** Requests per second now, where anything counts them, and a day before. */
function traffic({ metrics }: Evidence): { readonly now: number | undefined; readonly before: number } {
  const symptoms = seen(metrics);
  return {
    now: symptoms?.requests?.rates?.requestsPerSecond,
    before: symptoms?.dayBefore?.rates?.requestsPerSecond ?? 0,
  };
}
