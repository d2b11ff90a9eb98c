/** What a service calls, and whether that has become slow or fails: by what the service itself measures of its calls. */
import { percent } from "../common/units.ts";
import type { Asking } from "./asking.ts";
import { type ClientCalls, clientCalls } from "./client_calls.ts";
import { isNew } from "./day_before.ts";
import { unitOf } from "./instrumentation.ts";
import { durationText } from "./latency.ts";
import { isSlower } from "./latency_verdict.ts";
import { labelsText } from "./one_line.ts";
import { escapeRegex, type Matcher, quoteLabelName, selector } from "./promql_literal.ts";
import { errorsSpeak } from "./request_verdict.ts";
import { rate } from "./requests.ts";
import { figureOf, type Labels } from "./result.ts";
import type { Service } from "./service.ts";
import { day, formatDuration } from "./time.ts";

/** A dependency that has become slow, or fails. */
export interface Dependency {
  /** What it is called by its first label that is there. */
  readonly name: string;
  readonly isDatabase: boolean;
  /** A sentence without a full stop. */
  readonly text: string;
  /** Not a day before, as far as that is known. */
  readonly isNew: boolean;
}

/** What speaks against what is called, the one of each kind that costs most. */
export interface Dependencies {
  readonly slow: Dependency | undefined;
  readonly failing: Dependency | undefined;
}

/** Calls in the window below which a ratio is chance. */
const leastCalls = 20;

/** Those that speak against what is called; none where nothing measures calls. `window` in seconds. */
export async function readDependencies(
  asking: Asking,
  service: Service,
  window: number,
): Promise<Dependencies> {
  const found = await presentCalls(asking, service);
  const all = await Promise.all(found.map((calls) => readCalls(asking, service, calls, window)));
  const worst = (list: readonly Weighed[]) =>
    list.toSorted((a, b) => Number(b.isNew) - Number(a.isNew) || b.weight - a.weight)[0];
  return {
    slow: worst(all.flatMap(({ slow }) => slow)),
    failing: worst(all.flatMap(({ failing }) => failing)),
  };
}

/** Which of the known ways the service measures its calls in. */
async function presentCalls(
  { api, time, signal }: Asking,
  service: Service,
): Promise<readonly ClientCalls[]> {
  const usual = clientCalls.filter(({ of }) => of === undefined);
  const names = usual.map(({ counter }) => escapeRegex(counter)).join("|");
  const counted = [
    selector(undefined, [["__name__", "=~", names], ...service.matchers]),
    ...clientCalls.flatMap(({ counter, of }) => of === undefined ? [] : selector(counter, of(service))),
  ].map((series) => `count by (__name__) (${series})`);
  // Without `on` the names of metrics would not tell them apart.
  const { series } = await api.query(counted.join(" or on (__name__) "), time, { signal });
  const present = new Set(series.map(({ metric }) => metric.__name__));
  return clientCalls.filter(({ counter }) => present.has(counter));
}

/** One with what it costs, to be compared with others of its kind. */
type Weighed = Dependency & { readonly weight: number };

interface Judged {
  readonly slow: readonly Weighed[];
  readonly failing: readonly Weighed[];
}

async function readCalls(
  { api, time, signal }: Asking,
  service: Service,
  { counter, duration, labels, failed, of }: ClientCalls,
  window: number,
): Promise<Judged> {
  const own = of === undefined ? service.matchers : of(service);
  const by = labels.map(quoteLabelName).join(", ");
  const perSecond = (metric: string, ago: number, matchers: readonly Matcher[] = []) =>
    `sum by (${by}) (rate(${selector(metric, [...own, ...matchers])}[${formatDuration(window)}]${
      ago === 0 ? "" : ` offset ${formatDuration(ago)}`
    }))`;
  const count = (ago: number) => perSecond(counter, ago);
  const mean = (ago: number) =>
    `${perSecond(`${duration}_sum`, ago)} / (${perSecond(`${duration}_count`, ago)} > 0)`;
  // Nothing failed is a figure, too, where there were calls.
  const failures = (ago: number) =>
    failed.map((matchers) => `(${perSecond(counter, ago, matchers)} or 0 * ${count(ago)})`).join(" + ");
  const ask = async (query: string) => {
    const { series } = await api.query(query, time, { signal });
    return new Map(
      series.map(({ metric, value }) => [labelsText(metric), { of: metric, value: figureOf(value) }]),
    );
  };
  const [calls, callsBefore, means, meansBefore, errors, errorsBefore] = await Promise.all(
    [count(0), count(day), mean(0), mean(day), failures(0), failures(day)].map(ask),
  );
  const unit = unitOf(duration);
  const judged = [...calls ?? []].filter(([text]) => text !== "").map(([text, { of, value: perSecond }]) => {
    const valueOf = (values: typeof calls) => values?.get(text)?.value ?? NaN;
    const known = { name: nameOf(of, labels), isDatabase: counter.startsWith("db_") };
    const [now, before] = [valueOf(means), valueOf(meansBefore)];
    const ratio = valueOf(errors) / perSecond;
    const ratioBefore = valueOf(errorsBefore) / valueOf(callsBefore);
    const usual = Number.isNaN(ratioBefore)
      ? undefined
      : { requestsPerSecond: valueOf(callsBefore), ratio: ratioBefore };
    return {
      slow: isSlower(now, before, unit)
        ? [{
          ...known,
          text: `Its calls to ${text} take ${durationText(now, unit)} on average, ${
            rate(now / before)
          } times that of a day before (${durationText(before, unit)})`,
          isNew: true,
          weight: (now - before) * (unit === "s" ? 1000 : 1) * perSecond,
        }]
        : [],
      failing: perSecond * window >= leastCalls &&
          errorsSpeak({ requestsPerSecond: perSecond, ratio }, usual) !== undefined
        ? [{
          ...known,
          text: `${percent(ratio)} of its calls to ${text} fail (${rate(ratio * perSecond)} of ${
            rate(perSecond)
          }/s), ${
            usual === undefined ? "no figure from a day before" : `${percent(ratioBefore)} a day before`
          }`,
          isNew: isNew(ratio, ratioBefore),
          weight: ratio * perSecond,
        }]
        : [],
    };
  });
  return { slow: judged.flatMap(({ slow }) => slow), failing: judged.flatMap(({ failing }) => failing) };
}

function nameOf(labels: Labels, order: readonly string[]): string {
  return order.flatMap((label) => labels[label] || []).at(0) ?? "";
}
