/** What a statement can't do, and what it leaves behind: nothing. No guard is in front of it here. */
import assert from "@std/assert";
import { CallError } from "../../src/common/errors.ts";
import { Database } from "../../src/postgres/database.ts";
import { eventually, execute, fetchOnce, quiet, settingsFor, unguarded, wide } from "../support/unguarded.ts";
import { heldBytes } from "../support/held_bytes.ts";
import { postgresAvailable, sharedPostgres } from "../support/postgres.ts";
import { rejection } from "../support/rejection.ts";

const options = { ignore: !postgresAvailable };

const refused: readonly (readonly [name: string, sql: string, sqlState: string])[] = [
  ["a second statement", "select 1; select 2", "42601"],
  ["a stacked commit", "commit; drop table transaction_test", "42601"],
  ["making the transaction a writing one", "set transaction read write", "25001"],
  ["making it one by its setting", "select set_config('transaction_read_only', 'off', false)", "25001"],
  ["a table", "create table transaction_test_2 (a int)", "25006"],
  ["rows", "insert into transaction_test values (1)", "25006"],
  ["a sequence", "select nextval('transaction_test_s')", "25006"],
  ["nothing at all", "nonsense", "42601"],
];

Deno.test("the server refuses", options, async (t) => {
  const server = await sharedPostgres();
  await execute(
    server,
    "drop table if exists transaction_test",
    "create table transaction_test (a int)",
    "create sequence if not exists transaction_test_s",
  );
  await using database = new Database(settingsFor(server), quiet);
  for (const [name, sql, sqlState] of refused) {
    await t.step(name, async () => {
      assert.match((await rejection(fetchOnce(database, sql))).message, new RegExp(`SQLSTATE ${sqlState}`));
    });
  }
  await t.step("and the next call works", async () => {
    assert.deepEqual((await fetchOnce(database, "select count(*) from transaction_test")).rows, [["0"]]);
  });
});

Deno.test("nothing outlives a call", options, async (t) => {
  const server = await sharedPostgres();
  await using database = new Database(settingsFor(server, { poolSize: 1 }), quiet);
  const state = async () =>
    (await fetchOnce(
      database,
      `select current_setting('work_mem'), current_setting('search_path'), current_user,
        (select count(*) from pg_prepared_statements where name !~ '^kept_'), (select count(*) from pg_listening_channels()),
        (select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()),
        current_setting('statement_timeout'), pg_backend_pid()`,
    )).rows;
  const before = await state();
  for (
    const sql of [
      "select pg_advisory_lock(42)",
      "set work_mem = '1MB'",
      "select set_config('search_path', 'nowhere', false)",
      "prepare p as select 1",
      "declare c cursor with hold for select 1",
      "listen something",
      "rollback",
      "commit",
    ]
  ) {
    await t.step(sql, async () => {
      await fetchOnce(database, sql).catch((error: unknown) => assert.ok(error instanceof CallError));
      assert.deepEqual(await state(), before);
    });
  }
  await t.step("without the statements that are kept, the connection is not used again", async () => {
    await fetchOnce(database, "deallocate all");
    const [now] = await state();
    assert.deepEqual(now?.slice(0, -1), before[0]?.slice(0, -1));
  });
  await t.step("a statement after the transaction was ended is refused", async () => {
    await assert.rejects(
      database.read({ signal: new AbortController().signal }, async (transaction) => {
        await transaction.fetch(unguarded("commit"), [], wide);
        return await transaction.fetch(unguarded("create table escaped (a int)"), [], wide);
      }),
      /outside of a read-only transaction/,
    );
    const [row] = await execute(server, "select to_regclass('escaped') as found");
    assert.equal(row?.found, null);
  });
});

