/** The requests of a day before, which those of now are compared with. */
import type { Asking } from "./asking.ts";
import { selector } from "./promql_literal.ts";
import { lostPart } from "./request_verdict.ts";
import { rateOf, readRequests, type RequestRates, type Requests } from "./requests.ts";
import { figureOf } from "./result.ts";
import type { Service } from "./service.ts";
import { day, formatDuration } from "./time.ts";

/** What failed a day before no less than this part of what fails now is not new. */
const same = 0.5;
/** Seconds of a rate, and between two of them. */
const step = 300;

/** Reads them; none where the counter began within that window, as its rate would be that of a part of the time. */
export async function readDayBefore(asking: Asking, service: Service, window: number): Promise<Requests> {
  const { api, signal } = asking;
  const time = asking.time - day;
  const requests = await readRequests({ ...asking, time }, service, window);
  if (requests.rates === undefined) return requests;
  const { counter, matchers } = requests.rates.source;
  const begin = await api.query(`count(${selector(counter.metric, matchers)})`, time - window, { signal });
  return begin.series.length > 0 ? requests : { ...requests, rates: undefined, beside: [] };
}

/** Whether a ratio of failures is new, as far as that of a day before is known. */
export function isNew(ratio: number, dayBefore: number): boolean {
  return !(dayBefore >= same * ratio);
}

/** The part of the last day in which as good as no requests arrived; the rates are those of a day before. */
export async function readIdle(
  { api, time, signal }: Asking,
  { source: { counter, matchers }, requestsPerSecond }: RequestRates,
): Promise<number | undefined> {
  const all = `sum(${rateOf(counter, matchers, step)})`;
  const busy = `avg_over_time((${all} >= bool ${lostPart * requestsPerSecond})[1d:${formatDuration(step)}])`;
  const { series: [answer] } = await api.query(busy, time, { signal });
  const value = figureOf(answer?.value);
  return Number.isNaN(value) ? undefined : 1 - value;
}
