import assert from "@std/assert";
import fc from "fast-check";
import { age, count, duration, percent, plural, significant, size } from "../../src/common/units.ts";

const S = 1_000, MIN = 60 * S, H = 60 * MIN, D = 24 * H;

function equal<Value>(
  name: string,
  render: (value: Value) => string,
  cases: readonly (readonly [Value, string])[],
) {
  for (const [value, expected] of cases) {
    Deno.test(`${name} of ${String(value)} is ${expected}`, () => assert.equal(render(value), expected));
  }
}

equal("duration", duration, [
  [0, "0 ms"],
  [0.344, "0.34 ms"],
  [9.999, "10 ms"],
  [340, "340 ms"],
  [999.4, "999 ms"],
  [999.6, "1 s"],
  [2_400, "2.4 s"],
  [59_940, "59.9 s"],
  [59_960, "1 min"],
  [119_900, "2 min"],
  [3 * MIN + 5 * S, "3 min 5 s"],
  [H - 1, "1 h"],
  [2 * H + 5 * MIN, "2 h 5 min"],
  [D - 1, "1 d"],
  [2 * D + 4 * H, "2 d 4 h"],
  [5_000 * D, "5,000 d"],
  [-5, "-5 ms"],
  [-90_000, "-1 min 30 s"],
  [-0.001, "0 ms"],
  [NaN, "unknown"],
  [Infinity, "infinite"],
  [-Infinity, "-infinite"],
]);

equal("age", (passed: number) => age(new Date(0), passed), [
  [0, "just now"],
  [999, "just now"],
  [S, "1 s ago"],
  [MIN - 1, "59 s ago"],
  [3 * D + 5 * H, "3 d ago"],
  [2 * 365 * D, "2 y ago"],
  [-2 * H, "in 2 h"],
  [NaN, "unknown"],
]);

// What PostgreSQL 15 answers to SELECT pg_size_pretty(n).
equal("size", (bytes: string | number | bigint) => size(bytes), [
  [0, "0 bytes"],
  [10_239, "10239 bytes"],
  [10_240, "10 kB"],
  [10_751, "10 kB"],
  [10_752, "11 kB"],
  [-10_752, "-11 kB"],
  [10_485_247n, "10239 kB"],
  [10_485_248n, "10 MB"],
  ["943718400", "900 MB"],
  ["9223372036854775807", "8192 PB"],
  ["-9223372036854775808", "-8192 PB"],
  [1.9, "1 bytes"],
  [NaN, "unknown"],
  [Infinity, "infinite"],
  ["", "unknown"],
]);

equal("count", (value: string | number | bigint) => count(value), [
  [0, "0"],
  [999, "999"],
  [1_234_567, "1,234,567"],
  [-1_234, "-1,234"],
  ["9223372036854775807", "9,223,372,036,854,775,807"],
  ["1234.50", "1,234.50"],
  [-0.5, "-0.5"],
  [12_345.678, "12,345.678"],
  [1e21, "1,000,000,000,000,000,000,000"],
  [1e-7, "0.0000001"],
  ["-Infinity", "-infinite"],
  ["NaN", "unknown"],
  ["ten", "unknown"],
]);

equal("percent", percent, [
  [0, "0%"],
  [1, "100%"],
  [0.1234, "12.3%"],
  [0.5, "50%"],
  [0.9999, ">99.9%"],
  [0.0001, "<0.1%"],
  [2.5, "250%"],
  [12, "1,200%"],
  [-0.5, "-50%"],
  [-0.0001, ">-0.1%"],
  [0 / 0, "unknown"],
  [1 / 0, "infinite"],
]);

for (
  const [value, expected] of [
    [1 / 3, 0.333333],
    [0.00123456789, 0.00123457],
    [0.1 + 0.2, 0.3],
    [-2 / 3, -0.666667],
    [12_345.678, 12_345.7],
    [99_999.96, 100_000],
    [1_234_567.891, 1_234_568],
    [9_007_199_254_740_991, 9_007_199_254_740_991],
    [1e-300 / 3, 3.33333e-301],
    [0, 0],
    [NaN, NaN],
    [Infinity, Infinity],
    [-Infinity, -Infinity],
  ] as const
) {
  Deno.test(`significant of ${value} is ${expected}`, () => assert.equal(significant(value), expected));
}

Deno.test("plural takes the noun that goes with the count", () => {
  const entries = (value: number | string) => plural(value, "entry", "entries");
  assert.deepEqual([0, 1, "1", 2, "1234"].map(entries), [
    "0 entries",
    "1 entry",
    "1 entry",
    "2 entries",
    "1,234 entries",
  ]);
  assert.equal(plural(2, "row"), "2 rows");
});

Deno.test("a longer duration never reads as a smaller first number of the same unit", () => {
  fc.assert(fc.property(fc.double({ min: 0, max: 400 * D, noNaN: true }), (milliseconds) => {
    const text = duration(milliseconds);
    assert.match(text, /^\d[\d,.]* (ms|s|min|h|d)( [1-9]\d? (s|min|h))?$/);
    assert.doesNotMatch(text, / 60 | 1000 ms/);
  }));
});

Deno.test("count keeps every digit of a bigint", () => {
  fc.assert(fc.property(fc.bigInt(), (value) => {
    assert.equal(BigInt(count(value).replaceAll(",", "")), value);
    assert.match(count(value), /^-?\d{1,3}(,\d{3})*$/);
  }));
});
