/**
 * Resource quantities, as `resource.Quantity` of k8s.io/apimachinery reads them: `250m`, `1.5`, `512Mi`, `1k`, `2e3`.
 * Held exactly, as nanos in a bigint, so that sums over thousands of pods do not drift.
 */

/** Billionths of a unit: of a core, of a byte, of a pod. */
export type Nanos = bigint;

const NANO = 1_000_000_000n;
const MILLI = 1_000_000n;

const decimalExponents: Readonly<Record<string, number>> = {
  n: -9,
  u: -6,
  m: -3,
  "": 0,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
};
const binaryUnits = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

// An E with digits after it is an exponent, one without is exa.
const pattern = /^([+-]?)(\d{0,40})(?:\.(\d{0,40}))?(?:[eE]([+-]?\d{1,2})|([KMGTPE]i)|([numkMGTPE]?))$/;

/** A quantity in nanos, rounded up as Kubernetes does; undefined for what is none. */
export function parseQuantity(value: unknown): Nanos | undefined {
  const text = typeof value === "number" && Number.isFinite(value) ? String(value) : value;
  if (typeof text !== "string") return undefined;
  const match = pattern.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = "", fraction = "", exponent, binary, decimal = ""] = match;
  if (whole === "" && fraction === "") return undefined;
  let power = 9 - fraction.length;
  let amount = BigInt(whole + fraction);
  if (exponent !== undefined) power += Number(exponent);
  else if (binary !== undefined) amount *= 1024n ** BigInt(binaryUnits.indexOf(binary) + 1);
  else power += decimalExponents[decimal] ?? 0;
  const nanos = power >= 0 ? amount * 10n ** BigInt(power) : ceilDivide(amount, 10n ** BigInt(-power));
  return sign === "-" ? -nanos : nanos;
}

/** The sum of quantities; what is no quantity counts as none. */
export function addQuantities(values: Iterable<unknown>): Nanos {
  let sum = 0n;
  for (const value of values) sum += parseQuantity(value) ?? 0n;
  return sum;
}

/** Cores as kubectl prints them: `2`, `250m`; rounded up to a thousandth. */
export function coresText(nanos: Nanos): string {
  const milli = ceilDivide(nanos, MILLI);
  return milli % 1000n === 0n ? String(milli / 1000n) : `${milli}m`;
}

/** Bytes in the largest binary unit, with one decimal where it matters: `256Gi`, `1.5Gi`, `512Mi`, `0`. */
export function bytesText(nanos: Nanos): string {
  const bytes = Number(ceilDivide(nanos, NANO));
  let unit = 0;
  let amount = bytes;
  while (Math.abs(amount) >= 1024 && unit < binaryUnits.length) {
    amount /= 1024;
    unit++;
  }
  const rounded = Math.round(amount * 10) / 10;
  if (Math.abs(rounded) >= 1024 && unit < binaryUnits.length) return `1${binaryUnits[unit]}`;
  return `${Math.abs(rounded) >= 100 ? Math.round(rounded) : rounded}${
    unit === 0 ? "" : binaryUnits[unit - 1]
  }`;
}

/** A whole amount, such as of pods; rounded up. */
export function wholeText(nanos: Nanos): string {
  return String(ceilDivide(nanos, NANO));
}

/** Thousandths, as a number for structured answers. */
export function milli(nanos: Nanos): number {
  return Number(ceilDivide(nanos, MILLI));
}

/** Whole units, as a number for structured answers. */
export function whole(nanos: Nanos): number {
  return Number(ceilDivide(nanos, NANO));
}

/** How much of `all` is `part`, in whole percent rounded as kubectl does, down; undefined without an `all`. */
export function percentOf(part: Nanos, all: Nanos): number | undefined {
  return all <= 0n ? undefined : Number((part * 100n) / all);
}

function ceilDivide(value: bigint, by: bigint): bigint {
  const down = value / by;
  return value > 0n && value % by !== 0n ? down + 1n : down;
}
