/** What the requests of a service say against it, and what keeps them from speaking for it. */
import type { MissedErrors } from "./error_places.ts";
import type { FailingRoute } from "./failing_routes.ts";
import { rate, type RequestRates, type Requests } from "./requests.ts";
import { formatDuration } from "./time.ts";

/** What was read of requests; undefined where asking failed. */
export interface RequestSymptoms {
  readonly requests: Requests | undefined;
  /** Of the last minutes, where the window is longer than they are. */
  readonly recent: { readonly window: number; readonly requests: Requests } | undefined;
  readonly dayBefore: Requests | undefined;
  /** Errors of `requests` that no rate shows. */
  readonly missed: MissedErrors | undefined;
  /** A route of which most requests fail. */
  readonly failingRoute?: FailingRoute | undefined;
  /** The part of the last day in which there was as good as no traffic; where traffic has been lost. */
  readonly idle?: number | undefined;
}

/** From here on errors speak against a service whatever was the day before; from the second, if they have doubled. */
const badRatio = 0.05;
const worseRatio = 0.01;
const worseFactor = 2;
/** Traffic that falls to less than that part has been lost, if there was any to speak of. */
export const lostPart = 0.1;
const trafficToSpeakOf = 0.1;
/** A service that refuses more may have lost its routes or its users' rights. */
const mostRefused = 0.5;
/** What has no traffic for that part of a day has lost none. */
const mostlyIdle = 0.5;

/** Whether so many requests fail that it speaks against a service; `rose`: and twice as many as a day before. */
export function errorsSpeak(
  now: Pick<RequestRates, "requestsPerSecond" | "ratio"> | undefined,
  before: Pick<RequestRates, "ratio"> | undefined,
): { readonly rose: boolean } | undefined {
  if (now === undefined || !(now.requestsPerSecond > 0)) return undefined;
  const rose = before !== undefined && now.ratio >= worseRatio && now.ratio >= worseFactor * before.ratio;
  return now.ratio >= badRatio || rose ? { rose } : undefined;
}

/** Whether traffic has been lost since a day before. */
export function trafficIsLost(now: number, before: number): boolean {
  return before >= trafficToSpeakOf && now < lostPart * before;
}

/** Requests that fail: all of the window, those of its last minutes, or those that another counter counts. */
export interface Failing {
  readonly rates: RequestRates;
  readonly of: "window" | "recent" | "beside";
  readonly rose: boolean;
}

/** Those that speak against the service, the worst first; the window's own unless another is worse. */
export function failing({ requests, recent, dayBefore }: RequestSymptoms): readonly Failing[] {
  const before = dayBefore?.rates;
  const speak = (of: Failing["of"], rates: RequestRates | undefined, than?: RequestRates): Failing[] => {
    const spoken = errorsSpeak(rates, than);
    return rates === undefined || spoken === undefined ? [] : [{ rates, of, rose: spoken.rose }];
  };
  const own = speak("window", requests?.rates, before);
  const others = [
    ...speak("recent", recent?.requests.rates),
    ...(requests?.beside ?? []).flatMap((rates) => speak("beside", rates)),
  ].filter(({ rates }) => own.every((one) => rates.ratio > worseFactor * one.rates.ratio));
  return [...own, ...others].sort((a, b) => b.rates.ratio - a.rates.ratio);
}

/** Whether as good as no traffic is nothing new: the service had none for most of the day. */
export function isOftenIdle({ idle }: RequestSymptoms): boolean {
  return idle !== undefined && idle >= mostlyIdle;
}

/** What share of requests is refused (4xx and the like), where that is `least` of them; `before` is NaN where it is not known. */
export function refusals(
  { requests, dayBefore }: RequestSymptoms,
  least: number = mostRefused,
): { readonly share: number; readonly before: number; readonly text: string } | undefined {
  const now = requests?.rates;
  if (now === undefined || !(now.refusedPerSecond >= least * now.requestsPerSecond)) return undefined;
  if (now.requestsPerSecond === 0) return undefined;
  const then = dayBefore?.rates;
  const before = then !== undefined && then.requestsPerSecond > 0
    ? then.refusedPerSecond / then.requestsPerSecond
    : NaN;
  const share = now.refusedPerSecond / now.requestsPerSecond;
  const codes = codesOf(now, (code) => now.source.errors.isRefusal(code));
  return { share, before, text: `${rate(share * 100)}% of requests are refused (${codes})` };
}

