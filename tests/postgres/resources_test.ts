import assert from "@std/assert";
import { CallError } from "../../src/common/errors.ts";
import type { Tool } from "../../src/common/tool.ts";
import { describeTable } from "../../src/postgres/describe_table.ts";
import { postgresResources } from "../../src/postgres/resources.ts";
import { createDatabase, databaseAvailable } from "../support/test_database.ts";
import { callTool } from "../support/tools.ts";

const schema =
  `create schema sales; create table sales.orders (id int primary key); create table users (id int);
  comment on table users is 'People'; create table "a/b%c d" (id int);
  insert into users select generate_series(1, 10); analyze;`;

Deno.test({
  name: "resources",
  ignore: !databaseAvailable,
  async fn(context) {
    await using test = await createDatabase(schema);
    const describe = describeTable(test.database);
    const { list, read, complete } = postgresResources(test.database, describe);

    await context.step("the list names the overview and every table, and each can be read", async () => {
      const { structured } = await callTool(list, {});
      const uris = structured.resources.map((item: { uri: string }) => item.uri);
      assert.deepEqual(uris, [
        "postgres://overview",
        "postgres://tables/public/a%2Fb%25c%20d",
        "postgres://tables/public/users",
        "postgres://tables/sales/orders",
      ]);
      assert.equal(structured.resources[2].description, "People");
      assert.equal(structured.nextCursor, undefined);
      for (const uri of uris) assert.ok((await callTool(read, { uri })).text.length > 20, uri);
    });

    await context.step("a table reads as describe_table says it", async () => {
      const { text, structured } = await callTool(read, { uri: "postgres://tables/sales/orders" });
      assert.equal(text, (await callTool(describe, { table_name: "orders", schema: "sales" })).text);
      assert.deepEqual(structured, { uri: "postgres://tables/sales/orders", mimeType: "text/plain" });
    });

    await context.step("the overview has the schemas, the largest tables and the extensions", async () => {
      const { text } = await callTool(read, { uri: "postgres://overview" });
      assert.match(text, /^Database \w+: PostgreSQL \d+/);
      assert.match(text, /public: 2 tables, 0 views\n {2}sales: 1 table, 0 views/);
      assert.match(text, /public\.users +\| +~10 \|/);
      assert.match(text, /Extensions: .*plpgsql [\d.]+/);
    });

    for (
      const uri of [
        "postgres://tables/public/nothing",
        "file:///etc/passwd",
        "postgres://tables/x",
        "postgres://tables/%/x",
      ]
    ) {
      await context.step(`there is no resource ${uri}`, async () => {
        await assert.rejects(
          callTool(read, { uri }),
          (error: unknown) => error instanceof CallError && error.kind === "not_found",
        );
      });
    }

    const ask = async (tool: Tool, args: Record<string, unknown>) => {
      const uriTemplate = "postgres://tables/{schema}/{table}";
      return (await callTool(tool, { uriTemplate, known: {}, ...args })).structured.values;
    };
    await context.step("names of schemas and tables are completed", async () => {
      assert.deepEqual(await ask(complete, { argument: "schema", value: "SA" }), ["sales"]);
      assert.deepEqual(await ask(complete, { argument: "table", value: "" }), ["a/b%c d", "orders", "users"]);
      assert.deepEqual(await ask(complete, { argument: "table", value: "", known: { schema: "sales" } }), [
        "orders",
      ]);
      assert.deepEqual(await ask(complete, { argument: "table", value: "_" }), []);
      assert.deepEqual(await ask(complete, { argument: "other", value: "" }), []);
      assert.deepEqual(
        await ask(complete, { argument: "table", value: "", uriTemplate: "other://{table}" }),
        [],
      );
    });

    await context.step("a long list comes in pages", async () => {
      await test.execute(
        "do $$ begin for n in 100..299 loop execute 'create table t' || n || ' ()'; end loop; end $$",
      );
      const seen: string[] = [];
      let cursor: string | undefined;
      do {
        const { structured } = await callTool(list, cursor === undefined ? {} : { cursor }, 100_000);
        seen.push(...structured.resources.map((item: { uri: string }) => item.uri));
        cursor = structured.nextCursor;
      } while (cursor !== undefined);
      assert.equal(seen.length, 204);
      assert.equal(new Set(seen).size, 204);
      await assert.rejects(callTool(list, { cursor: "x' or 1" }), CallError);
    });
  },
});
