import assert from "@std/assert";
import fc from "fast-check";
import { nearest } from "../../src/common/nearest.ts";

const cases:
  readonly (readonly [name: string, candidates: readonly string[], expected: readonly string[]])[] = [
    ["usrs", ["public.todos", "public.users"], ["public.users"]],
    ["user", ["user_events", "audit.users", "users", "todos"], ["users", "audit.users", "user_events"]],
    ["public.user", ["audit.users", "public.users"], ["public.users", "audit.users"]],
    ["Users", ["users"], ["users"]],
    ["user-service", ["user_service", "order_service"], ["user_service"]],
    ["qurey_database", ["query_database", "list_tables"], ["query_database"]],
    ["events", ["service_events_2024"], ["service_events_2024"]],
    ["x", ["y", "z"], []],
    ["zebra", ["users", "todos"], []],
    ["", ["users"], []],
    ["todo", ["todo", "todos", "todo"], ["todo", "todos"]],
  ];
for (const [name, candidates, expected] of cases) {
  Deno.test(`nearest to ${JSON.stringify(name)} of ${candidates.join(", ")}`, () => {
    assert.deepEqual(nearest(name, candidates), expected);
  });
}

Deno.test("nearest gives no more than it is asked for", () => {
  const tables = Array.from({ length: 20_000 }, (_, index) => `public.table_${index}`);
  assert.equal(nearest("tabel_77", tables, 3).length, 3);
  assert.equal(nearest("table_77", tables, 3)[0], "public.table_77");
  assert.deepEqual(nearest("table_77", tables, 0), []);
});

Deno.test("nearest finds a name with two neighbours swapped, first", () => {
  const name = fc.stringMatching(/^[a-z]{6,20}$/);
  fc.assert(fc.property(name, fc.nat(4), fc.array(name), (wanted, at, others) => {
    const swapped = wanted.slice(0, at) + wanted.charAt(at + 1) + wanted.charAt(at) + wanted.slice(at + 2);
    fc.pre(!others.includes(swapped));
    const found = nearest(swapped, [...others, wanted], 50);
    assert.ok(found.includes(wanted));
    assert.ok(found.every((candidate) => candidate === wanted || others.includes(candidate)));
  }));
});
