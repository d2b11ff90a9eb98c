import assert from "@std/assert";
import { CallError } from "../../src/common/errors.ts";
import { queryDatabase } from "../../src/postgres/query_database.ts";
import { describeTable } from "../../src/postgres/describe_table.ts";
import { readName } from "../../src/postgres/relation.ts";
import { rejection } from "../support/rejection.ts";
import { createDatabase, databaseAvailable } from "../support/test_database.ts";
import { callTool } from "../support/tools.ts";

const schema = `
  create schema audit;
  create type mood as enum ('sad', 'ok');
  create type stage as enum ('ordered', 'packed', 'handed over', 'delivered');
  create table parcels (state stage);
  create table keyed (key text default 'abc' || substr(md5(random()::text), 1, 20), plain int default 7);
  create table noted (id serial, key text default 'abc' || substr(md5(random()::text), 1, 20), plain int default 7);
  comment on column noted.plain is 'A note';
  create type "Size" as (width int, height int);
  create sequence audit.tickets start 7;
  create domain email as text check (value like '%@%');
  create table users (
    id bigint generated always as identity primary key,
    name varchar(20) not null unique,
    mail email,
    mood mood default 'ok',
    price numeric(10,2)[] ,
    at timestamp(3) with time zone default now(),
    twice int generated always as (length(name) * 2) stored,
    constraint named check (length(name) > 1)
  );
  comment on table users is 'Everybody
who signed in';
  comment on column users.name is 'For signing in';
  create table todos (
    id bigint primary key,
    user_id bigint not null references users on delete cascade,
    title text not null default '',
    during tstzrange, exclude using gist (during with &&)
  );
  create index todos_open on todos (user_id, lower(title)) where title <> '';
  create unique index todos_title on todos (title);
  create table audit.users (x int);
  create schema one; create table one.twins (x int);
  create schema two; create table two.twins (x int);
  create view busy as select u.name, count(*) as todos from users u join todos t on t.user_id = u.id group by 1;
  create table parts (id int, at date) partition by range (at);
  create table parts_2024 partition of parts for values from ('2024-01-01') to ('2025-01-01');
  create table "Mixed ""Case" (x int); create table "dots.in" (x int);
  alter table audit.users enable row level security;
  insert into users (name) select 'user ' || n from generate_series(1, 40) n; analyze;`;

