/** Counters of requests that have no samples any more: what they said before speaks for nothing now. */
import { type Asking, beside } from "./asking.ts";
import { staleAfter } from "./instances.ts";
import { knownMetricsRegex, matchersOf, type RequestCounter, requestCounters } from "./instrumentation.ts";
import { oneLine } from "./one_line.ts";
import { selector } from "./promql_literal.ts";
import { rate, rateOf, type RequestRates } from "./requests.ts";
import type { Service } from "./service.ts";
import { formatDuration } from "./time.ts";

/** A counter that counted requests, and does no more. */
export interface VanishedCounter {
  readonly metric: string;
  /** Epoch seconds of its last sample. */
  readonly last: number;
  /** What may have its place: a counter of a similar name that was not there before. */
  readonly successor?: string | undefined;
}

/** Seconds that are looked back: however short the window, and however long. */
const leastLookBack = 3_600;
const mostLookBack = 21_600;
/** Moments of that time at which a counter is looked for that has gone: every 15 seconds of an hour. */
const mostSteps = 240;
/** Counters that are looked at. */
const mostCounters = 4;

/** Finds them, the preferred first; `interval` is that of its scrapes, and `window` how far back is looked at least, in seconds. */
export async function readVanished(
  asking: Asking,
  service: Service,
  { window, interval }: { readonly window: number; readonly interval: number | undefined },
): Promise<readonly VanishedCounter[]> {
  const { api, time, signal } = asking;
  const lookBack = Math.min(mostLookBack, Math.max(leastLookBack, window));
  const known = selector(undefined, [...service.matchers, ["__name__", "=~", knownMetricsRegex]]);
  const seen = `count by (__name__) (last_over_time(${known}[${formatDuration(lookBack)}]))`;
  const { series } = await api.query(seen, time, { signal });
  const metrics = new Map(
    series.map(({ metric, value }) => [metric.__name__ ?? "", Number(value?.[1] ?? 0)] as const),
  );
  const counters = requestCounters(metrics).slice(0, mostCounters);
  const read = await Promise.all(
    counters.map((counter) => readLast(asking, service, counter, lookBack)),
  );
  // What is not answered with any more has been marked as stale; of the rest its own silence tells.
  const vanished = read.filter((one) => one !== undefined).filter(({ metric, last }) =>
    !service.metrics.has(metric) || time - last > staleAfter(interval)
  );
  return await Promise.all(vanished.map(async (one) => {
    const what = "what counts its requests now";
    const successor = await beside(asking, what, (asking) => readSuccessor(asking, service, one));
    return { ...one, successor };
  }));
}

/** Words of a counter's name that say nothing of what it counts. */
const commonWords = new Set(["total", "count", "seconds", "milliseconds", "ms"]);
/** Seconds before its last sample at which its successor was not there yet: a few scrapes. */
const overlap = 120;

/** The counter that has most words of its name and was not there before. */
async function readSuccessor(
  { api, time, signal }: Asking,
  service: Service,
  { metric, last }: VanishedCounter,
): Promise<string | undefined> {
  const counters = selector(undefined, [...service.matchers, ["__name__", "=~", ".+_(?:total|count)"]]);
  const [now = [], before = []] = await Promise.all([time, last - overlap].map(async (at) => {
    const { series } = await api.query(`count by (__name__) (${counters})`, at, { signal });
    return series.flatMap(({ metric }) => metric.__name__ ?? []);
  }));
  const wordsOf = (name: string) => name.split(/[_.:]/).filter((word) => !commonWords.has(word));
  const words = new Set(wordsOf(metric));
  const shared = (name: string) => wordsOf(name).filter((word) => words.has(word)).length;
  return now.filter((name) => !before.includes(name) && shared(name) > 0)
    .toSorted((a, b) => shared(b) - shared(a) || a.length - b.length)[0];
}

/** When a counter had its last sample; undefined where it counted nothing before. */
async function readLast(
  { api, time, signal }: Asking,
  service: Service,
  counter: RequestCounter,
  lookBack: number,
): Promise<VanishedCounter | undefined> {
  const matchers = matchersOf(service, counter);
  const present = service.metrics.has(counter.metric);
  const at = `timestamp(${selector(counter.metric, matchers)})`;
  const steps = `${formatDuration(lookBack)}:${formatDuration(Math.ceil(lookBack / mostSteps))}`;
  const last = present ? `max(${at})` : `max(max_over_time(${at}[${steps}]))`;
  const counted = `sum(${rateOf(counter, matchers, lookBack)}) > 0`;
  const { series } = await api.query(`${last} and on () (${counted})`, time, { signal });
  const value = Number(series[0]?.value?.[1] ?? NaN);
  return Number.isFinite(value) ? { metric: counter.metric, last: value } : undefined;
}

/** For how long there is no data, such as `8m`, and of what; undefined where there is nothing to tell. */
export function vanishedSince(
  vanished: readonly VanishedCounter[] | undefined,
  time: number,
): { readonly since: string; readonly metrics: string } | undefined {
  const [first] = vanished ?? [];
  if (vanished === undefined || first === undefined) return undefined;
  const last = Math.max(...vanished.map(({ last }) => last));
  const age = time - last;
  return {
    since: formatDuration(age < 90 ? Math.max(1, Math.round(age)) : 60 * Math.round(age / 60)),
    metrics: vanished.map(({ metric }) => metric).join(", "),
  };
}

/**
 * A sentence without a full stop: `no data since 8m: http_requests_total had its last sample then`; with what counts
 * `requests` now, or may do so. Undefined where there is nothing to tell.
 */
export function vanishedText(
  vanished: readonly VanishedCounter[] | undefined,
  requests: RequestRates | undefined,
  time: number,
): string | undefined {
  const gone = vanishedSince(vanished, time);
  if (gone === undefined) return undefined;
  const counter = requests?.source.counter.metric;
  const isOther = requests !== undefined && requests.requestsPerSecond > 0 &&
    vanished?.every(({ metric }) => metric !== counter) === true;
  const successor = vanished?.find(({ successor }) => successor !== undefined)?.successor;
  const now = isOther
    ? `; ${counter} counts ${rate(requests.requestsPerSecond)}/s now`
    : successor === undefined
    ? ""
    : `; ${oneLine(successor, 200)} has been there since`;
  return `no data since ${gone.since}: ${gone.metrics} had its last sample then${now}`;
}
