/** A route that has become slow, which the quantile of a whole service may hide. */
import type { Asking } from "./asking.ts";
import { routeLabels } from "./error_places.ts";
import { matchersOf } from "./instrumentation.ts";
import {
  bucketOf,
  durationText,
  isHistogram,
  type Latency,
  observationsQuery,
  type Quantile,
  quantileQuery,
  quantileValueText,
} from "./latency.ts";
import { judgedQuantile } from "./latency_verdict.ts";
import { labelsText } from "./one_line.ts";
import type { Matcher } from "./promql_literal.ts";
import { figureOf } from "./result.ts";
import type { Service } from "./service.ts";
import { day, formatDuration } from "./time.ts";

/** Of many routes one is always somewhat slower than a day before: it takes more than for a whole service, both days. */
const slowerFactor = 4;
const noticeableMs = 200;
const leastObserved = 50;

/** The slowest of those that have become slow. */
export interface SlowRoute {
  /** `route=/search is 4.75 s, a day before 95 ms`. */
  readonly text: string;
  /** Its quantile, and that of a day before. */
  readonly quantile: Pick<Quantile, "quantile" | "value" | "dayBefore">;
  /** Of its observations alone, per second. */
  readonly observationsPerSecond: number;
  readonly metric: Latency["metric"];
  readonly matchers: readonly Matcher[];
}

/** Reads it, of a histogram, of the last minutes alone or of the whole window; undefined where none has become slow, or no label tells routes apart. */
export async function readSlowRoute(
  asking: Asking,
  service: Service,
  { metric, unit, window }: Latency,
  { isLate }: { readonly isLate: boolean },
): Promise<SlowRoute | undefined> {
  if (!isHistogram(metric)) return undefined;
  const { api, time, signal } = asking;
  const matchers = matchersOf(service, metric);
  const range = (ago: number) => ({ matchers, window, ago, by: routeLabels });
  const quantile = (ago: number) => quantileQuery(metric, judgedQuantile, range(ago));
  const observed = (ago: number) =>
    `${observationsQuery(metric, range(ago))} * ${window} >= ${leastObserved}`;
  const slower = `${quantile(0)} >= ${slowerFactor} * ${quantile(day)}`;
  const { series: [first] } = await api.query(
    `topk(1, ${slower} and ${observed(0)} and ${observed(day)})`,
    time,
    { signal },
  );
  const name = labelsText(first?.metric ?? {});
  if (first === undefined || name === "") return undefined;
  const own = routeLabels.map((label): Matcher => [label, "=", first.metric[label] ?? ""]);
  const ofRoute = [...matchers, ...own];
  const [then = NaN, observationsPerSecond = NaN] = await Promise.all([
    quantileQuery(metric, judgedQuantile, { ...range(day), matchers: ofRoute }),
    observationsQuery(metric, { ...range(0), matchers: ofRoute }),
  ].map(async (query) => figureOf((await api.query(query, time, { signal })).series[0]?.value)));
  const now = figureOf(first.value);
  if (!((now - then) * (unit === "s" ? 1000 : 1) >= noticeableMs)) return undefined;
  const bucket = await bucketOf(asking, metric, judgedQuantile, { matchers: ofRoute, window });
  return {
    text: `${name} is ${quantileValueText({ value: now, bucket }, unit)}${
      isLate ? ` in the last ${formatDuration(window)}` : ""
    }, a day before ${durationText(then, unit)}`,
    quantile: { quantile: judgedQuantile, value: now, dayBefore: then },
    observationsPerSecond,
    metric,
    matchers: ofRoute,
  };
}
