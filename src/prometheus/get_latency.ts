/** Tool `get_latency`: how long a service's requests take, and whether that is longer than a day before. */
import * as z from "zod";
import { CallError } from "../common/errors.ts";
import { largestThatFits } from "../common/largest_that_fits.ts";
import { filled, rounded } from "../common/structured.ts";
import { defineTool, type Tool } from "../common/tool.ts";
import { visible } from "../common/visible.ts";
import type { PrometheusApi } from "./api.ts";
import { durationMetrics } from "./instrumentation.ts";
import { durationText, isInLastBucket, type LatencyReading, type Quantile, readLatency } from "./latency.ts";
import { rate } from "./requests.ts";
import type { Told } from "./result.ts";
import { fitWindow, readInterval } from "./scrapes.ts";
import { beginAsking } from "./asking.ts";
import { findService, type Service } from "./service.ts";
import { serviceArgument, serviceFields, serviceLines, serviceOutput } from "./service_words.ts";
import { readSlowestPlaces, type SlowPlace } from "./slow_places.ts";
import { formatDuration, parseDuration, utc } from "./time.ts";
import { saidNotes } from "./told.ts";

const input = z.strictObject({
  service: serviceArgument,
  quantiles: z.array(z.number().gt(0).lt(100)).min(1).max(8).default([0.5, 0.95, 0.99])
    .describe("0.95, or 95 for the same"),
  window: z.string().default("5m").describe("5m, 1h, 1d"),
});

const quantile = z.object({
  quantile: z.number(),
  value: z.number().nullable().describe("null: see text"),
  text: z.string().optional().describe(
    "What value can't say: no data, beyond the last bucket, of instances apart",
  ),
  bucket_lower: z.number().optional(),
  bucket_upper: z.number().optional(),
  day_before: z.number().optional(),
});

const output = z.object({
  service: serviceOutput.service,
  notes: z.array(z.string()).optional(),
  window: z.string(),
  until: z.string(),
  observations_per_second: z.number().optional().describe("Absent: no data"),
  unit: z.enum(["s", "ms"]).nullable().optional().describe("Of all values; null: not known"),
  quantiles: z.array(quantile),
  mean: z.number().optional(),
  slowest_quantile: z.number().optional().describe("That which the slowest are found by"),
  slowest: z.array(z.object({ labels: z.string(), value: z.number() })).optional(),
  metric: z.string().nullable().describe("null: nothing that measures durations was found"),
  form: z.enum(["native histogram", "classic histogram", "summary", "average"]).optional(),
  passed_over: z.array(z.object({ metric: z.string(), because: z.string() })).optional(),
  found_by: serviceOutput.found_by,
  also_found_by: serviceOutput.also_found_by,
  query: z.string().optional().describe("Of the greatest quantile"),
});
type Answer = z.output<typeof output>;

interface Found {
  readonly service: Service;
  readonly time: number;
  readonly window: number;
  readonly reading: LatencyReading;
  readonly slowest: readonly SlowPlace[];
  readonly notes: readonly string[];
  readonly told: Told;
}

/** Reads latencies; `now` gives epoch milliseconds, Prometheus unless given. */
export function getLatency(api: PrometheusApi, now?: () => number): Tool {
  return defineTool({
    name: "get_latency",
    title: "Latency of a service",
    description:
      "How long a service's requests take: quantiles from its histograms, now and a day before; the slowest routes.",
    input,
    output,
    async run(args, { signal }): Promise<Found> {
      const asked = parseDuration(args.window, "window");
      const quantiles = readQuantiles(args.quantiles);
      const asking = await beginAsking(api, signal, now);
      const service = await findService(asking, args.service);
      const [metric] = durationMetrics(service.metrics);
      const found = { service, time: asking.time };
      if (metric === undefined) {
        return {
          ...found,
          window: asked,
          reading: { latency: undefined, passedOver: [] },
          slowest: [],
          notes: [],
          told: asking.heard(),
        };
      }
      const counted = ["_count", "_bucket", ""].map((suffix) => metric.metric + suffix)
        .find((name) => service.metrics.has(name)) ?? metric.metric;
      const { window, notes } = fitWindow(asked, await readInterval(asking, service, counted));
      const reading = await readLatency(asking, service, quantiles, window);
      const slowest = reading.latency === undefined
        ? []
        : await readSlowestPlaces(asking, service, reading.latency);
      return { ...found, window, reading, slowest, notes, told: asking.heard() };
    },
    present(found: Found, budget) {
      const make = (shown: number) => {
        const answer = answerOf(found, shown > 0, budget);
        return {
          text: render(answer, found),
          structured: rounded(answer, ["quantile", "slowest_quantile"]),
          rows: answer.quantiles.length,
        };
      };
      return largestThatFits(1, make, budget);
    },
  });
}

/** Ratios, each once, from the least to the greatest. */
function readQuantiles(given: readonly number[]): readonly number[] {
  const wrong = given.find((each) => each >= 1 && each < 50);
  if (wrong !== undefined) {
    throw new CallError("invalid", `Cannot tell which quantile ${wrong} is`, {
      hint: "write the 95th percentile as 0.95 or 95, the median as 0.5",
    });
  }
  const ratios = given.map((each) => each < 1 ? each : Number((each / 100).toPrecision(12)));
  return [...new Set(ratios)].sort((a, b) => a - b);
}

