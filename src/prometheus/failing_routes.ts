/** Routes of which most requests fail, which the average of a service may hide. */
import { percent } from "../common/units.ts";
import type { Asking } from "./asking.ts";
import { isNew } from "./day_before.ts";
import { routeLabels } from "./error_places.ts";
import { labelsText } from "./one_line.ts";
import { type Matcher, quoteLabelName } from "./promql_literal.ts";
import { errorMatchers, rate, rateOf, type RequestRates } from "./requests.ts";
import { day, formatDuration } from "./time.ts";
import { figureOf } from "./result.ts";

/** One that fails, the one with the most errors of those that do. */
export interface FailingRoute {
  /** A clause: `all requests of route=/checkout fail (0.5/s)`. */
  readonly text: string;
  /** Not a day before, as far as that is known. */
  readonly isNew: boolean;
  /** Of its requests alone. */
  readonly rates: Pick<RequestRates, "source" | "ratio" | "requestsPerSecond">;
}

/** From this share on a route fails. */
const badRatio = 0.5;
/** Requests in the window below which a ratio is chance. */
const leastRequests = 20;
const mostRoutes = 3;

/** Reads it, of the last minutes alone or of the whole window; undefined where no route fails, or no label of the counter tells routes apart. */
export async function readFailingRoute(
  { api, time, signal }: Asking,
  { source, window }: RequestRates,
  { isLate }: { readonly isLate: boolean },
): Promise<FailingRoute | undefined> {
  const { counter, matchers } = source;
  const by = routeLabels.map(quoteLabelName).join(", ");
  const sum = (of: RequestRates["source"]["matchers"], ago: number) =>
    `sum by (${by}) (${rateOf(counter, of, window, ago)})`;
  const ratio = (ago: number) => `${sum(errorMatchers(source), ago)} / ${sum(matchers, ago)}`;
  const failing = `${sum(errorMatchers(source), 0)} and (${ratio(0)}) >= ${badRatio} and ${
    sum(matchers, 0)
  } * ${window} >= ${leastRequests}`;
  const worst = `topk(${mostRoutes}, ${failing})`;
  const values = async (query: string) => {
    const { series } = await api.query(query, time, { signal });
    return series.map(({ metric, value }) => ({
      metric,
      labels: labelsText(metric),
      value: figureOf(value),
    }));
  };
  const routes = (await values(worst)).filter(({ labels }) => labels !== "")
    .toSorted((a, b) => b.value - a.value);
  const [first, ...others] = routes;
  if (first === undefined) return undefined;
  const [now, before] = await Promise.all([
    values(`(${ratio(0)}) and ${worst}`),
    values(`(${ratio(day)}) and ${worst}`),
  ]);
  const of = (list: typeof now) => list.find(({ labels }) => labels === first.labels)?.value ?? NaN;
  const [share, then] = [of(now), of(before)];
  // Of routes that are alike, another query may have picked others.
  if (Number.isNaN(share)) return undefined;
  return {
    text: `${percent(share)} of the requests of ${first.labels} fail${
      isLate ? ` in the last ${formatDuration(window)}` : ""
    } (${rate(first.value)} of ${rate(first.value / share)}/s)${
      Number.isNaN(then) ? "" : `, ${percent(then)} a day before`
    }${others.length === 0 ? "" : `, as those of ${others.map(({ labels }) => labels).join(" and ")}`}`,
    isNew: isNew(share, then),
    rates: {
      source: {
        ...source,
        matchers: [
          ...matchers,
          ...routeLabels.map((label): Matcher => [label, "=", first.metric[label] ?? ""]),
        ],
      },
      ratio: share,
      requestsPerSecond: first.value / share,
    },
  };
}
