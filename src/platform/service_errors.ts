/** Which services there are, and how many of their requests fail: one query per way of counting, for all at once. */
import { listed } from "../common/listing.ts";
import type { PrometheusApi } from "../prometheus/api.ts";
import { type Asking, beginAsking, beside, leftOutTexts } from "../prometheus/asking.ts";
import { type RequestCounter, requestCounters, wordErrors } from "../prometheus/instrumentation.ts";
import { quoteLabelName } from "../prometheus/promql_literal.ts";
import { mayHideErrors } from "../prometheus/request_verdict.ts";
import { rateOf } from "../prometheus/requests.ts";
import { figureOf, type Labels } from "../prometheus/result.ts";
import { day, formatDuration } from "../prometheus/time.ts";
import { type GoneCounter, goneServices, readGoneCounters } from "./gone_counters.ts";
import {
  keyOf,
  knownCounters,
  type NamedService,
  namingLabels,
  queryWithin,
  serviceOf,
} from "./named_service.ts";

/** One service as one counter sees it. Rates are per second. */
export interface ServiceErrors extends NamedService {
  readonly requests: number;
  readonly errors: number;
  /** NaN without traffic. */
  readonly ratio: number;
  /** The ratio of a day before; NaN where there was no traffic, or it was not read. */
  readonly before: number;
  readonly metric: string;
  /** No label of the counter tells errors. */
  readonly blind: boolean;
  /** So many requests have no known code, or a rate that is no number, that the ratio may be another. */
  readonly doubtful: boolean;
}

/** All services, the worst first. */
export interface RankedServices {
  readonly services: readonly ServiceErrors[];
  /** Counters of services that count no more. */
  readonly gone: readonly GoneCounter[];
  /** Counters that were read. */
  readonly metrics: readonly string[];
  readonly notes: readonly string[];
}

/** Series of one query. */
const mostSeries = 10_000;
/** Counters that are read. */
const mostCounters = 8;

/** Reads the rates over the last `window` seconds, of one namespace if it is given. */
export async function readServiceErrors(
  api: PrometheusApi,
  namespace: string | undefined,
  window: number,
  signal: AbortSignal,
): Promise<RankedServices> {
  const asking = await beginAsking(api, signal);
  const { time } = asking;
  const present = await asking.api.query(knownCounters(namespace), time, { signal });
  const found = requestCounters(
    new Map(present.series.map(({ metric, value }) => [metric.__name__ ?? "", Number(value?.[1] ?? 0)])),
  );
  const counters = found.slice(0, mostCounters);
  const read = ({ api, signal }: Asking, ago: number) =>
    Promise.all(counters.map(async (counter) => {
      const { codes, matchers = [] } = counter.instrumentation;
      const by = [...namingLabels(counter.instrumentation), ...codes].map(quoteLabelName).join(", ");
      const query = queryWithin(
        namespace,
        counter.instrumentation,
        (within) => `sum by (${by}) (${rateOf(counter, [...matchers, ...within], window, ago)})`,
      );
      const { series, truncated } = await api.query(query, time, { signal, limit: mostSeries });
      const rows = series.map(({ metric, value }) => ({ labels: metric, perSecond: figureOf(value) }))
        .filter(({ labels }) =>
          namespace === undefined || serviceOf(labels, counter.instrumentation)?.namespace === namespace
        );
      return { counter, rows, truncated };
    }));
  const [answers, earlier = []] = await Promise.all([
    read(asking, 0),
    beside(asking, "a day before", (asking) => read(asking, day)),
  ]);
  const before = new Map(
    earlier.flatMap(({ counter, rows }) => servicesOf(counter, rows))
      .map((one) => [JSON.stringify([one.metric, keyOf(one)]), one.ratio]),
  );
  const ranked = new Map<string, ServiceErrors>();
  for (const { counter, rows } of answers) {
    for (const service of servicesOf(counter, rows)) {
      const key = JSON.stringify([service.namespace, service.service]);
      const known = ranked.get(key);
      // The counters come in order of preference: a later one is taken where the one before counts nothing or tells no
      // errors, or where it counts what fails more, which may be requests of another kind.
      const isWorse = known !== undefined && service.requests > 0 &&
        (known.requests === 0 || (known.blind && !service.blind) || service.ratio > known.ratio);
      if (known === undefined || isWorse) ranked.set(key, service);
    }
  }
  const services = [...ranked.values()].sort(worstFirst).map((one) => ({
    ...one,
    before: before.get(JSON.stringify([one.metric, keyOf(one)])) ?? NaN,
  }));
  const counted = services.filter(({ requests }) => requests > 0).map((one) => (
    { ...one, perSecond: one.requests, when: `in ${formatDuration(window)}` }
  ));
  const counting = await beside(
    asking,
    goneServices,
    (asking) => readGoneCounters(asking, namespace, counted),
  );
  return {
    services,
    gone: counting?.gone ?? [],
    metrics: counters.map(({ metric }) => metric),
    notes: [
      ...doubts(services),
      ...unrated(services, counting?.here ?? [], window),
      ...(answers.some(({ truncated }) => truncated)
        ? [`only the first ${mostSeries} series of a counter were read: name a namespace`]
        : []),
      ...(found.length > counters.length
        ? [`${found.length - counters.length} more counters were not read`]
        : []),
      ...leftOutTexts(asking.leftOut).map((text) => `not looked at, ${text}`),
      ...asking.heard().warnings,
    ],
  };
}

