/** A route that has become slow, which the quantile of a whole service may hide. */
import type { Asking } from "./asking.ts";
import { routeLabels } from "./error_places.ts";
import { durationText, type Latency } from "./latency.ts";
import { judgedQuantile } from "./latency_verdict.ts";
import { labelsText } from "./one_line.ts";
import { type Matcher, quoteLabelName, selector } from "./promql.ts";
import type { Service } from "./service.ts";
import { formatDuration } from "./time.ts";

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
  const native = metric.form === "native histogram";
  if (!native && metric.form !== "classic histogram") return undefined;
  const matchers = [...service.matchers, ...(metric.instrumentation.matchers ?? [])];
  const routes = routeLabels.map(quoteLabelName);
  const rateOf = (name: string, more: readonly Matcher[], ago: string) =>
    `rate(${selector(name, [...matchers, ...more])}[${formatDuration(window)}]${ago})`;
  const buckets = native ? metric.metric : `${metric.metric}_bucket`;
  const quantile = (more: readonly Matcher[], ago: string) =>
    `histogram_quantile(${judgedQuantile}, sum by (${[...routes, ...(native ? [] : ["le"])].join(", ")}) (${
      rateOf(buckets, more, ago)
    }))`;
  const observed = (ago: string) => {
    const counted = `sum by (${routes.join(", ")}) (${
      rateOf(native ? metric.metric : `${metric.metric}_count`, [], ago)
    })`;
    return `${native ? `histogram_count(${counted})` : counted} * ${window} >= ${leastObserved}`;
  };
  const before = " offset 1d";
  const slower = `${quantile([], "")} >= ${slowerFactor} * ${quantile([], before)}`;
  const { series: [first] } = await api.query(
    `topk(1, ${slower} and ${observed("")} and ${observed(before)})`,
    time,
    { signal },
  );
  const name = labelsText(first?.metric ?? {});
  if (first === undefined || name === "") return undefined;
  const own = routeLabels.map((label): Matcher => [label, "=", first.metric[label] ?? ""]);
  const { series: [usual] } = await api.query(quantile(own, before), time, { signal });
  const [now, then] = [Number(first.value?.[1] ?? NaN), Number(usual?.value?.[1] ?? NaN)];
  if (!((now - then) * (unit === "s" ? 1000 : 1) >= noticeableMs)) return undefined;
  return { text: `${name} is ${durationText(now, unit)}, a day before ${durationText(then, unit)}` };
}
