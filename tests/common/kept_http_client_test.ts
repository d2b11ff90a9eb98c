import assert from "@std/assert";
import { KeptHttpClient } from "../../src/common/kept_http_client.ts";

const start = Date.UTC(2026, 0, 1);

const cases: readonly (readonly [string, number, string, boolean])[] = [
  ["a second later", 1_000, "a", true],
  ["other certificates", 1_000, "b", false],
  ["a laptop that slept for an hour", 3_600_000, "a", false],
  ["a clock that was set back", -3_600_000, "a", false],
];
for (const [what, later, from, isKept] of cases) {
  Deno.test(`an HTTP client is ${isKept ? "kept" : "made anew"}: ${what}`, () => {
    let now = start;
    const kept = new KeptHttpClient(() => now);
    const make = () => Deno.createHttpClient({});
    const first = kept.current("a", make);
    now += later;
    assert.equal(kept.current(from, make) === first, isKept);
    kept.close();
  });
}

Deno.test("an HTTP client that was silent is not used again, and another one in its place stays", () => {
  const kept = new KeptHttpClient(() => start);
  const make = () => Deno.createHttpClient({});
  const silent = kept.current("a", make);
  kept.forsake(silent);
  const next = kept.current("a", make);
  assert.notEqual(next, silent);
  kept.forsake(silent);
  assert.equal(kept.current("a", make), next);
  kept.close();
});
