/** Values, types and parameters: exactly what PostgreSQL says, whatever this process or the role is set to. */
import assert from "@std/assert";
import { type Cell, Database } from "../../src/postgres/database.ts";
import { execute, fetchOnce, quiet, settingsFor } from "../support/unguarded.ts";
import { postgresAvailable, sharedPostgres } from "../support/postgres.ts";

const needsServer = { ignore: !postgresAvailable };

interface ValueCase {
  readonly sql: string;
  readonly type: string;
  readonly text: Cell;
}

const values: readonly ValueCase[] = [
  { sql: "9223372036854775807::bigint", type: "bigint", text: "9223372036854775807" },
  {
    sql: "12345678901234567890.123456789012345678901::numeric",
    type: "numeric",
    text: "12345678901234567890.123456789012345678901",
  },
  { sql: "1.50::numeric(10,2)", type: "numeric(10,2)", text: "1.50" },
  { sql: "'NaN'::numeric", type: "numeric", text: "NaN" },
  { sql: "'-Infinity'::float8", type: "double precision", text: "-Infinity" },
  { sql: "0.1::float8 + 0.2", type: "double precision", text: "0.30000000000000004" },
  { sql: "true", type: "boolean", text: "t" },
  { sql: "'abc'::varchar(20)", type: "character varying(20)", text: "abc" },
  { sql: "'abc'::char(5)", type: "character(5)", text: "abc  " },
  { sql: "''::text", type: "text", text: "" },
  { sql: "null::text", type: "text", text: null },
  {
    sql: "timestamp '2024-02-29 12:34:56.789'",
    type: "timestamp without time zone",
    text: "2024-02-29 12:34:56.789",
  },
  {
    sql: "timestamptz '2024-06-30 12:00:00+02'",
    type: "timestamp with time zone",
    text: "2024-06-30 15:45:00+05:45",
  },
  { sql: "timestamp(3) '2024-01-01'", type: "timestamp(3) without time zone", text: "2024-01-01 00:00:00" },
  { sql: "timestamptz 'infinity'", type: "timestamp with time zone", text: "infinity" },
  { sql: "date '0044-03-15 BC'", type: "date", text: "0044-03-15 BC" },
  { sql: "time '04:05:06'", type: "time without time zone", text: "04:05:06" },
  { sql: "interval '1 year 2 days 03:04:05.6'", type: "interval", text: "1 year 2 days 03:04:05.6" },
  { sql: "interval '-1 day'", type: "interval", text: "-1 days" },
  { sql: "'\\xdeadbeef'::bytea", type: "bytea", text: "\\xdeadbeef" },
  { sql: "array[1, null, 3]", type: "integer[]", text: "{1,NULL,3}" },
  { sql: "array['a,b', 'c\"d', '']", type: "text[]", text: '{"a,b","c\\"d",""}' },
  { sql: "array[array[1,2],array[3,4]]", type: "integer[]", text: "{{1,2},{3,4}}" },
  { sql: "int4range(1, 5)", type: "int4range", text: "[1,5)" },
  { sql: '\'{"b": 1, "a":  [null]}\'::json', type: "json", text: '{"b": 1, "a":  [null]}' },
  { sql: '\'{"b": 1, "a":[null]}\'::jsonb', type: "jsonb", text: '{"a": [null], "b": 1}' },
  { sql: "row(1, 'a b', null)", type: "record", text: '(1,"a b",)' },
  { sql: "inet '10.0.0.1/8'", type: "inet", text: "10.0.0.1/8" },
  { sql: "'happy'::values_test.mood", type: "values_test.mood", text: "happy" },
  { sql: "row(1,'x')::values_test.pair", type: "values_test.pair", text: "(1,x)" },
  { sql: "'12'::values_test.small", type: "integer", text: "12" },
  { sql: "'grüße 🐘\u0001\ufeff'", type: "text", text: "grüße 🐘\u0001\ufeff" },
];

interface ParameterCase {
  readonly type: string;
  readonly given: Cell;
  readonly text: Cell;
}

