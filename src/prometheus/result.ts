/** What Prometheus answers with, typed. Numbers that matter stay the text they came as. */

/** A sample: epoch seconds as Prometheus gave them, the value in Prometheus's own text (`0.25`, `NaN`, `+Inf`). */
export type Sample = readonly [seconds: number, value: string];

/** A native histogram, as the API gives it. */
export interface NativeHistogram {
  readonly count: string;
  readonly sum: string;
  /** `boundaries`: 0 open left, 1 open right, 2 both open, 3 both closed. */
  readonly buckets?: readonly (readonly [boundaries: number, left: string, right: string, count: string])[];
}

/** A sample that is a native histogram. */
export type HistogramSample = readonly [seconds: number, histogram: NativeHistogram];

/** The labels of a series, `__name__` among them. */
export type Labels = Readonly<Record<string, string>>;

/** A series of an instant vector: it has a value or a histogram. */
export interface InstantSeries {
  readonly metric: Labels;
  readonly value?: Sample;
  readonly histogram?: HistogramSample;
}

/** A series of a range vector. */
export interface RangeSeries {
  readonly metric: Labels;
  readonly values: readonly Sample[];
  readonly histograms: readonly HistogramSample[];
}

/** What Prometheus said beside its answer, in its own words. */
export interface Told {
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
}

/** The answer to an instant query. */
export interface InstantResult extends Told {
  readonly type: "vector" | "scalar" | "string" | "matrix";
  /** A scalar and a string are one series without labels. */
  readonly series: readonly InstantSeries[];
  /** Of a `matrix`, such as `up[5m]`. */
  readonly ranges: readonly RangeSeries[];
  /** There were more series than the limit that was asked for. */
  readonly truncated: boolean;
}

/** The answer to a range query. */
export interface RangeResult extends Told {
  readonly series: readonly RangeSeries[];
  readonly truncated: boolean;
}

/** The type, help and unit of a metric as one of its targets tells them. */
export interface MetricMetadata {
  readonly type: string;
  readonly help: string;
  readonly unit: string;
}

/** A target that is scraped. Times are RFC 3339, durations Prometheus's own text. */
export interface Target {
  readonly labels: Labels;
  readonly scrapePool: string;
  /** `up`, `down`, or `unknown` before the first scrape. */
  readonly health: string;
  readonly lastError: string;
  readonly lastScrape: string;
  readonly lastScrapeSeconds: number;
  readonly scrapeInterval: string;
}

/** A target that relabelling dropped. */
export interface DroppedTarget {
  readonly scrapePool: string;
}

/** The answer about targets. */
export interface TargetsResult extends Told {
  readonly active: readonly Target[];
  readonly dropped: readonly DroppedTarget[];
  /** By scrape pool; empty where the backend does not count. */
  readonly droppedCounts: Readonly<Record<string, number>>;
}

/** An alert that is pending or firing. */
export interface Alert {
  readonly labels: Labels;
  readonly annotations: Labels;
  /** `pending` or `firing`. */
  readonly state: string;
  /** RFC 3339. */
  readonly activeAt: string;
  readonly value: string;
}

/** A rule; what only alerting rules have is empty on recording rules. */
export interface Rule {
  readonly type: "alerting" | "recording";
  readonly name: string;
  readonly query: string;
  /** Labels that it adds. */
  readonly labels: Labels;
  readonly health: string;
  readonly lastError: string;
  /** `inactive`, `pending`, `firing`, and `unknown` before the first evaluation; empty on recording rules. */
  readonly state: string;
  /** The `for` of an alert. */
  readonly forSeconds: number;
  readonly alerts: readonly Alert[];
}

/** A group of rules. */
export interface RuleGroup {
  readonly name: string;
  readonly rules: readonly Rule[];
}

/** From when to when, in epoch seconds; an open end is Prometheus's first or last sample. */
export interface TimeRange {
  readonly start?: number;
  readonly end?: number;
}

/** The version, as the backend tells it. Mimir and others say in `application` who they are. */
export interface BuildInfo {
  readonly version: string;
  readonly application: string;
}

/** A store that a Thanos Query asks. */
export interface Store {
  readonly name: string;
  /** Empty of one that it reaches. */
  readonly lastError: string;
}

/** What a running Prometheus says of itself. Empty texts where it does not say. */
export interface RuntimeInfo {
  /** RFC 3339. */
  readonly startTime: string;
  /** Such as `15d` or `15d or 50GiB`. */
  readonly storageRetention: string;
  readonly reloadConfigSuccess: boolean | undefined;
}

/** What is larger is no figure of a service: sums and products of such leave the range of numbers. */
const largest = 1e15;

/** The number of a sample; NaN where there is none, and of one that is too large to reckon with. */
export function figureOf(value: readonly [unknown, string] | undefined): number {
  const number = Number(value?.[1] ?? NaN);
  return Math.abs(number) < largest ? number : NaN;
}
