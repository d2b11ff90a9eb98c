/** A wall clock that jumps, as when a computer wakes or its time is set: waiting times go by another one. */
import assert from "@std/assert";
import { Cache } from "../../src/common/cache.ts";
import { CallError } from "../../src/common/errors.ts";
import { RateLimiter } from "../../src/common/rate_limit.ts";

const day = 86_400_000;

/** Runs `work` with a wall clock that is so many milliseconds off. */
function withClock(offset: number, work: () => void): void {
  const now = Date.now;
  Date.now = () => now() + offset;
  try {
    work();
  } finally {
    Date.now = now;
  }
}

for (const [what, offset] of [["ahead", day], ["back", -day]] as const) {
  Deno.test(`a clock that jumps a day ${what} neither frees nor locks out a client, and an answer stays as old as it is`, () => {
    const limiter = new RateLimiter(2);
    const cache = new Cache<string>(60);
    limiter.admit("client", "tool");
    limiter.admit("client", "tool");
    cache.set("key", "value");
    withClock(offset, () => {
      assert.throws(() => limiter.admit("client", "tool"), CallError);
      const { value, ageMs = NaN } = cache.get("key") ?? {};
      assert.equal(value, "value");
      assert.ok(ageMs >= 0 && ageMs < 60_000, `${ageMs} ms old`);
    });
  });
}
