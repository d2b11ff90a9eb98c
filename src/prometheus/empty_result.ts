/**
 * Why a query has no result, by at most four probes: which selector matches nothing, which of its conditions empties
 * it, what the values are in its place, when its series were last seen, or what the nearest name is.
 */
import { couldNotAnswer } from "../common/errors.ts";
import { withOthers } from "../common/listing.ts";
import { nearest } from "../common/nearest.ts";
import { shortened } from "../common/shortened.ts";
import { age, count, plural } from "../common/units.ts";
import { visible } from "../common/visible.ts";
import type { AskOptions, PrometheusApi } from "./api.ts";
import type { MetricCatalogue } from "./metric_catalogue.ts";
import { numberOf } from "./metric_unit.ts";
import type { ParsedQuery } from "./promql.ts";
import { type Expression, partsOf, type Selector } from "./promql_expression.ts";
import { type Matcher, quoteLabelName, quoteLabelValue, selector } from "./promql_literal.ts";
import { explainExpression } from "./empty_expression.ts";
import { literalPatterns } from "./promql_mistakes.ts";
import { labelText, seriesText } from "./series_labels.ts";
import { durationSeconds, utc } from "./time.ts";
import { unreachedStores } from "./stores.ts";

/** What the probes stand on. */
export interface Probing {
  readonly api: PrometheusApi;
  readonly catalogue: MetricCatalogue;
  readonly options: AskOptions;
  /** Epoch seconds. */
  readonly now: number;
  /** Of a range query, its last point: the probes look at its end, which may be a little later. */
  readonly lastPoint?: number;
}

/** Selectors that are probed, and conditions of each. */
const mostSelectors = 3;
const mostMatchers = 6;
/** Milliseconds that a probe may take: an explanation is not worth more. */
const probeMs = 5_000;
/** Seconds that "last seen" looks back, in steps of Prometheus's own lookback. */
const lookback = 30 * 86_400;
const lookbackStep = 300;
/** Series whose last sample is looked for at once. */
const mostSeries = 100;

/** Sentences, with their full stops, that explain why the query is empty at `time`; probes that fail say nothing. */
export async function explainEmpty(
  parsed: ParsedQuery,
  time: number,
  probing: Probing,
): Promise<readonly string[]> {
  if (time > probing.now + 60) return [`That time is in the future: it is ${utc(probing.now)} now.`];
  const hints = literalPatterns(parsed).map((text) => `${text}.`);
  const asked = shiftedSelectors(parsed.expression).slice(0, mostSelectors);
  const bounded = { ...probing, options: { ...probing.options, timeoutMs: probeMs } };
  if (asked.length === 0) return [...await explainExpression(parsed.expression, time, bounded), ...hints];
  try {
    const counts = await countMatches(asked, time, bounded);
    const lines: string[] = [];
    let probed = false;
    for (const [index, one] of asked.entries()) {
      const all = counts.get(`${index}:all`) ?? 0;
      if (all > 0) continue;
      const family = one.selector.matchers.length === 0 ? 0 : counts.get(`${index}:metric`) ?? 0;
      // The other probes are left, for the first selector that matches nothing.
      const details = probed
        ? []
        : family > 0 || one.selector.metric === undefined
        ? await explainMatchers(one, index, counts, shiftedTime(time, one.modifier), bounded)
        : await explainAbsence(one, shiftedTime(time, one.modifier), bounded);
      if (probed || details.length === 0) lines.push(`${shown(one)} matches no series.`);
      lines.push(...details);
      probed = true;
    }
    if (lines.length > 0) return [...lines, ...hints];
    const matched = asked.map((one, index) =>
      `${shown(one)} matches ${count(counts.get(`${index}:all`) ?? 0)} series`
    );
    const because = [...await explainExpression(parsed.expression, time, bounded)];
    const { lastPoint } = probing;
    if (because.length === 0 && lastPoint !== undefined && lastPoint < time) {
      because.push(`They begin after the last point, ${utc(lastPoint)}: give a smaller step.`);
    }
    return [`${matched.join(", ")} at ${utc(time)}.`, ...because, ...hints];
  } catch (error) {
    if (couldNotAnswer(error)) return hints;
    throw error;
  }
}

