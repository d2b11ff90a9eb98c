/** Tool `find_metrics`: which metrics there are, and what is needed to query them. */
import * as z from "zod";
import { answerOr } from "../common/errors.ts";
import { largestThatFits } from "../common/largest_that_fits.ts";
import { nearest } from "../common/nearest.ts";
import { filled } from "../common/structured.ts";
import { defineTool, type Presentation, type Tool } from "../common/tool.ts";
import { count } from "../common/units.ts";
import { visible } from "../common/visible.ts";
import type { PrometheusApi } from "./api.ts";
import { type Asking, beginAsking } from "./asking.ts";
import { type MetricCatalogue, typeOfSeries } from "./metric_catalogue.ts";
import { countSeries, labelsOf, type LabelUse } from "./metric_labels.ts";
import { type RankedName, rankNames } from "./metric_ranking.ts";
import { metricUnit, unitText } from "./metric_unit.ts";
import { oneLine } from "./one_line.ts";
import { escapeRegex, selector } from "./promql_literal.ts";
import type { MetricMetadata, Told } from "./result.ts";
import { labelText } from "./series_labels.ts";
import { serviceLabels } from "./service_labels.ts";
import { saidNotes } from "./told.ts";
import { unreachedStores } from "./stores.ts";

/** Metrics whose labels are looked up. */
const withLabels = 5;
/** Metrics few enough for the values of their labels. */
const withValues = 3;

const input = z.strictObject({
  pattern: z.string().max(200).default("").describe(
    "Words or parts of the name; * is anything",
  ),
  service: z.string().min(1).max(200).optional().describe("Its job, service or app"),
  limit: z.int().min(1).max(100).default(20),
});

const output = z.object({
  total: z.number().describe("Metrics that match"),
  of: z.number().describe("Metrics that were searched"),
  more: z.literal(true).optional().describe("There are more to search, by an unknown number"),
  services: z.array(z.string()).optional().describe("Nearest services, when the one asked for is not known"),
  notes: z.array(z.string()).optional(),
  metrics: z.array(z.object({
    name: z.string(),
    type: z.string().optional(),
    unit: z.string().optional(),
    series: z.number().optional().describe("Now"),
    help: z.string().optional(),
    label_values: z.object({}).catchall(z.union([z.number(), z.array(z.string())])).optional()
      .describe("Of each label its values, or how many there are"),
  })),
});
type Output = z.output<typeof output>;
type Metric = Output["metrics"][number];

interface Found {
  readonly names: readonly RankedName[];
  readonly of: number;
  readonly truncated: boolean;
  readonly limit: number;
  readonly metadata: ReadonlyMap<string, MetricMetadata>;
  readonly counts: ReadonlyMap<string, number>;
  readonly labels: ReadonlyMap<string, readonly LabelUse[]>;
  readonly service: string | undefined;
  readonly services: readonly string[];
  /** Why types, units and help are missing. */
  readonly undescribed: string | undefined;
  readonly told: Told;
}

/** Searches the metrics with samples in the last hour. */
export function findMetrics(api: PrometheusApi, catalogue: MetricCatalogue): Tool {
  return defineTool({
    name: "find_metrics",
    title: "Find metrics",
    description:
      "Finds metrics by name: type, unit, help, series, labels. Start here when the name of a metric or a label is not known.",
    input,
    output,
    async run(args, { signal }): Promise<Found> {
      const asking = await beginAsking(api, signal);
      const matchers = args.service === undefined ? [] : ofService(args.service);
      const { names: all, truncated, ...beside } = await catalogue.names(matchers, asking.time, { signal });
      const names = rankNames(args.pattern, all);
      const shown = names.slice(0, args.limit).map(({ name }) => name);
      const [described, counts, labels, services] = await Promise.all([
        catalogue.describe(shown, { signal }),
        shown.length === 0
          ? new Map<string, number>()
          : answerOr(new Map<string, number>(), () => countSeries(asking, shown, matchers)),
        Promise.all(
          shown.slice(0, withLabels).map(async (name) =>
            [name, await labelsOf(asking, name, matchers)] as const
          ),
        ),
        all.length === 0 && args.service !== undefined ? nearestServices(asking, args.service) : [],
      ]);
      return {
        names,
        of: all.length,
        truncated,
        limit: args.limit,
        metadata: described.metadata,
        undescribed: described.missing,
        counts,
        labels: new Map(labels),
        service: args.service,
        services,
        told: bothTold(beside, asking.heard(), all.length > 0 ? [] : await unreachedStores(api, { signal })),
      };
    },
    present,
  });
}

/** A selector per label that may name the service; of OpenTelemetry's `namespace/name`, the name is enough. */
function ofService(service: string): readonly string[] {
  const value = `(?i:(?:.*/)?${escapeRegex(service)})`;
  return serviceLabels.map((label) => selector(undefined, [[label, "=~", value]]));
}

async function nearestServices(
  { api, time, signal }: Asking,
  service: string,
): Promise<readonly string[]> {
  const range = { start: time - 3600 };
  const found = await Promise.all(
    ["job", "service", "app"].map(async (label) =>
      (await api.labelValues(label, [], range, { signal, limit: 1000 })).values
    ),
  );
  const all = [...new Set(found.flat())];
  const near = nearest(service, all, 5);
  return near.length > 0 ? near : all.slice(0, 10);
}

