/** Which routes or instances of a service are the slowest. */
import { placeLabels } from "./error_places.ts";
import type { Latency } from "./latency.ts";
import { labelsText } from "./one_line.ts";
import type { Asking } from "./asking.ts";
import { quoteLabelName, selector } from "./promql_literal.ts";
import type { Service } from "./service.ts";
import { formatDuration } from "./time.ts";

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
  const native = metric.form === "native histogram";
  if (quantile === undefined || (!native && metric.form !== "classic histogram")) return [];
  const matchers = [...service.matchers, ...(metric.instrumentation.matchers ?? [])];
  const by = [...placeLabels, ...(native ? [] : ["le"])].map(quoteLabelName).join(", ");
  const series = selector(native ? metric.metric : `${metric.metric}_bucket`, matchers);
  const query = `topk(5, histogram_quantile(${quantile}, sum by (${by}) (rate(${series}[${
    formatDuration(window)
  }]))) > 0)`;
  const answer = await api.query(query, time, { signal });
  const places = answer.series
    .map(({ metric, value }) => ({ labels: labelsText(metric), value: Number(value?.[1] ?? NaN) }))
    .filter(({ labels, value }) => labels !== "" && Number.isFinite(value))
    .sort((a, b) => b.value - a.value || (a.labels < b.labels ? -1 : 1));
  return places.length < 2 ? [] : places;
}
