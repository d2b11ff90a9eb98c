import assert from "@std/assert";
import { CallError } from "../../src/common/errors.ts";
import { queryDatabase } from "../../src/postgres/query_database.ts";
import { rejection } from "../support/rejection.ts";
import { createDatabase, databaseAvailable } from "../support/test_database.ts";
import { callTool } from "../support/tools.ts";

const schema = `create table users (id bigint primary key, name text, photo bytea);
  insert into users select n, 'user ' || n, decode(repeat('ab', n::int), 'hex') from generate_series(1, 500) n;
  create table "order" as select 7 as id;
  create type priority as enum ('low', 'normal', 'high', 'it''s now');
  create schema other;
  create table acts (id int, "user" text);
  create table other.acts (id int, "user" text);
  create type other.priority as enum ('elsewhere');
  create type other."Odd: ""kind""" as enum ('a, b');
  create type many as enum (${Array.from({ length: 30 }, (_, n) => `'label ${n}'`).join(", ")});
  create function pinned(text) returns text stable language sql set search_path = other
    as 'select $1::priority::text';
  create table tasks as select 1 as id, 'high'::priority as priority, array['low'::priority] as all_of_it;`;

Deno.test({
  name: "query_database",
  ignore: !databaseAvailable,
  async fn(context) {
    await using test = await createDatabase(schema);
    const tool = queryDatabase(test.database, { maxRows: 200, allowFunctions: [] });
    const query = (sql: string, more: Record<string, unknown> = {}, budget?: number) =>
      callTool(tool, { sql, ...more }, budget);
    const rows = async (sql: string, parameters: readonly unknown[] = []) =>
      (await query(sql, { parameters })).structured.rows;

    await context.step("gives columns in order with their types, and rows as arrays", async () => {
      const { structured, text } = await query(
        "select 1 as a, 'x'::varchar(5) as a, null::jsonb, ''::text as e",
      );
      assert.deepEqual(structured, {
        columns: [
          { name: "a", type: "integer" },
          { name: "a", type: "character varying(5)" },
          { name: "jsonb", type: "jsonb" },
          { name: "e", type: "text" },
        ],
        rows: [["1", "x", null, ""]],
        row_count: 1,
        complete: true,
      });
      assert.match(text, /^a \| a \| jsonb \| e\n.*\n1 \| x \| NULL {2}\| ''\n\n1 row$/);
    });

    await context.step("shows a plan's lines as they are", async () => {
      const { text } = await query("explain (costs off) select * from users where id = 1 and name = 'a'");
      assert.match(text, /\n {2}Index Cond: \(id = 1\)\n/);
      assert.match(text, /\n {2}Filter: \(name = 'a'::text\)\n/);
      // A column of that name is no plan.
      assert.match((await query(`select '  a' as "QUERY PLAN"`)).text, /\n' {2}a'\n/);
    });

    const misspelt: readonly (readonly [string, string | undefined])[] = [
      ["select * from usres", "did you mean public.users?"],
      ["select * from public.user_", "did you mean public.users?"],
      ["select * from zzzzzzzzzz", "look for the table with list_tables"],
      // The same SQLSTATE: the table is there, and FROM lacks it.
      ["select users.id", "look for the table with list_tables"],
    ];
    for (const [sql, hint] of misspelt) {
      await context.step(`names what is near a table that is not there: ${sql}`, async () => {
        const error = await rejection(query(sql));
        assert.equal(error.kind, "not_found");
        assert.equal(error.hint, hint);
      });
    }

    const one = "priority is one of 'high', 'low', 'normal', 'it''s now'";
    const labels: readonly (readonly [string, string | undefined])[] = [
      ["select * from tasks where priority = 'hgih'", one],
      ["select * from tasks where priority = 'HIGH'", one],
      ["select * from tasks where '{hgih}' = all_of_it", one],
      [
        "select * from tasks where priority = 'zzzzzz'",
        "priority is one of 'low', 'normal', 'high', 'it''s now'",
      ],
      ["select 'x'::other.priority", "other.priority is one of 'elsewhere'"],
      [`select 'c: "d"'::other."Odd: ""kind"""`, `other."Odd: ""kind""" is one of 'a, b'`],
      [
        "select 'label'::many",
        `many is one of ${
          [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11].map((n) => `'label ${n}'`).join(", ")
        } and 18 more`,
      ],
      // The same SQLSTATE.
      ["select 'x'::int", undefined],
      // A label of the session's type of that name, and none of the function's.
      ["select pinned('high')", undefined],
    ];
    for (const [sql, hint] of labels) {
      await context.step(`names the labels of an enum that lacks one: ${sql}`, async () => {
        const error = await rejection(query(sql));
        assert.match(error.message, /SQLSTATE 22P02/);
        assert.equal(error.kind, "invalid");
        assert.equal(error.hint, hint);
      });
    }

    await context.step("names the labels for a parameter that is none", async () => {
      const error = await query("select * from tasks where priority = $1", { parameters: ["hgih"] })
        .then(() => undefined, (error) => error);
      assert.equal(error?.hint, one);
    });

    const equals = "= NULL is never true: write IS NULL.";
    const differs = "<> NULL is never true: write IS NOT NULL.";
    const compared: readonly (readonly [string, string | undefined])[] = [
      ["select id from users where name = null", equals],
      ["select id from users where id = 1 and (NULL = name or name = 'a')", equals],
      ["select count(*) from users where name <> NULL", differs],
      ["select id from users where id = 1 or name != null", differs],
      ["select case when name = null then 1 end from users where id = 1", equals],
      ["select id from users where id = 1 and name is null", undefined],
      ["select id from users where name is not distinct from null", undefined],
      ["select id from users where name = '= null'", undefined],
      ['select null = null, 1 = null, 1 as "= null"', undefined],
      ["select id from users where id = 1 -- name = null", undefined],
      ["select coalesce(name, null) = 'a' from users where id = 1", undefined],
      ["explain select id from users where name = null", undefined],
    ];
    for (const [sql, note] of compared) {
      await context.step(`says of a comparison with NULL that it is never true: ${sql}`, async () => {
        const { structured, text } = await query(sql);
        assert.equal(structured.note, note);
        assert.equal(text.endsWith(`\n\n${note}`), note !== undefined);
      });
    }

    const role = 'user is the current role: the column is written "user".';
    const named: readonly (readonly [string, string | undefined])[] = [
      ["select user, id from acts", role],
      ["select a.id, USER from users u left join other.acts a on true", role],
      ['select user from acts where "user" = user', undefined],
      ["select user as reader, id from acts", undefined],
      ["select current_user from acts", undefined],
      ["select user, id from users", undefined],
      ["select user from (select 1 from acts) a", undefined],
      ["select user", undefined],
      ["with acts as (select 1) select user from acts", undefined],
    ];
    for (const [sql, note] of named) {
      await context.step(
        `says of user that it is the role, where a column has that name: ${sql}`,
        async () => {
          assert.equal((await query(sql)).structured.note, note);
        },
      );
    }

    const absolute = (name: string) =>
      `@${name} is the absolute value of ${name}; a parameter is written $1, its value goes into parameters.`;
    const prefixed: readonly (readonly [string, string | undefined])[] = [
      ["select id from users where id = @id", absolute("id")],
      ["select id from users where id = @ id and name <> '@id'", undefined],
      ["select id from users -- @id", undefined],
      ["select id from users where name like 'a@b'", undefined],
    ];
    for (const [sql, note] of prefixed) {
      await context.step(`says of @id that it is an absolute value: ${sql}`, async () => {
        assert.equal((await query(sql)).structured.note, note);
      });
    }

    const reserved: readonly (readonly [string, string | undefined])[] = [
      ["select * from order", "order"],
      ["select 'é😀' from users u join Order o on o.id = u.id where o.id > 0 order by 1", "order"],
      ["select * from order o where o.id = 1", "order"],
      ["update table set id = 1", "table"],
      // The name was forgotten, or there is another error.
      ["select name from where id = 1", undefined],
      ["select name from where", undefined],
      ["select name from order by id", undefined],
      ["select name from limit 1", undefined],
      ["select * from users for update order by id", undefined],
      ["select name, from users", undefined],
      ["select 1 as order by id from users select", undefined],
    ];
    for (const [sql, word] of reserved) {
      await context.step(
        `says of a reserved word how it is a name, where it can only be one: ${sql}`,
        async () => {
          const error = await rejection(query(sql));
          assert.equal(error.kind, "invalid");
          assert.match(error.hint ?? "", /^At character \d+: /);
          const said = /; (\S+ is a reserved word: .*)$/.exec(error.hint ?? "")?.[1];
          assert.equal(said, word && `${word} is a reserved word: as a name it is written "${word}"`);
        },
      );
    }

    await context.step("ends neither a sentence nor a statement twice", async () => {
      const asked = async (sql: string) => await query(sql).then(() => undefined, (error) => error);
      const near = await asked("select nmae from users;");
      assert.match(near.message, /: select nmae from users$/);
      assert.equal(
        near.hint,
        "Perhaps you meant to reference the column users.name; look at the table's columns with describe_table",
      );
      assert.match((await asked("select name from from users ;")).hint, /: select name from from users$/);
    });

    await context.step("reads the reserved word when it is quoted as the error says", async () => {
      assert.deepEqual(await rows('select id from "order"'), [["7"]]);
    });

    await context.step("has no rows, and says so", async () => {
      const { structured, text } = await query("select id from users where false");
      assert.deepEqual(structured.rows, []);
      assert.match(text, /\(no rows\)/);
    });

    await context.step("stops at max_rows, and says that there was more", async () => {
      const { structured, text } = await query("select id from users order by id", { max_rows: 3 });
      assert.deepEqual(structured.rows, [["1"], ["2"], ["3"]]);
      assert.equal(structured.complete, false);
      assert.equal(
        structured.cut,
        "the first 3 of more than 3 rows shown. Aggregate, filter with WHERE, or raise max_rows (200 at most).",
      );
      assert.match(
        text,
        /\[Cut: the first 3 of more than 3 rows shown\. Aggregate, filter with WHERE, or raise max_rows \(200 at most\)\.\]$/,
      );
      assert.equal((await query("select id from users")).structured.row_count, 200);
      assert.equal((await query("select id from users limit 200")).structured.complete, true);
      assert.throws(() => tool.input.parse({ sql: "select 1", max_rows: 201 }));
    });

    const advised: readonly (readonly [string, number | undefined, string])[] = [
      [
        "select 1 from users",
        undefined,
        "Aggregate, filter with WHERE, or page with ORDER BY, LIMIT and OFFSET.",
      ],
      [
        "select repeat('x', 100) from users limit 200",
        4_096,
        "Aggregate, filter with WHERE, or ask for fewer columns.",
      ],
      [
        "select repeat('x', 9000) from users",
        4_096,
        "Aggregate, filter with WHERE, ask for fewer columns, or shorten values with left(column, n).",
      ],
      [
        "select repeat('x', 9000)",
        4_096,
        "Ask for fewer columns, or shorten values with left(column, n).",
      ],
      [
        `select ${Array.from({ length: 900 }, (_, n) => `${n} as "column number ${n}"`).join(", ")}`,
        4_096,
        "Ask for fewer columns.",
      ],
      ["show all", undefined, "Query pg_settings with WHERE."],
      [
        `explain ${Array.from({ length: 201 }, () => "select 1").join(" union all ")}`,
        undefined,
        "explain_query shows the nodes of a plan that matter.",
      ],
    ];
    for (const [sql, budget, advice] of advised) {
      await context.step(`advises what to do about what was cut: ${sql.slice(0, 40)}`, async () => {
        const { text, structured } = await query(sql, {}, budget);
        assert.ok(
          text.endsWith(` shown. ${advice}]`) || text.endsWith(` shortened. ${advice}]`),
          text.slice(-300),
        );
        assert.ok(structured.cut.endsWith(` ${advice}`), structured.cut);
        assert.deepEqual(Object.keys(structured), ["row_count", "complete", "cut", "columns", "rows"]);
      });
    }

    await context.step("binds parameters of every kind", async () => {
      assert.deepEqual(
        await rows("select $1::int + 1, $2::text, $3::bool, $4::text is null", [41, "a'b", true, null]),
        [
          ["42", "a'b", "t", "t"],
        ],
      );
      assert.deepEqual(await rows("select name from users where id = $1", ["7"]), [["user 7"]]);
      assert.deepEqual(
        await rows("select $1::jsonb->'a', $2::int[], $3::timestamptz at time zone 'UTC'", [
          '{"a":[1]}',
          "{1,2}",
          "2024-05-06T07:08:09Z",
        ]),
        [["[1]", "{1,2}", "2024-05-06 07:08:09"]],
      );
      await assert.rejects(
        query("select $1::int", { parameters: ["x"] }),
        /invalid input syntax for type integer/,
      );
    });

    const counts: readonly (readonly [string, readonly unknown[], string, RegExp])[] = [
      ["select $1::int", [], "it has 1 parameter and 0 values came with it", /Pass a value for each of \$1/],
      ["explain select $2::int + $1", [1], "it has 2 parameters and 1 value came", /Pass a value/],
      ["select '$1'", [1], "it has 0 parameters and 1 value came", /Leave parameters out/],
    ];
    for (const [sql, parameters, message, hint] of counts) {
      await context.step(`says how many values a statement wants: ${sql}`, async () => {
        const error = await rejection(query(sql, { parameters }));
        assert.equal(error.kind, "invalid");
        assert.ok(error.message.includes(message), error.message);
        assert.match(error.hint ?? "", hint);
      });
    }

    await context.step("tells how to read a sequence where nextval is refused", async () => {
      await test.execute("create sequence ticket start 7");
      const error = await rejection(query("select nextval('ticket')"));
      assert.match(error.hint ?? "", /^SELECT last_value FROM the sequence, or the view pg_sequences, /);
      assert.deepEqual(await rows("select last_value from ticket"), [["7"]]);
      assert.deepEqual(await rows("select start_value from pg_sequences where sequencename = 'ticket'"), [[
        "7",
      ]]);
    });

    await context.step("gives a bytea as its first bytes and its length", async () => {
      const { structured, text } = await query(
        "select photo from users where id in (1, 16, 17, 500) order by id",
      );
      assert.deepEqual(structured.rows, [
        ["\\xab"],
        [`\\x${"ab".repeat(16)}`],
        [`\\x${"ab".repeat(16)}… (17 bytes)`],
        [`\\x${"ab".repeat(16)}… (500 bytes)`],
      ]);
      assert.match(text, /2 long cells shortened/);
    });

    await context.step("gives csv", async () => {
      const { text } = await query(`select 1 as a, null as b, '' as c, 'x,"y"' as d`, { format: "csv" });
      assert.equal(text, 'a,b,c,d\n1,,"","x,""y"""');
    });

    await context.step("cuts what is long to the budget, in both forms", async () => {
      const wide = await query("select n, repeat('x', 1000) as x from generate_series(1, 100) n", {}, 4_096);
      assert.match(wide.text, /\[Cut: the first \d+ of 100 rows shown/);
      assert.equal(wide.structured.complete, false);
      assert.equal(wide.structured.rows.length, wide.structured.row_count);
      const long = await query("select repeat('é', 50000) as x", {}, 4_096);
      assert.match(long.text, /é… \(98 kB\)/);
      assert.match(long.structured.rows[0][0], /^é+… \(98 kB\)$/);
      const quotes = await query(`select repeat('"', 3000) as x`, {}, 4_096);
      assert.equal(quotes.structured.complete, false);
    });

    await context.step("keeps to the budget with more columns than fit", async () => {
      const columns = Array.from({ length: 1_000 }, (_, n) => `${n} as "column number ${n}"`).join(", ");
      const { structured, text } = await query(`select ${columns}`, {}, 4_096);
      assert.ok(structured.columns.length > 10 && structured.columns.length < 1_000);
      assert.equal(structured.complete, false);
      const shown = structured.columns.length;
      assert.equal(structured.cut, `${shown} of 1,000 columns shown, and no rows. Ask for fewer columns.`);
      assert.match(text, /Cut/);
    });

    await context.step("shows hidden characters", async () => {
      const { text } = await query("select E'a\\u202eb\\tc\\nd\\x07' as x");
      assert.match(text, /a\\u\{202e\}b\\tc\\nd\\x07/);
    });

    for (
      const sql of ["table users", "values (1), (2)", "show server_version", "explain select * from users"]
    ) {
      await context.step(`runs ${sql}`, async () => {
        assert.ok((await query(sql)).structured.row_count > 0);
      });
    }

    const refused: readonly (readonly [string, CallError["kind"]])[] = [
      ["delete from users", "refused"],
      ["select 1; drop table users", "refused"],
      ["commit; drop table users", "refused"],
      ["with gone as (delete from users returning *) select * from gone", "refused"],
      ["select pg_terminate_backend(pg_backend_pid())", "refused"],
      ["selec 1", "invalid"],
      ["", "invalid"],
      ["select * from nothing", "not_found"],
      ["select 1 / 0", "invalid"],
    ];
    for (const [sql, kind] of refused) {
      await context.step(`does not run ${JSON.stringify(sql)}`, async () => {
        await assert.rejects(query(sql), (error: unknown) => {
          if (!(error instanceof CallError)) return false;
          assert.equal(error.kind, kind, error.message);
          return true;
        });
      });
    }

    await context.step("and after all that nothing has changed", async () => {
      assert.deepEqual(await rows("select count(*), sum(id) from users"), [["500", "125250"]]);
    });
  },
});

Deno.test({
  name: "nothing is said of = NULL where the server reads it as IS NULL",
  ignore: !databaseAvailable,
  async fn() {
    await using test = await createDatabase(`do $$ begin
      execute format('alter database %I set transform_null_equals = on', current_database()); end $$`);
    const tool = queryDatabase(test.database, { maxRows: 200, allowFunctions: [] });
    const asked = async (sql: string) => (await callTool(tool, { sql })).structured;
    const equal = await asked("select 1 from (values (null::text)) t(a) where a = null");
    assert.deepEqual([equal.row_count, equal.note], [1, undefined]);
    const unequal = await asked("select 1 from (values ('a')) t(a) where a <> null");
    assert.deepEqual([unequal.row_count, unequal.note], [0, "<> NULL is never true: write IS NOT NULL."]);
  },
});