Deno.test("one call sees one snapshot", options, async () => {
  const server = await sharedPostgres();
  await execute(server, "drop table if exists snapshot_test", "create table snapshot_test (a int)");
  await using database = new Database(settingsFor(server), quiet);
  const counts = await database.read({ signal: new AbortController().signal }, async (transaction) => {
    const count = async () => (await transaction.query("select count(*) as n from snapshot_test"))[0]?.n;
    const first = await count();
    await execute(server, "insert into snapshot_test values (1)");
    return [first, await count()];
  });
  assert.deepEqual(counts, ["0", "0"]);
});

Deno.test("an answer is cut at its limits", options, async (t) => {
  const server = await sharedPostgres();
  await using database = new Database(settingsFor(server), quiet);
  const limits = { maxRows: 3, cellBytes: 10, answerBytes: 1000 };
  await t.step("exactly as many rows as asked for", async () => {
    const { rows, more } = await fetchOnce(database, "select generate_series(1, 3)", { limits });
    assert.deepEqual([rows, more], [[["1"], ["2"], ["3"]], false]);
  });
  await t.step("more rows, of which the server makes one more only", async () => {
    const { rows, more } = await fetchOnce(database, "select generate_series(1, 2e9::bigint)", { limits });
    assert.deepEqual([rows, more], [[["1"], ["2"], ["3"]], true]);
  });
  await t.step("a cross join", async () => {
    const sql = "select 1 from pg_attribute a, pg_attribute b, pg_attribute c, pg_proc d";
    const { rows, more } = await fetchOnce(database, sql, { limits });
    assert.deepEqual([rows.length, more], [3, true]);
  });
  await t.step("a cell of whole characters, and its length", async () => {
    const { rows, cut } = await fetchOnce(database, "select 'a', 'x🐘🐘🐘', repeat('ü', 5), repeat('ü', 6)", {
      limits,
    });
    assert.deepEqual(rows, [["a", "x🐘🐘", "üüüüü", "üüüüü"]]);
    assert.deepEqual([...cut], [["0:1", 13], ["0:3", 12]]);
  });
  await t.step("rows after the answer is full", async () => {
    const { rows, dropped, more } = await fetchOnce(
      database,
      "select repeat('x', 10) from generate_series(1, 20)",
      { limits: { maxRows: 10, cellBytes: 10, answerBytes: 45 } },
    );
    assert.deepEqual([rows.length, dropped, more], [4, 6, true]);
  });
  await t.step("64 MB and more, without holding them", async () => {
    const before = heldBytes();
    await assert.rejects(
      fetchOnce(database, "select repeat('x', 200000000)", { limits }),
      (error: unknown) =>
        error instanceof CallError && error.kind === "refused" && /larger than 64 MB/.test(error.message),
    );
    assert.ok(heldBytes() - before < 10e6);
    assert.deepEqual((await fetchOnce(database, "select 1")).rows, [["1"]]);
  });
  await t.step("200 rows of 1 MB: the first of them, and not an error", async () => {
    const { rows, dropped, more } = await fetchOnce(
      database,
      "select repeat('x', 1000000) from generate_series(1, 200)",
      { limits: { maxRows: 200, cellBytes: 100_000, answerBytes: 250_000 } },
    );
    assert.deepEqual([rows.length, more], [2, true]);
    assert.ok(dropped > 0 && dropped < 64, `${dropped} rows were sent for nothing`);
  });
  await t.step("all rows, however many are asked for at once", async () => {
    for (const count of [1, 31, 32, 33, 159, 160, 161, 200]) {
      const { rows, more } = await fetchOnce(database, `select generate_series(1, ${count})`, {
        limits: { maxRows: 200, cellBytes: 10, answerBytes: 10_000 },
      });
      assert.deepEqual([rows.length, rows.at(-1), more], [count, [String(count)], false]);
    }
    const { rows, more } = await fetchOnce(database, "select generate_series(1, 201)", {
      limits: { maxRows: 200, cellBytes: 10, answerBytes: 10_000 },
    });
    assert.deepEqual([rows.length, more], [200, true]);
  });
  await t.step("an error in a later row is an error", async () => {
    const error = await rejection(fetchOnce(database, "select 1 / (100 - n) from generate_series(1, 200) n"));
    assert.match(error.message, /division by zero/);
  });
  await t.step("an error of any size", async () => {
    await assert.rejects(
      fetchOnce(database, "select repeat('x', 1000000)::int"),
      (error: unknown) =>
        error instanceof CallError && error.message.length < 5000 && /22P02/.test(error.message),
    );
  });
});

