import assert from "@std/assert";
import { errorLines, timesText } from "../../src/platform/error_lines.ts";

Deno.test("error_lines: repeated lines are one, but for their numbers, and the latest stands last", () => {
  const texts = [
    "2026-01-02 INFO started",
    "ERROR connection 17 refused",
    "panic: out of range",
    "ERROR connection 18 refused",
    "GET /health 200 errors=0",
    '{"level":"info","error":null}',
  ];
  const lines = texts.map((text, index) => ({ text, seconds: 100 + index }));
  assert.deepEqual(errorLines(lines), [
    { text: "panic: out of range", count: 1, last: 102_000 },
    { text: "ERROR connection 18 refused", count: 2, last: 103_000 },
  ]);
});

Deno.test("error_lines: none is none, and of many the last are kept", () => {
  const untimed = (text: string) => ({ text, seconds: undefined });
  assert.deepEqual(errorLines(["all is well", ""].map(untimed)), []);
  const many = Array.from({ length: 20 }, (_, index) => untimed(`error ${String.fromCharCode(97 + index)}`));
  assert.deepEqual(
    errorLines(many, { limit: 2 }).map(({ text, last }) => [text, last]),
    [["error s", undefined], ["error t", undefined]],
  );
});

Deno.test("error_lines: a line that is cut says so", () => {
  const untimed = (text: string) => ({ text, seconds: undefined });
  const [long, short] = errorLines([`error ${"x".repeat(400)}`, "error of a word  "].map(untimed));
  assert.match(long?.text ?? "", /^error x{294}…$/);
  assert.equal(short?.text, "error of a word");
});

Deno.test("error_lines: how often a line came, and when last", () => {
  const now = 1_000_000;
  assert.equal(timesText(6, now - 150_000, now), " (6 times, last 2m30s ago)");
  assert.equal(timesText(1, now - 150_000, now), " (2m30s ago)");
  assert.equal(timesText(6, undefined, now), " (6 times)");
  assert.equal(timesText(1, undefined, now), "");
  // A node's clock may be ahead.
  assert.equal(timesText(1, now + 60_000, now), " (0s ago)");
});
