/** The answer of `query_metrics` in words. */
import { table } from "../common/table.ts";
import { count } from "../common/units.ts";
import { narrowTheSelector } from "./narrower_query.ts";
import type { InstantAnswer } from "./query_metrics.ts";
import type { Labels } from "./result.ts";
import { commonLabels, differingLabels, labelText, seriesText } from "./series_labels.ts";
import { toldLines } from "./told.ts";

/** Complete without the structured answer; each series has all its labels. */
export function instantText(result: InstantAnswer): string {
  const { series, total, time, type } = result;
  const lines: string[] = [];
  const measured = result.unit === undefined ? "" : `, ${result.unit}`;
  const first = series[0];
  if (total === 0) {
    lines.push(`No result at ${time}.`, ...result.explanation ?? []);
  } else if (type === "scalar" || type === "string") {
    lines.push(
      `${labelText(first?.value ?? "", 2_000)}${first?.is === undefined ? "" : ` (${first.is})`}`,
      `${type} at ${time}`,
    );
  } else {
    lines.push(`${result.more ? "more than " : ""}${count(total)} series at ${time}${measured}`);
    const labels = series.map((one): Labels => one.labels);
    const common = series.length > 1 ? commonLabels(labels) : {};
    if (Object.keys(common).length > 0) lines.push(`all: ${seriesText(common)}`);
    lines.push(...(type === "matrix" ? renderSamples(series, common) : renderValues(series, common)));
  }
  if (series.length < total || result.more) {
    const less = result.narrower === undefined
      ? narrowTheSelector
      : `For a result that fits: ${result.narrower.join(" or ")}`;
    lines.push(
      `[Cut: ${count(series.length)} of ${result.more ? "more than " : ""}${
        count(total)
      } series shown. ${less}]`,
    );
  }
  return [...lines, ...toldLines(result)].join("\n");
}

function renderValues(
  series: InstantAnswer["series"],
  common: Labels,
): readonly string[] {
  const values = series.map(({ value, histogram }) => {
    if (histogram !== undefined) {
      const { mean = NaN } = histogram;
      return `histogram: count ${histogram.count}, sum ${histogram.sum}, mean ${mean}`;
    }
    return value ?? "";
  });
  const humans = series.map(({ is }) => is);
  const withUnit = humans.some((human) => human !== undefined);
  const names = differingLabels(series.map(({ labels }) => labels), common);
  if (series.length === 1 && series[0] !== undefined) {
    const name = seriesText(series[0].labels);
    const human = humans[0] === undefined ? "" : ` (${humans[0]})`;
    return [`${name === "{}" ? "" : `${name} `}${values[0]}${human}`];
  }
  const rows = series.map(({ labels }, index) => [
    values[index] ?? "",
    ...(withUnit ? [humans[index] ?? null] : []),
    ...names.map((name) => Object.hasOwn(labels, name) ? labelText(labels[name] ?? "") : null),
  ]);
  const columns = [
    { name: "value" },
    ...(withUnit ? [{ name: "is", align: "right" as const }] : []),
    ...names.map((name) => ({ name: name === "__name__" ? "metric" : name, align: "left" as const })),
  ];
  return [table(columns, rows, { nullText: "-" })];
}

function renderSamples(series: InstantAnswer["series"], common: Labels): readonly string[] {
  return series.map(({ labels, from, seconds = [], values = [], sample_count = 0 }) => {
    const own = Object.fromEntries(Object.entries(labels).filter(([name]) => !Object.hasOwn(common, name)));
    const points = values.map((value, index) => `+${seconds[index] ?? 0}s ${value}`);
    const last = sample_count > values.length ? `, the last ${values.length}` : "";
    return `${seriesText(own)}: ${count(sample_count)} samples${last}, from ${from}: ${points.join(", ")}`;
  });
}
