import assert from "@std/assert";
import fc from "fast-check";
import { chooseStep, maxResolution, pointsOf } from "../../src/prometheus/step.ts";
import { refusal } from "../support/rejection.ts";

const end = 1_795_393_800;

Deno.test.each([
  [300, 100, 15, 15],
  [300, 100, undefined, 5],
  [3600, 100, 15, 60],
  [6 * 3600, 100, 15, 300],
  [86_400, 100, 15, 900],
  [7 * 86_400, 100, 15, 7200],
  [30 * 86_400, 100, 15, 43_200],
  [365 * 86_400, 100, 15, 604_800],
  [3600, 11_000, 15, 15],
  [3600, 11_000, 45, 60],
  [1, 100, 1, 1],
  [0, 100, 15, 15],
])(
  "%s s in at most %s points, scraped every %s s, take a step of %s s",
  (span, maxPoints, scrapeInterval, step) => {
    assert.equal(chooseStep({ start: end - span, end, maxPoints, scrapeInterval }).step, step);
  },
);

Deno.test("a chosen step keeps to its bounds, and the ends are multiples of it", () => {
  const choices = fc.record({
    start: fc.integer({ min: 0, max: 4_000_000_000 }),
    span: fc.integer({ min: 0, max: 100 * 365 * 86_400 }),
    maxPoints: fc.integer({ min: 2, max: 20_000 }),
    scrapeInterval: fc.integer({ min: 1, max: 3600 }),
  });
  fc.assert(fc.property(choices, ({ start, span, maxPoints, scrapeInterval }) => {
    const range = chooseStep({ start, end: start + span, maxPoints, scrapeInterval });
    assert.ok(pointsOf(range) <= Math.min(maxPoints, maxResolution));
    assert.ok(range.step >= scrapeInterval);
    assert.equal(range.start % range.step, 0);
    assert.equal(range.end % range.step, 0);
    assert.ok(range.start <= start && range.start > start - range.step);
    assert.ok(range.end <= start + span && range.end > start + span - range.step);
  }));
});

Deno.test("the caller's step goes before the number of points", () => {
  assert.deepEqual(chooseStep({ start: end - 3600, end, maxPoints: 10, step: 7 }).step, 7);
  assert.deepEqual(chooseStep({ start: 10.05, end: 10.95, maxPoints: 10, step: 0.1 }), {
    start: 10,
    end: 10.9,
    step: 0.1,
  });
});

Deno.test("more than 11,000 points are refused with a step that does", () => {
  const choice = { start: end - 86_400, end, maxPoints: 100 };
  const error = refusal(() => chooseStep({ ...choice, step: 1 }));
  assert.equal(error.kind, "invalid");
  assert.match(error.message, /86,401 points per series and Prometheus gives at most 11,000$/);
  assert.match(error.hint ?? "", /^use step 10s or more/);
  assert.ok(pointsOf(chooseStep({ ...choice, step: 10 })) <= maxResolution);
});

Deno.test("an end before the start is refused", () => {
  assert.throws(
    () => chooseStep({ start: end, end: end - 1, maxPoints: 100 }),
    /the end is before the start/,
  );
});
