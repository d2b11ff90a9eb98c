import assert from "@std/assert";
import { errorLines } from "../../src/platform/error_lines.ts";

Deno.test("error_lines: repeated lines are one, but for their numbers, and the latest stands last", () => {
  const lines = [
    "2026-01-02 INFO started",
    "ERROR connection 17 refused",
    "panic: out of range",
    "ERROR connection 18 refused",
    "GET /health 200 errors=0",
    '{"level":"info","error":null}',
  ];
  assert.deepEqual(errorLines(lines), [
    { text: "panic: out of range", count: 1 },
    { text: "ERROR connection 18 refused", count: 2 },
  ]);
});

Deno.test("error_lines: none is none, and of many the last are kept", () => {
  assert.deepEqual(errorLines(["all is well", ""]), []);
  const many = Array.from({ length: 20 }, (_, index) => `error ${String.fromCharCode(97 + index)}`);
  assert.deepEqual(errorLines(many, 2).map(({ text }) => text), ["error s", "error t"]);
});
