/** A server that does not keep its texts in UTF-8. */
import assert from "@std/assert";
import postgres from "postgres";
import { createLogger } from "../../src/common/log.ts";
import { Database } from "../../src/postgres/database.ts";
import { describeTable } from "../../src/postgres/describe_table.ts";
import { listTables } from "../../src/postgres/list_tables.ts";
import { loadParser } from "../../src/postgres/parser.ts";
import { queryDatabase } from "../../src/postgres/query_database.ts";
import { postgresAvailable, sharedPostgres } from "../support/postgres.ts";
import { callTool } from "../support/tools.ts";
import { execute, settingsFor } from "../support/unguarded.ts";

/** A name and a value that each encoding has. */
const encodings = [
  { encoding: "LATIN1", name: "größe", value: "Müller é" },
  { encoding: "WIN1252", name: "größe", value: "„Müller“ €" },
  { encoding: "WIN1251", name: "размер", value: "Иванов" },
  { encoding: "EUC_JP", name: "大きさ", value: "鈴木" },
] as const;

for (const { encoding, name, value } of encodings) {
  Deno.test({
    name: `a database in ${encoding}`,
    ignore: !postgresAvailable,
    async fn() {
      await loadParser();
      const server = await sharedPostgres();
      const database = `encoding_${encoding.toLowerCase()}_${Deno.pid}`;
      await execute(
        server,
        `create database ${database} encoding '${encoding}' locale 'C' template template0`,
      );
      try {
        await using reader = new Database(settingsFor(server, { database }), createLogger("off"));
        const admin = postgres({
          host: server.socket,
          port: server.port,
          user: server.superuser,
          database,
          max: 1,
          onnotice: () => {},
        });
        await admin.unsafe(`create table "${name}" (id int primary key, "${name}" text);
          insert into "${name}" values (1, '${value}')`).simple();
        await admin.end();
        const query = queryDatabase(reader, { maxRows: 10, allowFunctions: [] });
        const { structured } = await callTool(query, {
          sql:
            `select "${name}", length("${name}"), getdatabaseencoding() from "${name}" where "${name}" = $1`,
          parameters: [value],
        });
        assert.deepEqual(structured.rows, [[value, String(value.length), encoding]]);
        assert.equal(structured.columns[0].name, name);
        assert.match((await callTool(listTables(reader), {})).text, new RegExp(name));
        assert.match((await callTool(describeTable(reader), { table_name: name })).text, new RegExp(name));
        // The server folds such letters by its own encoding, the parser by none.
        await assert.rejects(
          callTool(query, { sql: "select * from GRÖSSE" }),
          /may fold the name|does not exist|has no equivalent/,
        );
        // What the encoding has no place for is the server's to say.
        await assert.rejects(callTool(query, { sql: "select $1::text", parameters: ["🐘"] }), /22P05/);
        assert.deepEqual((await callTool(query, { sql: "select 1" })).structured.rows, [["1"]]);
      } finally {
        await execute(server, `drop database ${database} with (force)`);
      }
    },
  });
}

Deno.test({
  name: "a database in SQL_ASCII, where bytes may be no text at all",
  ignore: !postgresAvailable,
  async fn() {
    await loadParser();
    const server = await sharedPostgres();
    const database = `encoding_sql_ascii_${Deno.pid}`;
    await execute(server, `create database ${database} encoding 'SQL_ASCII' locale 'C' template template0`);
    try {
      await using reader = new Database(settingsFor(server, { database }), createLogger("off"));
      const query = queryDatabase(reader, { maxRows: 10, allowFunctions: [] });
      assert.deepEqual((await callTool(query, { sql: "select 'ü'" })).structured.rows, [["ü"]]);
      await assert.rejects(
        callTool(query, { sql: "select convert_from('\\x66fc72'::bytea, 'SQL_ASCII')" }),
        /invalid byte sequence for encoding "UTF8": 0xfc/,
      );
      const { structured } = await callTool(query, {
        sql: "select convert_from('\\x66fc72'::bytea, 'SQL_ASCII')::bytea",
      });
      assert.deepEqual(structured.rows, [["\\x66fc72"]]);
    } finally {
      await execute(server, `drop database ${database} with (force)`);
    }
  },
});
