/** Counters by which services counted requests within the last hour, and do no more: no ratio tells of those. */
import type { Asking } from "../prometheus/asking.ts";
import { type RequestCounter, requestCounters } from "../prometheus/instrumentation.ts";
import { type Matcher, quoteLabelName, selector } from "../prometheus/promql_literal.ts";
import { rateOf } from "../prometheus/requests.ts";
import { figureOf, type InstantSeries } from "../prometheus/result.ts";
import { formatDuration } from "../prometheus/time.ts";
import {
  keyOf,
  knownCounters,
  type NamedService,
  namingLabels,
  queryWithin,
  serviceOf,
} from "./named_service.ts";

/** A counter of one service that has no samples any more, or stands still. */
export interface GoneCounter extends NamedService {
  readonly metric: string;
  readonly standsStill: boolean;
  readonly perSecond: number;
  /** When it counted so: `15m ago`. */
  readonly when: string;
}

/** What was found of all services at once. */
export interface Counting {
  readonly gone: readonly GoneCounter[];
  /** Those that have a counter now. */
  readonly here: readonly NamedService[];
}

/** Seconds before now at which they are looked for, the later first; and over which they are to have counted. */
const moments = [900, 3_600];
const span = 300;
/** Requests per second from which on none at all is not chance. */
const leastPerSecond = 0.1;
/** What is left out where they can't be read. */
export const goneServices = "services that are gone";
/** Counters, and series of one query, that are read. */
const mostCounters = 8;
const mostSeries = 10_000;

/**
 * Finds them, by their rate, of one namespace if it is given; `counted` are the services that count something, over a
 * time that may be longer than `moments`.
 */
export async function readGoneCounters(
  asking: Asking,
  namespace: string | undefined,
  counted: readonly Omit<GoneCounter, "standsStill">[],
): Promise<Counting> {
  const { api, time, signal } = asking;
  const names = await Promise.all(
    [0, ...moments].map((ago) => api.query(knownCounters(namespace), time - ago, { signal })),
  );
  const metrics = names.flatMap(({ series }) =>
    series.map(({ metric }) => [metric.__name__ ?? "", 1] as const)
  );
  const counters = requestCounters(new Map(metrics)).slice(0, mostCounters);
  const read = await Promise.all(counters.map((counter) => readCounter(asking, counter, namespace, counted)));
  return {
    gone: read.flatMap(({ gone }) => gone)
      .sort((a, b) => b.perSecond - a.perSecond || (a.service < b.service ? -1 : 1)),
    here: read.flatMap(({ here }) => here),
  };
}

async function readCounter(
  asking: Asking,
  counter: RequestCounter,
  namespace: string | undefined,
  counted: readonly Omit<GoneCounter, "standsStill">[],
): Promise<Counting> {
  const { api, time, signal } = asking;
  const { metric, instrumentation } = counter;
  const { matchers = [] } = instrumentation;
  const by = namingLabels(instrumentation).map(quoteLabelName).join(", ");
  const named = ({ metric }: InstantSeries) => serviceOf(metric, instrumentation);
  const ask = async (queryOf: (own: readonly Matcher[]) => string, ago: number) => {
    const query = queryWithin(
      namespace,
      instrumentation,
      (within) => `sum by (${by}) (${queryOf([...matchers, ...within])}) > 0`,
    );
    const { series, truncated } = await api.query(query, time - ago, { signal, limit: mostSeries });
    const own = series.filter((one) => namespace === undefined || named(one)?.namespace === namespace);
    return { series: own, truncated };
  };
  const [now, ...before] = await Promise.all([
    ask((own) => `count by (${by}) (${selector(metric, own)})`, 0),
    ...moments.map((ago) => ask((own) => rateOf(counter, own, span), ago)),
  ]);
  if (now.truncated) {
    // Of a part of what there is, nothing is known to be missing.
    asking.leftOut.push({ what: goneServices, why: `${metric} has more series than are read` });
    return { gone: [], here: [] };
  }
  const here = new Map(now.series.map((one) => [keyOf(named(one)), named(one)]));
  const found = new Map<string, Omit<GoneCounter, "standsStill">>();
  for (const [index, { series }] of before.entries()) {
    const groups = Map.groupBy(series, (one) => keyOf(named(one)));
    // The same service under a namespace that it did not have then: its label is new, or another.
    const renamed = new Set(
      [...here].flatMap(([key, one]) => groups.has(key) || one === undefined ? [] : nameOf(one)),
    );
    for (const [key, members] of groups) {
      const [first] = members;
      const one = first && named(first);
      if (one === undefined || found.has(key) || (!here.has(key) && renamed.has(nameOf(one)))) continue;
      const perSecond = members.reduce((sum, { value }) => sum + figureOf(value), 0);
      if (!Number.isFinite(perSecond)) continue;
      found.set(key, { ...one, metric, perSecond, when: `${formatDuration(moments[index] ?? 0)} ago` });
    }
  }
  for (const one of counted) {
    if (one.metric === metric && !found.has(keyOf(one))) found.set(keyOf(one), one);
  }
  const counts = new Set(counted.map(keyOf));
  const gone = [...found].flatMap(([key, one]) => {
    const standsStill = here.has(key);
    return standsStill && (counts.has(key) || one.perSecond < leastPerSecond)
      ? []
      : [{ ...one, standsStill }];
  });
  return { gone, here: [...here.values()].flatMap((one) => one ?? []) };
}

function nameOf({ label, service }: NamedService): string {
  return JSON.stringify([label, service]);
}