Deno.test("cancelling ends the statement at the server", options, async (t) => {
  const server = await sharedPostgres();
  await using database = new Database(settingsFor(server, { poolSize: 1 }), quiet);
  const active = async () =>
    Number(
      (await execute(
        server,
        "select count(*) as n from pg_stat_activity where state = 'active' and query like '%cancel' || '_test%'",
      ))[0]?.n,
    );
  await t.step("by the caller's signal", async () => {
    const controller = new AbortController();
    const call = fetchOnce(database, "select pg_sleep(60) as cancel_test", { signal: controller.signal });
    await eventually(async () => await active() === 1);
    controller.abort();
    await assert.rejects(call, (error: unknown) => error instanceof CallError && error.kind === "cancelled");
    await eventually(async () => await active() === 0);
    assert.deepEqual((await fetchOnce(database, "select 1")).rows, [["1"]]);
  });
  await t.step("by closing the database", async () => {
    const second = new Database(settingsFor(server), quiet);
    const call = fetchOnce(second, "select pg_sleep(60) as cancel_test");
    const rejected = assert.rejects(
      call,
      (error: unknown) => error instanceof CallError && /stopping/.test(error.message),
    );
    await eventually(async () => await active() === 1);
    await second.close();
    await rejected;
    assert.equal(await active(), 0);
    await assert.rejects(fetchOnce(second, "select 1"), /stopping/);
  });
  await t.step("before it began", async () => {
    await assert.rejects(
      fetchOnce(database, "select 1", { signal: AbortSignal.abort() }),
      (error: unknown) => error instanceof CallError && error.kind === "cancelled",
    );
  });
});

Deno.test("a statement has a time limit", options, async () => {
  const server = await sharedPostgres();
  await using database = new Database(settingsFor(server, { statementTimeoutMs: 200 }), quiet);
  await assert.rejects(
    fetchOnce(database, "select pg_sleep(60)"),
    (error: unknown) =>
      error instanceof CallError && error.kind === "unavailable" && /within 200 ms/.test(error.message),
  );
  // A server that is held up has no more time than that either.
  await eventually(() =>
    fetchOnce(database, "select 1").then(({ rows }) => rows[0]?.[0] === "1", () => false)
  );
});

Deno.test("a lock is not waited for without end", options, async () => {
  const server = await sharedPostgres();
  await execute(server, "create table if not exists lock_test (a int)");
  await using database = new Database(settingsFor(server), quiet);
  const writer = execute(
    server,
    "begin; lock table lock_test in access exclusive mode; select pg_sleep(600)",
  ).catch(() => {});
  await eventually(async () =>
    (await execute(
      server,
      "select 1 from pg_locks where mode = 'AccessExclusiveLock' and relation = 'lock_test'::regclass",
    ))
      .length === 1
  );
  await assert.rejects(
    fetchOnce(database, "select * from lock_test"),
    (error: unknown) => error instanceof CallError && /55P03/.test(error.message),
  );
  await execute(
    server,
    "select pg_cancel_backend(pid) from pg_locks where mode = 'AccessExclusiveLock' and relation = 'lock_test'::regclass",
  );
  await writer;
});

