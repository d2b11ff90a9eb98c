import assert from "@std/assert";
import { objectsIn } from "../../src/postgres/tree_walk.ts";

const names = (tree: unknown, closed: readonly string[] = []) =>
  [...objectsIn(tree, (key) => closed.includes(key))].flatMap(({ name }) => name ?? []);

Deno.test("each object comes before those inside it, in their order", () => {
  const tree = { name: 1, list: [{ name: 2, inner: { name: 3 } }, null, { name: 4 }], last: { name: 5 } };
  assert.deepEqual(names(tree), [1, 2, 3, 4, 5]);
  assert.deepEqual(names(tree, ["inner", "last"]), [1, 2, 4]);
});

Deno.test("a tree may be as deep and as wide as a statement can be", () => {
  let deep: unknown = { name: "bottom" };
  for (let level = 0; level < 100_000; level++) deep = [{ deep }];
  assert.deepEqual(names(deep), ["bottom"]);
  assert.equal(names(Array.from({ length: 300_000 }, (_, name) => ({ name }))).length, 300_000);
});
