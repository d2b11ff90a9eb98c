/** How many rows a statement's own OFFSET passes over, by its text. */
import assert from "@std/assert";
import { loadParser } from "../../src/postgres/parser.ts";
import { offsetOf } from "../../src/postgres/plan_offset.ts";

/** The parser can't be loaded where the cache must not be read: these tests are then skipped by name. */
const loaded = await loadParser().then(() => true, (error) => {
  if (Deno.permissions.querySync({ name: "read" }).state !== "granted") return false;
  throw error;
});

const cases: readonly (readonly [string, number | undefined])[] = [
  ["select 1", undefined],
  ["select 1 limit 5", undefined],
  ["select 1 offset 50000", 50_000],
  ["select 1 order by 1 offset 50000 rows fetch first 5 rows with ties", 50_000],
  ["select 1 limit 5 offset 5000000000", 5_000_000_000],
  ["select 1 offset '50000'", 50_000],
  ["select 1 offset 50000::bigint", 50_000],
  ["select 1 offset $2", 70_000],
  ["select 1 offset $1", undefined],
  ["select 1 offset $3", undefined],
  ["select 1 offset $2::int", 70_000],
  ["select 1 offset 5 * 10000", undefined],
  ["select 1 offset (select 50000)", undefined],
  ["select 1 offset null", undefined],
  ["select 1 offset -5", undefined],
  ["select 1 offset 1.5", undefined],
  ["select 1 union select 2 offset 50000", 50_000],
  ["(select 1 offset 3) union (select 2 offset 4)", undefined],
  ["with c as (select 1 offset 3) select * from c", undefined],
  ["with c as (select 1) select * from c offset 3", 3],
  ["values (1), (2) offset 1", 1],
  ["select * from (select 1 offset 3) x", undefined],
];
for (const [sql, expected] of cases) {
  Deno.test({
    name: `the OFFSET of ${sql}`,
    ignore: !loaded,
    fn() {
      assert.equal(offsetOf(sql, ["x", "70000", null]), expected);
    },
  });
}
