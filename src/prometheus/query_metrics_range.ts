/** Tool `query_metrics_range`: what series did over a time range. */
import * as z from "zod";
import { largestThatFits } from "../common/largest_that_fits.ts";
import { filled, rounded } from "../common/structured.ts";
import { defineTool, type Presentation, type Tool } from "../common/tool.ts";
import type { PrometheusApi } from "./api.ts";
import { explainEmpty } from "./empty_result.ts";
import { type MetricCatalogue, typeOfSeries } from "./metric_catalogue.ts";
import { metricUnit, numberOf, type Unit, unitOf, unitText } from "./metric_unit.ts";
import { narrowerQuery } from "./narrower_query.ts";
import { loadPromql, type ParsedQuery, readPromql } from "./promql.ts";
import { isCounter, mistakes } from "./promql_mistakes.ts";
import { lowestFirst, metricsOf } from "./query_metrics.ts";
import { askRange, type RangeAnswered } from "./range_answer.ts";
import { rangeNotes } from "./range_notes.ts";
import { cutNotice, fewPoints, figureRounding, rangeText, type RangeTextOptions } from "./range_text.ts";
import type { HistogramSample, Labels, RangeSeries, Sample } from "./result.ts";
import { readScrapeInterval } from "./scrape_interval.ts";
import { ownLabels, safeLabels } from "./series_labels.ts";
import { onAxis, type SeriesStatistics, seriesStatistics } from "./series_statistics.ts";
import { rounding, type Thinning, thinning } from "./shown_points.ts";
import { sparkline } from "./sparkline.ts";
import { chooseStep, pointsOf, type TimeRange } from "./step.ts";
import { parseDuration, parseTime, utc } from "./time.ts";
import { bounded, tellable } from "./told.ts";

/** Samples that one answer of Prometheus's may hold, at some 25 bytes each. */
const mostSamples = 150_000;
/** Series that are fetched before the greatest are chosen. */
const mostFetched = 2_000;
/** Steps from which on scrapes are surely more frequent. */
const longStep = 600;
/** Digits of figures that are computed here; Prometheus's own values keep all of theirs. */
const digits = 10;

const input = z.strictObject({
  query: z.string().min(1).describe("PromQL"),
  duration: z.string().default("1h").describe("Up to end: 30m, 24h, 7d"),
  start: z.string().optional().describe("Instead of duration: now-1d, RFC 3339 or epoch"),
  end: z.string().default("now"),
  step: z.string().optional().describe("e.g. 1m; chosen if absent"),
  limit: z.int().min(1).max(100).default(10),
});

const moment = z.object({ time: z.string().optional(), value: z.string() });
const labels = z.object({}).catchall(z.string());
const output = z.object({
  start: z.string().describe("UTC"),
  end: z.string(),
  step_seconds: z.number(),
  unit: z.string().optional(),
  total: z.number().describe("Series of the whole result"),
  more: z.literal(true).optional().describe("There are more than total, by an unknown number"),
  looked_at: z.number().optional().describe(
    "If not all: series among which those shown have the greatest average",
  ),
  explanation: z.array(z.string()).optional().describe("Why there is no result"),
  notes: z.array(z.string()).optional().describe("What was cut, and what the points do not show"),
  narrower: z.array(z.string()).optional().describe("Queries whose result fits"),
  warnings: z.array(z.string()).optional().describe("Prometheus's own"),
  infos: z.array(z.string()).optional().describe("Prometheus's own"),
  hints: z.array(z.string()).optional().describe("Likely mistakes in the query"),
  common_labels: labels.optional().describe("Of each of the series, beside its own"),
  axis: z.object({ start: z.string(), step_seconds: z.number() }).optional().describe("Times of values"),
  series: z.array(z.object({
    labels,
    points: z.number(),
    constant: z.string().optional().describe("The value of all points"),
    first: moment.optional().describe("At start, unless it says when; rounded as are last, min and max"),
    last: moment.optional().describe("At end, unless it says when"),
    change: z.number().optional().describe("Last less first"),
    change_percent: z.number().optional().describe("Of first; absent from zero"),
    trend: z.enum(["rising", "falling", "flat", "unclear"]).optional(),
    slope_per_hour: z.number().optional(),
    min: moment.optional(),
    max: moment.optional(),
    average: z.number().optional(),
    counter_increase: z.number().optional().describe("Of a raw counter, its restarts taken into account"),
    gaps: z.array(z.object({ from: z.string(), to: z.string(), points: z.number() })).optional(),
    shape: z.string().optional().describe("A sparkline, where there are no values"),
    values: z.array(z.string().nullable()).optional().describe("At axis, rounded; null: none"),
  })),
});
type Structured = z.output<typeof output>;

