import assert from "@std/assert";
import { bracketless, filled, rounded } from "../../src/common/structured.ts";

Deno.test("only fields that hold something are left, false and 0 among them", () => {
  const fields = { none: null, absent: undefined, empty: [], text: "", no: false, zero: 0, list: [null] };
  assert.deepEqual(filled(fields), { text: "", no: false, zero: 0, list: [null] });
});

Deno.test("every number is rounded, however deep, and nothing else is changed", () => {
  assert.deepEqual(
    rounded({ a: 1 / 3, list: [{ b: 2 / 3, c: "0.33333333" }, null], n: 1_234_567, yes: true }),
    {
      a: 0.333333,
      list: [{ b: 0.666667, c: "0.33333333" }, null],
      n: 1_234_567,
      yes: true,
    },
  );
});

Deno.test("a notice loses its brackets, and none within it", () => {
  assert.equal(bracketless("[Cut: 1 of 2 shown. Take x[5m].]"), "Cut: 1 of 2 shown. Take x[5m].");
  assert.equal(bracketless("Nothing stands out."), "Nothing stands out.");
});
