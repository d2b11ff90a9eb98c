/** The rules that look at requests: errors, refusals, traffic. Their thresholds are those of check_service_health where it has one. */
import { percent, plural } from "../common/units.ts";
import { episodeClause } from "../prometheus/episode.ts";
import { clauseOf } from "../prometheus/outliers.ts";
import { rate } from "../prometheus/requests.ts";
import {
  type Failing,
  failing,
  isOftenIdle,
  refusals,
  refusalsRose,
  trafficIsLost,
} from "../prometheus/request_verdict.ts";
import { formatDuration } from "../prometheus/time.ts";
import { type Evidence, metricsNameOf, seen } from "./evidence.ts";
import type { MetricsReport } from "./metrics.ts";
import type { Rule } from "./rule.ts";

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

export const requestRules: readonly Rule[] = [
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
      const isOver = metrics.episodes.errors?.ended !== undefined;
      // A window that began before all went down holds what succeeded then.
      const now = of === "window" ? metrics.recent?.requests.rates : undefined;
      const isAllNow = now !== undefined && rates.ratio < downRatio && now.ratio >= downRatio &&
        now.requestsPerSecond * now.window >= leastRequests;
      const which = of === "recent"
        ? " of the last " + formatDuration(rates.window)
        : of === "beside"
        ? " that " + rates.source.counter.metric + " counts"
        : "";
      return {
        // What another counter counts may be a small part of all, and what is over is down no more.
        severity: (isAllNow || (rates.ratio >= downRatio && !few)) && of !== "beside" && !isOver
          ? "down"
          : "degraded",
        text: `${percent(rates.ratio)} of requests${which} fail (${rate(rates.errorsPerSecond)} of ${
          rate(rates.requestsPerSecond)
        }/s${few ? `, about ${plural(Math.round(requests), "request")} in all: few to judge by` : ""})${
          isAllNow ? `, ${percent(now.ratio)} in the last ${formatDuration(now.window)}` : ""
        }${comparison(of, metrics)}${episodeClause(metrics.episodes.errors, metrics.time)}${
          clauseOf(metrics.outliers.errors)
        }${of === "window" && rates.ratio < mostOfAll ? clauseOf(metrics.failingRoute) : ""}`,
        next: [{ tool: "get_error_rate", arguments: { service: metricsNameOf(evidence) } }],
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
        next: [{ tool: "get_error_rate", arguments: { service: metricsNameOf(evidence) } }],
      };
    },
  },
  {
    name: "refusals",
    explains: 49,
    when: "most requests are refused (4xx and the like), and twice as many of them as a day before",
    find(evidence) {
      const metrics = seen(evidence.metrics);
      const refused = metrics && refusals(metrics);
      if (refused === undefined || !refusalsRose(refused)) return undefined;
      return {
        severity: "degraded",
        text: `${refused.text}, ${percent(refused.before)} a day before`,
        next: [{ tool: "get_error_rate", arguments: { service: metricsNameOf(evidence) } }],
      };
    },
  },
  {
    name: "more_refusals",
    explains: 31,
    when: "many more requests than a day before are refused, though not most",
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
        next: [{ tool: "get_error_rate", arguments: { service: metricsNameOf(evidence) } }],
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
