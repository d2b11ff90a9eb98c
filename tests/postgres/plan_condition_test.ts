import assert from "@std/assert";
import { loadParser } from "../../src/postgres/parser.ts";
import { readCondition } from "../../src/postgres/plan_condition.ts";
import { expressionOf } from "../../src/postgres/plan_expression.ts";

/** The parser can't be loaded where the cache must not be read: these tests are then skipped by name. */
const loaded = await loadParser().then(() => true, (error) => {
  if (Deno.permissions.querySync({ name: "read" }).state !== "granted") return false;
  throw error;
});

/** A condition as EXPLAIN prints it, and its comparisons as `alias.wrapper(column)::cast how`. */
const cases: readonly (readonly [string, readonly string[]])[] = [
  ["(t.a = 5)", ["t.a equal"]],
  ["(5 = t.a)", ["t.a equal"]],
  ["((t.a = 5) AND (t.b > 'x'::text))", ["t.a equal", "t.b range"]],
  ["((t.a = 5) AND ((t.b = 1) OR (t.c = 2)))", ["t.a equal"]],
  ["(t.a = ANY ('{1,2}'::integer[]))", ["t.a equal"]],
  ["(t.a <> 5)", []],
  ["(t.a = t.b)", []],
  ["(t.a = u.b)", ["t.a equal", "u.b equal"]],
  ["((t.a + 1) = 5)", []],
  ["(t.a IS NULL)", ["t.a equal"]],
  ["(t.a IS NOT NULL)", []],
  ["(NOT t.done)", ["t.done equal"]],
  ["t.done", ["t.done equal"]],
  ["((t.name)::text = 'x'::text)", ["t.name::text equal"]],
  ["(lower((t.name)::text) = 'x'::text)", ["t.lower(name)::text equal"]],
  ["((length(t.name))::text = '7'::text)", []],
  ["((lower(t.name))::text = '7'::text)", ["t.lower(name) equal"]],
  ["((((t.name)::integer)::text) = '7'::text)", []],
  ["(t.name ~~ 'x%'::text)", ["t.name prefix"]],
  ["(t.name ~~ '%x%'::text)", ["t.name part"]],
  ["(t.name ~~* 'x%'::text)", ["t.name part"]],
  ['("T"."Mixed ""Name" = $0)', ['T.Mixed "Name equal']],
  ["(t.a = (InitPlan 1).col1)", ["t.a equal"]],
  ["((t.a = (InitPlan 1).col2) AND (t.b > 5))", ["t.a equal", "t.b range"]],
  ["(NOT (hashed SubPlan 1))", []],
  ["((NOT (hashed SubPlan 1)) AND (t.b > 5))", ["t.b range"]],
  ["((alternatives: SubPlan 1 or hashed SubPlan 2) AND (t.b > 5))", ["t.b range"]],
  ["((NOT (ANY (t.a = (hashed SubPlan 1).col1))) AND (t.b > 5))", ["t.b range"]],
  ["((ANY ((t.a = (SubPlan 1).col1) AND (t.b = (SubPlan 1).col2))) AND (t.c = 5))", ["t.c equal"]],
  ["((EXISTS(SubPlan 1)) AND (t.b > 5))", ["t.b range"]],
  // It depends on the row.
  ["(t.a = (SubPlan 1))", []],
  // An index on the first column begins where the rows do.
  ["(ROW(t.a, t.b) > ROW(1, 2))", ["t.a range"]],
  ["(ROW(1, 2) >= ROW(t.a, t.b))", ["t.a range"]],
  ["(ROW(t.a, t.b) > ROW(t.c, 2))", []],
  ["(ROW((t.a + 1), t.b) > ROW(1, 2))", []],
  ["(t.a = 'it''s; drop table x'::text)", ["t.a equal"]],
  ["((t.a = 1)", []],
  ["1; delete from x", []],
];

for (const [text, expected] of cases) {
  Deno.test({
    name: `the comparisons of ${text}`,
    ignore: !loaded,
    fn() {
      const found = readCondition(text).comparisons.map(({ alias, column, wrapper, cast, how }) => {
        const wrapped = wrapper === undefined ? column : `${wrapper}(${column})`;
        return `${alias}.${wrapped}${cast === undefined ? "" : `::${cast}`} ${how}`;
      });
      assert.deepEqual(found, expected);
    },
  });
}

Deno.test({
  name: "all columns of a condition are named, those under OR too",
  ignore: !loaded,
  fn() {
    assert.deepEqual(readCondition("((t.a = 5) AND ((t.b = 1) OR (lower(t.c) = t.a)))").columns, [
      "a",
      "b",
      "c",
    ]);
  },
});

/** A comparison, the type of its column, and what an index of it would hold. */
const expressions: readonly (readonly [string, string, string | undefined])[] = [
  ["((t.a)::text = 'x'::text)", "character varying", "a"],
  ["((t.a)::text = 'x'::text)", "integer", undefined],
  ["(lower((t.a)::text) = 'x'::text)", "character varying", "lower(a)"],
  // There is no lower(integer) nor abs(text).
  ["(lower((t.a)::text) = '5'::text)", "integer", undefined],
  ["(abs((t.a)::integer) = 5)", "text", undefined],
  // No order, and no btree, for these.
  ["(t.a IS NULL)", "json", undefined],
  ["(t.a IS NULL)", "point", undefined],
  ["(t.a = '5'::xid)", "xid", undefined],
  ["((t.a -> 'x'::text) IS NULL)", "json", undefined],
  ["((t.a ->> 'x'::text) = 'y'::text)", "json", "(a ->> 'x')"],
  ["((t.a -> 'x'::text) IS NULL)", "jsonb", "(a -> 'x')"],
];

for (const [text, type, expected] of expressions) {
  Deno.test({
    name: `an index for ${text} of ${type} holds ${expected ?? "nothing that would do"}`,
    ignore: !loaded,
    fn() {
      const [found] = readCondition(text).comparisons;
      if (found === undefined) throw new Error("not understood");
      assert.equal(expressionOf(found, { sql: "a", type, distinct: undefined }), expected);
    },
  });
}
