/** How often series get a sample, where only the query is known. */
import { answerOr } from "../common/errors.ts";
import type { AskOptions, PrometheusApi } from "./api.ts";
import { scrapeInterval } from "./instances.ts";
import { type Matcher, selector } from "./promql_literal.ts";

/** Seconds of `up` that are looked at, and targets: an hour holds samples of what is scraped every few minutes, too. */
const lookedAt = 3_600;
const targets = 20;
/** What most are configured to, where nobody tells. */
const usualInterval = 15;

/**
 * Seconds between two scrapes of targets with the job and the instance of the matchers (of any without these), before
 * `time`; 15 where that can't be told.
 */
export function readScrapeInterval(
  api: PrometheusApi,
  matchers: readonly Matcher[],
  time: number,
  options: AskOptions,
): Promise<number> {
  const of = matchers.filter(([label]) => label === "job" || label === "instance");
  return answerOr(usualInterval, async () => {
    const { ranges } = await api.query(`${selector("up", of)}[${lookedAt}s]`, time, {
      ...options,
      limit: targets,
    });
    const interval = scrapeInterval(ranges);
    return interval === undefined ? usualInterval : rounded(interval);
  });
}

/** Scrapes come a few milliseconds early or late. */
function rounded(seconds: number): number {
  const whole = Math.max(1, Math.round(seconds));
  return Math.abs(whole - seconds) < 0.1 * whole ? whole : Math.ceil(seconds);
}
