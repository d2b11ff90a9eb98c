import assert from "@std/assert";
import fc from "fast-check";
import { maskSecrets } from "../../src/common/secrets_mask.ts";

const masked: readonly (readonly [what: string, text: string, expected: string])[] = [
  ["IN", "select 1 where password in ('a', 'b''c')", "select 1 where password in ('***', '***')"],
  ["NOT IN", "u.api_key_hash NOT IN (E'a\\'b')", "u.api_key_hash NOT IN (E'***')"],
  ["a quoted name", `"Password" in ('a')`, `"Password" in ('***')`],
  [
    "the values of an INSERT",
    "insert into users (name, password) values ('u', 'p'), (lower('v'), 'q'); select 'kept'",
    "insert into users (name, password) values ('***', '***'), (lower('***'), '***'); select 'kept'",
  ],
  [
    "an INSERT that was cut off",
    "insert into users (name, password) values ('u', 'begin",
    "insert into users (name, password) values ('***', '***",
  ],
  [
    "a list that ends in a call",
    "secret in (f('x')) and name = 'kept'",
    "secret in (f('***')) and name = 'kept'",
  ],
];
for (const [what, text, expected] of masked) {
  Deno.test(`maskSecrets: ${what}`, () => {
    assert.equal(maskSecrets(text), expected);
    assert.equal(maskSecrets(expected), expected);
  });
}

const kept: readonly string[] = [
  "insert into users (name, mail) values ('u', 'm')",
  "select name in ('a', 'b') from t",
  "select password in (select hash from t) from users",
  "password in ($1, $2)",
  "values ('a')",
];
for (const text of kept) {
  Deno.test(`maskSecrets keeps ${JSON.stringify(text)}`, () => assert.equal(maskSecrets(text), text));
}

Deno.test("maskSecrets of lists twice is maskSecrets once, and takes no longer than the text is long", () => {
  const fragment = fc.constantFrom(
    ..."password| in (|not in (|) values (|(name, password|'|''|E'|\\|(|)|, (|,| |a|b1|***".split("|"),
  );
  fc.assert(
    fc.property(fc.array(fragment, { maxLength: 14 }), (fragments) => {
      const once = maskSecrets(fragments.join(""));
      assert.equal(maskSecrets(once), once);
    }),
    { numRuns: 20_000 },
  );
  for (const part of ["password in (", "(password) values (", ") values ('", "'", "password ", "not in "]) {
    maskSecrets(part.repeat(100_000));
  }
});
