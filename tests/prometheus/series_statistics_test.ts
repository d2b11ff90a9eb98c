import assert from "@std/assert";
import fc from "fast-check";
import type { Sample } from "../../src/prometheus/result.ts";
import { onAxis, seriesStatistics } from "../../src/prometheus/series_statistics.ts";
import { pointLines, rounding, thinning } from "../../src/prometheus/shown_points.ts";

const range = { start: 1_795_305_600, end: 1_795_305_600 + 10 * 60, step: 60 };

function samples(values: readonly (number | string | undefined)[]): readonly Sample[] {
  return values.flatMap((value, index): Sample[] =>
    value === undefined ? [] : [[range.start + index * range.step, String(value)]]
  );
}

Deno.test("the figures of a series", () => {
  const found = seriesStatistics(samples([10, 12, 8, 14, 20]), range);
  if (found === undefined) throw new assert.AssertionError({ message: "no figures" });
  assert.deepEqual(found.first, { time: range.start, value: "10" });
  assert.deepEqual(found.last, { time: range.start + 240, value: "20" });
  assert.deepEqual(found.min, { time: range.start + 120, value: "8" });
  assert.deepEqual(found.max, { time: range.start + 240, value: "20" });
  assert.equal(found.average, 12.8);
  assert.equal(found.change, 10);
  assert.equal(found.changePercent, 100);
  // By hand: the times are -2 to 2 minutes from their middle, so the slope is 22 / 10 a minute.
  assert.ok(Math.abs(found.trend.slope - 2.2 / 60) < 1e-12, String(found.trend.slope));
  assert.equal(found.trend.direction, "rising");
});

Deno.test.each(
  [
    ["rising", [1, 2, 3, 4]],
    ["falling", [4, 3, 2, 1]],
    ["flat", [100, 100.2, 99.9, 100.1]],
    ["flat", [0, 0, 0]],
    ["unclear", [1, 9, 1, 9, 1]],
    ["unclear", [1, 2]],
  ] as const,
)("a trend: %s", (direction, values) => {
  assert.equal(seriesStatistics(samples(values), range)?.trend.direction, direction);
});

Deno.test("of a counter, restarts are taken into account", () => {
  const found = seriesStatistics(samples([100, 150, 10, 40]), range);
  assert.equal(found?.counted, 50 + 10 + 30);
});

Deno.test("growth from zero has no percentage, from a negative value it has the sign of the change", () => {
  assert.equal(seriesStatistics(samples([0, 5]), range)?.changePercent, undefined);
  assert.equal(seriesStatistics(samples([-10, -5]), range)?.changePercent, 50);
});

Deno.test("what is no number counts in no figure, and is kept where it stands", () => {
  const found = seriesStatistics(samples(["NaN", 2, "+Inf", 4, "-Inf"]), range);
  assert.equal(found?.first.value, "NaN");
  assert.equal(found?.last.value, "-Inf");
  assert.equal(found?.average, 3);
  assert.equal(found?.min?.value, "2");
  assert.equal(found?.max?.value, "4");
  assert.equal(found?.changePercent, undefined);
  assert.equal(seriesStatistics([], range), undefined);
});

Deno.test("gaps lie between points that are there", () => {
  const found = seriesStatistics(
    samples([undefined, 1, undefined, 2, undefined, undefined, 3, undefined]),
    range,
  );
  assert.deepEqual(found?.gaps, [
    { from: range.start + 120, to: range.start + 120, points: 1 },
    { from: range.start + 240, to: range.start + 300, points: 2 },
  ]);
});

Deno.test("the average lies between the least and the greatest value", () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e300, max: 1e300 }), {
        minLength: 1,
        maxLength: 11,
      }),
      (values) => {
        const found = seriesStatistics(samples(values), range);
        const slack = 1e-9 * Math.max(...values.map(Math.abs));
        assert.ok((found?.average ?? NaN) >= Math.min(...values) - slack);
        assert.ok((found?.average ?? NaN) <= Math.max(...values) + slack);
      },
    ),
  );
});

Deno.test("values on an axis, every second point", () => {
  assert.deepEqual(onAxis(samples([1, 2, 3, undefined, 5]), { ...range, end: range.start + 300 }, 2), [
    "1",
    "3",
    "5",
  ]);
});

Deno.test("points: the date where it changes, rows that repeat as one, none for a gap", () => {
  const late = { start: 1_795_305_600 - 120, end: 1_795_305_600 + 240, step: 60 };
  const columns = [["1", "2", "2", "2", undefined, "3", "4"], [
    undefined,
    "5",
    "5",
    "5",
    undefined,
    undefined,
    "NaN",
  ]];
  assert.deepEqual(pointLines(columns, late, 1), [
    "11-21 23:58,1,",
    "23:59 to 11-22 00:01,2,5",
    "00:03,3,",
    "00:04,4,NaN",
  ]);
});

Deno.test("points of a step below a minute have seconds, below a second milliseconds", () => {
  assert.deepEqual(pointLines([["1", "2"]], { start: range.start, end: range.start + 15, step: 15 }, 1), [
    "11-22 00:00:00,1",
    "00:00:15,2",
  ]);
  assert.deepEqual(pointLines([["1", "2"]], { start: range.start, end: range.start + 0.5, step: 0.5 }, 1), [
    "11-22 00:00:00.000,1",
    "00:00:00.500,2",
  ]);
});

Deno.test.each([
  [["1234567", "1239999"], "1234567", "1234567"],
  [["0.123456789", "0.2"], "0.123456789", "0.12346"],
  [["10", "20"], "13.33333333", "13.33"],
  [["5.000000000000001", "5"], "5.000000000000001", "5"],
  [["1e-30", "2e-30"], "1.23456e-30", "1.235e-30"],
  [["1", "2"], "+Inf", "+Inf"],
  [["0", "0"], "0", "0"],
  [["0.99999", "0.99999"], "0.99999", "0.99999"],
])("rounds to a thousandth or less of the range of %s: %s to %s", (values, value, text) => {
  assert.equal(rounding(values)(value), text);
});

Deno.test("few values are shown, however many series and points there are", () => {
  for (const series of [1, 3, 10, 37, 38, 1000]) {
    for (const points of [1, 8, 61, 97, 11_000]) {
      const thin = thinning({ start: 0, end: (points - 1) * 15, step: 15 }, series, 100);
      assert.equal(thin.series, series > 3 ? 0 : series);
      if (thin.series === 0) continue;
      const shown = Math.ceil(points / thin.every);
      assert.ok(shown * series <= 150 && shown <= 100, `${series} series of ${points}: ${shown}`);
      assert.ok(shown >= Math.min(points, 25), `${series} series of ${points}: ${shown}`);
    }
  }
});
