import assert from "@std/assert";
import { checkHint } from "../../src/common/check_hint.ts";
import { CallError } from "../../src/common/errors.ts";

const cases: readonly (readonly [string | undefined, string | undefined])[] = [
  ["an operator must check DB_HOST", "Check DB_HOST."],
  [
    "try again; if this persists, an operator must look at Prometheus",
    "Try again; if this persists, look at Prometheus.",
  ],
  ["did you mean users?", "Did you mean users?"],
  [undefined, undefined],
];
for (const [hint, said] of cases) {
  Deno.test(`--check speaks to the operator: ${hint}`, () => {
    assert.equal(checkHint(new CallError("unavailable", "Cannot do it", { hint })), said);
  });
}