interface Shifted {
  readonly selector: Selector;
  /** `offset 1h`, or empty. */
  readonly modifier: string;
}

/** The selectors, each once, with the outermost shift that applies to it. */
function shiftedSelectors(expression: Expression, modifier = ""): readonly Shifted[] {
  if (expression.kind === "selector") return [{ selector: expression, modifier }];
  const inner = expression.kind === "shifted" && modifier === "" ? expression.modifier : modifier;
  const seen = new Set<string>();
  return partsOf(expression).flatMap((part) => shiftedSelectors(part, inner)).filter((one) => {
    const text = vectorOf(one);
    return !seen.has(text) && seen.add(text);
  });
}

/** When a selector with this modifier looks, for a query at `time`. */
function shiftedTime(time: number, modifier: string): number {
  const [, sign = "", distance = ""] = /^offset\s*(-?)\s*(\S+)$/i.exec(modifier) ?? [];
  const seconds = durationSeconds(distance);
  if (seconds !== undefined) return sign === "-" ? time + seconds : time - seconds;
  const at = /^@\s*(\d+(?:\.\d+)?)$/.exec(modifier)?.[1];
  return at === undefined ? time : Number(at);
}

/** The seconds before `time`; open to the present, since Prometheus looks into its out-of-order head only then. */
function before(
  time: number,
  now: number,
  seconds: number,
): { readonly start: number; readonly end?: number } {
  return time < now - 60 ? { start: time - seconds, end: time } : { start: time - seconds };
}

function vectorOf({ selector: one, modifier }: Shifted, matchers: readonly Matcher[] = one.matchers): string {
  return `${selector(one.metric, matchers)} ${modifier}`.trim();
}

function shown(one: Shifted): string {
  return shortened(visible(vectorOf(one)), 200);
}

/** First probe: one query that counts what each selector matches, whole, without one condition, and without any. */
async function countMatches(
  asked: readonly Shifted[],
  time: number,
  { api, options }: Probing,
): Promise<ReadonlyMap<string, number>> {
  const branches: string[] = [];
  const branch = (name: string, vector: string) =>
    branches.push(`label_replace(count(${vector}), "probe", "${name}", "", "")`);
  for (const [index, one] of asked.entries()) {
    const { metric, matchers } = one.selector;
    branch(`${index}:all`, vectorOf(one));
    if (matchers.length === 0) continue;
    if (metric !== undefined) branch(`${index}:metric`, vectorOf(one, []));
    if (matchers.length === 1) continue;
    for (const [place] of matchers.slice(0, mostMatchers).entries()) {
      const others = matchers.filter((_, other) => other !== place);
      if (metric !== undefined || others.some(isNarrow)) branch(`${index}:${place}`, vectorOf(one, others));
    }
  }
  const { series } = await api.query(branches.join(" or "), time, options);
  return new Map(series.map(({ metric, value }) => [metric.probe ?? "", numberOf(value?.[1] ?? "0")]));
}

/** Whether Prometheus takes it as the only condition: it must not match the empty text. */
function isNarrow([, operator, value]: Matcher): boolean {
  if (operator === "=") return value !== "";
  return operator === "=~" && !/^(?:\.\*|\(.*\)\?)?$/.test(value);
}

