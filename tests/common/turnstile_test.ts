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
