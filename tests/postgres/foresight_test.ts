/** A statement that has passed before goes with the beginning of its transaction: what comes of it is the same. */
import assert from "@std/assert";
import { CallError } from "../../src/common/errors.ts";
import { openSession } from "../../src/postgres/connect.ts";
import type { Cell, Database, Rows } from "../../src/postgres/database.ts";
import { ServerError } from "../../src/postgres/database_errors.ts";
import { authorize, inspect } from "../../src/postgres/guard.ts";
import { RowReader } from "../../src/postgres/row_reader.ts";
import { postgresAvailable } from "../support/postgres.ts";
import { createDatabase } from "../support/test_database.ts";
import { eventually, wide } from "../support/unguarded.ts";

const options = { allowFunctions: [] };

function ask(
  database: Database,
  sql: string,
  parameters: readonly Cell[] = [],
  { limits = wide, signal = new AbortController().signal } = {},
): Promise<Rows> {
  const inspected = inspect(sql);
  return database.read(
    { signal, foresight: { inspected, options, parameters, limits } },
    async (transaction) =>
      await transaction.fetch(await authorize(inspected, transaction, options), parameters, limits),
  );
}

Deno.test({
  name: "a statement that is foreseen",
  ignore: !postgresAvailable,
  async fn(t) {
    await using test = await createDatabase(
      "create table t (a int); insert into t select generate_series(1, 500)",
      { poolSize: 1 },
    );
    const { database } = test;

    await t.step("gives the rows that it gave before, in portions too", async () => {
      const sql = "select a from t order by a";
      const first = await ask(database, sql);
      for (const limits of [wide, { ...wide, maxRows: 3 }, { ...wide, maxRows: 100 }]) {
        const again = await ask(database, sql, [], { limits });
        assert.deepEqual(again.columns, first.columns);
        assert.deepEqual(again.rows, first.rows.slice(0, limits.maxRows));
        assert.equal(again.more, limits.maxRows < 500);
      }
    });

    await t.step("takes its parameters, and its own errors are its own", async () => {
      const sql = "select 1 / $1::int";
      assert.deepEqual((await ask(database, sql, ["1"])).rows, [["1"]]);
      // The check of the verdict fails by the same error.
      await assert.rejects(ask(database, sql, ["0"]), /division by zero/);
      assert.deepEqual((await ask(database, sql, ["1"])).rows, [["1"]]);
      await assert.rejects(
        ask(database, sql, ["\0"]),
        (error: unknown) => error instanceof CallError && error.kind === "invalid",
      );
      assert.deepEqual((await ask(database, sql, ["-1"])).rows, [["-1"]]);
    });

    await t.step("is another one with other limits or parameters at the end", async () => {
      const sql = "select a from t where a <= $1::int order by a";
      await ask(database, sql, ["1"]);
      const inspected = inspect(sql);
      const { rows } = await database.read({
        signal: new AbortController().signal,
        foresight: { inspected, options, parameters: ["1"], limits: wide },
      }, async (transaction) => {
        return await transaction.fetch(await authorize(inspected, transaction, options), ["3"], wide);
      });
      assert.deepEqual(rows, [["1"], ["2"], ["3"]]);
    });

    await t.step("is cancelled at the server", async () => {
      const sql = "select count(*) from generate_series(1, $1::bigint)";
      await ask(database, sql, ["1"]);
      const controller = new AbortController();
      const slow = ask(database, sql, ["100000000000"], { signal: controller.signal });
      slow.catch(() => {});
      await using others = await createDatabase("", { poolSize: 1 });
      const active = async () => {
        const { rows } = await ask(
          others.database,
          `select 1 from pg_stat_activity where state = 'active' and query = '${sql}'`,
        );
        return rows.length > 0;
      };
      await eventually(active);
      controller.abort(new CallError("cancelled", "Cannot answer as the test says so"));
      await assert.rejects(slow, /as the test says so/);
      await eventually(async () => !await active());
      assert.deepEqual((await ask(database, sql, ["2"])).rows, [["2"]]);
    });
  },
});

Deno.test({
  name: "the server passes over what comes after a statement that fails",
  ignore: !postgresAvailable,
  async fn() {
    await using test = await createDatabase("");
    const signal = new AbortController().signal;
    const session = await openSession(test.settings, { signal, connectTimeoutMs: 10_000 });
    const statement = (sql: string) => {
      const reader = new RowReader(wide);
      return { sql, parameters: [], options: { reader, timeoutMs: 10_000 } };
    };
    const results = await Promise.allSettled(session.runTogether([
      statement("select 1"),
      statement("select 1 / 0"),
      statement("select pg_advisory_lock(7)"),
      statement("select pg_advisory_lock(8)"),
    ]));
    assert.deepEqual(results.map(({ status }) => status), ["fulfilled", "rejected", "rejected", "rejected"]);
    for (const result of results) {
      if (result.status === "fulfilled") continue;
      assert.ok(result.reason instanceof ServerError);
      assert.equal(result.reason.sqlState, "22012");
    }
    const locks = statement("select 1 from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()");
    await session.run(locks.sql, [], locks.options);
    assert.deepEqual(locks.options.reader.rows, []);
    await Promise.all(session.runTogether([statement("select 1"), statement("select pg_advisory_lock(7)")]));
    await session.run(locks.sql, [], locks.options);
    assert.deepEqual(locks.options.reader.rows, [["1"]]);
    await session.close();
  },
});

Deno.test({
  name: "a statement that the server keeps is described once, and its rows come under the same columns",
  ignore: !postgresAvailable,
  async fn() {
    await using test = await createDatabase("");
    const signal = new AbortController().signal;
    const session = await openSession(test.settings, { signal, connectTimeoutMs: 10_000 });
    const ask = async (sql: string, parameters: readonly string[] = []) => {
      const reader = new RowReader(wide);
      await session.run(sql, parameters, { reader, timeoutMs: 10_000, keep: true });
      return reader;
    };
    assert.equal(session.direct, true);
    const sql = "select $1::int as one, 'x'::text as two";
    const [first, second] = [await ask(sql, ["1"]), await ask(sql, ["2"])];
    assert.deepEqual(second.columns.map(({ name }) => name), ["one", "two"]);
    assert.deepEqual(second.columns, first.columns);
    assert.deepEqual([first.rows, second.rows], [[["1", "x"]], [["2", "x"]]]);
    assert.ok(session.kept.has(sql));
    await session.close();
  },
});
