/** How long the requests of a service take: quantiles from histograms, and what is left where there is none. */
import { type DurationMetric, durationMetrics, matchersOf, unitOf } from "./instrumentation.ts";
import { rate } from "./requests.ts";
import type { PassedOver } from "./requests.ts";
import type { Asking } from "./asking.ts";
import { type Matcher, quoteLabelName, selector } from "./promql_literal.ts";
import type { Service } from "./service.ts";
import { day, formatDuration } from "./time.ts";
import { figureOf } from "./result.ts";

/** A quantile of the durations, in the metric's own unit. */
export interface Quantile {
  /** Such as 0.95. */
  readonly quantile: number;
  /** NaN where nothing was observed. */
  readonly value: number;
  /** The bucket that it lies in, where the buckets are known; `upper` is Infinity for the last one. */
  readonly bucket: { readonly lower: number; readonly upper: number } | undefined;
  /** The same a day before; NaN where there was nothing. */
  readonly dayBefore: number;
  /** Of a summary: the least and the greatest among the instances, which have no common quantile. */
  readonly among: { readonly least: number; readonly greatest: number } | undefined;
  readonly query: string;
}

/** What a metric says of durations in a window. */
export interface Latency {
  readonly metric: DurationMetric;
  /** Of the metric's values: by its name, undefined where that says nothing. */
  readonly unit: "s" | "ms" | undefined;
  /** Seconds. */
  readonly window: number;
  readonly quantiles: readonly Quantile[];
  /** NaN without observations. */
  readonly mean: number;
  readonly observationsPerSecond: number;
  readonly notes: readonly string[];
}

/** How the latency of a service was read. */
export interface LatencyReading {
  /** Undefined where nothing measures durations. */
  readonly latency: Latency | undefined;
  readonly passedOver: readonly PassedOver[];
}

/** More metrics than that in one service are not looked into. */
const mostMetrics = 3;

/** Reads quantiles (each between 0 and 1) over the last `window` seconds from the best metric that the service has. */
export async function readLatency(
  asking: Asking,
  service: Service,
  quantiles: readonly number[],
  window: number,
): Promise<LatencyReading> {
  const found = durationMetrics(service.metrics);
  const passedOver: PassedOver[] = [];
  let first: Latency | undefined;
  for (const metric of found.slice(0, mostMetrics)) {
    const latency = await readMetric(asking, service, metric, quantiles, window);
    first ??= latency;
    if (latency.observationsPerSecond > 0) {
      const rest = found.filter((other) =>
        other !== metric && !passedOver.some((p) => p.metric === other.metric)
      );
      return {
        latency,
        passedOver: [
          ...passedOver,
          ...rest.map((other) => ({
            metric: other.metric,
            because: other.form === metric.form ? "another came first" : `it is only ${a(other.form)}`,
          })),
        ],
      };
    }
    passedOver.push({ metric: metric.metric, because: "it measured nothing in this window" });
  }
  return { latency: first, passedOver: passedOver.filter(({ metric }) => metric !== first?.metric.metric) };
}

function a(form: string): string {
  return form === "average" ? "a sum and a count" : `a ${form}`;
}

async function readMetric(
  asking: Asking,
  service: Service,
  metric: DurationMetric,
  quantiles: readonly number[],
  window: number,
): Promise<Latency> {
  const matchers = matchersOf(service, metric);
  const reading = { asking, metric, matchers, quantiles, window };
  const latency = metric.form === "native histogram"
    ? await readHistogram(reading, true)
    : metric.form === "classic histogram"
    ? await readHistogram(reading, false)
    : metric.form === "summary"
    ? await readSummary(reading)
    : await readAverage(reading);
  return { ...latency, metric, unit: unitOf(metric.metric), window };
}

interface Reading {
  readonly asking: Asking;
  readonly metric: DurationMetric;
  readonly matchers: readonly Matcher[];
  readonly quantiles: readonly number[];
  readonly window: number;
}

type Read = Omit<Latency, "metric" | "unit" | "window">;

/** Where the parts of one query stand in its answer. */
const part = "part";

/** Several expressions in one query, told apart by a label. */
function together(parts: Readonly<Record<string, string>>): string {
  return Object.entries(parts)
    .map(([name, expression]) => `label_replace(${expression}, "${part}", "${name}", "", "")`).join(" or ");
}

