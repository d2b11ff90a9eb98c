import assert from "@std/assert";
import { RawClient, toolAnswer } from "../support/mcp.ts";
import { permitted } from "../support/permitted.ts";
import { postgresAvailable } from "../support/postgres.ts";
import { createProgramDatabase } from "../support/program_database.ts";
import { until } from "../support/until.ts";

const ignore = !postgresAvailable;
const bytes = (text: string) => new TextEncoder().encode(text).length;

Deno.test({
  name: "the 61st call of one tool in a minute is refused with the seconds to wait, other tools are not",
  ignore: !permitted,
  async fn() {
    await using client = await RawClient.connect({ variables: { DB_PORT: "1" } });
    const calls = Array.from({ length: 60 }, () => client.query("DELETE FROM todos"));
    for (const { text } of await Promise.all(calls)) assert.doesNotMatch(text, /a minute/);
    const { text, isError } = await client.query("SELECT 1");
    assert.equal(isError, true);
    assert.match(text, /query_database more than 60 times a minute\. Wait \d+ s/);
    // Two pipes: the line is out before the answer, and may be read after it.
    await until("the 61st line", () => client.auditLines.length === 61);
    assert.equal(client.auditLines.at(-1)?.outcome, "limited");
    assert.doesNotMatch((await client.call("list_tables")).text, /a minute/);
  },
});

Deno.test({
  name: "calls of tools that don't exist are limited too",
  ignore: !permitted,
  async fn() {
    await using client = await RawClient.connect({ variables: { RATE_LIMIT_PER_MINUTE: "3" } });
    for (const name of ["a", "b", "c"]) {
      assert.match((await client.request("tools/call", { name })).error?.message ?? "", /Unknown tool/);
    }
    const limited = await client.request("tools/call", { name: "d" });
    assert.match(JSON.stringify(limited), /more than 3 times a minute/);
  },
});

Deno.test({
  name: "RATE_LIMIT_PER_MINUTE=0: 500 calls at once are all answered, each with its own answer",
  ignore,
  async fn() {
    await using database = await createProgramDatabase();
    await using client = await RawClient.connect({
      variables: { ...database.variables, RATE_LIMIT_PER_MINUTE: "0" },
    });
    const asked = Array.from({ length: 500 }, (_, i) => {
      const sql = i % 5 === 0 ? `SELECT ${i} AS n` : `DELETE FROM todos WHERE id = ${i}`;
      return { i, id: client.post("tools/call", { name: "query_database", arguments: { sql } }) };
    });
    for (const { i, id } of asked) {
      const { text, isError } = toolAnswer(await client.answer(id));
      assert.equal(isError, i % 5 !== 0, text);
      if (!isError) assert.match(text, new RegExp(`\\b${i}\\b`));
    }
    await until("500 lines", () => client.auditLines.length === 500);
  },
});

Deno.test({
  name: "SQL that no server should see is a clear error, and the next call works",
  ignore,
  async fn(t) {
    await using database = await createProgramDatabase();
    await using client = await RawClient.connect({ variables: database.variables });
    const deep = 100_000;
    const cases: readonly (readonly [string, string, RegExp])[] = [
      ["10 MB", `SELECT '${"x".repeat(10_000_000)}'`, /long|MB|characters/],
      ["deep", `SELECT ${"(".repeat(deep)}1${")".repeat(deep)}`, /./],
      ["a NUL", "SELECT 'a\0b'", /NUL/],
      ["nothing", "", /./],
      ["a lone surrogate", "SELECT '\ud800'", /./],
    ];
    for (const [what, sql, says] of cases) {
      await t.step(what, async () => {
        const { text, isError } = await client.query(sql);
        if (what !== "a lone surrogate") assert.equal(isError, true);
        assert.match(text, says);
        assert.doesNotMatch(text, /defect/);
        assert.ok(bytes(text) < 2_000);
        assert.equal((await client.query("SELECT 1")).isError, false);
      });
    }
    await t.step("none of it grows the audit log without bound", () => {
      assert.ok(client.auditLines.every((line) => JSON.stringify(line).length < 60_000));
    });
  },
});

Deno.test({
  name: "answers keep to MAX_OUTPUT_BYTES, say that they were cut, and how to ask for less",
  ignore,
  async fn(t) {
    await using database = await createProgramDatabase();
    const variables = { ...database.variables, MAX_OUTPUT_BYTES: "2048", MAX_ROWS: "1000" };
    await using client = await RawClient.connect({ variables });
    const wide = Array.from({ length: 200 }, (_, i) => `${i} AS column_number_${i}`).join(", ");
    const cases: readonly (readonly [string, string])[] = [
      ["many rows", "SELECT id, title FROM todos"],
      ["a long cell", "SELECT repeat('ü€😀', 100000)"],
      ["many columns", `SELECT ${wide}`],
      ["long column names", `SELECT 1 AS "${"ü".repeat(31)}", 2 AS "${"z".repeat(63)}" FROM todos`],
      ["a large answer", "SELECT repeat('x', 900000) FROM generate_series(1, 30)"],
      ["what has to be spelt out", "SELECT repeat(chr(8238), 5000) FROM generate_series(1, 20)"],
    ];
    for (const [what, sql] of cases) {
      for (const format of ["table", "csv"]) {
        await t.step(`${what}, ${format}`, async () => {
          const { text, structured, isError } = await client.call("query_database", { sql, format });
          assert.equal(isError, false, text);
          assert.ok(bytes(text) <= 2048, `${bytes(text)} bytes`);
          assert.match(text, /Cut: /);
          assert.equal(structured?.complete, false);
        });
      }
    }
    await t.step("other tools too", async () => {
      const columns = Array.from({ length: 300 }, (_, i) => `c${i} integer`).join(", ");
      await database.execute(`create table wide (${columns})`);
      await database.execute(`grant select on wide to ${database.variables.DB_USER}`);
      const { text, isError } = await client.call("describe_table", { table_name: "wide" });
      assert.equal(isError, false, text);
      assert.ok(bytes(text) <= 2048);
      assert.match(text, /Cut: /);
    });
  },
});

for (const zone of ["Asia/Kolkata", "America/St_Johns"]) {
  Deno.test({
    name: `timestamps are as PostgreSQL prints them, whatever the process's time zone: TZ=${zone}`,
    ignore,
    async fn() {
      await using database = await createProgramDatabase();
      await using client = await RawClient.connect({
        variables: { ...database.variables, TZ: zone, PGTZ: zone },
      });
      await database.execute(`alter role ${database.variables.DB_USER} set timezone to 'UTC'`);
      const { structured } = await client.query("SELECT at, plain, at::date FROM times");
      const expected = ["2024-02-03 04:05:06.789+00", "2024-02-03 04:05:06.789", "2024-02-03"];
      assert.deepEqual(structured?.rows, [expected]);
    },
  });
}
