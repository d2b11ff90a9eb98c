/** What a list of measurements comes to. */

/** Of one subject, in the unit that was measured. */
export interface Summary {
  readonly count: number;
  readonly median: number;
  readonly p99: number;
  /** Half the distance between the quartiles: how much a measurement usually strays. */
  readonly spread: number;
}

/** Summarizes; of nothing everything is NaN. */
export function summarize(values: readonly number[]): Summary {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? NaN;
  return {
    count: sorted.length,
    median: at(0.5),
    p99: at(0.99),
    spread: (at(0.75) - at(0.25)) / 2,
  };
}

/** The one in the middle; of nothing it is NaN. */
export function median(values: readonly number[]): number {
  return summarize(values).median;
}

/** A number with three significant digits. */
export function three(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(3))) : "-";
}
