/** When what speaks against a service began, whether it is over, and how often it came in the time before. */
import type { Asking } from "./asking.ts";
import { matchersOf } from "./instrumentation.ts";
import { judgedOf, type LatencySymptoms, slowLatency } from "./latency_verdict.ts";
import { quantileQuery } from "./latency.ts";
import { failing, type RequestSymptoms } from "./request_verdict.ts";
import { failedRatioQuery } from "./requests.ts";
import { fitWindow } from "./scrapes.ts";
import type { Service } from "./service.ts";
import type { SlowRoute } from "./slow_route.ts";
import { formatDuration } from "./time.ts";

/** The last stretch of time in which a figure was as bad as it is told. */
export interface Episode {
  /** Epoch seconds, to about a minute; undefined where it was so from the first moment on that there is a figure of. */
  readonly began: number | undefined;
  /** Epoch seconds; undefined while it goes on. */
  readonly ended: number | undefined;
  /** How many there were in the time that was looked at, this one included. */
  readonly times: number;
  /** Seconds between the first and the last moment that there is a figure of. */
  readonly looked: number;
}

/** Of what speaks against the service. */
export interface Episodes {
  readonly errors: Episode | undefined;
  readonly latency: Episode | undefined;
}

/** A figure at a moment, epoch seconds; NaN where there was none. */
export interface Moment {
  readonly time: number;
  readonly value: number;
}

/** Moments that are looked at. */
const moments = 60;
/** Seconds that are looked back at least. */
const leastLookBack = 3_600;
/** Times of the window that are looked back. */
const windowsBack = 2;
/** Requests that the rate of a moment is to be of, as the figure of fewer is chance; and the seconds that it may be over for that. */
const leastRequests = 20;
const longestRate = 600;
/** So many moments without the figure do not end an episode, nor begin one. */
const shortPause = 2;
/** Seconds between two scrapes, where that is not known. */
const usualInterval = 60;

/** Reads those of the errors and the latency that speak against the service; `interval` is that of its scrapes. */
export async function readEpisodes(
  asking: Asking,
  service: Service,
  symptoms: RequestSymptoms & LatencySymptoms,
  { window, interval = usualInterval }: { readonly window: number; readonly interval: number | undefined },
): Promise<Episodes> {
  const looked = Math.max(leastLookBack, windowsBack * window);
  const step = Math.ceil(looked / moments);
  const read = async (
    queryOver: (seconds: number) => string,
    threshold: number,
    perSecond: number,
  ): Promise<Episode | undefined> => {
    const over = Math.ceil(Math.max(fitWindow(step, interval).window, leastRequests / perSecond));
    if (!(over <= Math.max(longestRate, step))) return undefined;
    const { api, time, signal } = asking;
    const range = { start: time - moments * step, end: time, step };
    const { series } = await api.queryRange(queryOver(over), range, { signal });
    const all = Array.from(
      { length: moments + 1 },
      (_, index) => ({ time: range.start + index * step, value: NaN }),
    );
    // VictoriaMetrics moves the times to multiples of the step.
    for (const [at, text] of series[0]?.values ?? []) {
      const moment = all[Math.round((at - range.start) / step)];
      if (moment !== undefined) moment.value = Number(text);
    }
    return lastEpisode(all, threshold, over);
  };
  const [worst] = failing(symptoms);
  const { failingRoute } = symptoms;
  const failed = worst?.rates ?? (failingRoute?.isNew === true ? failingRoute.rates : undefined);
  const slow = slowOf(service, symptoms);
  const usual = worst?.of === "window" ? symptoms.dayBefore?.rates?.ratio : undefined;
  const [errors, latency] = await Promise.all([
    failed && read(
      (over) => failedRatioQuery(failed.source, over),
      halfway(failed.ratio, usual),
      failed.requestsPerSecond,
    ),
    slow && read(
      (window) => quantileQuery(slow.metric, slow.quantile.quantile, { matchers: slow.matchers, window }),
      halfway(slow.quantile.value, slow.quantile.dayBefore),
      slow.observationsPerSecond,
    ),
  ]);
  return { errors, latency };
}

/** What is slow: the service as a whole, or else one route of it. */
function slowOf(
  service: Service,
  symptoms: LatencySymptoms,
): Omit<SlowRoute, "text"> | undefined {
  const latency = slowLatency(symptoms);
  const quantile = judgedOf(latency);
  if (latency === undefined || quantile === undefined) return symptoms.slowRoute;
  const { metric, observationsPerSecond } = latency;
  const matchers = matchersOf(service, metric);
  return { metric, matchers, quantile, observationsPerSecond };
}

/** Between what is and what usually was; that is taken for nothing where it is not known. */
function halfway(now: number, usual: number | undefined): number {
  return (now + (usual !== undefined && usual < now ? usual : 0)) / 2;
}

/**
 * The last stretch of moments at which the figure reached the threshold; each figure is of the `over` seconds before its
 * moment. Undefined where there is none, or where the figure is not known of the last moments.
 */
export function lastEpisode(
  moments: readonly Moment[],
  threshold: number,
  over: number,
): Episode | undefined {
  const [first, second] = moments;
  const last = moments.at(-1);
  if (first === undefined || second === undefined || last === undefined) return undefined;
  const known = moments.flatMap(({ value }, index) => Number.isNaN(value) ? [] : [index]);
  if (moments.length - 1 - (known.at(-1) ?? -Infinity) > shortPause) return undefined;
  const bad = known.filter((index) => (moments[index]?.value ?? NaN) >= threshold);
  const begins = bad.filter((index, at) => at === 0 || index - (bad[at - 1] ?? 0) > shortPause + 1);
  const [begin, end, start] = [begins.at(-1), bad.at(-1), known[0]];
  if (begin === undefined || end === undefined || start === undefined) return undefined;
  // A change is half seen when half of the rate's time has passed, and happened before the moment that shows it.
  const step = second.time - first.time;
  const changed = (index: number) => first.time + index * step - step / 2 - over / 2;
  const goesOn = moments.length - 1 - end <= shortPause;
  return {
    began: begin === start ? undefined : changed(begin),
    ended: goesOn ? undefined : changed(end + 1),
    times: begins.length,
    looked: last.time - (first.time + start * step),
  };
}

/** A clause: `; since about 12:41Z (14m ago)`; empty where there is nothing to tell. */
export function episodeClause(episode: Episode | undefined, now: number): string {
  if (episode === undefined) return "";
  const { began, ended, times, looked } = episode;
  const ago = (then: number) => `${formatDuration(60 * Math.max(1, Math.round((now - then) / 60)))} ago`;
  const often = times > 1 ? `, ${times} times in ${formatDuration(looked)}` : "";
  if (ended === undefined) {
    return began === undefined
      ? `; for all of the last ${formatDuration(looked)}`
      : `; since about ${clock(began)} (${ago(began)})${often}`;
  }
  const from = began === undefined ? "" : `from about ${clock(began)} `;
  return `; ${from}until about ${clock(ended)} (${ago(ended)}), not since${often}`;
}

/** Epoch seconds as `12:41Z`. */
function clock(seconds: number): string {
  return `${new Date(Math.round(seconds / 60) * 60_000).toISOString().slice(11, 16)}Z`;
}
