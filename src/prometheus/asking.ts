/** How a tool about a service asks: at one time, and with an ear for all that Prometheus says beside its answers. */
import type { PrometheusApi } from "./api.ts";
import type { Told } from "./result.ts";

/** What a tool asks with: all queries of a call are about the same time. */
export interface Asking {
  readonly api: PrometheusApi;
  /** Epoch seconds. */
  readonly time: number;
  readonly signal: AbortSignal;
  /** What Prometheus has said so far beside its answers, each message once. */
  readonly heard: () => Told;
}

/**
 * Begins, at `now` in epoch milliseconds; by Prometheus's own clock unless that is given: ours may be minutes ahead, and
 * then every instance would look as if it were no longer scraped.
 */
export async function beginAsking(
  api: PrometheusApi,
  signal: AbortSignal,
  now?: () => number,
): Promise<Asking> {
  const warnings = new Map<string, string>();
  const infos = new Map<string, string>();
  const listening = api.overheard((told) => {
    for (const text of told.warnings) if (!isOurs(text)) warnings.set(withoutPlace(text), text);
    for (const text of told.infos) infos.set(withoutPlace(text), text);
  });
  const time = now === undefined ? await listening.time({ signal }) : now() / 1000;
  return {
    api: listening,
    time,
    signal,
    heard: () => ({ warnings: [...warnings.values()], infos: [...infos.values()] }),
  };
}

/** What we asked to be cut is no news. */
function isOurs(warning: string): boolean {
  return warning.includes("truncated due to limit");
}

/** The same about two queries is the same; where in the query is at the end, as `(1:8)`. */
function withoutPlace(text: string): string {
  return text.replace(/ \(\d+:\d+\)$/, "");
}
