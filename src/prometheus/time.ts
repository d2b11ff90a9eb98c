/**
 * Times and durations: as Prometheus writes durations (`1d12h`), as people write times (`now-1h`, RFC 3339, epoch), and
 * UTC on the way out. Seconds throughout, as in Prometheus's HTTP API.
 */
import { CallError } from "../common/errors.ts";
import { shortened } from "../common/shortened.ts";

/** Seconds. */
export const day = 86_400;

/** Units as https://prometheus.io/docs/prometheus/latest/querying/basics/#time-durations has them, largest first. */
const units: readonly (readonly [unit: string, seconds: number])[] = [
  ["y", 31_536_000],
  ["w", 604_800],
  ["d", day],
  ["h", 3_600],
  ["m", 60],
  ["s", 1],
  ["ms", 0.001],
];
const DURATION = new RegExp(`^${units.map(([unit]) => `(?:(\\d+)${unit})?`).join("")}$`);
/** What Prometheus can hold: 2^63 nanoseconds. */
const longestSeconds = 9_223_372_036;

/** Seconds of a duration in Prometheus's own form, `90m`, `1d12h`, `500ms`; undefined for anything else. */
export function durationSeconds(text: string): number | undefined {
  const match = DURATION.exec(text);
  if (match === null || text === "") return undefined;
  // In whole milliseconds first: 18ms is 0.018 and not 0.018000000000000002.
  const ms = units.reduce(
    (sum, [, seconds], index) => sum + Number(match[index + 1] ?? 0) * Math.round(seconds * 1000),
    0,
  );
  return ms / 1000 <= longestSeconds ? ms / 1000 : undefined;
}

/**
 * Seconds of a duration that must be above zero: Prometheus's form, or a plain number of seconds as its API takes it.
 * Throws {@linkcode CallError} `invalid`; `what` names the argument in its sentence.
 */
export function parseDuration(text: string, what = "duration"): number {
  const trimmed = text.trim();
  const seconds = /^\d+(?:\.\d+)?$/.test(trimmed) ? Number(trimmed) : durationSeconds(trimmed);
  if (seconds !== undefined && seconds >= 0.001 && seconds <= longestSeconds) return seconds;
  const likely = likelyDuration(trimmed);
  throw new CallError("invalid", `Cannot read ${what} ${quoted(text)} as a duration`, {
    hint: likely === undefined
      ? "write it as Prometheus does, longest unit first: 30s, 5m, 1h, 1d12h, 2w"
      : `did you mean ${likely}? Units are ms, s, m, h, d, w, y, longest first, without blanks or fractions`,
  });
}

/** Characters of a text whose meaning is guessed: what looks for it takes time by the square of its length. */
const longestGuessed = 200;

/** `1.5h`, `90 minutes` and the like in Prometheus's form. */
function likelyDuration(text: string): string | undefined {
  if (text.length > longestGuessed) return undefined;
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)\s*([a-zµ]+)/gi)];
  if (parts.length === 0 || text.replace(/(\d+(?:\.\d+)?)\s*([a-zµ]+)|[\s,-]|and/gi, "") !== "") {
    return undefined;
  }
  let seconds = 0;
  for (const [, amount, word = ""] of parts) {
    const unit = /^ms|^milli/i.test(word) ? "ms" : /^mo/i.test(word) ? "" : word.charAt(0).toLowerCase();
    const size = units.find(([name]) => name === unit)?.[1];
    if (size === undefined) return undefined;
    seconds += Number(amount) * size;
  }
  return seconds >= 0.001 && seconds <= longestSeconds ? formatDuration(seconds) : undefined;
}