/** Whether a service refuses so many more than a day before that it speaks against it. */
export function refusalsRose(
  { share, before }: { readonly share: number; readonly before: number },
): boolean {
  return share >= worseFactor * before;
}

/** What speaks against the service, sentences without a full stop; `since` is a clause of the worst. */
export function requestReasons(symptoms: RequestSymptoms, since: string): readonly string[] {
  const { requests, dayBefore } = symptoms;
  // What could not be asked now has not fallen.
  if (requests === undefined) return [];
  const before = dayBefore?.rates;
  const reasons = failing(symptoms).map(({ rates, of, rose }, index) =>
    `${rate(rates.ratio * 100)}% of requests fail${
      of === "beside"
        ? ` by ${rates.source.counter.metric}`
        : of === "recent"
        ? ` in ${formatDuration(rates.window)}`
        : ""
    } (${rate(rates.errorsPerSecond)} of ${rate(rates.requestsPerSecond)}/s)` +
    (rose && before !== undefined ? `, a day before ${rate(before.ratio * 100)}%` : "") +
    (index === 0 ? since : "")
  );
  const { failingRoute } = symptoms;
  if (reasons.length === 0 && failingRoute?.isNew === true) reasons.push(failingRoute.text + since);
  const refused = refusals(symptoms);
  if (refused !== undefined && refusalsRose(refused)) {
    reasons.push(`${refused.text}, a day before ${rate(refused.before * 100)}%`);
  }
  const usual = before?.requestsPerSecond ?? 0;
  const current = requests.rates?.requestsPerSecond ?? 0;
  if (trafficIsLost(current, usual) && !isOftenIdle(symptoms)) {
    reasons.push(
      `traffic fell from ${rate(usual)}/s a day before to ${
        requests.rates === undefined ? "nothing that is counted" : `${rate(current)}/s`
      }`,
    );
  }
  return reasons;
}

/** Why nobody can say that requests do not fail, although few are known to: sentences without a full stop. */
export function requestDoubts(symptoms: RequestSymptoms): readonly string[] {
  const { requests, missed } = symptoms;
  const rates = requests?.rates;
  if (rates === undefined || !(rates.requestsPerSecond > 0)) return [];
  const { errorsPerSecond, requestsPerSecond, window } = rates;
  const doubts = [...statusDoubts(rates)];
  const more = missed?.count ?? 0;
  if (
    missed !== undefined &&
    errorsPerSecond * window + more >= badRatio * (requestsPerSecond * window + more)
  ) {
    doubts.push(missed.text);
  }
  const refused = refusals(symptoms);
  if (refused !== undefined && Number.isNaN(refused.before)) {
    doubts.push(`${refused.text}, which may be right or not: no requests were counted a day before`);
  }
  return doubts.map((doubt) => `errors: ${doubt}`);
}

/** What of a counter tells neither success nor failure. */
export function statusDoubts(rates: RequestRates): readonly string[] {
  const { errorsPerSecond, requestsPerSecond, untoldPerSecond, brokenCodes, source } = rates;
  const doubts: string[] = [];
  if (brokenCodes.length > 0) {
    const codes = brokenCodes.slice(0, 3).map((code) => code || "none").join(", ");
    doubts.push(`the rate of ${source.codeLabel} ${codes} is not a number`);
  }
  if (mayHideErrors(untoldPerSecond, errorsPerSecond, requestsPerSecond)) {
    const share = rate(100 * untoldPerSecond / requestsPerSecond);
    const codes = codesOf(rates, (code) => !source.errors.isCode(code));
    doubts.push(`${share}% of requests have no known ${source.codeLabel} (${codes})`);
  }
  return doubts;
}

/** Whether requests without a known status are so many that errors among them would speak against a service. */
export function mayHideErrors(untold: number, errors: number, requests: number): boolean {
  return untold > 0 && errors + untold >= badRatio * requests;
}

/** The most frequent codes of that kind. */
function codesOf({ codes }: RequestRates, matches: (code: string) => boolean): string {
  return codes.filter(({ code, perSecond }) => perSecond > 0 && matches(code)).slice(0, 3)
    .map(({ code, perSecond }) => `${code || "none"} ${rate(perSecond)}/s`).join(", ");
}
