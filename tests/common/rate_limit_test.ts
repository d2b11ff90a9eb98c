import assert from "@std/assert";
import { CallError } from "../../src/common/errors.ts";
import { RateLimiter } from "../../src/common/rate_limit.ts";

function limited(call: () => void): CallError {
  try {
    call();
  } catch (error) {
    if (error instanceof CallError && error.kind === "limited") return error;
    throw error;
  }
  throw new Error("the call was admitted");
}

Deno.test("a client may call a tool as often as the limit says, and then waits for the oldest call to age", () => {
  let now = 0;
  const limiter = new RateLimiter(3, () => now);
  for (now of [0, 10_000, 20_000]) limiter.admit("a", "query");
  now = 25_500;
  assert.match(limited(() => limiter.admit("a", "query")).hint ?? "", /Wait 35 s/);
  now = 59_999;
  assert.match(limited(() => limiter.admit("a", "query")).hint ?? "", /Wait 1 s/);
  now = 60_000;
  limiter.admit("a", "query");
  assert.match(limited(() => limiter.admit("a", "query")).hint ?? "", /Wait 10 s/);
});

Deno.test("clients and tools are counted apart, whatever is in their names", () => {
  const limiter = new RateLimiter(1, () => 0);
  for (
    const [client, tool] of [["a", "b"], ["a", "c"], ["b", "b"], ["ab", "c"], ["a", "bc"], ['a","b', "c"], [
      "a",
      'b","c',
    ]]
  ) {
    limiter.admit(client ?? "", tool ?? "");
  }
  limited(() => limiter.admit("a", "b"));
});

Deno.test("a refused call does not count", () => {
  let now = 0;
  const limiter = new RateLimiter(1, () => now);
  limiter.admit("a", "b");
  for (now = 1_000; now < 60_000; now += 1_000) limited(() => limiter.admit("a", "b"));
  limiter.admit("a", "b");
});

Deno.test("0 turns the limit off", () => {
  const limiter = new RateLimiter(0, () => 0);
  for (let call = 0; call < 1_000; call++) limiter.admit("a", "b");
});

Deno.test("many clients that come and go leave nothing behind that refuses the next, and make room for nobody", () => {
  let now = 0;
  const limiter = new RateLimiter(1, () => now);
  for (let client = 0; client <= 4_000; client++) {
    now += 100;
    limiter.admit(`client ${client}`, "b");
  }
  for (const client of [3_500, 3_999, 4_000]) limited(() => limiter.admit(`client ${client}`, "b"));
  limiter.admit("client 0", "b");
});
