/** Prometheus as MCP resources: an overview, and each metric by URI. */
import { CallError } from "../common/errors.ts";
import { nearest } from "../common/nearest.ts";
import { fit } from "../common/output.ts";
import {
  completeInput,
  completion,
  fixedResourceList,
  maxCompletions,
  noCompletions,
  noSuchResource,
  resourceRead,
  type Resources,
  templateValues,
} from "../common/resources.ts";
import type { Tool } from "../common/tool.ts";
import { plural } from "../common/units.ts";
import type { PrometheusApi } from "./api.ts";
import { oneLine } from "./one_line.ts";
import { readOverview } from "./overview.ts";
import { escapeRegex, selector } from "./promql_literal.ts";
import type { Labels } from "./result.ts";

const overviewUri = "prometheus://overview";
const metricTemplate = "prometheus://metrics/{metric}";
const mimeType = "text/plain";
/** Series whose labels are looked at. */
const maxSeries = 1_000;
/** Seconds back that a metric must have been there. */
const recently = 3_600;

/** The resources. */
export function prometheusResources(api: PrometheusApi): Required<Resources> {
  return {
    templates: [{
      uriTemplate: metricTemplate,
      name: "metric",
      title: "A metric",
      description: "Type, help and unit of a metric, its labels and how many values each has",
      mimeType,
    }],
    // Metrics are not listed: there may be a hundred thousand, and completion finds them.
    list: fixedResourceList([
      { uri: overviewUri, name: "overview", title: "This Prometheus at a glance", mimeType },
    ]),
    read: readOne(api),
    complete: complete(api),
  };
}

function readOne(api: PrometheusApi): Tool {
  return resourceRead({
    async run({ uri }, { signal }): Promise<{ uri: string; lines: readonly string[] }> {
      if (uri === overviewUri) return { uri, lines: await readOverview(api, signal) };
      const [metric] = templateValues(metricTemplate, uri) ?? [];
      if (metric === undefined) {
        throw noSuchResource(uri, `The resources are ${overviewUri} and ${metricTemplate}`);
      }
      return { uri, lines: await readMetric(api, metric, signal) };
    },
    present: ({ uri, lines }, budget) => ({
      text: fit(lines.join("\n"), budget),
      structured: { uri, mimeType },
      rows: 1,
    }),
  });
}

async function readMetric(
  api: PrometheusApi,
  metric: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const start = Math.floor(Date.now() / 1000) - recently;
  const { series, truncated } = await api.series([selector(metric, [])], { start }, {
    signal,
    limit: maxSeries,
  });
  if (series.length === 0) {
    const { values } = await api.labelValues("__name__", [], { start }, { signal, limit: 20_000 });
    const names = nearest(metric, values).map((name) => oneLine(name, 200)).join(", ");
    throw new CallError(
      "not_found",
      `There is no metric ${JSON.stringify(oneLine(metric, 200))} in the last hour`,
      {
        hint: names === ""
          ? "find_metrics looks for metrics by a part of their name"
          : `the nearest names are ${names}`,
      },
    );
  }
  const metadata = await readMetadata(api, metric, signal);
  return [
    oneLine(metric, 300),
    ...metadata,
    `${plural(series.length, "series", "series")}${
      truncated ? " looked at; there are more" : " in the last hour"
    }.`,
    "",
    "Labels:",
    ...labelLines(series, truncated),
  ];
}

/** What the targets say; the parts of a histogram are described under its own name. Nothing where the call is absent. */
async function readMetadata(
  api: PrometheusApi,
  metric: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  try {
    for (const name of new Set([metric, metric.replace(/_(?:bucket|count|sum|total)$/, "")])) {
      const entries = (await api.metadata(name, { signal })).get(name) ?? [];
      if (entries.length === 0) continue;
      return entries.slice(0, 3).map(({ type, help, unit }) =>
        `${oneLine(type, 40)}${unit === "" ? "" : `, in ${oneLine(unit, 40)}`}: ${oneLine(help, 500)}`
      );
    }
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
  }
  return [];
}

function labelLines(series: readonly Labels[], truncated: boolean): readonly string[] {
  const values = new Map<string, Set<string>>();
  for (const labels of series) {
    for (const [name, value] of Object.entries(labels)) {
      if (name === "__name__") continue;
      values.set(name, (values.get(name) ?? new Set()).add(value));
    }
  }
  if (values.size === 0) return ["  none"];
  return [...values].sort(([a], [b]) => a < b ? -1 : 1).map(([name, set]) => {
    const examples = [...set].sort().slice(0, 5).map((value) => JSON.stringify(oneLine(value, 60))).join(
      ", ",
    );
    const number = truncated ? `at least ${plural(set.size, "value")}` : plural(set.size, "value");
    return `  ${oneLine(name, 100)}: ${number}${set.size > 5 ? ", such as " : ": "}${examples}`;
  });
}

function complete(api: PrometheusApi): Tool {
  return completion(completeInput, async ({ uriTemplate, argument, value }, { signal }) => {
    if (uriTemplate !== metricTemplate || argument !== "metric") return noCompletions;
    const matchers = value === ""
      ? []
      : [selector(undefined, [["__name__", "=~", `(?i:${escapeRegex(value)}).*`]])];
    const { values, truncated } = await api.labelValues("__name__", matchers, {}, {
      signal,
      limit: maxCompletions,
    });
    return { values: [...values], total: values.length, hasMore: truncated };
  });
}
