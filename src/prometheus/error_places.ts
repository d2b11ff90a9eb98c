/** Where errors come from, and which ones a rate can't see. */
import { errorMatchers, rateOf, type RequestRates } from "./requests.ts";
import type { Asking } from "./asking.ts";
import { formatDuration } from "./time.ts";
import { labelsText } from "./one_line.ts";
import { count } from "../common/units.ts";
import { quoteLabelName, selector } from "./promql_literal.ts";
import { figureOf } from "./result.ts";

/** Labels that say which part of a service a request was for, or which instance answered it. */
export const placeLabels: readonly string[] = [
  "method",
  "http_request_method",
  "handler",
  "route",
  "http_route",
  "path",
  "uri",
  "endpoint",
  "grpc_service",
  "grpc_method",
  "rpc_method",
  "instance",
  "pod",
];

/** Those of them that tell of the request alone. */
export const routeLabels: readonly string[] = placeLabels.filter((label) =>
  label !== "instance" && label !== "pod"
);

/** A source of errors. */
export interface ErrorPlace {
  readonly labels: string;
  readonly perSecond: number;
}

/** Errors by route and instance, the greatest first. */
export async function readErrorPlaces(
  { api, time, signal }: Asking,
  { source, window }: RequestRates,
): Promise<readonly ErrorPlace[]> {
  const by = placeLabels.map(quoteLabelName).join(", ");
  const query = `topk(5, sum by (${by}) (${rateOf(source.counter, errorMatchers(source), window)}) > 0)`;
  const { series } = await api.query(query, time, { signal });
  return series.map(({ metric, value }) => ({
    labels: labelsText(metric),
    perSecond: figureOf(value),
  }))
    .filter(({ labels, perSecond }) => labels !== "" && perSecond > 0)
    .sort((a, b) => b.perSecond - a.perSecond || (a.labels < b.labels ? -1 : 1));
}

/** Errors that were counted and that no rate shows. */
export interface MissedErrors {
  readonly count: number;
  /** A sentence without a full stop. */
  readonly text: string;
}

/**
 * Errors that no rate shows: a series that begins with a value above zero, as one of a code that had never been seen does,
 * has grown by nothing.
 */
export async function readMissedErrors(
  { api, time, signal }: Asking,
  { source, window, errorsPerSecond }: RequestRates,
): Promise<MissedErrors | undefined> {
  if (source.counter.native) return undefined;
  const series = selector(source.counter.metric, errorMatchers(source));
  const query = `sum(${series} unless ${series} offset ${formatDuration(window)})`;
  const { series: [answer] } = await api.query(query, time, { signal });
  const held = Number(answer?.value?.[1] ?? 0);
  const seen = errorsPerSecond * window;
  if (!(held > 1.1 * seen + 0.5)) return undefined;
  const text =
    `series of errors that began within ${formatDuration(window)} hold ${
      count(Math.round(held))
    } errors, of which ` +
    `the rate sees about ${count(Math.round(seen))}: it can't see those with which a series begins`;
  return { count: held - seen, text };
}
