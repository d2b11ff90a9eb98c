import assert from "@std/assert";
import { asClient } from "../../src/common/asking_client.ts";
import { Pool } from "../../src/postgres/pool.ts";
import { CallError } from "../../src/common/errors.ts";
import { ConnectionError } from "../../src/postgres/database_errors.ts";
import type { Session } from "../../src/postgres/session.ts";
import { until } from "../support/until.ts";

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

/** A pool of sessions that tell how they end, with a clock of its own. */
class Watched implements Disposable {
  readonly closed: Session[] = [];
  /** Of those, how many have ended. */
  ended = 0;
  readonly pool: Pool;
  readonly #wall = Date.now;
  now = 1_000_000;

  constructor(size: number, idleMs = 60_000) {
    Date.now = () => this.now;
    this.pool = new Pool({ size, idleMs, open: () => Promise.resolve(this.#open()) });
  }

  #open(): Session {
    const session = {
      failure: undefined,
      close: () => {
        this.closed.push(session);
        return new Promise<void>((resolve) => setTimeout(resolve, 0)).then(() => void this.ended++);
      },
    } as unknown as Session;
    return session;
  }

  /** Takes so many, and gives them back as clean as said. */
  async used(
    number: number,
    clean: () => Promise<boolean> = () => Promise.resolve(true),
  ): Promise<Session[]> {
    const { busy } = this.pool.use;
    const leases = [];
    for (let count = 0; count < number; count++) leases.push(await take(this.pool));
    for (const { session } of leases) this.pool.give(session, clean());
    await until("they are back", () => this.pool.use.busy === busy);
    return leases.map(({ session }) => session);
  }

  [Symbol.dispose](): void {
    Date.now = this.#wall;
  }
}

const lost = new ConnectionError(new CallError("unavailable", "the network has changed"));
const refused = new ConnectionError(new CallError("refused", "too large"));

Deno.test("connections that nobody uses are ended, each when its time is over", async () => {
  using watched = new Watched(2, 20);
  const { pool, closed } = watched;
  const [first, second] = [(await take(pool)).session, (await take(pool)).session];
  pool.give(first, Promise.resolve(true));
  await until("the first is back", () => pool.use.idle === 1);
  watched.now += 15;
  pool.give(second, Promise.resolve(true));
  await until("the second is back", () => pool.use.idle === 2);
  watched.now += 5;
  await until("the first is ended", () => closed.length > 0);
  assert.deepEqual(closed, [first]);
  assert.equal(pool.use.idle, 1);
  watched.now += 15;
  await until("the second is ended", () => closed.length === 2);
  assert.equal(pool.use.idle, 0);
});

for (
  const [what, ms] of [["has been idle while a computer slept", 60_000], [
    "has a clock set back",
    -1,
  ]] as const
) {
  Deno.test(`a connection that ${what} is not taken again`, async () => {
    using watched = new Watched(1);
    const [old] = await watched.used(1);
    watched.now += ms;
    const { session, used } = await take(watched.pool);
    assert.notEqual(session, old);
    assert.equal(used, false);
    assert.deepEqual(watched.closed, [old]);
  });
}

Deno.test("a connection that ends while it is idle is not taken again", async () => {
  using watched = new Watched(1);
  const { session } = await take(watched.pool);
  watched.pool.give(session, Promise.resolve(true));
  await until("it is back", () => watched.pool.use.idle === 1);
  session.failure = lost;
  assert.notEqual((await take(watched.pool)).session, session);
});

Deno.test("a session that does not become clean is ended, however that is told", async () => {
  using watched = new Watched(1);
  const unclean = [
    ...await watched.used(1, () => Promise.resolve(false)),
    ...await watched.used(1, () => Promise.reject(new Error("it could not be told"))),
  ];
  const [failed] = await watched.used(1, async () => {
    await Promise.resolve();
    return true;
  });
  assert.deepEqual(watched.closed, unclean);
  assert.equal((await take(watched.pool)).session, failed);
});

for (const [failure, ended] of [[lost, 2], [refused, 1]] as const) {
  Deno.test(`a connection that fails (${failure.callError.kind}) ends ${ended === 1 ? "alone" : "those that are idle"}`, async () => {
    using watched = new Watched(2);
    const { session } = await take(watched.pool);
    await watched.used(1);
    session.failure = failure;
    watched.pool.give(session, Promise.resolve(true));
    await until("it is back", () => watched.pool.use.busy === 0);
    assert.equal(watched.closed.length, ended);
    assert.equal(watched.pool.use.idle, 2 - ended);
  });
}

Deno.test("a call whose connection can't be opened leaves its place to the next", async () => {
  const open = () => Promise.reject(new Error("nobody listens"));
  const pool = new Pool({ size: 1, open });
  await assert.rejects(take(pool), /nobody listens/);
  await assert.rejects(take(pool), /nobody listens/);
  assert.deepEqual(pool.use, { busy: 0, idle: 0, waiting: 0 });
});

Deno.test("a call that is cancelled takes no connection, before it waits or while it does", async () => {
  using watched = new Watched(1);
  const { pool } = watched;
  const options = (signal: AbortSignal) => ({ signal, timeoutMs: 60_000 });
  await assert.rejects(pool.take(options(AbortSignal.abort(new Error("enough")))), /enough/);
  const { session } = await take(pool);
  const controller = new AbortController();
  const waiting = pool.take(options(controller.signal));
  controller.abort(new Error("enough"));
  await assert.rejects(waiting, /enough/);
  pool.give(session, Promise.resolve(true));
  await until("it is back", () => pool.use.idle === 1);
  assert.deepEqual(pool.use, { busy: 0, idle: 1, waiting: 0 });
});

Deno.test("all are ended when a pool is cleared, those included that are on their way back", async () => {
  using watched = new Watched(2);
  const { session } = await take(watched.pool);
  await watched.used(1);
  const clean = Promise.withResolvers<boolean>();
  watched.pool.give(session, clean.promise);
  const cleared = watched.pool.clear();
  clean.resolve(true);
  await cleared;
  assert.equal(watched.ended, 2);
  assert.deepEqual(watched.pool.use, { busy: 0, idle: 0, waiting: 0 });
});