Deno.test("calls wait for a connection in turn", options, async (t) => {
  const server = await sharedPostgres();
  await using database = new Database(settingsFor(server, { poolSize: 1 }), quiet);
  const hold = (ready: () => void, until: Promise<void>) =>
    database.read({ signal: new AbortController().signal }, async (transaction) => {
      await transaction.query("select 1");
      ready();
      await until;
    });
  const release = Promise.withResolvers<void>();
  const held = Promise.withResolvers<void>();
  const holding = hold(held.resolve, release.promise);
  await held.promise;
  await t.step("not for longer than their time", async () => {
    await assert.rejects(
      database.read({ signal: new AbortController().signal, timeoutMs: 50 }, () => Promise.resolve()),
      (error: unknown) =>
        error instanceof CallError && error.kind === "unavailable" && /is busy/.test(error.message),
    );
  });
  await t.step("not after they were cancelled", async () => {
    const controller = new AbortController();
    const call = fetchOnce(database, "select 1", { signal: controller.signal });
    controller.abort();
    await assert.rejects(call, (error: unknown) => error instanceof CallError && error.kind === "cancelled");
  });
  await t.step("the next one takes the connection that is being cleaned, and opens none", async () => {
    await using roomy = new Database(settingsFor(server, { poolSize: 4 }), quiet);
    // One that takes too long to be cleaned is not waited for.
    await eventually(async () => {
      const pids = new Set<string | null | undefined>();
      for (let n = 0; n < 20; n++) {
        pids.add((await fetchOnce(roomy, "select pg_backend_pid()")).rows[0]?.[0]);
      }
      return pids.size === 1;
    });
    const begun = new Set<unknown>();
    const all = Promise.withResolvers<void>();
    const held = Array.from(
      { length: 4 },
      () =>
        roomy.read({ signal: new AbortController().signal }, async (transaction) => {
          const [row] = await transaction.query("select pg_backend_pid() as pid");
          begun.add(row?.pid);
          if (begun.size === 4) all.resolve();
          await all.promise;
        }),
    );
    await Promise.all(held);
  });
  await t.step("first come, first served, on one connection", async () => {
    const order: string[] = [];
    const calls = ["a", "b", "c"].map(async (name) => {
      const { rows } = await fetchOnce(database, "select pg_backend_pid()");
      order.push(name);
      return rows[0]?.[0];
    });
    release.resolve();
    await holding;
    assert.equal(new Set(await Promise.all(calls)).size, 1);
    assert.deepEqual(order, ["a", "b", "c"]);
  });
});

const texts: readonly (readonly [name: string, sql: string, parameters: readonly string[]])[] = [
  ["a NUL in the statement", "select 'a\0b'", []],
  ["a NUL in a parameter", "select $1", ["a\0b"]],
  ["half a surrogate pair", "select '\ud800'", []],
];

Deno.test("what is no text is not sent", options, async (t) => {
  const server = await sharedPostgres();
  await using database = new Database(settingsFor(server), quiet);
  for (const [name, sql, parameters] of texts) {
    await t.step(name, async () => {
      await assert.rejects(
        fetchOnce(database, sql, { parameters }),
        (error: unknown) => error instanceof CallError && error.kind === "invalid",
      );
    });
  }
  await t.step("a statement of 10 MB is", async () => {
    const { rows } = await fetchOnce(database, `select length('${"x".repeat(10_000_000)}')`);
    assert.deepEqual(rows, [["10000000"]]);
  });
  await t.step("the wrong number of parameters", async () => {
    await assert.rejects(fetchOnce(database, "select $1::int", { parameters: [] }), CallError);
    await assert.rejects(fetchOnce(database, "select 1", { parameters: ["1"] }), CallError);
    assert.deepEqual((await fetchOnce(database, "select 1")).rows, [["1"]]);
  });
});

Deno.test("an error says where", options, async () => {
  const server = await sharedPostgres();
  await using database = new Database(settingsFor(server), quiet);
  const error = await rejection(fetchOnce(database, "select '🐘',\n  nope\nfrom pg_class"));
  assert.equal(
    error.message,
    'Cannot run the statement as PostgreSQL says: column "nope" does not exist (SQLSTATE 42703); at line 2, column 3: nope',
  );
});
