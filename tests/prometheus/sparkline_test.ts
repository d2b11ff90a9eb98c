import assert from "@std/assert";
import { sparkline } from "../../src/prometheus/sparkline.ts";

Deno.test.each([
  ["a ramp", [0, 1, 2, 3, 4, 5, 6, 7], "▁▂▃▄▅▆▇█"],
  ["a constant", [5, 5, 5], "▄▄▄"],
  ["a constant but for rounding", [0.1 + 0.2, 0.3, 0.3], "▄▄▄"],
  ["a gap", [0, undefined, 7], "▁ █"],
  ["NaN and infinities are gaps", [0, NaN, Infinity, 7], "▁  █"],
  ["negative values", [-2, -1], "▁█"],
  ["the largest doubles", [-Number.MAX_VALUE, Number.MAX_VALUE], "▅▅"],
  ["nothing", [], ""],
  ["nothing finite", [NaN, undefined], ""],
])("a sparkline: %s", (_, values, line) => {
  assert.equal(sparkline(values), line);
});

Deno.test("many values share the width", () => {
  assert.equal(sparkline(Array.from({ length: 800 }, (_, index) => index), 8), "▁▂▃▄▅▆▇█");
});
