/** Whether one instance of several is to blame: errors or slowness that the others do not share. */
import { percent, plural } from "../common/units.ts";
import type { Asking } from "./asking.ts";
import { matchersOf } from "./instrumentation.ts";
import { durationText, isHistogram, type Latency, quantileQuery } from "./latency.ts";
import { isSlower } from "./latency_verdict.ts";
import { labelsText } from "./one_line.ts";
import { type Matcher, quoteLabelName } from "./promql_literal.ts";
import { errorMatchers, rateOf, type RequestRates } from "./requests.ts";
import { figureOf, type Labels } from "./result.ts";
import type { Service } from "./service.ts";

/** The one that differs. */
export interface Outlier {
  /** Its `pod` label, where it has one. */
  readonly pod: string | undefined;
  /** A clause: `99.6% of the errors are of 1 of 5 instances: pod=…`. */
  readonly text: string;
}

/** The one instance of several, or the one route, as a clause more. */
export function clauseOf(one: Pick<Outlier, "text"> | undefined): string {
  return one === undefined ? "" : `; ${one.text}`;
}

/** Labels that tell the instances of a service apart. */
const instanceLabels = ["instance", "pod"];
/** From this share of all errors on, at this many times the ratio of the others, one instance is to blame. */
const mostErrors = 0.8;
const moreOften = 3;

interface Value {
  readonly labels: Labels;
  readonly value: number;
}

async function values({ api, time, signal }: Asking, query: string): Promise<readonly Value[]> {
  const { series } = await api.query(query, time, { signal });
  return series.map(({ metric, value }) => ({ labels: metric, value: figureOf(value) }))
    .filter(({ labels, value }) => Number.isFinite(value) && labelsText(labels) !== "");
}

/** The instance that nearly all errors come from, where there are others. */
export async function readErrorOutlier(
  asking: Asking,
  { source, window }: RequestRates,
): Promise<Outlier | undefined> {
  const by = instanceLabels.map(quoteLabelName).join(", ");
  const of = (matchers: readonly Matcher[]) =>
    values(asking, `sum by (${by}) (${rateOf(source.counter, matchers, window)})`);
  const [all, failed] = await Promise.all([of(source.matchers), of(errorMatchers(source))]);
  const requests = all.filter(({ value }) => value > 0);
  const [worst] = failed.toSorted((a, b) => b.value - a.value);
  if (requests.length < 2 || worst === undefined) return undefined;
  const sum = (list: readonly Value[]) => list.reduce((total, { value }) => total + value, 0);
  const text = labelsText(worst.labels);
  const own = requests.find(({ labels }) => labelsText(labels) === text)?.value ?? 0;
  const errors = sum(failed);
  const share = worst.value / errors;
  const others = (errors - worst.value) / (sum(requests) - own);
  if (!(share >= mostErrors && worst.value / own >= moreOften * others)) return undefined;
  return {
    pod: worst.labels.pod || undefined,
    text: `${percent(share)} of the errors are of 1 of ${plural(requests.length, "instance")}: ${text}`,
  };
}

/** The instance whose quantile is far above the others', of a histogram. */
export async function readSlowOutlier(
  asking: Asking,
  service: Service,
  { metric, unit, window }: Latency,
  quantile: number,
): Promise<Outlier | undefined> {
  if (!isHistogram(metric)) return undefined;
  const matchers = matchersOf(service, metric);
  const found = await values(
    asking,
    quantileQuery(metric, quantile, { matchers, window, by: instanceLabels }),
  );
  const [slowest, next] = found.toSorted((a, b) => b.value - a.value);
  if (slowest === undefined || next === undefined) return undefined;
  if (!isSlower(slowest.value, next.value, unit)) return undefined;
  return {
    pod: slowest.labels.pod || undefined,
    text: `1 of ${plural(found.length, "instance")} is slow: ${labelsText(slowest.labels)} ${
      durationText(slowest.value, unit)
    }, the next ${durationText(next.value, unit)}`,
  };
}
