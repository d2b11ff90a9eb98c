import assert from "@std/assert";
import { Environment } from "../../src/common/env.ts";
import { StartError } from "../../src/common/errors.ts";
import { readEventsTable } from "../../src/platform/activity.ts";

const read = (text: string | undefined) =>
  readEventsTable(new Environment({ get: () => text, readFile: () => "" }));

const good: readonly (readonly [string | undefined, readonly (string | undefined)[]])[] = [
  [undefined, [undefined, "events", "service", "timestamp"]],
  ["Audit.Log ( Who , At )", ["audit", "log", "who", "at"]],
  ['"A.B"."c (d)"("x, y", "z""z")', ["A.B", "c (d)", "x, y", 'z"z']],
];
for (const [text, expected] of good) {
  Deno.test(`DB_EVENTS: ${text ?? "unset"}`, () => {
    const { schema, table, service, timestamp } = read(text);
    assert.deepEqual([schema, table, service, timestamp], expected);
  });
}

for (
  const text of [
    "events",
    "events()",
    "events(service)",
    "events(a, b, c)",
    "a.b.c(d, e)",
    "events(a, b); drop",
    '"events(a, b)',
    "events(1a, b)",
  ]
) {
  Deno.test(`DB_EVENTS must name a table and two columns: ${text}`, () => {
    assert.throws(() => read(text), StartError);
  });
}
