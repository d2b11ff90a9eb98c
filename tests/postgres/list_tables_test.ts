import assert from "@std/assert";
import { likePattern } from "../../src/postgres/like_pattern.ts";
import { listTables } from "../../src/postgres/list_tables.ts";
import { createDatabase, createReader, databaseAvailable } from "../support/test_database.ts";
import { postgresAvailable } from "../support/postgres.ts";
import { callTool } from "../support/tools.ts";

const schema = `
  create schema sales;
  create table users (id bigint primary key, name text);
  comment on table users is 'Everybody who ever signed in';
  insert into users select n, 'name' from generate_series(1, 1000) n;
  create table sales.orders (id int, at date) partition by range (at);
  create table sales.orders_2024 partition of sales.orders for values from ('2024-01-01') to ('2025-01-01');
  create table sales.orders_2025 partition of sales.orders for values from ('2025-01-01') to ('2026-01-01')
    partition by range (at);
  create table sales.orders_2025_h1 partition of sales.orders_2025 for values from ('2025-01-01') to ('2025-07-01');
  insert into sales.orders select n, '2024-03-01' from generate_series(1, 300) n;
  create view active as select * from users;
  create materialized view counted as select count(*) from users;
  create foreign data wrapper nowhere; create server far foreign data wrapper nowhere;
  create foreign table remote (x int) server far;
  create table "100%_sure" (x int);
  create temporary table scratch (x int);
  analyze;`;

Deno.test({
  name: "list_tables",
  ignore: !databaseAvailable,
  async fn(context) {
    await using test = await createDatabase(schema);
    const tool = listTables(test.database);
    const names = async (args: Record<string, unknown>) =>
      (await callTool(tool, args)).structured.tables.map((item: { name: string }) => item.name);

    await context.step("shows every kind, with partitions folded into their parent", async () => {
      const { structured, text } = await callTool(tool, {});
      const kinds = structured.tables.map((
        item: Record<string, unknown>,
      ) => [item.schema, item.name, item.kind]);
      assert.deepEqual(kinds, [
        ["public", "100%_sure", "table"],
        ["public", "active", "view"],
        ["public", "counted", "materialized view"],
        ["public", "remote", "foreign table"],
        ["public", "users", "table"],
        ["sales", "orders", "partitioned table"],
      ]);
      assert.equal(structured.total, 6);
      const orders = structured.tables[5];
      assert.equal(orders.partitions, 2);
      assert.equal(orders.estimated_rows, 300);
      assert.ok(orders.bytes > 0);
      const users = structured.tables[4];
      assert.equal(users.estimated_rows, 1000);
      assert.equal(users.comment, "Everybody who ever signed in");
      assert.match(text, /users .*~1,000 \| +\d+ kB \| Everybody/);
      assert.match(text, /orders .*partitioned table \(2\)/);
    });

    const filters: readonly (readonly [Record<string, unknown>, readonly string[]])[] = [
      [{ pattern: "USER" }, ["users"]],
      [{ pattern: "us*" }, ["users"]],
      [{ pattern: "*s" }, ["users", "orders"]],
      [{ pattern: "sales.*" }, ["orders"]],
      [{ pattern: "1*%_*" }, ["100%_sure"]],
      [{ pattern: "_s" }, ["100%_sure"]],
      [{ schema: "sales" }, ["orders"]],
      [{ schema: "sales'; drop table users; --" }, []],
      [{ pattern: "\\" }, []],
      [{ pattern: "active", schema: "sales" }, []],
    ];
    for (const [args, expected] of filters) {
      await context.step(`filters: ${JSON.stringify(args)}`, async () => {
        assert.deepEqual(await names(args), expected);
      });
    }

    await context.step("shows the system's tables when asked", async () => {
      assert.ok((await names({ schema: "pg_catalog", pattern: "pg_class" })).includes("pg_class"));
    });

    await context.step("goes page by page, and says where the next one starts", async () => {
      const first = await callTool(tool, { limit: 4 });
      assert.equal(first.structured.next_offset, 4);
      assert.match(first.text, /^Tables 1 to 4 of 6/);
      assert.match(first.text, /More: offset 4/);
      assert.equal(first.structured.note, "More: offset 4, or narrow it with pattern or schema.");
      assert.deepEqual(Object.keys(first.structured).at(-1), "tables");
      const second = await callTool(tool, { limit: 4, offset: 4 });
      assert.equal(second.structured.next_offset, undefined);
      assert.equal(second.structured.tables.length, 2);
      const beyond = await callTool(tool, { offset: 100 });
      assert.equal(beyond.text, "No table on this page. Start again with offset 0.");
      assert.deepEqual(beyond.structured, { offset: 100, note: beyond.text, tables: [] });
      const none = await callTool(tool, { pattern: "nothing" });
      assert.match(none.text, /^No table matches\. Call list_tables without arguments/);
      assert.deepEqual(none.structured, { total: 0, offset: 0, note: none.text, tables: [] });
    });

    await context.step({
      name: "says which tables the role may not read",
      ignore: !postgresAvailable,
      fn: async () => {
        await test.execute(
          "create role lister login; grant usage on schema public to lister; grant select on users to lister",
        );
        await using reader = await createReader(test, "lister");
        const { structured, text } = await callTool(listTables(reader.database), { pattern: "*s" });
        assert.deepEqual(structured.tables.map((item: { readable?: false }) => item.readable), [
          undefined,
          false,
        ]);
        assert.match(text, /orders.*\(no right to SELECT\)/);
      },
    });

    await context.step("keeps to the budget with very many tables, and pages on from there", async () => {
      await test.execute(`do $$ begin for n in 1..400 loop
        execute format('create table wide_%s_%s (x int)', repeat('n', 40), n); end loop; end $$`);
      const first = await callTool(tool, { limit: 1000 }, 4_096);
      const shown = first.structured.tables.length;
      assert.ok(shown > 5 && shown < 400, String(shown));
      assert.equal(first.structured.next_offset, shown);
      assert.equal(first.structured.total, 406);
      assert.match(first.text, new RegExp(`More: offset ${shown}`));
    });

    await context.step({
      name: "is not fooled by objects that stand in for built-in ones",
      ignore: !postgresAvailable,
      fn: async () => {
        await test.execute(`create schema evil;
        create function evil.has_table_privilege(oid, text) returns boolean language sql as 'select 1 / 0 > 0';
        create function evil.nameeq(name, name) returns boolean language sql as 'select 1 / 0 > 0';
        create operator evil.= (leftarg = name, rightarg = name, procedure = evil.nameeq);
        do $$ begin execute format('alter database %I set search_path = evil, pg_catalog, public', current_database()); end $$`);
        await using fresh = await createReader(test, test.settings.user);
        assert.equal((await callTool(listTables(fresh.database), { pattern: "users" })).structured.total, 1);
      },
    });
  },
});

Deno.test("a pattern's star is LIKE's percent sign, and LIKE's own signs are themselves", () => {
  assert.equal(likePattern("a_b"), "%a\\_b%");
  assert.equal(likePattern("a*b"), "a%b");
  assert.equal(likePattern("a\\"), "%a\\\\%");
});