const parameters: readonly ParameterCase[] = [
  { type: "int", given: "5", text: "5" },
  { type: "bigint", given: "9223372036854775807", text: "9223372036854775807" },
  { type: "json", given: '{"b":  1}', text: '{"b":  1}' },
  { type: "jsonb", given: '"text"', text: '"text"' },
  { type: "boolean", given: "true", text: "t" },
  { type: "bytea", given: "\\xff00", text: "\\xff00" },
  { type: "date", given: "2024-02-29", text: "2024-02-29" },
  { type: "timestamptz", given: "2024-01-01 00:00:00+00", text: "2024-01-01 05:45:00+05:45" },
  { type: "int[]", given: "{1,2,NULL}", text: "{1,2,NULL}" },
  { type: "text[]", given: '{"a,b"}', text: '{"a,b"}' },
  { type: "text", given: "O'Reilly; drop table x --", text: "O'Reilly; drop table x --" },
  { type: "text", given: "", text: "" },
  { type: "text", given: null, text: null },
];

Deno.test("values as PostgreSQL prints them", needsServer, async (t) => {
  const server = await sharedPostgres();
  await execute(
    server,
    "drop schema if exists values_test cascade",
    "create schema values_test",
    "create type values_test.mood as enum ('sad', 'happy')",
    "create type values_test.pair as (a int, b text)",
    "create domain values_test.small as int check (value < 100)",
    "create table values_test.t (id bigint, name varchar(30) not null)",
    "drop role if exists odd",
    "create role odd login superuser password 'odd'",
    // All that a role can do to make values print otherwise.
    "alter role odd set datestyle = 'SQL, DMY'",
    "alter role odd set intervalstyle = 'sql_standard'",
    "alter role odd set extra_float_digits = -15",
    "alter role odd set bytea_output = 'escape'",
    "alter role odd set standard_conforming_strings = off",
    "alter role odd set timezone = 'Asia/Kathmandu'",
  );
  const before = Deno.env.get("TZ");
  Deno.env.set("TZ", "America/Los_Angeles");
  await using database = new Database(settingsFor(server, { user: "odd", password: () => "odd" }), quiet);
  try {
    for (const { sql, type, text } of values) {
      await t.step(sql, async () => {
        const { columns, rows } = await fetchOnce(database, `select ${sql} as v`);
        assert.deepEqual(rows, [[text]]);
        assert.equal(columns[0]?.type, type);
      });
    }
    for (const { type, given, text } of parameters) {
      await t.step(`$1::${type} = ${given}`, async () => {
        const { rows } = await fetchOnce(database, `select $1::${type} as v`, { parameters: [given] });
        assert.deepEqual(rows, [[text]]);
      });
    }
    await t.step("columns with one name stay two", async () => {
      const { columns, rows } = await fetchOnce(database, "select 1 as a, 2 as a, 3");
      assert.deepEqual(columns.map((column) => column.name), ["a", "a", "?column?"]);
      assert.deepEqual(rows, [["1", "2", "3"]]);
    });
    await t.step("a table's column has its type's modifier", async () => {
      const { columns } = await fetchOnce(database, "select name, name || 'x' from values_test.t");
      assert.deepEqual(columns.map(({ type }) => type), ["character varying(30)", "text"]);
    });
    await t.step("no columns, no rows, SHOW and EXPLAIN", async () => {
      assert.deepEqual(await fetchOnce(database, "select from generate_series(1, 2)"), {
        columns: [],
        rows: [[], []],
        more: false,
        dropped: 0,
        cut: new Map(),
      });
      assert.deepEqual((await fetchOnce(database, "select 1 where false")).rows, []);
      assert.deepEqual((await fetchOnce(database, "show timezone")).rows, [["Asia/Kathmandu"]]);
      assert.equal((await fetchOnce(database, "explain (costs off) select 1")).rows[0]?.[0], "Result");
    });
    await t.step("our own queries by column name", async () => {
      const rows = await database.read(
        { signal: new AbortController().signal },
        (transaction) => transaction.query("select $1::int + 1 as n, null as nothing", ["41"]),
      );
      assert.deepEqual(rows, [{ n: "42", nothing: null }]);
    });
  } finally {
    if (before === undefined) Deno.env.delete("TZ");
    else Deno.env.set("TZ", before);
  }
});