async function askTogether({ api, time, signal }: Asking, parts: Readonly<Record<string, string>>) {
  const { series } = await api.query(together(parts), time, { signal });
  const values = new Map(series.map(({ metric, value }) => [metric[part], figureOf(value)]));
  return (name: string) => values.get(name) ?? NaN;
}

async function readHistogram(
  { asking, metric, matchers, quantiles, window }: Reading,
  native: boolean,
): Promise<Read> {
  const range = { matchers, window };
  const histogram = histogramQuery(metric, range);
  const count = observationsQuery(metric, range);
  const quantileOf = (quantile: number, ago = 0) => quantileQuery(metric, quantile, { ...range, ago });
  const parts: Record<string, string> = native
    ? { count, sum: `histogram_sum(${histogram})` }
    : { count, sum: `sum(${rateOfPart(metric, "_sum", range)})` };
  quantiles.forEach((quantile, index) => {
    parts[`now ${index}`] = quantileOf(quantile);
    parts[`before ${index}`] = quantileOf(quantile, day);
  });
  const [value, buckets] = await Promise.all([
    askTogether(asking, parts),
    native ? readNativeBuckets(asking, histogram) : readBuckets(asking, histogram),
  ]);
  // A histogram without `_count` still counts in its last bucket.
  const observationsPerSecond = Number.isNaN(value("count")) ? buckets.total : value("count");
  return {
    observationsPerSecond,
    mean: value("sum") / observationsPerSecond,
    quantiles: quantiles.map((quantile, index) => ({
      quantile,
      value: value(`now ${index}`),
      bucket: buckets.bucketOf(quantile),
      dayBefore: value(`before ${index}`),
      among: undefined,
      query: quantileOf(quantile),
    })),
    notes: buckets.notes,
  };
}

/** Of which series, over how many seconds, of how many seconds before, and apart by which labels. */
export interface RateRange {
  readonly matchers: readonly Matcher[];
  readonly window: number;
  readonly ago?: number;
  readonly by?: readonly string[];
}

function rateOfPart({ metric }: DurationMetric, suffix: string, { matchers, window, ago = 0 }: RateRange) {
  return `rate(${selector(metric + suffix, matchers)}[${formatDuration(window)}]${
    ago === 0 ? "" : ` offset ${formatDuration(ago)}`
  })`;
}

function histogramQuery(metric: DurationMetric, range: RateRange): string {
  const { by = [] } = range;
  return metric.form === "native histogram"
    ? sumBy(by, rateOfPart(metric, "", range))
    : sumBy([...by, "le"], rateOfPart(metric, "_bucket", range));
}

function sumBy(labels: readonly string[], expression: string): string {
  return labels.length === 0
    ? `sum(${expression})`
    : `sum by (${labels.map(quoteLabelName).join(", ")}) (${expression})`;
}

/** Observations of a histogram per second. */
export function observationsQuery(metric: DurationMetric, range: RateRange): string {
  return metric.form === "native histogram"
    ? `histogram_count(${histogramQuery(metric, range)})`
    : sumBy(range.by ?? [], rateOfPart(metric, "_count", range));
}

/** Whether quantiles of several instances together can be told. */
export function isHistogram({ form }: DurationMetric): boolean {
  return form === "native histogram" || form === "classic histogram";
}

/** The bucket that a quantile of a histogram lies in. */
export async function bucketOf(
  asking: Asking,
  metric: DurationMetric,
  quantile: number,
  range: Omit<RateRange, "by">,
): Promise<Quantile["bucket"]> {
  const read = metric.form === "native histogram" ? readNativeBuckets : readBuckets;
  return (await read(asking, histogramQuery(metric, range))).bucketOf(quantile);
}

/** A quantile of a histogram, in the metric's own unit. */
export function quantileQuery(metric: DurationMetric, quantile: number, range: RateRange): string {
  return `histogram_quantile(${quantile}, ${histogramQuery(metric, range)})`;
}

interface Buckets {
  readonly bucketOf: (quantile: number) => Quantile["bucket"];
  readonly total: number;
  readonly notes: readonly string[];
}

