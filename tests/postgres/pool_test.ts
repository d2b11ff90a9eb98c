import assert from "@std/assert";
import { asClient } from "../../src/common/asking_client.ts";
import { Pool } from "../../src/postgres/pool.ts";
import type { Session } from "../../src/postgres/session.ts";

const never = new AbortController().signal;

/** A pool of sessions that are only counted. */
function counted(size: number): { readonly pool: Pool; readonly opened: () => number } {
  let opened = 0;
  const open = () => {
    opened++;
    return Promise.resolve({ failure: undefined, close: () => Promise.resolve() } as unknown as Session);
  };
  return { pool: new Pool({ size, open }), opened: () => opened };
}

const take = (pool: Pool, timeoutMs = 10_000) => pool.take({ signal: never, timeoutMs });

Deno.test("a session on its way back is taken again, and no other opened", async () => {
  const { pool, opened } = counted(2);
  const { session } = await take(pool);
  const clean = Promise.withResolvers<boolean>();
  pool.give(session, clean.promise);
  const next = take(pool);
  clean.resolve(true);
  assert.equal((await next).session, session);
  assert.equal(opened(), 1);
});

Deno.test("one that never comes back is not waited for where there is room for another", async () => {
  const { pool, opened } = counted(2);
  const { session } = await take(pool);
  const clean = Promise.withResolvers<boolean>();
  pool.give(session, clean.promise);
  assert.notEqual((await take(pool)).session, session);
  assert.equal(opened(), 2);
  // No room: both are taken, one of them by nobody who could give it back.
  await assert.rejects(take(pool, 300), /as all 2 are busy/);
  assert.deepEqual(pool.use, { busy: 2, idle: 0, waiting: 0 });
  clean.resolve(false);
});

Deno.test("of the calls that wait, the one whose client has the fewest connections is next", async () => {
  const { pool } = counted(2);
  const ask = (client: string) =>
    asClient(client, async () => ({ client, session: (await take(pool)).session }));
  const served = [await ask("alice"), await ask("alice")];
  const waiting = new Set(["alice", "alice", "bob", "bob", "carol"].map((client) => {
    const call = ask(client).then((one) => {
      waiting.delete(call);
      return one;
    });
    return call;
  }));
  const order: string[] = [];
  while (waiting.size > 0) {
    const first = served.shift();
    if (first !== undefined) pool.give(first.session, Promise.resolve(true));
    const next = await Promise.race(waiting);
    served.push(next);
    order.push(next.client);
  }
  assert.deepEqual(order, ["bob", "alice", "bob", "alice", "carol"]);
  for (const { session } of served) pool.give(session, Promise.resolve(false));
  await pool.clear();
  assert.deepEqual(pool.use, { busy: 0, idle: 0, waiting: 0 });
});
