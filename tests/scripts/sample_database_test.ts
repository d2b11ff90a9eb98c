import assert from "@std/assert";
import postgres from "postgres";
import {
  type SampleDatabase,
  startSampleDatabase,
  startSampleThread,
} from "../../scripts/sample_database.ts";
import { runProgramToEnd } from "../support/mcp.ts";
import { permitted } from "../support/permitted.ts";

function connect(sample: SampleDatabase, options: { user?: string; database?: string; max?: number } = {}) {
  const { host, port, user, database } = sample;
  return postgres({ host, port, user, database, max: 1, onnotice: () => {}, ...options });
}

const counts = `SELECT current_user, current_database(), (SELECT count(*)::int FROM users) AS users,
  (SELECT count(*)::int FROM todos) AS todos, (SELECT count(*)::int FROM events) AS events`;

Deno.test("the sample database", { ignore: !permitted }, async (test) => {
  await using sample = await startSampleDatabase();

  await test.step("has the rows it promises, for a role that can read", async () => {
    const sql = connect(sample);
    assert.deepEqual({ ...(await sql.unsafe(counts))[0] }, {
      current_user: "reader",
      current_database: "tododb",
      users: 1000,
      todos: 8000,
      events: 5000,
    });
    await sql.end();
  });

  await test.step("has the same rows on every machine", async () => {
    const sql = connect(sample);
    const [sums] = await sql`SELECT
      (SELECT md5(string_agg(users::text, '|' ORDER BY id)) FROM users) AS users,
      (SELECT md5(string_agg(todos::text, '|' ORDER BY id)) FROM todos) AS todos,
      (SELECT md5(string_agg(events::text, '|' ORDER BY id)) FROM events) AS events`;
    assert.deepEqual({ ...sums }, {
      users: "8742b760455807482be2cbb9cc20ba65",
      todos: "6dec0fce7a078a87879a8197db33e6a4",
      events: "abcbaa49b9b6ee4b1b3e3cf84878db10",
    });
    await sql.end();
  });

  await test.step("has a role that --check finds right", async () => {
    const { code, stdout } = await runProgramToEnd({
      args: ["--check"],
      plain: true,
      variables: { DATABASE_URL: sample.url },
    });
    assert.equal(code, 0, stdout);
    assert.match(
      stdout,
      /role reader: may read 4 of 4 tables and views\.\nThe role cannot write to any table, view or sequence.*\nAll is well\.\n/,
    );
  });

  await test.step("describes each of its tables", async () => {
    const sql = connect(sample);
    const rows = await sql`SELECT relname, obj_description(oid) AS comment FROM pg_class
      WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v') ORDER BY relname`;
    assert.deepEqual(rows.map((row) => row.relname), ["events", "todos", "user_progress", "users"]);
    for (const row of rows) assert.notEqual(row.comment, null, row.relname);
    await sql.end();
  });

  for (const statement of ["DELETE FROM todos", "CREATE TABLE x ()", "CREATE TEMPORARY TABLE x ()"]) {
    await test.step(`refuses its reader ${statement}`, async () => {
      const sql = connect(sample);
      await assert.rejects(sql.unsafe(statement), /permission denied/);
      await sql.end();
    });
  }

  await test.step("keeps transactions of different connections apart", async () => {
    const sql = connect(sample, { max: 6 });
    const names = Array.from({ length: 18 }, (_, i) => `transaction ${i}`);
    const seen = await Promise.all(names.map((name) =>
      sql.begin("read only", async (transaction) => {
        await transaction`SELECT set_config('sample.name', ${name}, true)`;
        await transaction`SELECT count(*) FROM users`;
        return (await transaction`SELECT current_setting('sample.name') AS name`)[0]?.name;
      })
    ));
    assert.deepEqual(seen, names);
    await sql.end();
  });

  await test.step("keeps unnamed statements of different connections apart", async () => {
    const sql = connect(sample, { max: 6 });
    const numbers = Array.from({ length: 60 }, (_, i) => i);
    const seen = await Promise.all(numbers.map(async (i) => {
      const [row] = await sql.unsafe(`SELECT $1::int + ${i} AS sum`, [i], { prepare: false });
      return row?.sum;
    }));
    assert.deepEqual(seen, numbers.map((i) => 2 * i));
    await sql.end();
  });

  await test.step("rolls back what a lost connection began, and goes on", async () => {
    const lost = connect(sample, { user: "postgres" });
    const connection = await lost.reserve();
    await connection.unsafe("BEGIN; CREATE TABLE begun ()");
    const sql = connect(sample);
    const waiting = sql`SELECT to_regclass('begun') AS begun`.execute();
    await lost.end({ timeout: 0 });
    assert.equal((await waiting)[0]?.begun, null);
    await sql.end();
  });

  const strangers = [
    { options: { user: "nobody" }, message: /role "nobody" does not exist/ },
    { options: { database: "nothing" }, message: /database "nothing" does not exist/ },
  ];
  for (const { options, message } of strangers) {
    await test.step(`refuses a connection with ${JSON.stringify(options)}`, async () => {
      const sql = connect(sample, options);
      await assert.rejects(sql`SELECT 1`, message);
      await sql.end();
    });
  }

  await test.step("ends when it is closed, in the middle of a statement too", async () => {
    const sql = connect(sample);
    await sql`SELECT 1`;
    const endless = sql.unsafe("SELECT count(*) FROM generate_series(1, 1e12::bigint)").then(
      assert.fail,
      () => {},
    );
    await new Promise((resolve) => setTimeout(resolve, 100)); // that a statement runs can't be seen from outside
    await sample.close();
    await endless;
    await sql.end({ timeout: 0 });
    await assert.rejects(Deno.connect({ hostname: sample.host, port: sample.port }));
  });
});

Deno.test(
  "the sample database serves from a thread as well, with times of today",
  { ignore: !permitted },
  async () => {
    await using sample = await startSampleThread();
    const sql = connect(sample);
    assert.equal((await sql.unsafe(counts))[0]?.todos, 8000);
    const [of] = await sql`SELECT now() - max("timestamp") < interval '1 hour' AS today,
    (SELECT count(DISTINCT user_id)::int FROM todos WHERE completed) AS completed,
    (SELECT max(last_seen_at) <= now() FROM users) AS seen FROM events`;
    assert.deepEqual({ ...of }, { today: true, completed: 776, seen: true });
    await sql.end();
  },
);
