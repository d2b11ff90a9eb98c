/** Asks a range query; of more series than can be fetched, those with the greatest averages and the number of all. */
import { answerOr, CallError } from "../common/errors.ts";
import type { AskOptions, PrometheusApi } from "./api.ts";
import { numberOf } from "./metric_unit.ts";
import type { ParsedQuery } from "./promql.ts";
import { explainRefusal } from "./promql_refusal.ts";
import type { RangeResult } from "./result.ts";
import type { TimeRange } from "./step.ts";
import { formatDuration } from "./time.ts";

/** What is asked. */
export interface RangeQuestion {
  readonly parsed: ParsedQuery;
  readonly range: TimeRange;
  /** Series that are wanted, when there are more than can be fetched. */
  readonly shown: number;
  /** Whether the least averages are wanted. */
  readonly lowest: boolean;
}

/** `truncated`: the series are some of the result, and which ones is chance. */
export interface RangeAnswered extends RangeResult {
  /** Series of the whole result, where the answer has only some and their number could be told. */
  readonly counted: number | undefined;
}

/** Throws {@linkcode CallError}, which points into the query where that is wrong. */
export async function askRange(
  api: PrometheusApi,
  question: RangeQuestion,
  options: AskOptions,
): Promise<RangeAnswered> {
  const { parsed, range } = question;
  let result: RangeResult;
  try {
    result = await api.queryRange(parsed.text, range, options);
  } catch (error) {
    if (error instanceof CallError) throw explainRefusal(error, parsed);
    throw error;
  }
  if (!result.truncated) return { ...result, counted: undefined };
  // These are questions beyond the caller's own: one that fails leaves the first answer as it is.
  const [counted, greatest] = await Promise.all([
    answerOr(undefined, () => countAll(api, question, options)),
    answerOr(undefined, () => askGreatest(api, question, options)),
  ]);
  if (greatest === undefined || counted === undefined) return { ...result, counted };
  const warnings = result.warnings.filter((text) => !text.includes("truncated due to limit"));
  return { ...greatest, warnings, infos: result.infos, truncated: false, counted };
}

/** The query at all its points, as one range vector. A comment at the end of the query ends with its line. */
function atAllPoints({ parsed, range }: RangeQuestion): string {
  const { start, end, step } = range;
  // Half a step more, as some versions leave the beginning of a range out and others do not.
  return `(\n${parsed.text}\n)[${formatDuration(end - start + step / 2)}:${formatDuration(step)}] @ ${end}`;
}

async function countAll(
  api: PrometheusApi,
  question: RangeQuestion,
  options: AskOptions,
): Promise<number | undefined> {
  const query = `count(last_over_time(${atAllPoints(question)}))`;
  const { series } = await api.query(query, question.range.end, options);
  const counted = numberOf(series[0]?.value?.[1] ?? "");
  return Number.isFinite(counted) ? counted : undefined;
}

/** Undefined where averages can't be had, as of series that differ in their metric's name alone. */
async function askGreatest(
  api: PrometheusApi,
  question: RangeQuestion,
  options: AskOptions,
): Promise<RangeResult | undefined> {
  const { parsed, range, shown, lowest } = question;
  const top = `${lowest ? "bottomk" : "topk"}(${shown}, avg_over_time(${atAllPoints(question)}))`;
  const result = await api.queryRange(`(\n${parsed.text}\n) and ${top}`, range, options);
  return result.series.length === 0 || result.truncated ? undefined : result;
}
