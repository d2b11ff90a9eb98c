import assert from "@std/assert";
import { isNew } from "../../src/prometheus/day_before.ts";

Deno.test.each([
  [0.5, 0, true],
  [0.5, 0.24, true],
  [0.5, 0.25, false],
  [0.5, 0.9, false],
  [0.5, NaN, true],
])("whether failures of %d are new, of which %d failed a day before: %s", (ratio, dayBefore, expected) => {
  assert.equal(isNew(ratio, dayBefore), expected);
});