const known = (value: number): number | null => Number.isFinite(value) ? value : null;

function answerOf(
  { service, time, window, reading, slowest, notes, told }: Found,
  whole: boolean,
  budget: number,
): Answer {
  const { latency, passedOver } = reading;
  const { notes: own, found, service: name } = serviceFields(service);
  const traffic = latency !== undefined && latency.observationsPerSecond > 0;
  const places = whole ? slowest : [];
  return {
    service: name,
    ...filled({
      notes: [
        ...noData(reading, window),
        ...own,
        ...notes,
        ...(latency?.notes ?? []),
        ...saidNotes(told, whole ? budget : budget / 4),
      ],
    }),
    window: formatDuration(window),
    until: utc(Math.floor(time)),
    ...(traffic ? { observations_per_second: latency.observationsPerSecond } : {}),
    ...(latency === undefined ? {} : { unit: latency.unit ?? null }),
    quantiles: traffic ? latency.quantiles.map((each) => quantileOf(each, latency.unit)) : [],
    ...filled({
      mean: traffic ? known(latency.mean) : undefined,
      slowest_quantile: places.length === 0 ? undefined : latency?.quantiles.at(-1)?.quantile,
      slowest: places.map(({ labels, value }) => ({ labels, value })),
    }),
    metric: latency?.metric.metric ?? null,
    ...filled({
      form: latency?.metric.form,
      passed_over: passedOver.slice(0, whole ? 5 : 0).map((each) => ({ ...each })),
    }),
    ...found,
    ...filled({ query: latency?.quantiles.at(-1)?.query }),
  };
}

function quantileOf(each: Quantile, unit: "s" | "ms" | undefined): Answer["quantiles"][number] {
  const { quantile, bucket, dayBefore, among } = each;
  const value = isInLastBucket(each) ? null : known(each.value);
  return {
    quantile,
    value,
    ...filled({
      text: value === null || among !== undefined
        ? quantileText({ ...each, dayBefore: NaN }, unit)
        : undefined,
      bucket_lower: known(bucket?.lower ?? NaN),
      bucket_upper: known(bucket?.upper ?? NaN),
      day_before: known(dayBefore),
    }),
  };
}

/** Why there are no figures, if there are none. */
function noData({ latency }: LatencyReading, window: number): readonly string[] {
  if (latency === undefined) {
    return [
      "no data on latency: nothing that measures its requests was found. find_metrics shows what it has.",
    ];
  }
  if (latency.observationsPerSecond > 0) return [];
  return [`no data on latency: no request was measured in the last ${formatDuration(window)}`];
}

/** A quantile for people: the value, and how far it can be believed. */
export function quantileText(each: Quantile, unit: "s" | "ms" | undefined): string {
  const { value, bucket, dayBefore, among } = each;
  if (Number.isNaN(value)) return "no data";
  const before = Number.isNaN(dayBefore) ? "" : `; a day before ${durationText(dayBefore, unit)}`;
  if (among !== undefined) {
    return `${durationText(among.least, unit)} to ${durationText(among.greatest, unit)}, by instance`;
  }
  if (bucket === undefined) return durationText(value, unit) + before;
  if (isInLastBucket(each)) {
    return `above ${durationText(bucket.lower, unit)}: in the last bucket, which has no end${before}`;
  }
  return `${durationText(value, unit)} (bucket ${durationText(bucket.lower, unit)} to ${
    durationText(bucket.upper, unit)
  })${before}`;
}

function render(answer: Answer, { reading, window }: Found): string {
  const { service, metric, form, unit, mean, observations_per_second: observed } = answer;
  const { slowest_quantile: top = 0, slowest = [], passed_over = [], notes = [] } = answer;
  const { latency } = reading;
  const name = visible(service);
  const lines: string[] = [];
  const none = noData(reading, window);
  if (observed === undefined) lines.push(...none.map((why) => `${name}: ${why}`));
  else {
    lines.push(`${name}: latency in ${answer.window} until ${answer.until}, ${rate(observed)} requests/s`);
    lines.push(
      ...(latency?.quantiles ?? []).map((each) =>
        `p${Number((each.quantile * 100).toPrecision(12))}: ${quantileText(each, latency?.unit)}`
      ),
    );
    if (mean !== undefined) lines.push(`mean: ${durationText(mean, unit ?? undefined)}`);
  }
  if (slowest.length > 0) {
    lines.push(
      `slowest by p${Number((top * 100).toPrecision(12))}: ${
        slowest.map(({ labels, value }) => `${visible(labels)} ${durationText(value, latency?.unit)}`).join(
          "; ",
        )
      }`,
    );
  }
  lines.push(...serviceLines(answer));
  if (metric !== null) {
    lines.push(`measured by ${visible(metric)} (${form}${unit === null ? ", unit not known" : ""})`);
  }
  if (passed_over.length > 0) {
    lines.push(
      `passed over: ${
        passed_over.map(({ metric, because }) => `${visible(metric)} (${because})`).join(", ")
      }`,
    );
  }
  if (answer.query !== undefined) lines.push(`query: ${visible(answer.query)}`);
  lines.push(...notes.filter((note) => !none.includes(note)).map((note) => `note: ${visible(note)}`));
  return lines.join("\n");
}
