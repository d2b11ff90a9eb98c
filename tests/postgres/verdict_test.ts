/**
 * Which functions may be called, by what the catalogue says of them, in the order in which the reasons count. That the
 * catalogue is read so is what `guard_catalogue_test.ts` and the corpus show.
 */
import assert from "@std/assert";
import { CallError } from "../../src/common/errors.ts";
import { allowedNames } from "../../src/postgres/allowed_functions.ts";
import type { FoundFunction } from "../../src/postgres/catalogue.ts";
import { judge, ownPath } from "../../src/postgres/verdict.ts";

/** A function of a user's, in SQL, that is like any other. */
const plain: FoundFunction = {
  oid: "20000",
  schema: "shop",
  name: "total",
  arguments: "integer, text",
  inputs: 2,
  defaults: 0,
  defaultValues: null,
  variadic: false,
  signature: "23 25",
  kind: "f",
  volatility: "v",
  language: "sql",
  definer: false,
  settings: null,
  body: "select 1",
  definition: null,
  makesRange: false,
  origin: "user",
  position: 1,
  named: true,
  parts: null,
  bound: null,
};
const builtin = { origin: "builtin", schema: "pg_catalog", language: "internal", volatility: "s" } as const;
const extension = { origin: "extension", schema: "public", language: "c", volatility: "i" } as const;

const ruled: readonly (readonly [string, Partial<FoundFunction>, string | RegExp])[] = [
  ["a user's function in SQL", {}, "read"],
  ["a user's function in plpgsql", { language: "plpgsql" }, "read"],
  ["a user's function in another language", { language: "plpython3u" }, /written in plpython3u/],
  ["a user's function in C", { language: "c" }, /written in c, which can't be checked/],
  ["a user's SECURITY DEFINER", { definer: true }, /SECURITY DEFINER/],
  ["a user's function named as one that acts", { name: "pg_sleep" }, "read"],
  ["one that sets how values look", { settings: ["DateStyle=ISO", "search_path=shop"] }, "read"],
  ["one that sets how it is planned", { settings: ["enable_seqscan=off", "Work_Mem=1GB"] }, "read"],
  [
    "one that lifts the timeout",
    { settings: ["statement_timeout=0"] },
    /it sets statement_timeout while it runs/,
  ],
  ["one that sets another role", { settings: ["work_mem=1GB", "role=boss"] }, /it sets role while it runs/],
  ["one that sets a name like a harmless one", { settings: ["x_enable_=1"] }, /it sets x_enable_/],
  ["an aggregate of a user's", { kind: "a", language: "internal" }, "accept"],
  ["the constructor of a user's range", { makesRange: true, language: "internal" }, "accept"],
  ["an aggregate that is SECURITY DEFINER all the same", { kind: "a", definer: true }, /SECURITY DEFINER/],
  ["a stable one of PostgreSQL", { ...builtin, name: "lower" }, "accept"],
  ["a volatile one that only reads", { ...builtin, name: "random", volatility: "v" }, "accept"],
  [
    "a volatile one that is not known",
    { ...builtin, name: "new_one", volatility: "v" },
    /volatile and not known/,
  ],
  [
    "one that acts, whatever its label",
    { ...builtin, name: "pg_sleep", volatility: "i" },
    /^Cannot call pg_sleep as/,
  ],
  ["an extension's in C", { ...extension, name: "similarity" }, "accept"],
  [
    "an extension's that is volatile",
    { ...extension, name: "similarity", volatility: "v" },
    /volatile and not known/,
  ],
  ["an extension's that acts", { ...extension, name: "dblink_exec" }, /^Cannot call dblink_exec as/],
  [
    "an extension's in plpgsql",
    { ...extension, language: "plpgsql", volatility: "v" },
    /volatile and not known/,
  ],
  ["one of PostgreSQL's own in plpgsql, which a user wrote", { ...builtin, language: "plpgsql" }, "read"],
];

const none = allowedNames([]);

function verdict(changes: Partial<FoundFunction>, allowed = none, count: number | undefined = 2): string {
  try {
    return judge({ ...plain, ...changes }, allowed, count);
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    assert.equal(error.kind, "refused");
    return error.message;
  }
}

for (const [what, changes, expected] of ruled) {
  Deno.test(`${what}: ${expected instanceof RegExp ? "refused" : expected}`, () => {
    const given = verdict(changes);
    if (expected instanceof RegExp) assert.match(given, expected);
    else assert.equal(given, expected);
  });
}

Deno.test("what is allowed by name is called whatever it is, but for what is known to act", () => {
  const allowed = allowedNames([
    "shop.total",
    "pg_sleep",
    "dblink_exec",
    "pg_read_file",
    "public.f(integer)",
  ]);
  for (const changes of [{ definer: true }, { language: "c" }, { settings: ["role=boss"] }]) {
    assert.equal(verdict(changes, allowed), "accept");
  }
  assert.match(verdict({ definer: true, schema: "other" }, allowed), /SECURITY DEFINER/);
  assert.match(verdict({ ...builtin, name: "pg_sleep" }, allowed), /^Cannot call pg_sleep/);
  assert.match(verdict({ ...extension, name: "dblink_exec" }, allowed), /^Cannot call dblink_exec/);
  assert.match(verdict({ ...builtin, name: "pg_read_file" }), /^Cannot call pg_read_file/);
  assert.equal(verdict({ ...builtin, name: "pg_read_file" }, allowed), "accept");
  const f = { ...extension, name: "f", volatility: "v" } as const;
  assert.equal(verdict({ ...f, arguments: "integer" }, allowed), "accept");
  assert.match(verdict({ ...f, arguments: "text" }, allowed), /volatile and not known/);
});

Deno.test("a setting is not read by a name that the text does not show", () => {
  const setting = { ...builtin, name: "current_setting" };
  assert.equal(verdict(setting, none, 1), "accept");
  const found = { ...plain, ...setting };
  assert.throws(() => judge(found, none, undefined), /Cannot call current_setting with a computed name/);
});

const paths: readonly (readonly [string, readonly string[] | RegExp])[] = [
  ["", []],
  ['""', []],
  ["shop, Pg_Catalog", ["shop", "pg_catalog"]],
  ['"Shop","a ""b"" c"', ["Shop", 'a "b" c']],
  ["x".repeat(70), ["x".repeat(63)]],
  // PostgreSQL cuts a name at 63 bytes, by its own encoding.
  [`"${"ü".repeat(29)}"`, ["ü".repeat(29)]],
  [`"${"ü".repeat(30)}"`, /can be read in more than one way/],
  ["shop,,x", /can be read in more than one way/],
  ['"shop', /can be read in more than one way/],
];
for (const [setting, expected] of paths) {
  Deno.test(`a function's own path: ${JSON.stringify(setting)}`, () => {
    const found = { ...plain, settings: ["work_mem=1MB", `search_path=${setting}`] };
    if (expected instanceof RegExp) assert.throws(() => ownPath(found), expected);
    else assert.deepEqual(ownPath(found), expected);
  });
}

Deno.test("a function without a path of its own has the caller's", () => {
  assert.equal(ownPath(plain), null);
});