/** The metric is there, and its conditions leave nothing: which one, and what values there are instead. */
async function explainMatchers(
  one: Shifted,
  index: number,
  counts: ReadonlyMap<string, number>,
  time: number,
  { api, options, now }: Probing,
): Promise<readonly string[]> {
  const { metric, matchers } = one.selector;
  // Prometheus refuses what VictoriaMetrics answers with nothing.
  if (metric === undefined && matchers.length === 0) {
    return ['A selector needs a metric, or a label that is something: {job="api"}.'];
  }
  const family = counts.get(`${index}:metric`);
  const place = matchers.length === 1
    ? 0
    : matchers.findIndex((_, place) => (counts.get(`${index}:${place}`) ?? 0) > 0);
  const matcher = matchers[place];
  const has = family === undefined ? "" : `${visible(metric ?? "")} has ${count(family)} series, but `;
  if (matcher === undefined) {
    return [`${has}${has === "" ? "N" : "n"}o series meets all conditions of ${shown(one)} at once.`];
  }
  const [label, operator, value] = matcher;
  const condition = `${quoteLabelName(label)}${operator}${quoteLabelValue(labelText(value, 80))}`;
  const others = matchers.filter((other) => other !== matcher);
  const without = matchers.length === 1
    ? ""
    : `; without that condition ${plural(counts.get(`${index}:${place}`) ?? 0, "series", "series")} match`;
  const lines = [`${has}${has === "" ? "N" : "n"}one with ${visible(condition)}${without}.`];
  const rest = metric !== undefined || others.some(isNarrow) ? [selector(metric, others)] : [];
  const { values } = await api.labelValues(label, rest, before(time, now, 3600), {
    ...options,
    limit: 1000,
  });
  if (values.length === 0) {
    const { names } = await api.labelNames(rest, before(time, now, 3600), {
      ...options,
      limit: 100,
    });
    const labels = names.filter((name) => name !== "__name__").map((name) => labelText(name, 60));
    lines.push(`There is no label ${visible(label)} there; its labels are ${listed(labels)}.`);
    return lines;
  }
  const near = nearest(value, values, 3);
  lines.push(
    near.length > 0 && values.length > 8
      ? `Nearest of ${count(values.length)} values of ${visible(label)}: ${
        listed(near.map((text) => labelText(text, 80)))
      }.`
      : `Values of ${visible(label)}: ${listed(values.map((text) => labelText(text, 80)))}.`,
  );
  if (operator !== "=") return lines;
  const gone = await api.series([selector(metric, matchers)], before(time, now, lookback), {
    ...options,
    limit: 1,
  });
  if (gone.series.length > 0) lines.push("Such series had samples in the 30 days before.");
  return lines;
}

/** The metric has no sample now: when it last had, or what it may be called. */
async function explainAbsence(one: Shifted, time: number, probing: Probing): Promise<readonly string[]> {
  const { api, catalogue, options, now } = probing;
  const { metric } = one.selector;
  if (metric === undefined) return [];
  const past = await api.series([selector(metric, [])], before(time, now, lookback), {
    ...options,
    limit: mostSeries,
  });
  if (past.series.length === 0) {
    const { names } = await catalogue.names([], now, options);
    if (names.includes(metric)) {
      return [`${visible(metric)} has samples now, but none at ${utc(time)} or in the 30 days before.`];
    }
    const unreached = await unreachedStores(api, options);
    if (unreached.length > 0) {
      return [`${visible(metric)} is in no store that answers.`, ...unreached.map((text) => `${text}.`)];
    }
    const near = nearest(metric, names, 4);
    return [
      `There is no metric ${visible(metric)}.`,
      near.length === 0
        ? "No metric has a name like it; find_metrics searches them."
        : `Nearest names: ${near.map((name) => visible(name)).join(", ")}.`,
    ];
  }
  const [first = {}] = past.series;
  const { __name__: _, ...labels } = first;
  const exact = selector(
    metric,
    Object.entries(labels).map(([label, value]) => [label, "=", value] as const),
  );
  const of = past.truncated ? exact : selector(metric, []);
  const range = { start: time - lookback, end: time, step: lookbackStep };
  const { series } = await api.queryRange(`max(timestamp(${of}))`, range, { ...options, limit: 1 });
  const last = series[0]?.values.at(-1)?.[1];
  const what = past.truncated ? seriesText(first) : visible(metric);
  const when = time < now - 60 ? utc(time) : "that time";
  return [
    last === undefined
      ? `${visible(metric)} has no samples at ${when}, but had some in the 30 days before.`
      : `${what} has no samples at ${when}; it was last seen at ${utc(numberOf(last))}, ${
        age(numberOf(last) * 1000, time * 1000).replace(/ ago$/, "")
      } before.`,
  ];
}

function listed(values: readonly string[]): string {
  const most = 12;
  const texts = values.slice(0, most).map((value) => value === "" ? '""' : value);
  return withOthers(texts, values.length - most) || "none";
}
