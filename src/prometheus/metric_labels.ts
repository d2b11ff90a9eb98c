/** The labels of metrics: how many series there are, by which labels they differ, and in how many values. */
import { answerOr } from "../common/errors.ts";
import type { Asking } from "./asking.ts";
import { numberOf } from "./metric_unit.ts";
import { escapeRegex, type Matcher, quoteLabelName, quoteLabelValue, selector } from "./promql_literal.ts";
import type { Labels } from "./result.ts";

/** A label of a metric. */
export interface LabelUse {
  readonly name: string;
  /** Different values. */
  readonly cardinality: number;
  /** All of them, where they are few. */
  readonly values?: readonly string[];
}

/** Series read one by one; of more, Prometheus counts the labels. */
const mostSeries = 1_000;
/** Labels counted of a metric with more series than that. */
const mostLabels = 20;
/** Values that are named. */
const fewValues = 8;

/** How many series the metrics of these names have now, in one query; names without any are left out. */
export async function countSeries(
  { api, signal }: Asking,
  names: readonly string[],
  matchers: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const pattern: Matcher = ["__name__", "=~", names.map(escapeRegex).join("|")];
  const vector = selectorsOf(pattern, matchers).join(" or ");
  const { series } = await api.query(`count by (__name__) (${vector})`, undefined, { signal });
  return new Map(series.map(({ metric, value }) => [metric.__name__ ?? "", numberOf(value?.[1] ?? "0")]));
}

/** The series that meet the condition and one of the selectors `{job="api"}`, `{app="api"}`; all, without selectors. */
function selectorsOf(condition: Matcher, within: readonly string[]): readonly string[] {
  const [label, operator, value] = condition;
  if (within.length === 0) return [selector(undefined, [condition])];
  return within.map((inside) => `${inside.slice(0, -1)},${label}${operator}${quoteLabelValue(value)}}`);
}

/**
 * The labels of a metric's series now, of those that one of the selectors `within` matches; those with most values first.
 * Empty when there are none, or nobody tells.
 */
export function labelsOf(
  asking: Asking,
  name: string,
  within: readonly string[],
): Promise<readonly LabelUse[]> {
  const selectors = selectorsOf(["__name__", "=", name], within);
  return answerOr([], async () => {
    const { series, truncated } = await asking.api.query(
      `group without () (${selectors.join(" or ")})`,
      undefined,
      { signal: asking.signal, limit: mostSeries },
    );
    return truncated ? await countLabels(asking, selectors) : usesOf(series.map(({ metric }) => metric));
  });
}

function usesOf(series: readonly Labels[]): readonly LabelUse[] {
  const values = new Map<string, Set<string>>();
  for (const labels of series) {
    for (const name in labels) {
      if (name === "__name__") continue;
      const seen = values.get(name) ?? new Set();
      values.set(name, seen.add(labels[name] ?? ""));
    }
  }
  return [...values].map(([name, seen]) => ({
    name,
    cardinality: seen.size,
    ...(seen.size <= fewValues ? { values: [...seen].toSorted() } : {}),
  })).sort(byCardinality);
}

/** One query, however many series: only as many results as labels. */
async function countLabels(
  { api, time, signal }: Asking,
  selectors: readonly string[],
): Promise<readonly LabelUse[]> {
  const { names } = await api.labelNames(selectors, { start: time - 600 }, { signal, limit: mostLabels + 1 });
  const labels = names.filter((name) => name !== "__name__").slice(0, mostLabels);
  if (labels.length === 0) return [];
  const query = labels.map((label, index) =>
    `label_replace(count(count by (${quoteLabelName(label)}) (${
      selectors.join(" or ")
    })), "probe", "${index}", "", "")`
  ).join(" or ");
  const { series } = await api.query(query, undefined, { signal });
  return series.map(({ metric, value }) => ({
    name: labels[Number(metric.probe)] ?? "",
    cardinality: numberOf(value?.[1] ?? "0"),
  })).sort(byCardinality);
}

function byCardinality(a: LabelUse, b: LabelUse): number {
  return b.cardinality - a.cardinality || (a.name < b.name ? -1 : 1);
}
