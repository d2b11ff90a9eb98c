/** The instances of a service, by `up`: which are scraped, since when not, and how often. */
import type { RangeSeries } from "./result.ts";
import type { Asking } from "./asking.ts";
import { selector } from "./promql_literal.ts";
import type { Service } from "./service.ts";
import { formatDuration } from "./time.ts";

/** `stale`: it was scraped within the window, and is no more: it has gone, or its target was removed. */
export const instanceStates = ["UP", "DOWN", "STALE"] as const;
/** See {@linkcode instanceStates}. */
export type InstanceState = (typeof instanceStates)[number];

/** An instance. */
export interface Instance {
  readonly name: string;
  readonly state: InstanceState;
  /** Epoch seconds since when it is in that state; undefined when that is longer than the window. */
  readonly since: number | undefined;
  /** How often it went from up to down within the window. */
  readonly failures: number;
}

/** The instances, the bad ones first. */
export interface Instances {
  readonly all: readonly Instance[];
  /** Seconds between two scrapes; undefined when there are not two. */
  readonly interval: number | undefined;
  /** Seconds that were looked at. */
  readonly window: number;
  readonly query: string;
  /** Series of `up` that were not read. */
  readonly unread: number;
}

/** Series of `up` that are read. */
const mostInstances = 2_000;

/** Reads `up` over a window that is the shorter the more instances there are. */
export async function readInstances(
  { api, time, signal }: Asking,
  service: Service,
): Promise<Instances> {
  const expected = service.metrics.get("up") ?? 0;
  const window = expected <= 50 ? 3600 : expected <= 500 ? 900 : 300;
  const query = `${selector("up", service.matchers)}[${formatDuration(window)}]`;
  const { ranges } = await api.query(query, time, { signal, limit: mostInstances });
  const interval = scrapeInterval(ranges);
  const all = ranges.flatMap((series) => instanceOf(series, time, interval) ?? []);
  const order: readonly InstanceState[] = ["DOWN", "STALE", "UP"];
  all.sort((a, b) =>
    order.indexOf(a.state) - order.indexOf(b.state) || b.failures - a.failures || (a.name < b.name ? -1 : 1)
  );
  return { all, interval, window, query, unread: Math.max(0, expected - ranges.length) };
}

/** The median distance of two samples, as one scrape may fail or come late. */
export function scrapeInterval(ranges: readonly RangeSeries[]): number | undefined {
  const distances = ranges.slice(0, 50).flatMap(({ values, histograms }) =>
    (values.length > 0 ? values : histograms).slice(-21).flatMap(([seconds], index, last) => {
      const before = last[index - 1]?.[0];
      return before === undefined ? [] : [seconds - before];
    })
  ).sort((a, b) => a - b);
  const median = distances[Math.floor(distances.length / 2)];
  return median === undefined || median <= 0 ? undefined : median;
}

/** Three scrapes that did not come; never less than a minute, which data that is pushed may be late. */
export function staleAfter(interval: number | undefined): number {
  return interval === undefined ? 300 : Math.max(60, 3 * interval);
}

function instanceOf(
  { metric, values }: RangeSeries,
  time: number,
  interval: number | undefined,
): Instance | undefined {
  const last = values.at(-1);
  if (last === undefined) return undefined;
  const isUp = ([, value]: readonly [number, string]) => Number(value) > 0;
  const name = metric.instance ?? metric.pod ?? metric.target ?? "(no instance label)";
  const failures = values.filter((sample, index) => {
    const before = values[index - 1];
    return before !== undefined && isUp(before) && !isUp(sample);
  }).length;
  if (time - last[0] > staleAfter(interval)) {
    return { name, state: "STALE", since: last[0], failures };
  }
  const state = isUp(last) ? "UP" : "DOWN";
  const change = values.findLastIndex((sample) => isUp(sample) !== isUp(last));
  return {
    name,
    state,
    since: change < 0 ? undefined : values[change + 1]?.[0],
    failures,
  };
}
