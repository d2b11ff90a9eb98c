/** The rules that look at latency. Their thresholds are those of check_service_health. */
import { durationText, isInLastBucket, type Quantile, quantileValueText } from "../prometheus/latency.ts";
import { slowerLately, slowerQuantile, slowLatency } from "../prometheus/latency_verdict.ts";
import { episodeClause } from "../prometheus/episode.ts";
import { clauseOf } from "../prometheus/outliers.ts";
import { rate } from "../prometheus/requests.ts";
import { formatDuration } from "../prometheus/time.ts";
import { metricsNameOf, seen } from "./evidence.ts";
import type { MetricsReport } from "./metrics.ts";
import type { Rule } from "./rule.ts";

export const latencyRules: readonly Rule[] = [
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
        }${clauseOf(metrics.outliers.latency)}${clauseOf(metrics.slowRoute)}`,
        next: [
          { tool: "get_latency", arguments: { service: metricsNameOf(evidence) } },
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
        next: [{ tool: "get_latency", arguments: { service: metricsNameOf(evidence) } }],
      };
    },
  },
];

function slowerText({ latency }: MetricsReport): string | undefined {
  const slower = slowerQuantile(latency);
  if (latency === undefined || slower === undefined) return undefined;
  const { value, dayBefore } = slower;
  return `is ${quantileValueText(slower, latency.unit)}, ${atLeast(slower)}${
    rate(value / dayBefore)
  } times that of a day before (${durationText(dayBefore, latency.unit)})`;
}

/** Of the last minutes, where the window does not show it. */
function latelyText(metrics: MetricsReport): string | undefined {
  const lately = slowerLately(metrics);
  if (lately === undefined) return undefined;
  const { quantile, unit, than, whole } = lately;
  const span = formatDuration(metrics.window);
  return `of the last ${formatDuration(lately.window)} is ${quantileValueText(quantile, unit)}, ${
    atLeast(quantile)
  }${rate(quantile.value / than.value)} times that of ${
    than.of === "window" ? `the whole ${span}` : "a day before"
  } (${durationText(than.value, unit)})${
    than.of === "window" ? "" : `, ${durationText(whole, unit)} in ${span}`
  }`;
}

function atLeast(quantile: Quantile): string {
  return isInLastBucket(quantile) ? "at least " : "";
}