/** Services whose ratio may be higher than it is told. */
function doubts(services: readonly ServiceErrors[]): readonly string[] {
  const doubtful = services.filter(({ doubtful }) => doubtful).map(({ service }) => service).sort();
  if (doubtful.length === 0) return [];
  return [`${listOf(doubtful)}: requests with no known status may be errors, which their ratio leaves out`];
}

/** Services that have a counter and no rate. */
function unrated(
  services: readonly ServiceErrors[],
  here: readonly NamedService[],
  window: number,
): readonly string[] {
  const rated = new Set(services.map(nameOf));
  const names = [...new Set(here.filter((one) => !rated.has(nameOf(one))).map(({ service }) => service))]
    .sort();
  if (names.length === 0) return [];
  return [
    `${listOf(names)}: not ranked, as ${
      formatDuration(window)
    } hold fewer than two samples: a longer window may`,
  ];
}

function nameOf({ namespace, service }: NamedService): string {
  return JSON.stringify([namespace, service]);
}

function listOf(names: readonly string[]): string {
  const short = names.map((name) => name.slice(0, 60));
  const named = short.length > 5 ? [...short.slice(0, 5), `${short.length - 5} more`] : short;
  return listed(named);
}

interface Row {
  readonly labels: Labels;
  readonly perSecond: number;
}

function servicesOf(counter: RequestCounter, rows: readonly Row[]): readonly ServiceErrors[] {
  const { codes, errors: own } = counter.instrumentation;
  const groups = Map.groupBy(rows, ({ labels }) => keyOf(serviceOf(labels, counter.instrumentation)));
  return [...groups.values()].flatMap((all) => {
    const members = all.filter(({ perSecond }) => Number.isFinite(perSecond));
    const named = serviceOf(all[0]?.labels ?? {}, counter.instrumentation);
    if (named === undefined) return [];
    // Each service may have a code label of its own.
    const [found] = [own, wordErrors].flatMap((errors) =>
      codes.filter((code) => members.some(({ labels }) => errors.isCode(labels[code] ?? "")))
        .map((codeLabel) => ({ codeLabel, errors }))
    );
    const sum = (list: readonly Row[]) => list.reduce((total, { perSecond }) => total + perSecond, 0);
    const requests = sum(members);
    const errors = found === undefined
      ? 0
      : sum(members.filter(({ labels }) => found.errors.matches(labels[found.codeLabel] ?? "")));
    const untold = found === undefined
      ? 0
      : sum(members.filter(({ labels }) => !found.errors.isCode(labels[found.codeLabel] ?? "")));
    return [{
      ...named,
      requests,
      errors,
      ratio: found === undefined ? NaN : errors / requests,
      before: NaN,
      metric: counter.metric,
      blind: found === undefined,
      doubtful: all.length > members.length || mayHideErrors(untold, errors, requests),
    }];
  });
}

/** By ratio, then by errors; what has no ratio stands last. */
function worstFirst(a: ServiceErrors, b: ServiceErrors): number {
  const ratio = ({ ratio }: ServiceErrors) => Number.isNaN(ratio) ? -1 : ratio;
  return ratio(b) - ratio(a) || b.errors - a.errors || b.requests - a.requests ||
    (a.service < b.service ? -1 : 1);
}
