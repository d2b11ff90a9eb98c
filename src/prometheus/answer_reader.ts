/**
 * Reads Prometheus's JSON into the types of result.ts, and believes none of it: what has another shape than the API
 * promises is an {@linkcode UnexpectedShape}, not a crash somewhere else.
 */
import { isRecord } from "../common/record.ts";
import { shortened } from "../common/shortened.ts";
import type {
  Alert,
  BuildInfo,
  DroppedTarget,
  HistogramSample,
  InstantSeries,
  Labels,
  MetricMetadata,
  NativeHistogram,
  RangeSeries,
  Rule,
  RuleGroup,
  Sample,
  Target,
  Told,
} from "./result.ts";

/** JSON that is not what the API promises. `message` says what is missing where, in words without a value. */
export class UnexpectedShape extends Error {
  override readonly name = "UnexpectedShape";
}

/** The application of a build info that is VictoriaMetrics's. */
export const victoriaMetrics = "VictoriaMetrics";

type Json = Readonly<Record<string, unknown>>;

/** An object of JSON. */
export function asObject(value: unknown, what: string): Json {
  if (!isRecord(value)) throw new UnexpectedShape(`${what} is not an object`);
  return value;
}

/** One for all: of a hundred thousand series none has histograms. */
const none: readonly unknown[] = [];
const noSamples: readonly Sample[] = [];
const noHistograms: readonly HistogramSample[] = [];
const noLabels: Labels = {};

/** An array of JSON; null, which Go writes for an empty one, is empty. */
export function asArray(value: unknown, what: string): readonly unknown[] {
  if (value === null || value === undefined) return none;
  if (!Array.isArray(value)) throw new UnexpectedShape(`${what} is not an array`);
  return value;
}

/** An array that an answer is about: without it nothing is known, and not that there is nothing. */
export function asList(value: unknown, what: string): readonly unknown[] {
  if (value === undefined) throw new UnexpectedShape(`${what} are missing`);
  return asArray(value, what);
}

/** An array of texts. */
export function asTexts(value: unknown, what: string): readonly string[] {
  return asArray(value, what).map((item) => {
    if (typeof item !== "string") throw new UnexpectedShape(`${what} holds something that is not text`);
    return item;
  });
}

/** Messages beside an answer, and characters of each: Prometheus has few of them, and they are short. */
const mostMessages = 100;
const longestMessage = 2_000;

/** What was said beside an answer. Before 2.54 Prometheus had no list of infos, and put them among the warnings. */
export function asTold(warnings: unknown, infos: unknown): Told {
  const all = asMessages(warnings, "the warnings");
  const isInfo = (message: string) => message.startsWith("PromQL info:");
  return {
    warnings: all.filter((message) => !isInfo(message)),
    infos: [...asMessages(infos, "the infos"), ...all.filter(isInfo)],
  };
}