interface Moment {
  /** UTC. */
  readonly time: string;
  readonly value: string;
}

/** The figures of one series, with all its labels. */
export interface SeriesAnswer extends Omit<Structured["series"][number], "constant" | "shape"> {
  readonly first: Moment;
  readonly last: Moment;
  readonly min?: Moment;
  readonly max?: Moment;
  readonly isConstant: boolean;
  readonly trend: "rising" | "falling" | "flat" | "unclear";
}

/** The answer that is put into words; see {@linkcode structuredOf} for its structured form. */
export interface RangeAnswer extends Omit<Structured, "series" | "common_labels"> {
  readonly series: readonly SeriesAnswer[];
}

interface Measured {
  readonly labels: Labels;
  readonly samples: readonly Sample[];
  readonly statistics: SeriesStatistics;
}

interface Result extends RangeAnswered {
  readonly parsed: ParsedQuery;
  readonly range: TimeRange;
  readonly limit: number;
  readonly unit: Unit | undefined;
  readonly counter: boolean;
  readonly maxPoints: number;
  readonly hints: readonly string[];
  readonly notes: readonly string[];
  readonly explanation: readonly string[];
}

/** Runs one PromQL query over a time range. */
export function queryMetricsRange(
  api: PrometheusApi,
  catalogue: MetricCatalogue,
  { maxPoints }: { readonly maxPoints: number },
): Tool {
  return defineTool({
    name: "query_metrics_range",
    title: "Query metrics over time",
    description:
      "A PromQL query over time: per series first and last value, growth in percent, minimum, maximum, average, trend, gaps, a sparkline; the points of up to three series.",
    input,
    output,
    async run(args, { signal }): Promise<Result> {
      await loadPromql();
      const parsed = readPromql(args.query);
      const current = Math.floor(await api.time({ signal }));
      const asked = timesOf(args, current);
      let range = chooseStep({ ...asked, maxPoints });
      if (asked.step === undefined && range.step < longStep) {
        const matchers = parsed.selectors[0]?.matchers ?? [];
        const interval = await readScrapeInterval(api, matchers, asked.end, { signal });
        range = chooseStep({ ...asked, maxPoints, scrapeInterval: interval });
      }
      const limit = Math.max(1, Math.min(mostFetched, Math.floor(mostSamples / pointsOf(range))));
      const [result, { metadata }] = await Promise.all([
        askRange(api, { parsed, range, shown: args.limit, lowest: lowestFirst(parsed) }, { signal, limit }),
        catalogue.describe(metricsOf(parsed), { signal }),
      ]);
      const typeOf = (metric: string) => typeOfSeries(metric, metadata.get(metric));
      const { expression } = parsed;
      return {
        ...result,
        parsed,
        range,
        limit: args.limit,
        maxPoints,
        unit: unitOf(expression, (metric) => metricUnit(metric, metadata.get(metric)?.unit)),
        counter: expression.kind === "selector" && expression.metric !== undefined &&
          isCounter(expression.metric, typeOf),
        hints: mistakes(parsed, typeOf),
        notes: rangeNotes(parsed, range, result.series),
        explanation: result.series.length > 0
          ? []
          : await explainEmpty(parsed, Math.min(asked.end, current), {
            api,
            catalogue,
            options: { signal },
            now: current,
            lastPoint: range.end,
          }),
      };
    },
    present,
  });
}

