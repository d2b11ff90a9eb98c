/** A route that has become slow, which the quantile of a whole service may hide. */
import type { Asking } from "./asking.ts";
import { routeLabels } from "./error_places.ts";
import { durationText, isHistogram, type Latency, observationsQuery, quantileQuery } from "./latency.ts";
import { judgedQuantile } from "./latency_verdict.ts";
import { labelsText } from "./one_line.ts";
import type { Matcher } from "./promql.ts";
import type { Service } from "./service.ts";
import { day } from "./time.ts";

/** Of many routes one is always somewhat slower than a day before: it takes more than for a whole service, both days. */
const slowerFactor = 4;
const noticeableMs = 200;
const leastObserved = 50;

/** The slowest of those that have become slow. */
export interface SlowRoute {
  /** `route=/search is 4.75 s, a day before 95 ms`. */
  readonly text: string;
}

/** Reads it, of a histogram; undefined where none has become slow, or no label tells routes apart. */
export async function readSlowRoute(
  { api, time, signal }: Asking,
  service: Service,
  { metric, unit, window }: Latency,
): Promise<SlowRoute | undefined> {
  if (!isHistogram(metric)) return undefined;
  const matchers = [...service.matchers, ...(metric.instrumentation.matchers ?? [])];
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
  const usually = quantileQuery(metric, judgedQuantile, { ...range(day), matchers: [...matchers, ...own] });
  const { series: [usual] } = await api.query(usually, time, { signal });
  const [now, then] = [Number(first.value?.[1] ?? NaN), Number(usual?.value?.[1] ?? NaN)];
  if (!((now - then) * (unit === "s" ? 1000 : 1) >= noticeableMs)) return undefined;
  return { text: `${name} is ${durationText(now, unit)}, a day before ${durationText(then, unit)}` };
}
