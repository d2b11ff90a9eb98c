/** Tool `query_metrics`: the result of a PromQL query at one moment. */
import * as z from "zod";
import { CallError, couldNotAnswer } from "../common/errors.ts";
import { largestThatFits } from "../common/largest_that_fits.ts";
import { defineTool, type Presentation, type Tool } from "../common/tool.ts";
import { filled } from "../common/structured.ts";
import { count, significant } from "../common/units.ts";
import type { AskOptions, PrometheusApi } from "./api.ts";
import { explainEmpty } from "./empty_result.ts";
import { instantText } from "./instant_text.ts";
import { type MetricCatalogue, typeOfSeries } from "./metric_catalogue.ts";
import { humanValue, metricUnit, numberOf, type Unit, unitOf, unitText } from "./metric_unit.ts";
import { loadPromql, type ParsedQuery, readPromql } from "./promql.ts";
import { mistakes } from "./promql_mistakes.ts";
import { explainRefusal } from "./promql_refusal.ts";
import { narrowerQuery, narrowTheSelector } from "./narrower_query.ts";
import type { InstantResult, InstantSeries, RangeSeries } from "./result.ts";
import { ownLabels, safeLabels, seriesText } from "./series_labels.ts";
import { parseTime, utc } from "./time.ts";
import { bounded, tellable } from "./told.ts";

/** Series that are fetched before they are put in order; more are cut by Prometheus itself. */
const mostFetched = 2_000;
/** Samples of each series of a range vector that are shown. */
const mostSamples = 30;

const input = z.strictObject({
  query: z.string().min(1).describe("PromQL"),
  time: z.string().default("now").describe("now-1h, RFC 3339 or epoch"),
  limit: z.int().min(1).max(500).default(30),
});

const labels = z.object({}).catchall(z.string());
const output = z.object({
  time: z.string().describe("UTC"),
  type: z.enum(["vector", "scalar", "string", "matrix"]),
  unit: z.string().optional(),
  total: z.number().describe("Series of the whole result"),
  more: z.literal(true).optional().describe("There are more than total, by an unknown number"),
  explanation: z.array(z.string()).optional().describe("Why there is no result"),
  notes: z.array(z.string()).optional().describe("What was cut"),
  narrower: z.array(z.string()).optional().describe("Queries whose result fits"),
  warnings: z.array(z.string()).optional().describe("Prometheus's own"),
  infos: z.array(z.string()).optional().describe("Prometheus's own"),
  hints: z.array(z.string()).optional().describe("Likely mistakes in the query"),
  common_labels: labels.optional().describe("Of each of the series, beside its own"),
  series: z.array(z.object({
    labels,
    value: z.string().optional().describe("Prometheus's own text"),
    is: z.string().optional().describe("The value as people read it"),
    histogram: z.object({ count: z.string(), sum: z.string(), mean: z.number().optional() }).optional(),
    sample_count: z.number().optional(),
    from: z.string().optional().describe("Time of the first sample that is shown"),
    seconds: z.array(z.number()).optional().describe("Times of the samples, after from"),
    values: z.array(z.string()).optional().describe("Of the samples; of histograms their counts"),
  })),
});
/** The structured answer. */
export type InstantAnswer = z.output<typeof output>;

/** A result with all that its presentation needs. */
interface Result extends InstantResult {
  readonly parsed: ParsedQuery;
  readonly time: number;
  readonly limit: number;
  readonly total: number;
  readonly unit: Unit | undefined;
  readonly hints: readonly string[];
  readonly explanation: readonly string[];
}

/** Runs one PromQL query at one moment. */
export function queryMetrics(api: PrometheusApi, catalogue: MetricCatalogue): Tool {
  return defineTool({
    name: "query_metrics",
    title: "Query metrics",
    description:
      "A PromQL query at one moment: values by series, highest first, with units. Explains an empty result, points to a syntax error, warns of common mistakes. Over time: query_metrics_range.",
    input,
    output,
    async run(args, { signal }): Promise<Result> {
      await loadPromql();
      const parsed = readPromql(args.query);
      const clock = async () => Math.floor(await api.time({ signal }));
      const asked = args.time === "now" ? undefined : parseTime(args.time, await clock());
      const options = { signal, limit: mostFetched };
      const [result, { metadata }] = await Promise.all([
        ask(api, parsed, asked, args.limit, options),
        catalogue.describe(metricsOf(parsed), { signal }),
      ]);
      const typeOf = (metric: string) => typeOfSeries(metric, metadata.get(metric));
      const unit = unitOf(parsed.expression, (metric) => metricUnit(metric, metadata.get(metric)?.unit));
      const empty = result.series.length + result.ranges.length === 0;
      // A value tells at what time Prometheus evaluated it.
      const time = Math.floor(asked ?? result.series[0]?.value?.[0] ?? await clock());
      return {
        ...result,
        parsed,
        time,
        limit: args.limit,
        unit,
        hints: mistakes(parsed, typeOf),
        explanation: empty
          ? await explainEmpty(parsed, time, {
            api,
            catalogue,
            options: { signal },
            now: asked === undefined ? time : await clock(),
          })
          : [],
      };
    },
    present: presentResult,
  });
}

/** Metrics whose metadata are worth a request. */
export function metricsOf(parsed: ParsedQuery): readonly string[] {
  return [...new Set(parsed.selectors.flatMap(({ metric }) => metric ?? []))].slice(0, 4);
}

