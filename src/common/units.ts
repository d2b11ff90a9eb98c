/** Quantities as people read them. What is not a number reads `unknown`, what has no end `infinite`. */

/** A quantity; text and bigint for what PostgreSQL prints as `bigint` or `numeric`, beyond a number's exactness. */
export type Quantity = number | bigint | string;

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;

/** Milliseconds as `0.34 ms`, `340 ms`, `2.4 s`, `3 min 5 s`, `2 h 5 min`, `2 d 4 h`. */
export function duration(milliseconds: number): string {
  const strange = notFinite(milliseconds);
  if (strange !== undefined) return strange;
  if (milliseconds < 0) return minus(duration(-milliseconds));
  if (milliseconds < 10) return `${Number(milliseconds.toFixed(2))} ms`;
  if (Math.round(milliseconds) < SECOND) return `${Math.round(milliseconds)} ms`;
  const tenths = Math.round(milliseconds / 100) / 10;
  if (tenths < 60) return `${tenths} s`;
  // Rounded in the smaller unit first, so that 119.9 s is 2 min and never 1 min 60 s.
  const seconds = Math.round(milliseconds / SECOND) * SECOND;
  if (seconds < HOUR) return two(seconds, MINUTE, "min", SECOND, "s");
  const minutes = Math.round(milliseconds / MINUTE) * MINUTE;
  if (minutes < DAY) return two(minutes, HOUR, "h", MINUTE, "min");
  return two(Math.round(milliseconds / HOUR) * HOUR, DAY, "d", HOUR, "h");
}

function two(value: number, large: number, largeUnit: string, small: number, smallUnit: string): string {
  const rest = Math.floor((value % large) / small);
  const first = `${count(Math.floor(value / large))} ${largeUnit}`;
  return rest === 0 ? first : `${first} ${rest} ${smallUnit}`;
}

/** How long ago `then` was, in its largest unit, rounded down: `just now`, `5 s ago`, `3 d ago`, `in 2 h`. */
export function age(then: Date | number, now: Date | number): string {
  const passed = Number(now) - Number(then);
  if (!Number.isFinite(passed)) return "unknown";
  const distance = Math.abs(passed);
  if (distance < SECOND) return "just now";
  const [unit, name] = distance < MINUTE
    ? [SECOND, "s"] as const
    : distance < HOUR
    ? [MINUTE, "min"] as const
    : distance < DAY
    ? [HOUR, "h"] as const
    : distance < 2 * YEAR
    ? [DAY, "d"] as const
    : [YEAR, "y"] as const;
  const amount = `${count(Math.floor(distance / unit))} ${name}`;
  return passed < 0 ? `in ${amount}` : `${amount} ago`;
}

/**
 * Bytes as PostgreSQL's `pg_size_pretty(bigint)` prints them, rounding included: powers of 1024, `bytes`, `kB`, `MB`,
 * `GB`, `TB`, `PB` (functions-admin, "Database Object Size Functions"). A fraction of a byte is dropped.
 */
export function size(bytes: Quantity): string {
  const value = parse(bytes);
  if (typeof value === "string") return value;
  let rest = value.whole;
  let unit = 0;
  // dbsize.c: units above bytes are kept doubled, so that the last bit is there for rounding half away from zero.
  while (unit < SIZE_UNITS.length - 1 && magnitude(rest) >= (unit === 0 ? 10_240n : 20_479n)) {
    rest /= unit === 0 ? 512n : 1_024n;
    unit++;
  }
  if (unit > 0) rest = (rest + (rest < 0n ? -1n : 1n)) / 2n;
  return `${rest} ${SIZE_UNITS[unit]}`;
}

const SIZE_UNITS = ["bytes", "kB", "MB", "GB", "TB", "PB"] as const;

function magnitude(value: bigint): bigint {
  return value < 0n ? -value : value;
}

/** A number with commas between thousands, its fraction as it is: `1,234,567`, `1,234.50`. */
export function count(value: Quantity): string {
  const parsed = parse(value);
  if (typeof parsed === "string") return parsed;
  const digits = magnitude(parsed.whole).toString().replace(/\B(?=(?:\d{3})+$)/g, ",");
  const text = digits + parsed.fraction;
  return parsed.negative ? minus(text) : text;
}

/** A count with its noun: `1 row`, `2 rows`, `1,234 rows`, `0 entries`. */
export function plural(value: Quantity, one: string, many = `${one}s`): string {
  const text = count(value);
  return `${text} ${text === "1" ? one : many}`;
}

/**
 * A ratio (1 is all) as a percentage with at most one decimal: `12.3%`, `250%`. Neither none nor all is claimed by
 * rounding: what is little is `<0.1%`, what is nearly all `>99.9%`. 0 of 0, which is NaN, is `unknown`.
 */
export function percent(ratio: number): string {
  const strange = notFinite(ratio);
  if (strange !== undefined) return strange;
  if (ratio < 0) return ratio > -0.001 ? ">-0.1%" : minus(percent(-ratio));
  if (ratio > 0 && ratio < 0.001) return "<0.1%";
  if (ratio > 0.999 && ratio < 1) return ">99.9%";
  const tenths = Math.round(ratio * 1_000) / 10;
  return `${count(tenths)}%`;
}

/**
 * A computed number as the structured form of an answer gives it: six significant digits, as more are noise of the
 * computation, and every digit before the point, so that whole numbers stay exact: `0.333333`, `12345.7`, `1234568`.
 */
export function significant(value: number): number {
  return Math.abs(value) >= 100_000 ? Math.round(value) : Number(value.toPrecision(6));
}

function notFinite(value: number): string | undefined {
  if (Number.isNaN(value)) return "unknown";
  if (!Number.isFinite(value)) return value < 0 ? "-infinite" : "infinite";
  return undefined;
}

/** `-0` and what rounds to it need no sign. */
function minus(text: string): string {
  return /[1-9a-z]/.test(text.replace(/ .*/, "")) ? `-${text}` : text;
}

interface Decimal {
  readonly whole: bigint;
  readonly fraction: string;
  readonly negative: boolean;
}

/** The exact value, or the word for what has none. */
function parse(value: Quantity): Decimal | string {
  if (typeof value === "bigint") return { whole: value, fraction: "", negative: value < 0n };
  let text: string;
  if (typeof value === "number") {
    const strange = notFinite(value);
    if (strange !== undefined) return strange;
    text = Math.abs(value) >= 1e21 ? BigInt(value).toString() : value.toString();
    if (/e/.test(text)) text = value.toFixed(20).replace(/0+$/, "");
  } else {
    text = value.trim();
    const word = /^([-+]?)inf(?:inity)?$/i.exec(text);
    if (word !== null) return word[1] === "-" ? "-infinite" : "infinite";
  }
  const match = /^([-+]?)(\d+)(\.\d+)?\.?$/.exec(text);
  if (match === null) return "unknown";
  const [, sign, digits = "0", fraction = ""] = match;
  const whole = BigInt(digits);
  return { whole: sign === "-" ? -whole : whole, fraction, negative: sign === "-" };
}
