/** Foreign keys that deletes pay for, and tables without a key: told, and nothing worse for it. */
import assert from "@std/assert";
import { databaseHealth } from "../../src/postgres/database_health.ts";
import { patient, startOwnServer } from "../support/own_server.ts";
import { postgresAvailable } from "../support/postgres.ts";
import { callTool, type Structured } from "../support/tools.ts";
import { until } from "../support/until.ts";

const schema = `
  create table users (id int primary key, code int unique not null);
  insert into users select n, n from generate_series(1, 20000) n;
  create table kinds (id int primary key); insert into kinds values (1);
  create table "Visits" (id int primary key, "User" int references users, kind int references kinds default 1);
  insert into "Visits" select n, 5 + n % 1000 from generate_series(1, 15000) n;
  create table few (id int primary key, user_id int references users); insert into few values (1, 7);
  create table indexed (id int primary key, a int references users, b int references users, c int references users,
    d int references users, unique (b, c));
  create index on indexed (a, d); create index on indexed (c) where c is not null; create index on indexed using hash (d);
  insert into indexed select n, 7, n, 7, 7 from generate_series(9000, 19000) n;
  create table bad (id int primary key, a int references users, b int references users);
  create index on bad (b, a); create index on bad (a) where b > 7;
  insert into bad select n, 7, 7 from generate_series(1, 12000) n;
  create table parts (id int primary key, user_id int references users) partition by range (id);
  create table part_1 partition of parts for values from (0) to (100000);
  insert into parts select n, 7 from generate_series(1, 11000) n;
  create table log (at int, unique (at)); insert into log select n from generate_series(1, 30000) n;
  create table unique_one (at int not null, unique (at)); insert into unique_one select n from generate_series(1, 10000) n;
  create table later (at int not null, unique (at) deferrable); insert into later select n from generate_series(1, 10000) n;
  create table short (at int); insert into short values (1);
  analyze;`;

Deno.test({
  name: "what is told of keys",
  ignore: !postgresAvailable,
  async fn(t) {
    await using test = await startOwnServer([], schema);
    const database = test.reader();
    const ask = async () => {
      const { text, structured } = await callTool(
        databaseHealth(database, { ...patient, thresholds: { changedRows: 1e9 } }),
        {},
      );
      return {
        text,
        keys: { findings: [], ...structured.sections.find(({ name }: Structured) => name === "keys") },
        verdict: structured.verdict,
      };
    };

    await t.step("a foreign key is not told as long as nothing was deleted", async () => {
      const { keys } = await ask();
      assert.equal(keys.verdict, "notice");
      assert.equal(
        keys.summary,
        "of tables of at least 10,000 rows, 4 foreign keys without an index (to tables in which no deletes were counted) and 2 tables without a key",
      );
      assert.deepEqual(keys.findings.map(({ text }: Structured) => text), [
        "2 tables without a primary key or a unique index of NOT NULL columns, so that rows may be the same: " +
        "public.log (30,000 rows), public.later (10,000 rows)",
      ]);
    });
    await t.step("what deletes pay for, with the index for each", async () => {
      await test.execute("delete from users where id in (1, 2, 3)");
      let { keys, text } = await ask();
      await until("the deletes are counted", async () => {
        if (keys.findings.length > 1) return true;
        await test.execute("select");
        ({ keys, text } = await ask());
        return false;
      });
      const [found] = keys.findings;
      assert.equal(
        found.text,
        "3 foreign keys without an index: each DELETE of a row that it may refer to, or change of its key, reads the " +
          'referring table whole: public."Visits" ("User"), 15,000 rows, to public.users, 3 rows deleted; ' +
          "public.bad (a), 12,000 rows, to public.users, 3 rows deleted; " +
          "public.parts (user_id), 11,000 rows, to public.users, 3 rows deleted",
      );
      assert.deepEqual(found.statements, [
        'CREATE INDEX CONCURRENTLY ON public."Visits" ("User");',
        "CREATE INDEX CONCURRENTLY ON public.bad (a);",
        "CREATE INDEX ON public.parts (user_id);",
      ]);
      for (const statement of found.statements) assert.ok(text.includes(`    ${statement}\n`), text);
      assert.match(text, /^NOTICE keys: of tables of at least 10,000 rows/m);
      assert.match(text, /^- notice: 3 foreign keys/m);
    });
    await t.step("the verdict is none the worse", async () => {
      const { verdict, text } = await ask();
      assert.equal(verdict, "ok", text);
      assert.match(text, /^[^\n]*: OK; no data: /);
      assert.match(text, /The SQL is for a person to judge and run/);
    });
    await t.step("and with the indexes made it is only the tables", async () => {
      const { keys } = await ask();
      for (const statement of keys.findings[0].statements) await test.execute(statement);
      const { summary } = (await ask()).keys;
      // That to kinds, of which nothing was deleted.
      assert.match(
        summary,
        /, 1 foreign key without an index \(to a table in which no deletes were counted\) and 2 tables without a key$/,
      );
    });
    await t.step("of more than are named, how to see the others", async () => {
      for (const name of ["log_a", "log_b"]) {
        await test.execute(`create table ${name} as select n from generate_series(1, 20000) n`);
        await test.execute(`analyze ${name}`);
      }
      const { keys } = await ask();
      assert.match(
        keys.findings.at(-1).text,
        /^4 tables .*; and 1 other: describe_table shows a table's keys and indexes$/,
      );
    });
  },
});