/** The result in its order; where Prometheus cut it, its greatest values and how many there are in all. */
async function ask(
  api: PrometheusApi,
  parsed: ParsedQuery,
  time: number | undefined,
  shown: number,
  options: AskOptions,
): Promise<InstantResult & { readonly total: number }> {
  let result: InstantResult;
  try {
    result = await api.query(parsed.text, time, options);
  } catch (error) {
    if (error instanceof CallError) throw explainRefusal(error, parsed);
    throw error;
  }
  const sorted = isSorted(parsed);
  if (!result.truncated || result.type !== "vector") {
    const series = sorted ? result.series : inOrder(result.series, lowestFirst(parsed));
    return { ...result, series, total: result.series.length + result.ranges.length };
  }
  // A comment at the end of the query ends with its line.
  const wrapped = `(\n${parsed.text}\n)`;
  try {
    const [counted, top] = await Promise.all([
      api.query(`count ${wrapped}`, time, options),
      sorted
        ? undefined
        : api.query(`${lowestFirst(parsed) ? "bottomk" : "topk"}(${shown}, ${wrapped})`, time, options),
    ]);
    const total = numberOf(counted.series[0]?.value?.[1] ?? "");
    if (!Number.isFinite(total)) throw new CallError("failed", "Cannot count");
    // topk passes over native histograms.
    if (top === undefined || top.series.length === 0) return { ...result, truncated: false, total };
    const warnings = result.warnings.filter((text) => !text.includes("truncated due to limit"));
    return { ...result, warnings, series: inOrder(top.series, lowestFirst(parsed)), truncated: false, total };
  } catch (error) {
    if (!couldNotAnswer(error)) throw error;
    return { ...result, total: result.series.length };
  }
}

/** Whether the query itself says what comes first. */
function isSorted({ expression }: ParsedQuery): boolean {
  if (expression.kind === "call") return expression.name.startsWith("sort");
  return expression.kind === "aggregate" && /^(?:topk|bottomk)$/.test(expression.operator);
}

/** Whether 0 is what matters: `up` and its like. */
export function lowestFirst({ expression }: ParsedQuery): boolean {
  return expression.kind === "selector" && /^(?:up|\w+_up|\w*probe_success)$/.test(expression.metric ?? "");
}

/** By value, NaN last; equal ones by their labels. */
function inOrder(series: readonly InstantSeries[], lowest: boolean): readonly InstantSeries[] {
  const keyed = series.map((one) => {
    const value = numberOf(one.value?.[1] ?? one.histogram?.[1].count ?? "NaN");
    return {
      one,
      value: Number.isNaN(value) ? -Infinity : lowest ? -value : value,
      nan: Number.isNaN(value),
    };
  });
  keyed.sort((a, b) =>
    Number(a.nan) - Number(b.nan) || (a.value < b.value ? 1 : a.value > b.value ? -1 : 0) ||
    (seriesText(a.one.metric) < seriesText(b.one.metric) ? -1 : 1)
  );
  return keyed.map(({ one }) => one);
}

function presentResult(result: Result, budget: number): Presentation<InstantAnswer> {
  const { unit } = result;
  const all = result.type === "matrix"
    ? result.ranges.map(samplesOf)
    : result.series.map(({ metric, value, histogram }) => ({
      labels: metric,
      ...filled({
        value: value?.[1],
        is: value === undefined ? undefined : humanValue(value[1], unit),
        histogram: histogram === undefined ? undefined : histogramOf(histogram[1]),
      }),
    }));
  const candidates = all.slice(0, result.limit);
  const make = (shown: number): Presentation<InstantAnswer> => {
    const series = candidates.slice(0, shown).map((one) => ({ ...one, labels: safeLabels(one.labels) }));
    const isCut = shown < result.total || result.truncated;
    const narrower = isCut && result.type === "vector"
      ? bounded(narrowerQuery(result.parsed, all.map(({ labels }) => labels), shown), budget)
      : [];
    const answer: InstantAnswer = {
      time: utc(result.time),
      type: result.type,
      ...(unitText(unit) === "" ? {} : { unit: unitText(unit) }),
      total: result.total,
      ...(result.truncated ? { more: true } : {}),
      ...filled({
        explanation: bounded(result.explanation, budget),
        notes: isCut ? [cutNote(shown, result, narrower)] : [],
        narrower,
        warnings: tellable(result.warnings, budget),
        infos: tellable(result.infos, budget),
        hints: bounded(result.hints, budget),
      }),
      series,
    };
    return { text: instantText(answer), structured: withoutCommon(answer), rows: shown };
  };
  return largestThatFits(candidates.length, make, budget);
}

function cutNote(shown: number, { total, truncated }: Result, narrower: readonly string[]): string {
  const less = narrower.length === 0 ? narrowTheSelector : "For a result that fits: the queries of narrower";
  return `Cut: ${count(shown)} of ${truncated ? "more than " : ""}${count(total)} series shown. ${less}`;
}

function samplesOf({ metric, values, histograms }: RangeSeries) {
  const samples = values.length > 0
    ? values.slice(-mostSamples)
    : histograms.slice(-mostSamples).map(([at, { count }]) => [at, count] as const);
  const from = samples[0]?.[0] ?? 0;
  return {
    labels: metric,
    sample_count: values.length + histograms.length,
    from: utc(from),
    seconds: samples.map(([at]) => Number((at - from).toFixed(3))),
    values: samples.map(([, value]) => value),
  };
}

function histogramOf({ count, sum }: { readonly count: string; readonly sum: string }) {
  const mean = numberOf(sum) / numberOf(count);
  return { count, sum, ...(Number.isFinite(mean) ? { mean: significant(mean) } : {}) };
}

/** The labels that all series have are said once. */
function withoutCommon({ series, ...answer }: InstantAnswer): InstantAnswer {
  const { common, own } = ownLabels(series);
  return { ...answer, ...common, series: own };
}
