/** Requests and errors of a service: which counter tells them, per second and by code. */
import { count } from "../common/units.ts";
import {
  type ErrorCodes,
  matchersOf,
  type RequestCounter,
  requestCounters,
  wordErrors,
} from "./instrumentation.ts";
import type { Asking } from "./asking.ts";
import { type Matcher, quoteLabelName, selector } from "./promql_literal.ts";
import type { Service } from "./service.ts";
import { formatDuration } from "./time.ts";
import { figureOf } from "./result.ts";

/** Requests of one code. */
export interface CodeRate {
  readonly code: string;
  readonly perSecond: number;
  readonly isError: boolean;
  /** Whether it is a code at all: what has another one may have failed or not. */
  readonly isKnown: boolean;
}

/** A counter that can tell errors from the rest. */
export interface RequestSource {
  readonly counter: RequestCounter;
  /** The label that holds the code. */
  readonly codeLabel: string;
  readonly errors: ErrorCodes;
  readonly matchers: readonly Matcher[];
}

/** What a counter said about a window. */
export interface RequestRates {
  readonly source: RequestSource;
  /** Seconds. */
  readonly window: number;
  /** By rate, the greatest first. */
  readonly codes: readonly CodeRate[];
  readonly requestsPerSecond: number;
  readonly errorsPerSecond: number;
  /** NaN without traffic. */
  readonly ratio: number;
  /** Answered with 4xx, or with a gRPC code that tells the caller's fault: no errors of the service's, and no successes. */
  readonly refusedPerSecond: number;
  /** Of codes that tell neither. */
  readonly untoldPerSecond: number;
  /** Codes whose rate is no number, as a sample of theirs is none. */
  readonly brokenCodes: readonly string[];
  /** What gives `ratio`. */
  readonly query: string;
}

/** A counter that was not taken, and why. */
export interface PassedOver {
  readonly metric: string;
  readonly because: string;
}

/** How the requests of a service were read. */
export interface Requests {
  /** Undefined where no counter can tell. */
  readonly rates: RequestRates | undefined;
  /** What other counters count now, of which `passedOver` tells: it may be requests of another kind. */
  readonly beside: readonly RequestRates[];
  readonly passedOver: readonly PassedOver[];
}

/** More counters than that in one service are not looked into. */
const mostCounters = 4;

/** Reads requests and errors over the last `window` seconds from the best counter that the service has. */
export async function readRequests(asking: Asking, service: Service, window: number): Promise<Requests> {
  const counters = requestCounters(service.metrics);
  const tried = await Promise.all(
    counters.slice(0, mostCounters).map((counter) => readCounter(asking, service, counter, window)),
  );
  const usable = tried.filter((each) => "rates" in each);
  const best = usable.find(({ rates }) => rates.requestsPerSecond > 0) ?? usable[0];
  const others = tried.filter((each) => each !== best);
  const passedOver = others.map((each) => "because" in each ? each : passOver(each.rates));
  const more = counters.slice(mostCounters).map(({ metric }) => ({ metric, because: "others came first" }));
  return {
    rates: best?.rates,
    beside: others.flatMap((each) => "rates" in each && each.rates.requestsPerSecond > 0 ? [each.rates] : []),
    passedOver: [...passedOver, ...more],
  };
}

function passOver({ source, requestsPerSecond, ratio }: RequestRates): PassedOver {
  const errors = ratio > 0 ? `, ${rate(ratio * 100)}% of them errors` : "";
  return {
    metric: source.counter.metric,
    because: requestsPerSecond > 0
      ? `it counts ${rate(requestsPerSecond)}/s beside${errors}`
      : "it counts nothing now",
  };
}

/** A number per second with three significant digits, `0` only for nothing. */
export function rate(perSecond: number): string {
  if (!Number.isFinite(perSecond)) return "unknown";
  return perSecond >= 1000 ? count(Math.round(perSecond)) : String(Number(perSecond.toPrecision(3)));
}

