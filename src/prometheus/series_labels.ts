/** Labels of several series: what they have in common is said once. */
import { maskSecrets } from "../common/secrets_mask.ts";
import { visible } from "../common/visible.ts";
import { quoteLabelName } from "./promql_literal.ts";
import type { Labels } from "./result.ts";

/** Labels that every series has with the same value; none for a single series' sake of a table without columns. */
export function commonLabels(series: readonly Labels[]): Labels {
  const [first, ...others] = series;
  if (first === undefined) return {};
  return Object.fromEntries(
    Object.entries(first).filter(([name, value]) => others.every((labels) => labels[name] === value)),
  );
}

/** Names of labels that differ, the metric's name first, then those with the fewest values. */
export function differingLabels(series: readonly Labels[], common: Labels): readonly string[] {
  const values = new Map<string, Set<string>>();
  for (const labels of series) {
    for (const name in labels) {
      if (Object.hasOwn(common, name)) continue;
      const seen = values.get(name) ?? new Set();
      values.set(name, seen.add(labels[name] ?? ""));
    }
  }
  return [...values].toSorted(([a, aValues], [b, bValues]) =>
    Number(b === "__name__") - Number(a === "__name__") || aValues.size - bValues.size || (a < b ? -1 : 1)
  ).map(([name]) => name);
}

/** The series with the labels that they do not all have, and those that they have as `common_labels`, if there are any. */
export function ownLabels<Series extends { readonly labels: Labels }>(
  series: readonly Series[],
): {
  readonly common: { readonly common_labels?: Record<string, string> };
  readonly own: (Series & { labels: Record<string, string> })[];
} {
  const common = series.length > 1 ? commonLabels(series.map(({ labels }) => labels)) : {};
  const own = series.map((one) => ({
    ...one,
    labels: Object.fromEntries(Object.entries(one.labels).filter(([name]) => !Object.hasOwn(common, name))),
  }));
  return { common: Object.keys(common).length === 0 ? {} : { common_labels: { ...common } }, own };
}

/** Labels as a selector that people recognise, `up{job="api"}`: hidden characters spelt out, secrets masked. */
export function seriesText(labels: Labels): string {
  const { __name__: metric = "", ...others } = labels;
  const names = Object.keys(others).toSorted();
  if (names.length === 0) return metric === "" ? "{}" : visible(metric);
  const matchers = names.map((name) =>
    `${visible(quoteLabelName(name))}=${JSON.stringify(labelText(others[name] ?? ""))}`
  );
  return `${visible(metric)}{${matchers.join(",")}}`;
}

/** One label's value for a reader. */
export function labelText(value: string, most = 120): string {
  // Cut first: a value of 10 kB must not cost more than its start.
  const characters = [...value.slice(0, 4 * most)];
  const cut = characters.length > most || value.length > 4 * most;
  return visible(maskSecrets(cut ? `${characters.slice(0, most).join("")}…` : value));
}

/** Labels for a structured answer: whole but for secrets and immense values. */
export function safeLabels(labels: Labels): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).map(([name, value]) => [name, labelText(value, 500)]));
}