/** Seconds as Prometheus writes a duration: `5m`, `1d12h`, `250ms`; years and weeks only when nothing else is needed. */
export function formatDuration(seconds: number): string {
  let ms = Math.round(Math.abs(seconds) * 1000);
  if (ms === 0 || !Number.isFinite(ms)) return "0s";
  for (const [unit, size] of units) {
    if ((unit === "y" || unit === "w") && ms % (size * 1000) === 0) {
      return `${seconds < 0 ? "-" : ""}${ms / (size * 1000)}${unit}`;
    }
  }
  let text = seconds < 0 ? "-" : "";
  for (const [unit, size] of units) {
    if (unit === "y" || unit === "w") continue;
    const amount = Math.floor(ms / (size * 1000));
    if (amount > 0) text += `${amount}${unit}`;
    ms -= amount * size * 1000;
  }
  return text;
}

/** The forms that {@linkcode parseTime} takes, for a hint. */
const timeForms =
  "use now, now-1h, now-1d12h, RFC 3339 such as 2026-11-22T00:05:00Z or 2026-11-22T01:05:00+01:00 (UTC without an " +
  "offset), 2026-11-22, or epoch seconds or milliseconds";

const RELATIVE = /^now(?:\s*([+-])\s*(\S+))?$/i;
const RFC3339 =
  /^(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(\.\d+)?)?\s*([Zz]|UTC|[+-]\d\d:?\d\d)?)?$/;
/** From here on an epoch can only be milliseconds: as seconds it is the year 5138. */
const firstMilliseconds = 1e11;
/** From here on it can only be microseconds or nanoseconds. */
const firstMicroseconds = 1e14;

/**
 * Epoch seconds of a time as people write it; `now` is epoch seconds, `what` names the argument. Throws
 * {@linkcode CallError} `invalid` with the forms that work.
 */
export function parseTime(text: string, now: number, what = "time"): number {
  const trimmed = text.trim();
  const relative = RELATIVE.exec(trimmed);
  if (relative !== null) {
    const [, sign, distance] = relative;
    if (distance === undefined) return now;
    const seconds = durationSeconds(distance);
    if (seconds !== undefined) return sign === "-" ? now - seconds : now + seconds;
  }
  if (/^\d+(?:\.\d+)?$/.test(trimmed)) {
    const epoch = Number(trimmed);
    if (trimmed.replace(/\..*/, "").length >= 9 && epoch < firstMicroseconds) {
      return epoch >= firstMilliseconds ? epoch / 1000 : epoch;
    }
  }
  const seconds = calendarSeconds(trimmed);
  if (seconds !== undefined) return seconds;
  const back = trimmed.length > longestGuessed
    ? undefined
    : durationSeconds(trimmed.replace(/^-\s*/, "").replace(/\s*ago$/i, ""));
  throw new CallError("invalid", `Cannot read ${what} ${quoted(text)} as a time`, {
    hint: back === undefined || back === 0
      ? timeForms
      : `did you mean now-${formatDuration(back)}? Otherwise ${timeForms}`,
  });
}

function calendarSeconds(text: string): number | undefined {
  const match = RFC3339.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour = "00", minute = "00", second = "00", fraction = "", zone = "Z"] = match;
  const offset = /^[+-]/.test(zone) ? `${zone.slice(0, 3)}:${zone.slice(-2)}` : "Z";
  const date = `${year}-${month}-${day}`;
  const ms = Date.parse(`${date}T${hour}:${minute}:${second}${offset}`);
  // Date.parse takes February 30th for March 2nd.
  const real = new Date(Date.parse(`${date}T00:00:00Z`));
  if (Number.isNaN(ms) || Number.isNaN(real.getTime()) || real.toISOString().slice(0, 10) !== date) {
    return undefined;
  }
  return ms / 1000 + Number(fraction === "" ? 0 : `0${fraction}`);
}

/** Epoch seconds as `2026-11-22T00:05:00Z`, with milliseconds only where there are any. */
export function utc(seconds: number): string {
  const ms = Math.round(seconds * 1000);
  if (!Number.isFinite(ms) || Math.abs(ms) > 8.64e15) return `epoch ${seconds}`;
  return new Date(ms).toISOString().replace(".000Z", "Z");
}

/** The caller's text in an error sentence. */
function quoted(text: string): string {
  return JSON.stringify(shortened(text, 60));
}
