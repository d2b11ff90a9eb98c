/** What a reader of a range query's points should know. */
import type { ParsedQuery } from "./promql.ts";
import { expressions } from "./promql_expression.ts";
import type { RangeSeries } from "./result.ts";
import type { TimeRange } from "./step.ts";
import { formatDuration } from "./time.ts";

/** Sentences without a full stop; none of them means that the query is wrong. */
export function rangeNotes(
  parsed: ParsedQuery,
  range: TimeRange,
  series: readonly RangeSeries[],
): readonly string[] {
  const notes = new Set<string>();
  const step = formatDuration(range.step);
  for (const part of expressions(parsed.expression)) {
    if (
      part.kind === "range" && part.seconds !== undefined && part.seconds < range.step && series.length > 0
    ) {
      notes.add(
        `[${
          formatDuration(part.seconds)
        }] is shorter than the step: what happens between is not seen; [${step}] sees all`,
      );
    }
    if (part.kind === "aggregate" && part === parsed.expression && /^(?:topk|bottomk)$/.test(part.operator)) {
      const [most] = part.args;
      if (
        most?.kind === "number" && series.length > most.value && part.by === undefined &&
        part.without === undefined
      ) {
        notes.add(
          `${part.operator}() chooses anew at each step, which is why more than ${most.value} series appear`,
        );
      }
    }
  }
  if (series.some(({ histograms }) => histograms.length > 0)) {
    notes.add(
      "native histograms are shown by their counts; take histogram_quantile() or histogram_avg() of rate()",
    );
  }
  return [...notes];
}