function asMessages(value: unknown, what: string): readonly string[] {
  return asTexts(value, what).slice(0, mostMessages)
    .map((message) => shortened(message, longestMessage));
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function numberOf(value: unknown): number {
  return typeof value === "number" ? value : 0;
}

/** Labels: an object of texts. */
export function asLabels(value: unknown): Labels {
  if (value === null || value === undefined) return noLabels;
  const object = asObject(value, "a set of labels");
  for (const key in object) {
    if (typeof object[key] !== "string") {
      throw new UnexpectedShape("a set of labels holds something that is not text");
    }
  }
  // Every value has just been seen to be a text.
  return object as Labels;
}

/** A pair of a time and a text. */
export function asSample(value: unknown): Sample {
  if (Array.isArray(value) && typeof value[0] === "number" && typeof value[1] === "string") {
    // Both have just been seen; a copy of each of a million samples would be felt.
    return value as unknown as Sample;
  }
  throw new UnexpectedShape("a sample is not a pair of a time and a text");
}

function asHistogramSample(value: unknown): HistogramSample {
  if (Array.isArray(value) && typeof value[0] === "number" && isRecord(value[1])) {
    return [value[0], asHistogram(value[1])];
  }
  throw new UnexpectedShape("a histogram is not a pair of a time and an object");
}

function asHistogram({ count, sum, buckets }: Json): NativeHistogram {
  if (typeof count !== "string" || typeof sum !== "string") {
    throw new UnexpectedShape("a histogram has no count or no sum");
  }
  if (buckets === undefined) return { count, sum };
  return {
    count,
    sum,
    buckets: asArray(buckets, "a histogram's buckets").map((bucket) => {
      const [boundaries, left, right, inside] = asArray(bucket, "a bucket");
      if (
        typeof boundaries !== "number" || typeof left !== "string" || typeof right !== "string" ||
        typeof inside !== "string"
      ) throw new UnexpectedShape("a bucket is not what it should be");
      return [boundaries, left, right, inside] as const;
    }),
  };
}

/** A series of an instant vector. */
export function asInstantSeries(value: unknown): InstantSeries {
  const series = asObject(value, "a series");
  const metric = asLabels(series.metric);
  if (series.histogram !== undefined) return { metric, histogram: asHistogramSample(series.histogram) };
  return { metric, value: asSample(series.value) };
}

/** A series of a range vector. */
export function asRangeSeries(value: unknown): RangeSeries {
  const { metric, values, histograms } = asObject(value, "a series");
  return {
    metric: asLabels(metric),
    values: values === undefined ? noSamples : asArray(values, "a series' values").map(asSample),
    histograms: histograms === undefined
      ? noHistograms
      : asArray(histograms, "a series' histograms").map(asHistogramSample),
  };
}

/** Metadata by metric. */
export function asMetadata(value: unknown): ReadonlyMap<string, readonly MetricMetadata[]> {
  const object = asObject(value ?? {}, "the metadata");
  return new Map(
    Object.entries(object).map(([name, entries]) => [
      name,
      asArray(entries, "the metadata of a metric").map((entry) => {
        const { type, help, unit } = asObject(entry, "the metadata of a metric");
        return { type: textOf(type), help: textOf(help), unit: textOf(unit) };
      }),
    ]),
  );
}

/**
 * The version. VictoriaMetrics tells none of its own, but that of a Prometheus for which clients may take it, and nothing
 * beside it.
 */
export function asBuildInfo({ version, application, goVersion }: Json): BuildInfo {
  if (version === "2.24.0" && goVersion === undefined) return { version: "", application: victoriaMetrics };
  return { version: textOf(version), application: textOf(application) };
}

/** An active target. */
export function asTarget(value: unknown): Target {
  const target = asObject(value, "a target");
  return {
    labels: asLabels(target.labels),
    scrapePool: textOf(target.scrapePool),
    health: textOf(target.health),
    lastError: textOf(target.lastError),
    lastScrape: textOf(target.lastScrape),
    lastScrapeSeconds: numberOf(target.lastScrapeDuration),
    scrapeInterval: textOf(target.scrapeInterval),
  };
}

/** A dropped target. */
export function asDroppedTarget(value: unknown): DroppedTarget {
  return { scrapePool: textOf(asObject(value, "a dropped target").scrapePool) };
}

/** An object of numbers; what is none is left out. */
export function asCounts(value: unknown): Readonly<Record<string, number>> {
  if (!isRecord(value)) return {};
  const counts: Record<string, number> = {};
  for (const [key, count] of Object.entries(value)) if (typeof count === "number") counts[key] = count;
  return counts;
}

/** An alert. */
export function asAlert(value: unknown): Alert {
  const alert = asObject(value, "an alert");
  return {
    labels: asLabels(alert.labels),
    annotations: asLabels(alert.annotations),
    state: textOf(alert.state),
    activeAt: textOf(alert.activeAt),
    value: textOf(alert.value),
  };
}

/** A group of rules. */
export function asRuleGroup(value: unknown): RuleGroup {
  const group = asObject(value, "a rule group");
  return {
    name: textOf(group.name),
    rules: asArray(group.rules, "a rule group's rules").map(asRule),
  };
}

function asRule(value: unknown): Rule {
  const rule = asObject(value, "a rule");
  return {
    type: rule.type === "alerting" ? "alerting" : "recording",
    name: textOf(rule.name),
    query: textOf(rule.query),
    labels: asLabels(rule.labels),
    health: textOf(rule.health),
    lastError: textOf(rule.lastError),
    state: textOf(rule.state),
    forSeconds: numberOf(rule.duration),
    alerts: asArray(rule.alerts, "a rule's alerts").map(asAlert),
  };
}
