/** Keys of partitioned tables, and to them: what counts is where the rows are. */
import assert from "@std/assert";
import { databaseHealth } from "../../src/postgres/database_health.ts";
import { patient, startOwnServer } from "../support/own_server.ts";
import { postgresAvailable } from "../support/postgres.ts";
import { callTool, type Structured } from "../support/tools.ts";
import { until } from "../support/until.ts";

const schema = `
  create table users (id int primary key, code int not null, unique (id, code));
  insert into users select n, n from generate_series(1, 2000) n;
  create table whole (at int, user_id int references users) partition by range (at);
  create table whole_1 partition of whole for values from (0) to (100000);
  create table whole_2 (dropped int, user_id int, at int); alter table whole_2 drop column dropped;
  alter table whole attach partition whole_2 for values from (100000) to (200000);
  alter table whole_1 add primary key (at); alter table whole_2 add primary key (at);
  create index on whole_1 (user_id); create index on whole_2 (user_id);
  insert into whole select n, 7 from generate_series(90001, 110000) n;
  create table half (at int, user_id int references users) partition by range (at);
  create table half_1 partition of half for values from (0) to (100000);
  create table half_2 partition of half for values from (100000) to (200000);
  alter table half_1 add primary key (at); create index on half_1 (user_id);
  insert into half select n, 7 from generate_series(88001, 112000) n;
  create table homes (id int primary key) partition by range (id);
  create table homes_1 partition of homes for values from (0) to (100) partition by range (id);
  create table homes_2 partition of homes for values from (100) to (200);
  create table homes_11 partition of homes_1 for values from (0) to (100);
  insert into homes select n from generate_series(1, 199) n;
  create table guests (id int primary key, home int references homes);
  insert into guests select n, 50 from generate_series(1, 10000) n;
  create table orders (id int primary key, customer int references users, other int references users, z int,
    code int, more int, foreign key (more, code) references users (id, code));
  create index on orders (customer) where z is not null; create index on orders (other) where other is not null;
  create index on orders (code, more) where more is not null and code is not null;
  insert into orders select n, 7, 7, 7, 7, 7 from generate_series(1, 10000) n;
  create table emails (e text not null); create unique index on emails (lower(e));
  insert into emails select n from generate_series(1, 10000) n;
  create table loose (e text unique); insert into loose select n from generate_series(1, 10000) n;
  analyze;`;

Deno.test({
  name: "keys of partitioned tables, and conditions and expressions of indexes",
  ignore: !postgresAvailable,
  async fn(t) {
    await using test = await startOwnServer([], schema);
    const database = test.reader();
    const ask = async () => {
      const { structured } = await callTool(databaseHealth(database, patient), {});
      return { findings: [], ...structured.sections.find(({ name }: Structured) => name === "keys") };
    };
    const texts = (keys: Structured): string[] => keys.findings.map(({ text }: Structured) => text);

    await t.step("a unique index in each partition, or of an expression, makes rows distinct", async () => {
      const keys = await ask();
      assert.deepEqual(texts(keys), [
        "2 tables without a primary key or a unique index of NOT NULL columns, so that rows may be the same: " +
        "public.half (12,001 rows in 1 of 2 partitions), public.loose (10,000 rows)",
      ]);
      assert.equal(
        keys.summary,
        "of tables of at least 10,000 rows, 3 foreign keys without an index (to tables in which no deletes were " +
          "counted) and 2 tables without a key",
      );
    });
    await t.step("deletes from a partitioned table are those from its partitions", async () => {
      await test.execute("delete from homes where id in (1, 2, 150)");
      let keys = await ask();
      await until("the deletes are counted", async () => {
        if (/3 rows deleted/.test(texts(keys).join())) return true;
        await test.execute("select");
        keys = await ask();
        return false;
      });
      assert.match(
        keys.summary,
        /, 3 foreign keys without an index \(2 to tables in which no deletes were counted\) and /,
      );
      assert.match(
        texts(keys)[0] ?? "",
        /: public\.guests \(home\), 10,000 rows, to public\.homes, 3 rows deleted$/,
      );
    });
    await t.step(
      "an index serves a key in its own partition, or where its condition is of the key",
      async () => {
        await test.execute("delete from users where id in (1, 2)");
        let keys = await ask();
        await until("the deletes are counted", async () => {
          if (/2 rows deleted/.test(texts(keys).join())) return true;
          await test.execute("select");
          keys = await ask();
          return false;
        });
        assert.match(
          texts(keys)[0] ?? "",
          /^3 .*; public\.half \(user_id\), 12,001 rows in 1 of 2 partitions, to public\.users, 2 rows deleted; public\.orders \(customer\), 10,000 rows, to /,
        );
        assert.match(keys.summary, /, 3 foreign keys without an index and /);
        for (const statement of keys.findings[0].statements) await test.execute(statement);
        assert.match((await ask()).summary, /, 0 foreign keys without an index and /);
      },
    );
    await t.step("a unique index that takes NULL once makes rows distinct", async () => {
      if (test.server.version < 150_000) return;
      assert.match((await ask()).summary, / and 2 tables without a key$/);
      await test.execute("create unique index on loose (e) nulls not distinct");
      assert.match((await ask()).summary, / and 1 table without a key$/);
    });
  },
});
