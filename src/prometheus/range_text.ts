/** The answer of `query_metrics_range` in words. */
import { count, percent, plural } from "../common/units.ts";
import { humanValue, type Unit } from "./metric_unit.ts";
import type { RangeAnswer, SeriesAnswer } from "./query_metrics_range.ts";
import { commonLabels, seriesText } from "./series_labels.ts";
import { pointLines, rounding, type Thinning } from "./shown_points.ts";
import { pointsOf, type TimeRange } from "./step.ts";
import { formatDuration } from "./time.ts";
import { toldLines } from "./told.ts";

/** What the text needs beyond the structured answer. */
export interface RangeTextOptions {
  readonly range: TimeRange;
  readonly unit: Unit | undefined;
  readonly thin: Thinning;
  /** Of each series, empty where there is nothing to draw. */
  readonly sparklines: readonly string[];
}

/** Complete without the structured answer, but for digits that tell nothing apart. */
export function rangeText(answer: RangeAnswer, options: RangeTextOptions): string {
  const { series, total } = answer;
  const { range, thin } = options;
  const unit = answer.unit === undefined ? "" : `, ${answer.unit}`;
  const axis = `${answer.start} to ${answer.end}, step ${formatDuration(range.step)}`;
  const lines: string[] = [];
  if (total === 0) {
    lines.push(`No result from ${axis}.`, ...answer.explanation ?? []);
    return [...lines, ...toldLines(answer)].join("\n");
  }
  lines.push(`${answer.more ? "more than " : ""}${count(total)} series, ${axis}${unit}`);
  const common = series.length > 1 ? commonLabels(series.map(({ labels }) => labels)) : {};
  if (Object.keys(common).length > 0) lines.push(`all: ${seriesText(common)}`);
  for (const [index, one] of series.entries()) {
    const own = Object.fromEntries(
      Object.entries(one.labels).filter(([name]) => !Object.hasOwn(common, name)),
    );
    const name = seriesText(own);
    if (series.length > 1) lines.push(`#${index + 1} ${name}`);
    else if (name !== "{}") lines.push(name);
    lines.push(...figures(one, options));
    const drawn = options.sparklines[index] ?? "";
    if (drawn !== "") lines.push(drawn);
  }
  lines.push(...cutNotice(answer, answer.narrower?.join(" or ") ?? "").map((notice) => `[${notice}]`));
  lines.push(...toldLines(answer), ...(answer.notes ?? []).map((note) => `Note: ${note}.`));
  const columns = series.slice(0, thin.series).map(({ values = [] }) =>
    values.map((value) => value ?? undefined)
  );
  if (thin.series > 0 && columns.length > 0 && pointsOf(range) > 1) {
    const every = thin.every === 1 ? "" : `, every ${formatDuration(range.step * thin.every)}`;
    lines.push(
      `UTC${every},${columns.map((_, index) => series.length > 1 ? `#${index + 1}` : "value").join(",")}`,
      ...pointLines(columns, range, thin.every),
    );
  } else if (pointsOf(range) > 1) {
    lines.push(fewPoints);
  }
  return lines.join("\n");
}

/** What is said where there are too many series for their points. */
export const fewPoints = "Points are shown of three series or fewer.";

/** That series were left out, if any were; `less` is what to ask in their place. */
export function cutNotice({ series, total, more, looked_at }: RangeAnswer, less: string): readonly string[] {
  if (series.length >= total && !more) return [];
  const all = `${more ? "more than " : ""}${count(total)} series`;
  // Which ones Prometheus gives where it cuts is chance.
  const chosen = looked_at === undefined
    ? `${count(series.length)} of ${all} shown, by average.`
    : `${count(series.length)} shown, by average among the ${
      count(looked_at)
    } that Prometheus gave of ${all}: others may be greater.`;
  return [`Cut: ${chosen} For a result that fits: ${less}`];
}

/** Rounds values of a series to what tells its figures apart. */
export function figureRounding({ min, max, first, last }: SeriesAnswer): (value: string) => string {
  return rounding([min?.value, max?.value, first.value, last.value]);
}

function figures(one: SeriesAnswer, { range, unit }: RangeTextOptions): readonly string[] {
  const round = figureRounding(one);
  const shown = (value: string) => {
    const human = humanValue(value, unit);
    return human === undefined ? round(value) : `${round(value)} (${human})`;
  };
  const clock = (time: string) => {
    const sameDay = time.slice(0, 10) === one.last.time.slice(0, 10) &&
      one.first.time.slice(0, 10) === time.slice(0, 10);
    return (sameDay ? time.slice(11) : time.slice(5).replace("T", " ")).replace(/(?::00)?Z$/, "");
  };
  const lines: string[] = [];
  if (one.isConstant) {
    lines.push(`constant ${shown(one.first.value)}${one.points > 1 ? "" : ", one point"}`);
  } else {
    lines.push(`first ${shown(one.first.value)}, last ${shown(one.last.value)}: ${growth(one, shown)}`);
  }
  if (one.min !== undefined && one.max !== undefined && one.min.value !== one.max.value) {
    lines.push(
      `min ${shown(one.min.value)} at ${clock(one.min.time)}, max ${shown(one.max.value)} at ${
        clock(one.max.time)
      }, ` +
        `average ${shown(String(one.average))}`,
    );
  }
  if (one.counter_increase !== undefined && one.points > 1) {
    lines.push(
      `a counter: it counted ${
        shown(String(one.counter_increase))
      } in that time; for its speed query rate(…[5m])`,
    );
  }
  const missing: string[] = [];
  const late = Date.parse(one.first.time) / 1000 - range.start;
  const early = range.end - Date.parse(one.last.time) / 1000;
  if (late >= range.step) missing.push(`begins at ${clock(one.first.time)}`);
  if (early >= range.step) missing.push(`ends at ${clock(one.last.time)}`);
  for (const { from, to, points } of one.gaps ?? []) {
    missing.push(
      from === to
        ? `no value at ${clock(from)}`
        : `no values ${clock(from)} to ${clock(to)} (${plural(points, "point")})`,
    );
  }
  if (missing.length > 0) lines.push(missing.join("; "));
  return lines;
}

function growth(one: SeriesAnswer, shown: (value: string) => string): string {
  const { change, change_percent: relative, trend, slope_per_hour: slope } = one;
  const parts: string[] = [];
  if (change === undefined) parts.push("growth unknown");
  else {
    const sign = change > 0 ? "+" : "";
    const share = relative === undefined
      ? (change === 0 ? "" : " (from zero)")
      : ` (${sign}${percent(relative / 100)})`;
    parts.push(`${sign}${shown(String(change))}${share}`);
  }
  if (trend === "rising" || trend === "falling") {
    parts.push(`${trend}${slope === undefined ? "" : ` ${Number(Math.abs(slope).toPrecision(3))} an hour`}`);
  } else parts.push(trend === "flat" ? "flat" : "no clear trend");
  return parts.join(", ");
}