function present(found: Found, budget: number): Presentation<Output> {
  const shownAtMost = found.names.slice(0, found.limit);
  const make = (shown: number): Presentation<Output> => {
    const answer: Output = {
      total: found.names.length,
      of: found.of,
      ...(found.truncated ? { more: true as const } : {}),
      ...filled({
        services: found.services.map((name) => labelText(name)),
        notes: [
          ...(found.undescribed === undefined
            ? []
            : [`types, units and help are missing: ${oneLine(found.undescribed, 400)}`]),
          ...(shown > withLabels
            ? [`labels are those of the first ${withLabels}; give a name for others'`]
            : []),
          ...saidNotes(found.told, budget),
        ],
      }),
      metrics: shownAtMost.slice(0, shown).map((one) => metricOf(one, found, shown)),
    };
    return { text: render(answer, found), structured: withCut(answer, found), rows: shown };
  };
  return largestThatFits(shownAtMost.length, make, budget);
}

function metricOf({ name }: RankedName, found: Found, shown: number): Metric {
  const metadata = found.metadata.get(name);
  const unit = unitText(metricUnit(name, metadata?.unit));
  const type = typeOfSeries(name, metadata);
  const labels = found.labels.get(name) ?? [];
  return {
    name: visible(name),
    ...filled({
      type: type === undefined ? undefined : oneLine(type, 40),
      unit: unit === "" ? undefined : oneLine(unit, 60),
      series: found.counts.get(name),
      help: metadata === undefined || metadata.help === "" ? undefined : oneLine(metadata.help, 200),
      label_values: labels.length === 0 ? undefined : Object.fromEntries(
        labels.slice(0, 15).map(({ name, cardinality, values = [] }) => [
          visible(name),
          values.length > 0 && shown <= withValues
            ? values.map((value) => labelText(value, 60))
            : cardinality,
        ]),
      ),
    }),
  };
}

/** With what the text says around the metrics. */
function withCut(answer: Output, found: Found): Output {
  const { total, of, more, services, notes = [], metrics } = answer;
  const said = [
    ...nothingFound(answer, found),
    ...(found.names[0]?.reason === "similar" ? [bySimilarity] : []),
    ...cutOf(answer),
    ...notes,
  ];
  return { total, of, ...filled({ more, services, notes: said }), metrics };
}

const bySimilarity = "by similarity: none has that name";

function nothingFound({ total, of }: Output, { service }: Found): readonly string[] {
  if (total > 0) return [];
  if (of === 0) {
    return service === undefined
      ? ["This Prometheus has no metrics with samples in the last hour."]
      : [`No series has ${labelText(service)} as its job, service or app.`];
  }
  const where = service === undefined ? "" : ` of ${labelText(service)}`;
  return [`None of ${count(of)} metrics${where} has a name like that. Try one word of it, or * for all.`];
}

function cutOf({ metrics, total, more }: Output): readonly string[] {
  if (metrics.length >= total) return [];
  return [
    `Cut: ${count(metrics.length)} of ${more ? "at least " : ""}${count(total)} shown. ` +
    "Give more of the name, a service, or limit.",
  ];
}

function render(answer: Output, found: Found): string {
  const { metrics, total, of, services } = answer;
  const { service } = found;
  const notes = (answer.notes ?? []).map((note) => `note: ${visible(note)}`);
  const near = services === undefined ? "" : ` Services there are: ${services.join(", ")}.`;
  const nothing = nothingFound(answer, found);
  if (nothing.length > 0) return [...nothing.map((sentence) => sentence + near), ...notes].join("\n");
  const where = service === undefined ? "" : ` of ${labelText(service)}`;
  const similar = found.names[0]?.reason === "similar" ? `, ${bySimilarity}` : "";
  const least = answer.more ? "at least " : "";
  const lines = [`${least}${count(total)} of ${least}${count(of)} metrics${where} match${similar}`];
  for (const metric of metrics) {
    const facts = [
      metric.type,
      metric.unit,
      metric.series === undefined ? "no series now" : `${count(metric.series)} series`,
    ].filter((fact) => fact !== undefined && fact !== "");
    lines.push(`${metric.name} (${facts.join(", ")})${metric.help === undefined ? "" : ` ${metric.help}`}`);
    const labels = Object.entries(metric.label_values ?? {}).map(([name, values]) =>
      typeof values === "number" ? `${name} ×${count(values)}` : `${name}=${values.join("|")}`
    );
    if (labels.length > 0) lines.push(`  ${labels.join(", ")}`);
  }
  return [...lines, ...cutOf(answer).map((notice) => `[${notice}]`), ...notes].join("\n");
}

/** Without what was asked to be cut, which the answer says itself. */
function bothTold(one: Told, other: Told, more: readonly string[]): Told {
  const ours = (text: string) => text.includes("truncated due to limit");
  return {
    warnings: [...one.warnings.filter((text) => !ours(text)), ...other.warnings, ...more],
    infos: [...one.infos, ...other.infos],
  };
}