async function readCounter(
  { api, time, signal }: Asking,
  service: Service,
  counter: RequestCounter,
  window: number,
): Promise<{ readonly rates: RequestRates } | PassedOver> {
  const { instrumentation, metric } = counter;
  const matchers = matchersOf(service, counter);
  const by = instrumentation.codes.map(quoteLabelName).join(", ");
  const query = `sum by (${by}) (${rateOf(counter, matchers, window)})`;
  const { series } = await api.query(query, time, { signal });
  const all = series.map(({ metric, value }) => ({ labels: metric, perSecond: figureOf(value) }));
  const rows = all.filter(({ perSecond }) => Number.isFinite(perSecond));
  if (rows.length === 0) {
    return {
      metric,
      because: all.length > 0 ? "its rate is not a number" : "it counts nothing in this window",
    };
  }
  const found =
    [instrumentation.errors, wordErrors].flatMap((errors) =>
      instrumentation.codes.filter((label) => rows.some(({ labels }) => errors.isCode(labels[label] ?? "")))
        .map((codeLabel) => ({ codeLabel, errors }))
    )[0];
  if (found === undefined) {
    return { metric, because: "none of its labels holds a status, so errors can't be told apart" };
  }
  const source = { counter, ...found, matchers };
  const broken = all.filter(({ perSecond }) => !Number.isFinite(perSecond));
  const brokenCodes = [...new Set(broken.map(({ labels }) => labels[found.codeLabel] ?? ""))];
  return {
    rates: { ...summarize(rows, source), brokenCodes, source, window, query: ratioQuery(source, window) },
  };
}

interface Row {
  readonly labels: Readonly<Record<string, string>>;
  readonly perSecond: number;
}

function summarize(rows: readonly Row[], { codeLabel, errors }: RequestSource) {
  const byCode = new Map<string, number>();
  for (const { labels, perSecond } of rows) {
    const code = labels[codeLabel] ?? "";
    byCode.set(code, (byCode.get(code) ?? 0) + perSecond);
  }
  const codes = [...byCode].map(([code, perSecond]) => ({
    code,
    perSecond,
    isError: errors.matches(code),
    isKnown: errors.isCode(code),
  })).sort((a, b) => b.perSecond - a.perSecond || (a.code < b.code ? -1 : 1));
  const sum = (list: readonly CodeRate[]) => list.reduce((total, { perSecond }) => total + perSecond, 0);
  const requestsPerSecond = sum(codes);
  const errorsPerSecond = sum(codes.filter(({ isError }) => isError));
  return {
    codes,
    requestsPerSecond,
    errorsPerSecond,
    ratio: errorsPerSecond / requestsPerSecond,
    refusedPerSecond: sum(codes.filter(({ code }) => errors.isRefusal(code))),
    untoldPerSecond: sum(codes.filter(({ isKnown, isError }) => !isKnown && !isError)),
  };
}

/** The rate of a counter over `window` seconds, of `ago` seconds before. */
export function rateOf(
  { metric, native }: RequestCounter,
  matchers: readonly Matcher[],
  window: number,
  ago = 0,
): string {
  const offset = ago === 0 ? "" : ` offset ${formatDuration(ago)}`;
  const range = `rate(${selector(metric, matchers)}[${formatDuration(window)}]${offset})`;
  return native ? `histogram_count(${range})` : range;
}

/** The matchers that leave only errors. */
export function errorMatchers({ errors, codeLabel, matchers }: RequestSource): readonly Matcher[] {
  return [...matchers, [codeLabel, "=~", errors.regex]];
}

/** Errors per request over `window` seconds, at every moment with traffic: 0 where no series of errors exists. */
export function failedRatioQuery(source: RequestSource, window: number): string {
  const all = `sum(${rateOf(source.counter, source.matchers, window)})`;
  return `(sum(${rateOf(source.counter, errorMatchers(source), window)}) or 0 * ${all}) / ${all}`;
}

/** Errors per request; nothing where there are no errors at all, which is why figures are not read from it. */
function ratioQuery(source: RequestSource, window: number): string {
  return `sum(${rateOf(source.counter, errorMatchers(source), window)}) / sum(${
    rateOf(source.counter, source.matchers, window)
  })`;
}
