import assert from "@std/assert";
import fc from "fast-check";
import { CallError } from "../../src/common/errors.ts";
import { durationSeconds, formatDuration, parseDuration, parseTime, utc } from "../../src/prometheus/time.ts";
import { refusal } from "../support/rejection.ts";

Deno.test.each([
  ["90m", 5400],
  ["1d12h", 129_600],
  ["1w", 604_800],
  ["1y", 31_536_000],
  ["500ms", 0.5],
  ["1s500ms", 1.5],
  ["0s", 0],
  ["12h1d", undefined],
  ["1.5h", undefined],
  ["5", undefined],
  ["", undefined],
  ["m", undefined],
  ["300y", undefined],
])("a duration as Prometheus writes it: %s", (text, seconds) => {
  assert.equal(durationSeconds(text), seconds);
});

Deno.test("an argument may be plain seconds too, and must be above zero", () => {
  assert.equal(parseDuration("300"), 300);
  assert.equal(parseDuration(" 5m "), 300);
  for (const text of ["0s", "0", "-5m", "0.0001"]) assert.throws(() => parseDuration(text), CallError);
});

Deno.test.each([
  ["1.5h", /did you mean 1h30m\?/],
  ["90 minutes", /did you mean 1h30m\?/],
  ["1 day and 12 hours", /did you mean 1d12h\?/],
  ["24hours", /did you mean 1d\?/],
  ["1 month", /30s, 5m, 1h, 1d12h, 2w/],
  ["soon", /30s, 5m, 1h, 1d12h, 2w/],
])("a duration in other words is refused with the one that is meant: %s", (text, hint) => {
  const error = refusal(() => parseDuration(text, "step"));
  assert.equal(error.kind, "invalid");
  assert.equal(error.message, `Cannot read step ${JSON.stringify(text)} as a duration`);
  assert.match(error.hint ?? "", hint);
});

Deno.test.each([
  [5400, "1h30m"],
  [86_400, "1d"],
  [604_800, "1w"],
  [1_209_600, "2w"],
  [691_200, "8d"],
  [0.25, "250ms"],
  [90.5, "1m30s500ms"],
  [0, "0s"],
  [-300, "-5m"],
])("%s seconds read %s", (seconds, text) => {
  assert.equal(formatDuration(seconds), text);
});

Deno.test("what is written is read again", () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 9_000_000_000_000 }), (ms) => {
    assert.equal(durationSeconds(formatDuration(ms / 1000)), ms / 1000);
  }));
});

const now = 1_795_393_800;

Deno.test.each([
  ["now", now],
  ["NOW-1h", now - 3600],
  ["now - 1d12h", now - 129_600],
  ["now+5m", now + 300],
  ["2026-11-22T00:05:00Z", 1_795_305_900],
  ["2026-11-22t00:05:00z", 1_795_305_900],
  ["2026-11-22T01:05:00+01:00", 1_795_305_900],
  ["2026-11-21T18:35:00-0530", 1_795_305_900],
  ["2026-11-22T00:05:00", 1_795_305_900],
  ["2026-11-22 00:05", 1_795_305_900],
  ["2026-11-22 00:05:00 UTC", 1_795_305_900],
  ["2026-11-22T00:05:00.250Z", 1_795_305_900.25],
  ["2026-11-22", 1_795_305_600],
  ["1795305900", 1_795_305_900],
  ["1795305900.5", 1_795_305_900.5],
  ["1795305900123", 1_795_305_900.123],
])("a time as people write it: %s", (text, seconds) => {
  assert.equal(parseTime(text, now), seconds);
});

Deno.test.each([
  "yesterday",
  "today",
  "",
  "12",
  "1795305900123456",
  "2026-02-30",
  "2026-13-01T00:00:00Z",
  "2026-11-22T25:00:00Z",
  "now-1.5h",
  "now-",
  "Nov 22 2026",
  "NaN",
])("a time that could mean anything is refused with the forms that work: %s", (text) => {
  const error = refusal(() => parseTime(text, now, "start"));
  assert.equal(error.kind, "invalid");
  assert.match(error.message, /^Cannot read start "/);
  assert.match(
    error.hint ?? "",
    /now-1h, .*RFC 3339 such as 2026-11-22T00:05:00Z.*epoch seconds or milliseconds/,
  );
});

Deno.test("a distance alone is refused with the time it may mean", () => {
  for (const text of ["-1h", "1h ago", "1h"]) {
    const error = refusal(() => parseTime(text, now));
    assert.match(error.hint ?? "", /^did you mean now-1h\?/);
  }
});

Deno.test("UTC has milliseconds only where there are any", () => {
  assert.equal(utc(1_795_305_900), "2026-11-22T00:05:00Z");
  assert.equal(utc(1_795_305_900.25), "2026-11-22T00:05:00.250Z");
  assert.equal(utc(1e20), "epoch 100000000000000000000");
});

Deno.test("what a text of any length may have meant is not searched for", () => {
  for (const text of ["1 day ".repeat(200), "1".repeat(900_000)]) {
    assert.match(refusal(() => parseDuration(text)).hint ?? "", /^write it as Prometheus does/);
  }
  for (const text of ["1d".padEnd(300) + "ago", `${" ".repeat(900_000)}a${" ".repeat(900_000)}b`]) {
    assert.doesNotMatch(refusal(() => parseTime(text, 1_800_000_000)).hint ?? "", /did you mean/);
  }
});
