/** What the latency of a service says against it. */
import { durationText, isInLastBucket, type Latency, type Quantile, quantileValueText } from "./latency.ts";
import type { SlowRoute } from "./slow_route.ts";
import { formatDuration } from "./time.ts";

/** What was read of latency; undefined where asking failed or nothing measures it. */
export interface LatencySymptoms {
  readonly latency: Latency | undefined;
  /** Of the last minutes, where the window is longer than they are. */
  readonly recentLatency: Latency | undefined;
  /** A route that has become slow. */
  readonly slowRoute?: SlowRoute | undefined;
}

/** The quantile by which latency is judged. */
export const judgedQuantile = 0.95;

/** A time speaks against whoever takes it when it has doubled, and by as much that somebody could notice. */
const slowerFactor = 2;
const noticeableMs = 50;
/** Requests of the last minutes below which their latency is chance. */
const leastObserved = 20;

/**
 * The quantile that latency is judged by, where it has grown so that somebody could notice. In the last bucket its value
 * is the least that it can be.
 */
export function slowerQuantile(latency: Latency | undefined): Quantile | undefined {
  const quantile = judgedOf(latency);
  if (latency === undefined || quantile === undefined || !(latency.observationsPerSecond > 0)) {
    return undefined;
  }
  return isSlower(quantile.value, quantile.dayBefore, latency.unit) ? quantile : undefined;
}

/** The quantile that latency is judged by. */
export function judgedOf(latency: Latency | undefined): Quantile | undefined {
  return latency?.quantiles.find(({ quantile }) => quantile === judgedQuantile);
}

/** Whether a time has grown so much beyond another that somebody could notice. */
export function isSlower(value: number, than: number, unit: Latency["unit"]): boolean {
  return value >= slowerFactor * than && (value - than) * (unit === "s" ? 1000 : 1) >= noticeableMs;
}

/** The latency of the last minutes, and what it is compared with. */
export interface SlowerLately {
  readonly quantile: Quantile;
  readonly unit: Latency["unit"];
  /** Seconds of the last minutes. */
  readonly window: number;
  /** Of a day before, or of the whole window where there is no figure from then. */
  readonly than: { readonly value: number; readonly of: "day before" | "window" };
  /** Of the whole window. */
  readonly whole: number;
}

/** The last minutes of a long window, where they are slow and the window as a whole does not show it. */
export function slowerLately(
  { latency, recentLatency }: LatencySymptoms,
): SlowerLately | undefined {
  const quantile = judgedOf(recentLatency);
  if (recentLatency === undefined || quantile === undefined) return undefined;
  const { unit, window, observationsPerSecond } = recentLatency;
  if (!(observationsPerSecond * window >= leastObserved)) return undefined;
  const whole = judgedOf(latency)?.value ?? NaN;
  const { value, dayBefore } = quantile;
  const than = Number.isNaN(dayBefore)
    ? { value: whole, of: "window" as const }
    : { value: dayBefore, of: "day before" as const };
  const isTold = slowerQuantile(latency) !== undefined && !(value > slowerFactor * whole);
  return isTold || !isSlower(value, than.value, unit) ? undefined : { quantile, unit, window, than, whole };
}

/** That which speaks against the service, of the whole window or of its last minutes; undefined where none does. */
export function slowLatency(symptoms: LatencySymptoms): Latency | undefined {
  if (slowerLately(symptoms) !== undefined) return symptoms.recentLatency;
  return slowerQuantile(symptoms.latency) === undefined ? undefined : symptoms.latency;
}

/** What the latency says against the service, sentences without a full stop; `since` is a clause of it. */
export function latencyReasons(
  { latency, recentLatency, slowRoute }: LatencySymptoms,
  since: string,
): readonly string[] {
  const lately = slowerLately({ latency, recentLatency });
  const slower = lately?.quantile ?? slowerQuantile(latency);
  if (latency === undefined || slower === undefined) {
    return slowRoute === undefined ? [] : [`p95 latency of ${slowRoute.text}${since}`];
  }
  const value = quantileValueText(slower, latency.unit);
  const text = lately === undefined
    ? `p95 latency is ${value}, a day before ${durationText(slower.dayBefore, latency.unit)}`
    : `p95 latency of the last ${formatDuration(lately.window)} is ${value}, ${
      lately.than.of === "window" ? "in the whole window" : "a day before"
    } ${durationText(lately.than.value, latency.unit)}`;
  return [text + since];
}

/** Why the latency was not judged; undefined where it was. */
export function latencyUnjudged(latency: Latency | undefined): string | undefined {
  if (latency === undefined) return "nothing that measures it was found";
  if (!(latency.observationsPerSecond > 0)) return "no request was measured";
  const quantile = judgedOf(latency);
  if (quantile === undefined || Number.isNaN(quantile.value)) return "there is no p95";
  if (slowerQuantile(latency) !== undefined) return undefined;
  if (isInLastBucket(quantile)) {
    return `p95 is beyond the last bucket, above ${
      durationText(quantile.bucket?.lower ?? NaN, latency.unit)
    }`;
  }
  return Number.isNaN(quantile.dayBefore) ? "no day before to compare p95 with" : undefined;
}
