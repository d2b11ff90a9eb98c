/** What a series did over a time range, in figures. */
import { numberOf } from "./metric_unit.ts";
import type { Sample } from "./result.ts";
import { pointsOf, type TimeRange } from "./step.ts";

/** A moment of a series: epoch seconds, and the value in Prometheus's own text. */
export interface Moment {
  readonly time: number;
  readonly value: string;
}

/** Points that are missing, from the first missing one to the last. */
export interface Gap {
  readonly from: number;
  readonly to: number;
  readonly points: number;
}

/** The direction of a series, by the least-squares line through its points. */
export interface Trend {
  readonly direction: "rising" | "falling" | "flat" | "unclear";
  /** Of the line, per second. */
  readonly slope: number;
}

/** Figures of the points of one series; those with NaN or infinite values count in `first` and `last` only. */
export interface SeriesStatistics {
  readonly points: number;
  readonly first: Moment;
  readonly last: Moment;
  readonly min: Moment | undefined;
  readonly max: Moment | undefined;
  /** The mean of the points. */
  readonly average: number | undefined;
  /** Whether all points have one value, which is a number. */
  readonly isConstant: boolean;
  readonly trend: Trend;
  /** Last less first. */
  readonly change: number;
  /** In percent of the first value; undefined from zero, and between values that are no numbers. */
  readonly changePercent: number | undefined;
  /** All rises added up, falls taken for a start from zero: of a counter, how much it counted. */
  readonly counted: number;
  /** Between the first point and the last. */
  readonly gaps: readonly Gap[];
}

/** A line explains a series when it explains half of its variance. */
const clearCorrelation = 0.5;
/** Parts of the greatest value that a flat series stays within. */
const flatness = 0.01;

/** The figures of a series with at least one sample, whose samples lie on the range's points. */
export function seriesStatistics(samples: readonly Sample[], range: TimeRange): SeriesStatistics | undefined {
  const [firstSample] = samples;
  const lastSample = samples.at(-1);
  if (firstSample === undefined || lastSample === undefined) return undefined;
  let min: Sample | undefined;
  let max: Sample | undefined;
  let mean = 0;
  let finite = 0;
  let counted = 0;
  let before: number | undefined;
  for (const sample of samples) {
    const value = numberOf(sample[1]);
    if (!Number.isFinite(value)) continue;
    finite++;
    mean += (value - mean) / finite;
    if (min === undefined || value < numberOf(min[1])) min = sample;
    if (max === undefined || value > numberOf(max[1])) max = sample;
    if (before !== undefined) counted += value < before ? value : value - before;
    before = value;
  }
  const first = numberOf(firstSample[1]);
  const change = numberOf(lastSample[1]) - first;
  const percent = change / Math.abs(first) * 100;
  return {
    points: samples.length,
    first: moment(firstSample),
    last: moment(lastSample),
    min: min && moment(min),
    max: max && moment(max),
    average: finite === 0 ? undefined : mean,
    isConstant: finite === samples.length && min?.[1] === max?.[1],
    trend: trendOf(samples, mean, finite),
    change,
    changePercent: Number.isFinite(percent) ? percent : undefined,
    counted,
    gaps: gapsOf(samples, range),
  };
}

function moment([time, value]: Sample): Moment {
  return { time, value };
}

function trendOf(samples: readonly Sample[], mean: number, finite: number): Trend {
  const origin = samples[0]?.[0] ?? 0;
  const points = samples.map(([time, value]) => [time - origin, numberOf(value)] as const)
    .filter(([, value]) => Number.isFinite(value));
  const middle = points.reduce((sum, [time]) => sum + time / finite, 0);
  let times = 0;
  let values = 0;
  let both = 0;
  let greatest = 0;
  for (const [time, value] of points) {
    times += (time - middle) ** 2;
    values += (value - mean) ** 2;
    both += (time - middle) * (value - mean);
    greatest = Math.max(greatest, Math.abs(value));
  }
  const slope = times === 0 ? 0 : both / times;
  const spread = Math.sqrt(values / Math.max(1, finite));
  if (finite < 3) return { direction: "unclear", slope };
  const clear = both ** 2 >= clearCorrelation * times * values;
  const drift = Math.abs(slope) * ((points.at(-1)?.[0] ?? 0) - (points[0]?.[0] ?? 0));
  if (spread <= flatness * greatest && drift <= flatness * greatest) return { direction: "flat", slope };
  if (!clear) return { direction: "unclear", slope };
  return { direction: slope > 0 ? "rising" : "falling", slope };
}

function gapsOf(samples: readonly Sample[], { step }: TimeRange): readonly Gap[] {
  const gaps: Gap[] = [];
  for (const [index, [time]] of samples.entries()) {
    const before = samples[index - 1]?.[0] ?? time;
    const missing = Math.round((time - before) / step) - 1;
    if (missing > 0) gaps.push({ from: before + step, to: time - step, points: missing });
  }
  return gaps;
}

/** The values at every `every`th point of the range, undefined where there is none. */
export function onAxis(
  samples: readonly Sample[],
  range: TimeRange,
  every = 1,
): readonly (string | undefined)[] {
  const axis = new Array<string | undefined>(Math.ceil(pointsOf(range) / every)).fill(undefined);
  for (const [time, value] of samples) {
    const place = Math.round((time - range.start) / range.step);
    if (place % every === 0 && place / every < axis.length) axis[place / every] = value;
  }
  return axis;
}
