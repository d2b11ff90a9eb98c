/** A query in place of one whose result is too long to read. */
import type { ParsedQuery } from "./promql.ts";
import { quoteLabelName } from "./promql_literal.ts";
import type { Labels } from "./result.ts";
import { differingLabels } from "./series_labels.ts";

/** Longer queries are not repeated. */
const longestRepeated = 400;
/** Series that people like to read. */
const readable = 20;

/** What to do about too many series of samples. */
export const narrowTheSelector =
  "Narrow the selector, or take a function of the range such as max_over_time()";

/** Up to two queries, `topk` and an aggregation by a label, whose results fit; `shown` series did. */
export function narrowerQuery(
  parsed: ParsedQuery,
  series: readonly Labels[],
  shown: number,
): readonly string[] {
  const { expression } = parsed;
  const line = parsed.text.trim().replace(/\s*\n\s*/g, " ");
  const query = line.length > longestRepeated ? "…" : line;
  const fits = Math.max(1, Math.min(shown, readable));
  // A comment would swallow the bracket.
  const repeated = query.includes("#") ? "…" : query;
  const queries: string[] = [];
  if (expression.kind === "selector" && expression.metric !== undefined && series.length > 0) {
    const label = groupingLabel(series);
    if (label !== undefined) queries.push(`count by (${label}) (${repeated})`);
  } else {
    const label = groupingLabel(series);
    // The maximum is right of every kind of figure; a sum of ratios or quantiles is not.
    const operator = expression.kind === "call" && /^(?:rate|irate|increase)$/.test(expression.name)
      ? "sum"
      : "max";
    if (label !== undefined) queries.push(`${operator} by (${label}) (${repeated})`);
  }
  return [`topk(${fits}, ${repeated})`, ...queries];
}

/** The label that says most and still leaves few enough series. */
function groupingLabel(series: readonly Labels[]): string | undefined {
  const counted = differingLabels(series, {}).map((name) => ({
    name,
    values: new Set(series.map((labels) => labels[name] ?? "")).size,
  })).filter(({ name, values }) =>
    !["__name__", "le", "quantile"].includes(name) && values > 1 && values <= readable &&
    series.every((labels) => Object.hasOwn(labels, name))
  );
  const usual = counted.find(({ name }) => name === "job" || name === "service");
  const best = usual ?? counted.at(-1);
  return best === undefined ? undefined : quoteLabelName(best.name);
}
