/** How long a window has to be for a rate: four scrapes, so that one that fails does not leave it without two samples. */
import type { Asking } from "./asking.ts";
import type { Service } from "./service.ts";
import { scrapeInterval } from "./instances.ts";
import { selector } from "./promql_literal.ts";
import { formatDuration } from "./time.ts";

/** A window that was made fit. */
export interface FittedWindow {
  /** Seconds. */
  readonly window: number;
  readonly notes: readonly string[];
}

const scrapesInWindow = 4;
const seriesLooked = 20;

/** The seconds between two samples of a service; undefined when there are not two. */
export async function readInterval(
  { api, time, signal }: Asking,
  service: Service,
  metric: string,
): Promise<number | undefined> {
  // Its own samples of few minutes only: it may have many series.
  const looked = service.metrics.has("up") ? ["up", "15m"] as const : [metric, "5m"] as const;
  const { ranges } = await api.query(`${selector(looked[0], service.matchers)}[${looked[1]}]`, time, {
    signal,
    limit: seriesLooked,
  });
  const interval = scrapeInterval(ranges);
  if (interval !== undefined) return interval;
  // What has not two samples in that time has few in an hour.
  const counted = `max(count_over_time(${selector(metric, service.matchers)}[1h]))`;
  const samples = Number((await api.query(counted, time, { signal })).series[0]?.value?.[1] ?? NaN);
  return samples > 1 ? 3600 / samples : undefined;
}

/** The window that was asked for, or the least one that holds four scrapes. */
export function fitWindow(asked: number, interval: number | undefined): FittedWindow {
  if (interval === undefined) return { window: asked, notes: [] };
  const least = Math.ceil(scrapesInWindow * interval);
  if (asked >= least) return { window: asked, notes: [] };
  return {
    window: least,
    notes: [
      `window ${formatDuration(asked)} holds fewer than four scrapes, which come every ${
        formatDuration(Math.round(interval * 10) / 10)
      }: ${formatDuration(least)} is used`,
    ],
  };
}
