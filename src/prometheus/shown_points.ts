/** The points of several series on one time axis, in few characters. */
import { visible } from "../common/visible.ts";
import { numberOf } from "./metric_unit.ts";
import { pointsOf, type TimeRange } from "./step.ts";
import { utc } from "./time.ts";

/** Values of all series together that an answer shows; beyond that every second point is, or every third. */
const mostValues = 150;
/** Of more series than that the figures and the sparklines say as much as anybody reads, at a tenth of the tokens. */
const mostWithPoints = 3;

/** Show every how manyth point of how many of the series. */
export interface Thinning {
  readonly every: number;
  readonly series: number;
}

/** How to show the points of so many series; `series` 0 for not at all. */
export function thinning(range: TimeRange, series: number, maxPoints: number): Thinning {
  if (series === 0 || series > mostWithPoints) return { every: 1, series: 0 };
  const most = Math.min(maxPoints, Math.floor(mostValues / series));
  return { every: Math.max(1, Math.ceil(pointsOf(range) / most)), series };
}

/**
 * A line per point: its time, and a value of each series, rounded to what tells them apart, empty where there is none.
 * Points without any value are left out; a row that repeats itself is one line, with the times of its first and last point.
 */
export function pointLines(
  columns: readonly (readonly (string | undefined)[])[],
  range: TimeRange,
  every: number,
): readonly string[] {
  const rounds = columns.map(rounding);
  const points = columns[0]?.length ?? 0;
  const rows = Array.from({ length: points }, (_, row) =>
    columns.map((column, index) => {
      const value = column[row];
      return value === undefined ? "" : rounds[index]?.(value) ?? value;
    }).join(","));
  const empty = ",".repeat(Math.max(0, columns.length - 1));
  const clock = clockOf(range);
  const lines: string[] = [];
  let day = "";
  // The date stands where it changes.
  const time = (row: number) => {
    const text = clock(range.start + row * every * range.step);
    const date = text.slice(0, 5);
    const shown = date === day ? text.slice(6) : text;
    day = date;
    return shown;
  };
  for (let row = 0; row < points; row++) {
    let last = row;
    while (last + 1 < points && rows[last + 1] === rows[row]) last++;
    if (rows[row] !== empty) {
      const from = time(row);
      lines.push(`${last === row ? from : `${from} to ${time(last)}`},${rows[row]}`);
    }
    row = last;
  }
  return lines;
}

/** Rounds to a thousandth of the range of the values, or less; a constant to six digits: 0.99999 is not 1. */
export function rounding(values: readonly (string | undefined)[]): (value: string) => string {
  let least = Infinity;
  let greatest = -Infinity;
  for (const value of values) {
    const number = value === undefined ? NaN : numberOf(value);
    if (!Number.isFinite(number)) continue;
    least = Math.min(least, number);
    greatest = Math.max(greatest, number);
  }
  const spread = greatest - least;
  // A spread may be that of rounding errors alone.
  const [scale, digits] = spread > 1e-9 * Math.max(Math.abs(least), Math.abs(greatest))
    ? [spread, 4]
    : [Math.abs(greatest), 6];
  const decimals = scale > 0 && Number.isFinite(scale) ? digits - 1 - Math.floor(Math.log10(scale)) : 0;
  return (value) => {
    const number = numberOf(value);
    if (!Number.isFinite(number)) return visible(value);
    return String(
      decimals <= 0
        ? Math.round(number)
        : decimals > 15
        ? Number(number.toPrecision(digits))
        : Number(number.toFixed(decimals)),
    );
  };
}

/** `11-22 00:15`, with seconds where the step has some. */
function clockOf({ start, step }: TimeRange): (seconds: number) => string {
  const length = step % 60 === 0 && start % 60 === 0 ? 16 : step % 1 === 0 ? 19 : 23;
  return (seconds) => utc(seconds).replace("Z", ".000").slice(5, length).replace("T", " ");
}
