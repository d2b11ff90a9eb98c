/** Tool `get_latency`: how long a service's requests take, and whether that is longer than a day before. */
import * as z from "zod";
import { CallError } from "../common/errors.ts";
import { largestThatFits } from "../common/largest_that_fits.ts";
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
  value: z.number().nullable().describe("null: no data, or beyond what the buckets can tell"),
  text: z.string(),
  bucket_lower: z.number().nullable(),
  bucket_upper: z.number().nullable(),
  in_last_bucket: z.boolean().describe("The true value is anywhere above bucket_lower"),
  day_before: z.number().nullable(),
});

const output = z.object({
  ...serviceOutput,
  window: z.string(),
  until: z.string(),
  metric: z.string().nullable().describe("null: nothing that measures durations was found"),
  form: z.enum(["native histogram", "classic histogram", "summary", "average"]).nullable(),
  unit: z.enum(["s", "ms"]).nullable().describe("Of all values; null: not known"),
  quantiles: z.array(quantile),
  mean: z.number().nullable(),
  observations_per_second: z.number().nullable().describe("null: no data"),
  slowest: z.array(z.object({ labels: z.string(), value: z.number(), text: z.string() }))
    .describe("By the greatest of the quantiles"),
  passed_over: z.array(z.object({ metric: z.string(), because: z.string() })),
  query: z.string().nullable().describe("Of the greatest quantile"),
  notes: z.array(z.string()),
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
        const structured = answerOf(found, shown > 0, budget);
        return { text: render(structured), structured, rows: structured.quantiles.length };
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
  const { notes: own, ...fields } = serviceFields(service);
  const unit = latency?.unit;
  const traffic = latency !== undefined && latency.observationsPerSecond > 0;
  return {
    ...fields,
    window: formatDuration(window),
    until: utc(Math.floor(time)),
    metric: latency?.metric.metric ?? null,
    form: latency?.metric.form ?? null,
    unit: unit ?? null,
    quantiles: (latency?.quantiles ?? []).map((each) => ({
      quantile: each.quantile,
      value: isInLastBucket(each) ? null : known(each.value),
      text: quantileText(each, unit),
      bucket_lower: known(each.bucket?.lower ?? NaN),
      bucket_upper: known(each.bucket?.upper ?? NaN),
      in_last_bucket: isInLastBucket(each),
      day_before: known(each.dayBefore),
    })),
    mean: traffic ? known(latency.mean) : null,
    observations_per_second: traffic ? latency.observationsPerSecond : null,
    slowest: (whole ? slowest : []).map(({ labels, value }) => ({
      labels,
      value,
      text: durationText(value, unit),
    })),
    passed_over: passedOver.slice(0, whole ? 5 : 0).map((each) => ({ ...each })),
    query: latency?.quantiles.at(-1)?.query ?? null,
    notes: [
      ...own,
      ...notes,
      ...(latency?.notes ?? []),
      ...saidNotes(told, whole ? budget : budget / 4),
    ],
  };
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

function render(answer: Answer): string {
  const { service, metric, form, unit, quantiles, mean, observations_per_second: observed, window } = answer;
  const name = visible(service);
  const lines: string[] = [];
  if (metric === null) {
    lines.push(
      `${name}: no data on latency: nothing that measures its requests was found. find_metrics shows what it has.`,
    );
  } else if (observed === null) {
    lines.push(`${name}: no data on latency: no request was measured in the last ${window}`);
  } else {
    lines.push(`${name}: latency in ${window} until ${answer.until}, ${rate(observed)} requests/s`);
    lines.push(
      ...quantiles.map(({ quantile, text }) => `p${Number((quantile * 100).toPrecision(12))}: ${text}`),
    );
    if (mean !== null) lines.push(`mean: ${durationText(mean, unit ?? undefined)}`);
  }
  if (answer.slowest.length > 0) {
    const top = quantiles.at(-1)?.quantile ?? 0;
    lines.push(
      `slowest by p${Number((top * 100).toPrecision(12))}: ${
        answer.slowest.map(({ labels, text }) => `${visible(labels)} ${text}`).join("; ")
      }`,
    );
  }
  lines.push(...serviceLines(answer));
  if (metric !== null) {
    lines.push(`measured by ${visible(metric)} (${form}${unit === null ? ", unit not known" : ""})`);
  }
  if (answer.passed_over.length > 0) {
    lines.push(
      `passed over: ${
        answer.passed_over.map(({ metric, because }) => `${visible(metric)} (${because})`).join(", ")
      }`,
    );
  }
  if (answer.query !== null) lines.push(`query: ${visible(answer.query)}`);
  lines.push(...answer.notes.map((note) => `note: ${visible(note)}`));
  return lines.join("\n");
}
