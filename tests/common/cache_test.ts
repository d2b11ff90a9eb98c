import assert from "@std/assert";
import { Cache } from "../../src/common/cache.ts";

Deno.test("a value is kept for its time, and the oldest goes when there are too many", () => {
  let now = 0;
  const cache = new Cache<string>(1, { maxEntries: 2, now: () => now });
  cache.set("a", "1");
  now = 999;
  assert.deepEqual(cache.get("a"), { value: "1", ageMs: 999 });
  cache.set("b", "2");
  cache.set("c", "3");
  assert.deepEqual(["a", "b", "c"].map((key) => cache.get(key)?.value), [undefined, "2", "3"]);
  now = 1_999;
  assert.equal(cache.get("c"), undefined);
});

Deno.test("the oldest goes when all together are too large, and what is too large alone is not kept", () => {
  const cache = new Cache<string>(1, { maxSize: 10, sizeOf: (value) => value.length });
  const kept = () => ["a", "b", "c"].filter((key) => cache.get(key) !== undefined);
  cache.set("a", "1234");
  cache.set("b", "1234");
  cache.set("c", "12");
  assert.deepEqual(kept(), ["a", "b", "c"]);
  cache.set("c", "123");
  assert.deepEqual(kept(), ["b", "c"]);
  cache.set("a", "12345678901");
  assert.deepEqual(kept(), []);
  cache.set("a", "1234567890");
  assert.deepEqual(kept(), ["a"]);
});
