/** How a tool about a service asks: at one time, and with an ear for all that Prometheus says beside its answers. */
import { CallError } from "../common/errors.ts";
import { listed } from "../common/listing.ts";
import { duration } from "../common/units.ts";
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
  /** What {@linkcode beside} could not ask so far. */
  readonly leftOut: LeftOut[];
}

/** Something that an answer goes without. */
export interface LeftOut {
  /** A few words: `probes from outside`. */
  readonly what: string;
  /** A sentence without a full stop. */
  readonly why: string;
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
    leftOut: [],
  };
}

/** Milliseconds that may be spent on what an answer can do without. */
const besideMs = 2_500;

/**
 * Reads what an answer can do without: undefined where it can't be asked, or not within 2.5 s, as what the answer is for
 * must not be late for it; `what` is left out then. Throws the reason of the caller's signal.
 */
export async function beside<Value>(
  asking: Asking,
  what: string,
  read: (asking: Asking) => Promise<Value | undefined>,
): Promise<Value | undefined> {
  const late = AbortSignal.timeout(besideMs);
  try {
    return await read({ ...asking, signal: AbortSignal.any([asking.signal, late]) });
  } catch (error) {
    if (asking.signal.aborted || !(error instanceof CallError || late.aborted)) throw error;
    const why = late.aborted || !(error instanceof CallError)
      ? `no answer within ${duration(besideMs)}`
      : error.message;
    asking.leftOut.push({ what, why });
    return undefined;
  }
}

/** Each of them once: `probes from outside and slow routes`. */
export function namesOf(leftOut: readonly LeftOut[]): string {
  return listed([...new Set(leftOut.map(({ what }) => what))]);
}

/** One for each reason: `probes from outside and slow routes: no answer within 2.5 s`. */
export function leftOutTexts(leftOut: readonly LeftOut[]): readonly string[] {
  return [...Map.groupBy(leftOut, ({ why }) => why)].map(([why, of]) => `${namesOf(of)}: ${why}`);
}

/** What we asked to be cut is no news. */
function isOurs(warning: string): boolean {
  return warning.includes("truncated due to limit");
}

/** The same about two queries is the same; where in the query is at the end, as `(1:8)`. */
function withoutPlace(text: string): string {
  return text.replace(/ \(\d+:\d+\)$/, "");
}
