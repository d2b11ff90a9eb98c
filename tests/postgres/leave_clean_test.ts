/**
 * What a session may have been left with, on a real server: as nothing of a caller's outlives a transaction by what the
 * guard lets pass, it is put there past both.
 */
import assert from "@std/assert";
import { openSession } from "../../src/postgres/connect.ts";
import { RowReader } from "../../src/postgres/row_reader.ts";
import type { Session } from "../../src/postgres/session.ts";
import { beginReading, leaveClean } from "../../src/postgres/transaction_bounds.ts";
import { postgresAvailable } from "../support/postgres.ts";
import { createDatabase, type TestDatabase } from "../support/test_database.ts";
import { wide } from "../support/unguarded.ts";

/** What may be left, and the query that shows it. */
const leftovers: readonly (readonly [string, string, string])[] = [
  ["a setting", "set work_mem = '1MB'", "select current_setting('work_mem')"],
  ["a path", "set search_path = nowhere", "select current_setting('search_path')"],
  ["a role", "set role pg_monitor", "select current_user"],
  ["a session's user", "set session authorization pg_monitor", "select session_user"],
  ["a cursor", "declare c cursor with hold for select 1", "select count(*) from pg_cursors"],
  ["a listener", "listen something", "select count(*) from pg_listening_channels()"],
  ["a lock", "select pg_advisory_lock(4711)", "select count(*) from pg_locks where locktype = 'advisory'"],
  ["a temporary table", "create temp table left_over (a int)", "select to_regclass('pg_temp.left_over')"],
  [
    "a statement",
    "prepare p as select 1",
    "select count(*) from pg_prepared_statements where from_sql or name !~ '^kept_'",
  ],
  [
    "a transaction",
    "begin; select 1",
    "select pg_current_xact_id_if_assigned() is null and now() = statement_timestamp()",
  ],
];

async function ask(session: Session, sql: string) {
  const reader = new RowReader(wide);
  await session.run(sql, [], { reader, timeoutMs: 10_000 });
  return reader.rows;
}

/** A session that has served a call. */
async function used(test: TestDatabase): Promise<Session> {
  const { signal } = new AbortController();
  const session = await openSession(test.settings, { signal, connectTimeoutMs: 10_000 });
  await beginReading(session, 10_000);
  assert.equal(await leaveClean(session), true);
  return session;
}

Deno.test({
  name: "what a session was left with is gone before the next call",
  ignore: !postgresAvailable,
  async fn(t) {
    await using test = await createDatabase("create sequence numbers");
    for (const [what, sql, shows] of leftovers) {
      await t.step(what, async () => {
        const session = await used(test);
        const before = await ask(session, shows);
        await session.script(sql, { reader: new RowReader(wide), timeoutMs: 10_000 });
        assert.equal(await leaveClean(session), true);
        assert.deepEqual(await ask(session, shows), before);
        assert.equal(session.status, "I");
        await session.close();
      });
    }
    await t.step("the last number of a sequence", async () => {
      const session = await used(test);
      await ask(session, "select nextval('numbers')");
      assert.equal(await leaveClean(session), true);
      await assert.rejects(ask(session, "select lastval()"), /lastval is not yet defined/);
      await session.close();
    });
    await t.step("a statement in the place of one of ours", async () => {
      const session = await used(test);
      const [{ name } = { name: "" }] = session.kept.values();
      const swap = `deallocate "${name}"; prepare p as select 1`;
      await session.script(swap, { reader: new RowReader(wide), timeoutMs: 10_000 });
      assert.equal(await leaveClean(session), true);
      assert.deepEqual(await ask(session, "select count(*) from pg_prepared_statements where from_sql"), [[
        "0",
      ]]);
      await beginReading(session, 10_000);
      assert.equal(await leaveClean(session), true);
      await session.close();
    });
  },
});