async function readBuckets({ api, time, signal }: Asking, query: string): Promise<Buckets> {
  const { series } = await api.query(query, time, { signal });
  const bounds = series.map(({ metric, value }) => ({ upper: boundOf(metric.le), count: figureOf(value) }))
    .filter(({ upper, count }) => !Number.isNaN(upper) && !Number.isNaN(count))
    .sort((a, b) => a.upper - b.upper);
  const total = bounds.at(-1)?.count ?? NaN;
  const endless = bounds.at(-1)?.upper === Infinity;
  return {
    total,
    notes: bounds.length === 0 || endless
      ? []
      : ["the buckets have no +Inf, without which Prometheus gives no quantile"],
    bucketOf(quantile) {
      if (!(total > 0)) return undefined;
      const at = bounds.findIndex(({ count }) => count >= quantile * total);
      const bucket = bounds[at];
      if (bucket === undefined) return undefined;
      const lower = bounds[at - 1]?.upper ?? (bucket.upper > 0 ? 0 : -Infinity);
      return { lower, upper: bucket.upper };
    },
  };
}

async function readNativeBuckets({ api, time, signal }: Asking, query: string): Promise<Buckets> {
  const { series } = await api.query(query, time, { signal });
  const histogram = series[0]?.histogram?.[1];
  const total = Number(histogram?.count ?? NaN);
  return {
    total,
    notes: [],
    bucketOf(quantile) {
      if (!(total > 0)) return undefined;
      let below = 0;
      for (const [, left, right, count] of histogram?.buckets ?? []) {
        below += Number(count);
        if (below >= quantile * total) return { lower: boundOf(left), upper: boundOf(right) };
      }
      return undefined;
    },
  };
}

/** Go's `+Inf` as JavaScript's number. */
function boundOf(text: string | undefined): number {
  if (text === undefined || text === "") return NaN;
  return Number(text.replace(/Inf$/i, "Infinity"));
}

async function readSummary({ asking, metric, matchers, window, quantiles }: Reading): Promise<Read> {
  const { api, time, signal } = asking;
  const query = `max by (quantile) (${selector(metric.metric, [...matchers, ["quantile", "!=", ""]])})`;
  const [greatest, least, average] = await Promise.all([
    api.query(query, time, { signal }),
    api.query(query.replace(/^max/, "min"), time, { signal }),
    readAverage({ asking, metric, matchers, window, quantiles }),
  ]);
  const given = (result: typeof greatest) =>
    new Map(result.series.map(({ metric, value }) => [Number(metric.quantile), figureOf(value)]));
  const [most, fewest] = [given(greatest), given(least)];
  const known = [...most.keys()].filter((quantile) => !Number.isNaN(quantile)).sort((a, b) => a - b);
  const missing = quantiles.filter((quantile) => !most.has(quantile));
  return {
    ...average,
    quantiles: known.map((quantile) => {
      const top = most.get(quantile) ?? NaN;
      return {
        quantile,
        value: top,
        bucket: undefined,
        dayBefore: NaN,
        among: { least: fewest.get(quantile) ?? NaN, greatest: top },
        query,
      };
    }),
    notes: [
      "a summary: each instance computes its own quantiles over its own time, and they can't be combined; what is given is the instance with the greatest",
      ...(missing.length === 0 ? [] : [`the summary has no quantile ${missing.join(", ")}`]),
    ],
  };
}

async function readAverage({ asking, metric, matchers, window }: Reading): Promise<Read> {
  const series = (suffix: string) =>
    `sum(rate(${selector(metric.metric + suffix, matchers)}[${formatDuration(window)}]))`;
  const value = await askTogether(asking, {
    count: series("_count"),
    sum: series("_sum"),
  });
  return {
    observationsPerSecond: value("count"),
    mean: value("sum") / value("count"),
    quantiles: [],
    notes: ["only a sum and a count: an average, no quantiles"],
  };
}

/** Whether a quantile lies above the highest finite bound, where a histogram knows nothing but that bound. */
export function isInLastBucket({ bucket }: Pick<Quantile, "bucket">): boolean {
  return bucket?.upper === Infinity;
}

/** A quantile for people: in the last bucket, which has no end, its value is the least that it can be. */
export function quantileValueText(
  quantile: Pick<Quantile, "value" | "bucket">,
  unit: Latency["unit"],
): string {
  return `${isInLastBucket(quantile) ? "above " : ""}${durationText(quantile.value, unit)}`;
}

/** A duration of a metric for people: three significant digits in a fitting unit. */
export function durationText(value: number, unit: Latency["unit"]): string {
  if (Number.isNaN(value)) return "no data";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  if (unit === undefined) return rate(value);
  const ms = unit === "s" ? value * 1000 : value;
  return Math.abs(ms) < 1000 ? `${rate(ms)} ms` : `${rate(ms / 1000)} s`;
}
