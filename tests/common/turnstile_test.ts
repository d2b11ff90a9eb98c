import assert from "@std/assert";
import { asClient } from "../../src/common/asking_client.ts";
import { Turnstile } from "../../src/common/turnstile.ts";

const never = new AbortController().signal;

Deno.test("of those that wait, the one whose client has the fewest places is next", async () => {
  const turnstile = new Turnstile(2);
  const order: string[] = [];
  const pass = (client: string) =>
    asClient(client, () =>
      turnstile.pass(never, () => {
        order.push(client);
        return new Promise<void>((resolve) => setTimeout(resolve, 0));
      }));
  await Promise.all(["alice", "alice", "alice", "alice", "bob", "bob"].map(pass));
  assert.deepEqual(order, ["alice", "alice", "bob", "alice", "bob", "alice"]);
  assert.deepEqual([turnstile.taken, turnstile.waiting], [0, 0]);
});

Deno.test("a reserved place is for a client that has none", async () => {
  const turnstile = new Turnstile(3, 1);
  const entered: string[] = [];
  const enter = (client: string) =>
    asClient(client, async () => {
      const leave = await turnstile.enter(never);
      entered.push(client);
      return leave;
    });
  const first = await enter("alice");
  const second = await enter("alice");
  const third = enter("alice");
  const bob = await enter("bob");
  const more = enter("bob");
  assert.deepEqual(entered, ["alice", "alice", "bob"]);
  bob();
  // Whoever waits and has none now goes first; the last place stays free for another.
  (await more)();
  assert.deepEqual([turnstile.taken, turnstile.waiting], [2, 1]);
  first();
  (await third)();
  second();
  assert.deepEqual(entered, ["alice", "alice", "bob", "bob", "alice"]);
  assert.deepEqual([turnstile.taken, turnstile.waiting], [0, 0]);
});

Deno.test("one that gives up leaves its turn to the next", async () => {
  const turnstile = new Turnstile(1);
  const leaves = Promise.withResolvers<void>();
  const first = turnstile.pass(never, () => leaves.promise);
  const gives = new AbortController();
  const second = turnstile.pass(gives.signal, () => Promise.resolve("second"));
  const third = turnstile.pass(never, () => Promise.resolve("third"));
  gives.abort(new Error("enough"));
  await assert.rejects(second, /enough/);
  leaves.resolve();
  await first;
  assert.equal(await third, "third");
  assert.deepEqual([turnstile.taken, turnstile.waiting], [0, 0]);
});

Deno.test("one that has given up before takes no place", async () => {
  const turnstile = new Turnstile(1);
  await assert.rejects(turnstile.enter(AbortSignal.abort(new Error("enough"))), /enough/);
  assert.equal(turnstile.taken, 0);
});
