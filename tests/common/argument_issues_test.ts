import assert from "@std/assert";
import * as z from "zod";
import { explainIssues } from "../../src/common/argument_issues.ts";
import { defineTool } from "../../src/common/tool.ts";

const tool = defineTool({
  name: "look",
  title: "Look",
  description: "Looks",
  input: z.strictObject({
    name: z.string().min(1).max(63),
    text: z.string().optional(),
    limit: z.int().min(1).max(1_000).default(20),
    offset: z.int().min(0).optional(),
    objective: z.number().gt(0).lt(100).optional(),
    state: z.enum(["up", "down", "all"]).default("all"),
    wide: z.boolean().optional(),
    quantiles: z.array(z.number().gt(0)).min(1).max(3).optional(),
    values: z.array(z.union([z.string(), z.number(), z.boolean(), z.null()])).optional(),
    known: z.record(z.string(), z.string()).optional(),
  }),
  output: z.object({}),
  run: () => Promise.resolve(),
  present: () => ({ text: "", structured: {}, rows: 0 }),
});
const names = "name, text, limit, offset, objective, state, wide, quantiles, values, known";

/** JSON as it comes over the wire, beside a good `name` unless it is the name that is bad. */
const cases: readonly (readonly [json: string, says: string])[] = [
  ["{}", "name is missing: it must be a string"],
  ['{"name": null}', "name must be a string, not null"],
  ['{"name": 5}', "name must be a string, not the number 5"],
  ['{"name": true}', "name must be a string, not true"],
  ['{"name": []}', "name must be a string, not an array"],
  ['{"name": {"constructor": {"prototype": 1}}}', "name must be a string, not an object"],
  ['{"name": ""}', "name must be a string of 1 to 63 characters, not an empty one"],
  [`{"name": "${"x".repeat(6_000)}"}`, "name must be a string of 1 to 63 characters, not one of 6,000"],
  ['{"name": "a", "text": null}', "text must be a string, or left out, not null"],
  ['{"name": "a", "limit": 0}', "limit must be a whole number from 1 to 1,000, not 0"],
  ['{"name": "a", "limit": 1001}', "limit must be a whole number from 1 to 1,000, not 1001"],
  ['{"name": "a", "limit": 1.5}', "limit must be a whole number from 1 to 1,000, not 1.5"],
  ['{"name": "a", "limit": "5"}', 'limit must be a whole number from 1 to 1,000, not the string "5"'],
  ['{"name": "a", "limit": "NaN"}', 'limit must be a whole number from 1 to 1,000, not the string "NaN"'],
  ['{"name": "a", "limit": 1e999}', "limit must be a whole number from 1 to 1,000, not Infinity"],
  ['{"name": "a", "limit": null}', "limit must be a whole number from 1 to 1,000, or left out, not null"],
  ['{"name": "a", "offset": -1}', "offset must be a whole number of at least 0, not -1"],
  ['{"name": "a", "objective": 100}', "objective must be a number above 0 and below 100, not 100"],
  ['{"name": "a", "state": "dwon"}', 'state must be "up", "down" or "all", not "dwon"'],
  ['{"name": "a", "state": 1}', 'state must be "up", "down" or "all", not the number 1'],
  ['{"name": "a", "wide": "yes"}', 'wide must be true or false, not the string "yes"'],
  ['{"name": "a", "quantiles": 0.5}', "quantiles must be an array, not 0.5"],
  ['{"name": "a", "quantiles": []}', "quantiles must be an array of 1 to 3 items, not one of 0"],
  ['{"name": "a", "quantiles": [1,1,1,1]}', "quantiles must be an array of 1 to 3 items, not one of 4"],
  [
    '{"name": "a", "quantiles": [1,"p99",null]}',
    'quantiles[1] must be a number above 0, not the string "p99"; quantiles[2] must be a number above 0, not null',
  ],
  [
    '{"name": "a", "values": [{"__proto__": 1}]}',
    "values[0] must be a string, a number, true or false or null, not an object",
  ],
  ['{"name": "a", "known": {"b": 1}}', "known.b must be a string, not the number 1"],
  ['{"name": "a", "txt": 1}', `unknown argument "txt"; the arguments are ${names}`],
  ['{"name": "a", "__proto__": 1}', `unknown argument "__proto__"; the arguments are ${names}`],
  [
    '{"name": "a", "constructor": 1, "prototype": 1}',
    `unknown arguments "constructor", "prototype"; the arguments are ${names}`,
  ],
  [
    '{"name": "a", "password=hunter2": 1, "\\u202e": 1}',
    `unknown arguments "password=***", "\\\\u{202e}"; the arguments are ${names}`,
  ],
  [
    '{"nmae": "a", "limit": -1}',
    "name is missing: it must be a string; limit must be a whole number from 1 to 1,000, not -1; " +
    `unknown argument "nmae"; the arguments are ${names}`,
  ],
  [
    '{"limit": "x", "offset": "x", "objective": "x", "state": "x", "wide": "x", "quantiles": "x"}',
    "name is missing: it must be a string; " +
    'limit must be a whole number from 1 to 1,000, not the string "x"; ' +
    'offset must be a whole number of at least 0, not the string "x"; ' +
    'objective must be a number above 0 and below 100, not the string "x"; ' +
    'state must be "up", "down" or "all", not "x"; and 2 more',
  ],
  ["5", "arguments must be an object, not 5"],
];

function explain(args: unknown): string {
  const { error } = tool.input.safeParse(args);
  return error === undefined ? "nothing is wrong" : explainIssues(tool, error, args);
}

for (const [json, says] of cases) {
  Deno.test(`bad arguments are worded: ${json.slice(0, 80)}`, () => {
    assert.equal(explain(JSON.parse(json)), `Cannot call look with these arguments: ${says}`);
  });
}

Deno.test("what came is shown short, visible, and without its secrets", () => {
  const args = { name: "a", state: `postgres://u:hunter2@h/\u202e${"x".repeat(100)}` };
  const words = explain(args);
  assert.match(words, /not "postgres:\/\/u:\*\*\*@h\/\\\\u\{202e\}x+…"$/);
  assert.ok(words.length < 150, words);
});