/** The times that the caller means, in epoch seconds. */
function timesOf(
  args: z.output<typeof input>,
  now: number,
): { readonly start: number; readonly end: number; readonly step: number | undefined } {
  const end = parseTime(args.end, now, "end");
  const start = args.start === undefined
    ? end - parseDuration(args.duration)
    : parseTime(args.start, now, "start");
  return { start, end, step: args.step === undefined ? undefined : parseDuration(args.step, "step") };
}

/** Series with their figures, in order of their averages; native histograms are taken for their counts. */
function measure(
  series: readonly RangeSeries[],
  range: TimeRange,
  lowest: boolean,
): readonly Measured[] {
  const sign = lowest ? -1 : 1;
  const key = ({ statistics: { average } }: Measured) => average === undefined ? -Infinity : sign * average;
  return series.flatMap(({ metric, values, histograms }) => {
    const samples = values.length > 0 ? values : histograms.map(countOf);
    const statistics = seriesStatistics(samples, range);
    return statistics === undefined ? [] : [{ labels: metric, samples, statistics }];
  }).sort((a, b) => key(a) === key(b) ? 0 : key(b) - key(a));
}

function countOf([time, { count }]: HistogramSample): Sample {
  return [time, count];
}

function present(result: Result, budget: number): Presentation<Structured> {
  const { range } = result;
  const all = measure(result.series, range, lowestFirst(result.parsed));
  const candidates = all.slice(0, result.limit);
  const sparklines = candidates.map(({ samples, statistics: { isConstant } }) =>
    isConstant
      ? ""
      : sparkline(onAxis(samples, range).map((value) => value === undefined ? undefined : numberOf(value)))
  );
  const make = (shown: number, thin: Thinning): Presentation<Structured> => {
    const answer = answerOf(result, all, candidates.slice(0, shown), thin, budget);
    return {
      text: rangeText(answer, { range, unit: result.unit, thin, sparklines }),
      structured: rounded(structuredOf(answer, { range, thin, sparklines })),
      rows: shown,
    };
  };
  const thin = thinning(range, candidates.length, result.maxPoints);
  const whole = largestThatFits(candidates.length, (shown) => make(shown, thin), budget);
  if (whole.rows === candidates.length) return whole;
  // Figures of more series before the points of fewer.
  return largestThatFits(candidates.length, (shown) => make(shown, { every: 1, series: 0 }), budget);
}

function answerOf(
  { parsed, range, unit, counter, truncated, ...result }: Result,
  all: readonly Measured[],
  shown: readonly Measured[],
  thin: Thinning,
  budget: number,
): RangeAnswer {
  const total = result.counted ?? all.length;
  const unknown = truncated && result.counted === undefined;
  const cut = shown.length < total || unknown;
  return {
    start: utc(range.start),
    end: utc(range.end),
    step_seconds: range.step,
    ...(unitText(unit) === "" ? {} : { unit: unitText(unit) }),
    total,
    ...(unknown ? { more: true as const } : {}),
    ...(truncated ? { looked_at: all.length } : {}),
    series: shown.map(({ labels, samples, statistics }, index) => {
      const { min, max, average, isConstant, trend, change, changePercent } = statistics;
      const values = index < thin.series ? onAxis(samples, range, thin.every) : [];
      const round = rounding(values);
      return {
        labels: safeLabels(labels),
        points: statistics.points,
        first: momentOf(statistics.first),
        last: momentOf(statistics.last),
        ...(min === undefined ? {} : { min: momentOf(min) }),
        ...(max === undefined ? {} : { max: momentOf(max) }),
        ...(average === undefined ? {} : { average: precise(average) }),
        isConstant,
        trend: trend.direction,
        ...(Number.isFinite(trend.slope) ? { slope_per_hour: precise(trend.slope * 3600) } : {}),
        ...(Number.isFinite(change) ? { change: precise(change) } : {}),
        ...(changePercent === undefined ? {} : { change_percent: precise(changePercent) }),
        ...(counter ? { counter_increase: precise(statistics.counted) } : {}),
        ...(statistics.gaps.length === 0 ? {} : {
          gaps: statistics.gaps.slice(0, 5).map(({ from, to, points }) => ({
            from: utc(from),
            to: utc(to),
            points,
          })),
        }),
        ...(index < thin.series
          ? { values: values.map((value) => value === undefined ? null : round(value)) }
          : {}),
      };
    }),
    ...(thin.series > 0 && shown.length > 0
      ? { axis: { start: utc(range.start), step_seconds: range.step * thin.every } }
      : {}),
    ...(cut
      ? { narrower: bounded(narrowerQuery(parsed, all.map(({ labels }) => labels), shown.length), budget) }
      : {}),
    ...(result.explanation.length > 0 ? { explanation: bounded(result.explanation, budget) } : {}),
    warnings: tellable(result.warnings, budget),
    infos: tellable(result.infos, budget),
    hints: bounded(result.hints, budget),
    ...(result.notes.length > 0 ? { notes: bounded(result.notes, budget) } : {}),
  };
}