Deno.test({
  name: "describe_table",
  ignore: !databaseAvailable,
  async fn(context) {
    await using test = await createDatabase(schema);
    const tool = describeTable(test.database);
    const describe = async (table_name: string, schema?: string) =>
      (await callTool(tool, schema === undefined ? { table_name } : { table_name, schema })).structured;

    await context.step("gives columns as psql prints them", async () => {
      const { columns, comment, estimated_rows } = await describe("users");
      assert.deepEqual(
        columns.map((item: Record<string, unknown>) => [item.name, item.type, item.nullable, item.default]),
        [
          ["id", "bigint", false, "generated always as identity"],
          ["name", "character varying(20)", false, undefined],
          ["mail", "email", true, undefined],
          ["mood", "mood", true, "'ok'::mood"],
          ["price", "numeric(10,2)[]", true, undefined],
          ["at", "timestamp(3) with time zone", true, "now()"],
          ["twice", "integer", true, "generated always as ((length((name)::text) * 2)) stored"],
        ],
      );
      assert.equal(columns[1].comment, "For signing in");
      assert.equal(columns[2].base_type, "text");
      assert.deepEqual(columns[3].labels, ["sad", "ok"]);
      assert.equal(comment, "Everybody\nwho signed in");
      assert.equal(estimated_rows, 40);
    });

    await context.step("gives keys in both directions, checks and indexes", async () => {
      const users = await describe("users");
      assert.equal(users.primary_key, "PRIMARY KEY (id)");
      assert.deepEqual(users.unique, [{ name: "users_name_key", definition: "UNIQUE (name)" }]);
      assert.deepEqual(users.checks, [{ name: "named", definition: "CHECK (length(name::text) > 1)" }]);
      assert.deepEqual(users.referenced_by, [{
        table: "todos",
        name: "todos_user_id_fkey",
        definition: "FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE",
      }]);
      const todos = await describe("todos");
      assert.equal(
        todos.foreign_keys[0].definition,
        "FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE",
      );
      assert.equal(todos.checks[0].definition, "EXCLUDE USING gist (during WITH &&)");
      assert.deepEqual(todos.indexes, [
        {
          name: "todos_open",
          definition: "btree (user_id, lower(title)) WHERE (title <> ''::text)",
        },
        { name: "todos_title", definition: "UNIQUE btree (title)" },
      ]);
      assert.equal(todos.columns[2].default, "''::text");
    });

    await context.step("gives a view's definition, and how a table is partitioned", async () => {
      assert.match((await describe("busy")).view_definition, /SELECT u\.name,\n +count\(\*\) AS todos/);
      assert.equal((await describe("parts")).partitioning, "PARTITION BY RANGE (at), 1 partition");
      assert.match(
        (await describe("parts_2024")).partitioning,
        /partition of parts FOR VALUES FROM \('2024-01-01'\)/,
      );
      assert.equal((await describe("users", "audit")).row_security, true);
    });

    const names: readonly (readonly [string, string | undefined, string])[] = [
      ["users", undefined, "public.users"],
      ["audit.users", undefined, "audit.users"],
      ["users", "audit", "audit.users"],
      ['"users"', undefined, "public.users"],
      ['"Mixed ""Case"', undefined, 'public.Mixed "Case'],
      ['Mixed "Case', undefined, 'public.Mixed "Case'],
      ["dots.in", undefined, "public.dots.in"],
      ['public."dots.in"', undefined, "public.dots.in"],
      ["pg_class", undefined, "pg_catalog.pg_class"],
      ["pg_stat_activity", "pg_catalog", "pg_catalog.pg_stat_activity"],
      ["information_schema.tables", undefined, "information_schema.tables"],
    ];
    for (const [name, schema, expected] of names) {
      await context.step(`finds ${name}${schema === undefined ? "" : ` in ${schema}`}`, async () => {
        const found = await describe(name, schema);
        assert.equal(`${found.schema}.${found.name}`, expected);
      });
    }

    await context.step("an enum with much to tell has its labels below the table", async () => {
      const long = await callTool(tool, { table_name: "parcels" });
      assert.match(long.text, /^state +\| stage \(see below\) \| yes/m);
      assert.match(long.text, /^Labels:\n {2}state: ordered, packed, handed over, delivered$/m);
    });

    await context.step("a long default keeps a comment in its column", async () => {
      const { text, structured } = await callTool(tool, { table_name: "noted" });
      const whole = "('abc'::text || substr(md5((random())::text), 1, 20))";
      assert.match(text, /^column \| type +\| null \| default +\| comment\n/m);
      const lines = text.split("\n").filter((line: string) => /^(column|id|key|plain) +\|/.test(line));
      assert.equal(lines.length, 4);
      assert.deepEqual([...new Set(lines.map((line: string) => line.lastIndexOf("|")))].length, 1, text);
      assert.match(text, /^key +\| text +\| yes +\| \(see below\) +\|/m);
      assert.ok(
        text.includes(`\nDefaults:\n  id: nextval('noted_id_seq'::regclass)\n  key: ${whole}\n`) ||
          text.endsWith(`\nDefaults:\n  id: nextval('noted_id_seq'::regclass)\n  key: ${whole}`),
        text,
      );
      assert.equal(structured.columns[1].default, whole);
    });

    await context.step(
      "without a comment there is no column for one, and a long default stands in its own",
      async () => {
        const { text } = await callTool(tool, { table_name: "keyed" });
        assert.match(text, /^column \| type +\| null \| default *\n/m);
        assert.match(
          text,
          /^key +\| text +\| yes +\| \('abc'::text \|\| substr\(md5\(\(random\(\)\)::text\), 1, 20\)\)$/m,
        );
        assert.doesNotMatch(text, /Defaults:/);
      },
    );

    await context.step("names the others when the search path decides", async () => {
      const answer = await callTool(tool, { table_name: "users" });
      assert.deepEqual(answer.structured.also_named_so, ["audit.users"]);
      assert.match(answer.text, /Of the same name:\n {2}audit\.users/);
    });

    const failures: readonly (readonly [string, CallError["kind"], RegExp])[] = [
      ["twins", "invalid", /Say which: one\.twins, two\.twins/],
      ["usres", "not_found", /Did you mean .*public\.users.*\?$/],
      ["Users", "not_found", /Did you mean .*public\.users.*\?$/],
      ["audit.user", "not_found", /Did you mean audit\.users, .*\?$/],
      ["zzzzzzzzzz", "not_found", /list_tables/],
      ["users; drop table users", "not_found", /./],
      ["x'); drop table users; --", "not_found", /./],
    ];
    for (const [name, kind, hint] of failures) {
      await context.step(`answers a name that is not one with what might be meant: ${name}`, async () => {
        await assert.rejects(describe(name), (error: unknown) => {
          if (!(error instanceof CallError)) return false;
          assert.equal(error.kind, kind);
          assert.match(error.hint ?? "", hint);
          return true;
        });
      });
    }

    const others: readonly (readonly [string, string, RegExp, string?])[] = [
      ["audit.tickets", "audit.tickets is a sequence", /SELECT last_value FROM audit\.tickets$/, "7"],
      ["users_id_seq", "public.users_id_seq is a sequence", /FROM public\.users_id_seq$/, "40"],
      ["todos_open", "public.todos_open is an index of public.todos", /^Describe public\.todos$/],
      ["mood", "public.mood is an enum type", /SELECT enum_range\(NULL::public\.mood\)/, "{sad,ok}"],
      ["Size", 'public."Size" is a composite type', /\(NULL::public\."Size"\)\.\* for its columns$/, ""],
      ["email", "public.email is a domain over text", /^Describe a table/],
      ["int4", "pg_catalog.int4 is a type", /^Describe a table/],
    ];
    const query = queryDatabase(test.database, { maxRows: 10, allowFunctions: [] });
    for (const [name, message, hint, first] of others) {
      await context.step(`says what ${name} is, and how to read it`, async () => {
        const error = await rejection(describe(name));
        assert.equal(error.message, `${message}, not a table or view`);
        assert.match(error.hint ?? "", hint);
        if (first === undefined) return;
        // What it says must pass the guard.
        const sql = /SELECT .*?(?= for its|$)/.exec(error.hint ?? "")?.[0];
        assert.equal((await callTool(query, { sql })).structured.rows[0][0] ?? "", first);
      });
    }

    await context.step("shows an index that is not valid", async () => {
      await test.execute(`update pg_index set indisvalid = false where indexrelid = 'todos_open'::regclass`);
      const { text } = await callTool(tool, { table_name: "todos" });
      assert.match(text, /todos_open: .* INVALID/);
    });

    await context.step(
      "runs nothing that stands in for a function or an operator of the catalogue's",
      async () => {
        await test.execute(`create table hijacked (how text);
        create function note(how text) returns void language sql as 'insert into hijacked values (how)';
        create function quote_ident(name) returns text language sql as $$ select note('quote_ident'); select 'x' $$;
        create function format_type(oid, int) returns text language sql as $$ select note('format_type'); select 'x' $$;
        create function jsonb_agg(text) returns jsonb language sql as $$ select note('jsonb_agg'); select '[]'::jsonb $$;
        create function fit(name, name) returns boolean language sql as $$ select note('name'); select true $$;
        create operator !~ (leftarg = name, rightarg = name, procedure = fit);
        create operator ~~* (leftarg = name, rightarg = name, procedure = fit);
        create function fit(oid, int) returns boolean language sql as $$ select note('oid'); select true $$;
        create operator = (leftarg = oid, rightarg = int, procedure = fit);`);
        await describe("users");
        await assert.rejects(describe("usres"), CallError);
        assert.equal((await describe("todos")).columns.length, 4);
        await test.execute("do $$ begin assert (select count(*) from hijacked) = 0; end $$");
      },
    );

    await context.step("keeps to the budget: first texts get shorter, then lists, columns last", async () => {
      await test.execute(`do $$ begin
        execute 'create table huge (' || (select string_agg(format('c%s text default %L', n, repeat('d', 50)), ',')
          from generate_series(1, 1000) n) || ')';
        for n in 1..60 loop execute format('create index on huge (c%s)', n); end loop; end $$;
        create view long as select ${"x".repeat(60)}.id, '${"y".repeat(30_000)}' as y from users ${
        "x".repeat(60)
      }`);
      const huge = await callTool(tool, { table_name: "huge" });
      assert.equal(huge.structured.column_count, 1000);
      assert.ok(huge.structured.columns.length > 50 && huge.structured.columns.length < 1000);
      assert.match(huge.text, /\[Cut: the first \d+ of 1,000 columns shown/);
      assert.match(huge.text, /Indexes:[^]*\[Cut: the first \d+ of 60 shown\.\]/);
      const [columnsCut, indexesCut] = huge.structured.notes;
      assert.match(
        columnsCut,
        /^Cut: the first \d+ of 1,000 columns shown\. Query information_schema\.columns/,
      );
      assert.match(indexesCut, /^Cut: the first \d+ of 60 indexes shown\.$/);
      const keys = Object.keys(huge.structured);
      assert.ok(keys.indexOf("notes") < keys.indexOf("columns"), `${keys}`);
      const long = await callTool(tool, { table_name: "long" }, 4_096);
      assert.match(long.text, /y{100}…/);
    });
  },
});

Deno.test("a name is read as it is, with its quotes taken off, and as schema and name", () => {
  assert.deepEqual(readName("a.b", undefined), [{ schema: undefined, name: "a.b" }, {
    schema: "a",
    name: "b",
  }]);
  assert.deepEqual(readName('"a"', "s"), [{ schema: "s", name: '"a"' }, { schema: "s", name: "a" }]);
  assert.deepEqual(readName('"a.b"."c""d"', undefined).at(-1), { schema: "a.b", name: 'c"d' });
  assert.deepEqual(readName("a.b.c", undefined), [{ schema: undefined, name: "a.b.c" }]);
});
