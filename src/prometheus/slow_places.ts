/** Which routes or instances of a service are the slowest. */
import { placeLabels } from "./error_places.ts";
import { isHistogram, type Latency, quantileQuery } from "./latency.ts";
import { labelsText } from "./one_line.ts";
import type { Asking } from "./asking.ts";
import { matchersOf } from "./instrumentation.ts";
import type { Service } from "./service.ts";
import { figureOf } from "./result.ts";

/** A part of a service, and the quantile of its durations in the metric's unit. */
export interface SlowPlace {
  readonly labels: string;
  readonly value: number;
}

/** The slowest by the greatest quantile that was asked for; none where one place is all there is. */
export async function readSlowestPlaces(
  { api, time, signal }: Asking,
  service: Service,
  { metric, quantiles, window }: Latency,
): Promise<readonly SlowPlace[]> {
  const quantile = quantiles.at(-1)?.quantile;
  if (quantile === undefined || !isHistogram(metric)) return [];
  const range = { matchers: matchersOf(service, metric), window, by: placeLabels };
  const query = `topk(5, ${quantileQuery(metric, quantile, range)} > 0)`;
  const { series } = await api.query(query, time, { signal });
  const places = series
    .map(({ metric, value }) => ({ labels: labelsText(metric), value: figureOf(value) }))
    .filter(({ labels, value }) => labels !== "" && Number.isFinite(value))
    .sort((a, b) => b.value - a.value || (a.labels < b.labels ? -1 : 1));
  return places.length < 2 ? [] : places;
}