/** Without what floating point leaves at the end. */
function precise(value: number): number {
  return Number(value.toPrecision(digits));
}

function momentOf({ time, value }: { readonly time: number; readonly value: string }): Moment {
  return { time: utc(time), value };
}

/** What the structured form is made from beside the answer, as its text is. */
type Drawn = Pick<RangeTextOptions, "range" | "thin" | "sparklines">;

/** The structured form: what was cut before the series, which have labels of their own alone; values rounded as in the text. */
function structuredOf(answer: RangeAnswer, drawn: Drawn): Structured {
  const { series, axis, narrower = [], warnings, infos, hints, notes = [], ...before } = answer;
  const { common, own } = ownLabels(series.map((one, index) => leanSeries(one, drawn, index)));
  const hasPoints = pointsOf(drawn.range) > 1;
  return {
    ...before,
    ...filled({
      notes: [
        ...cutNotice(answer, "the queries of narrower"),
        ...notes,
        ...(series.length > 0 && drawn.thin.series === 0 && hasPoints ? [fewPoints] : []),
      ],
      narrower,
      warnings,
      infos,
      hints,
    }),
    ...common,
    ...(axis === undefined ? {} : { axis }),
    series: own,
  };
}

function leanSeries(
  one: SeriesAnswer,
  { range, thin, sparklines }: Drawn,
  index: number,
): Structured["series"][number] {
  const { labels, points, first, last, min, max, trend, average, change, change_percent, slope_per_hour } =
    one;
  const round = figureRounding(one);
  const at = ({ time, value }: Moment, usual?: number) => ({
    ...(usual !== undefined && Date.parse(time) / 1000 === usual ? {} : { time }),
    value: round(value),
  });
  const rest = filled({
    counter_increase: one.counter_increase,
    gaps: one.gaps,
    values: one.values,
    shape: thin.series > 0 ? undefined : sparklines[index] || undefined,
  });
  const [begin, end] = [at(first, range.start), at(last, range.end)];
  if (one.isConstant) {
    return {
      labels,
      points,
      constant: round(first.value),
      ...("time" in begin ? { first: begin } : {}),
      ...("time" in end ? { last: end } : {}),
      ...rest,
    };
  }
  return {
    labels,
    points,
    first: begin,
    last: end,
    ...filled({ change, change_percent }),
    trend,
    ...(slope_per_hour !== undefined && (trend === "rising" || trend === "falling")
      ? { slope_per_hour }
      : {}),
    ...(min === undefined || max === undefined || min.value === max.value
      ? {}
      : { min: at(min), max: at(max), ...filled({ average }) }),
    ...rest,
  };
}
