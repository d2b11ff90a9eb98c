import assert from "@std/assert";
import { type Exchange, Exchanges } from "../../src/common/http/exchanges.ts";

/** As many as that client gets. */
function fill(exchanges: Exchanges, client: string): readonly Exchange[] {
  const taken: Exchange[] = [];
  for (let one = exchanges.begin(client); one !== undefined; one = exchanges.begin(client)) taken.push(one);
  return taken;
}

Deno.test("a client takes half of what is left, and there is a place for another after that", () => {
  const exchanges = new Exchanges(128);
  const alice = fill(exchanges, "alice");
  assert.equal(alice.length, 64);
  const shares = ["bob", "carol", "dave", "erin", "frank", "grace"].map((name) =>
    fill(exchanges, name).length
  );
  assert.deepEqual(shares, [32, 16, 8, 4, 2, 1]);
  assert.equal(exchanges.size, 127);
  assert.ok(exchanges.begin("heidi") !== undefined);
  assert.equal(exchanges.begin("ivan"), undefined);
});

Deno.test("what has ended is free for whoever comes, once", async () => {
  const exchanges = new Exchanges(4);
  const [first, second] = fill(exchanges, "alice");
  assert.equal(exchanges.size, 2);
  first?.end();
  first?.end();
  assert.equal(exchanges.size, 1);
  const others = [...fill(exchanges, "alice"), ...fill(exchanges, "bob")];
  assert.equal(others.length, 2);
  exchanges.abort();
  assert.equal(first?.signal.aborted, false);
  assert.equal(second?.signal.aborted, true);
  const idle = exchanges.idle();
  second?.end();
  for (const { end } of others) end();
  await idle;
  assert.equal(exchanges.size, 0);
});

Deno.test("bytes are shared as places are, and free again when what held them has ended", () => {
  const exchanges = new Exchanges(128, 1_000);
  const [alice, bob] = [exchanges.begin("alice"), exchanges.begin("bob")];
  assert.equal(alice?.hold(501), false);
  assert.equal(alice?.hold(400), true);
  assert.equal(exchanges.begin("alice")?.hold(101), false);
  assert.equal(bob?.hold(300), true);
  assert.equal(alice?.hold(100), false);
  alice?.end();
  alice?.end();
  assert.equal(alice?.hold(1), false);
  assert.equal(bob?.hold(200), true);
});
