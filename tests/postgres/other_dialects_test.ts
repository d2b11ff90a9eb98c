import assert from "@std/assert";
import { CallError } from "../../src/common/errors.ts";
import { explainQuery } from "../../src/postgres/explain_query.ts";
import { queryDatabase } from "../../src/postgres/query_database.ts";
import { createDatabase, databaseAvailable } from "../support/test_database.ts";
import { callTool } from "../support/tools.ts";

const schema = `create table users (id bigint primary key, name text, meta jsonb, total int);
  insert into users values (1, 'alice', '{"sku": "a"}', 1)`;

const lists = "list_tables lists the tables";
const describes = "describe_table describes a table";
const fence = "send the statement alone, without a code fence";
const backticks = "names go in double quotes, not in backticks";
const doubled =
  "in double quotes it is a column's name (describe_table has them): text goes in single quotes";
const straight = "text goes in straight single quotes";
const asks = "this server reads one database; another schema's table is written schema.table";

/** Statements that fail, and the advice; undefined where another error than that of a dialect is as likely. */
const mistaken: readonly (readonly [string, string | undefined])[] = [
  ["\\dt", lists],
  ["\\dt+;", lists],
  ["\\dt us*", lists],
  ["\\d", lists],
  ["\\d users", describes],
  [" \\d+ public.users", describes],
  ["\\du", "a command of psql is no SQL"],
  ["show tables", lists],
  ["SHOW TABLES;", lists],
  ["show full tables", lists],
  ["show tables like 'u%'", lists],
  ["show databases", "SELECT datname FROM pg_database lists the databases"],
  ["show databases like 'a'", "SELECT datname FROM pg_database lists the databases"],
  ["show schemas", "SELECT nspname FROM pg_namespace lists the schemas"],
  ["show columns from users", describes],
  ["show create table users", describes],
  ["show index from users", describes],
  ["show processlist", "query pg_stat_activity"],
  ["show variables", "SHOW ALL shows the settings"],
  ["describe users", describes],
  ["DESC users;", describes],
  ["describe select 1", "explain_query explains a query"],
  ["explain users", describes],
  ["explain table", undefined],
  ["describe", undefined],
  ["pragma table_info(users)", describes],
  ["use shop;", asks],
  ["```sql\nselect 1\n```", fence],
  ["select * from users limit 10, 20", "LIMIT a, b is written LIMIT b OFFSET a"],
  ["select `name` from users", backticks],
  ["select id from users where `id`> 5", backticks],
  ["select '`', \"`\" from from users -- `", undefined],
  ["select 1 from from users /*`*/", undefined],
  ['select id from users where name = "alice"', doubled],
  ["select id from users where name in (\"alice\", 'bob')", doubled],
  ['select id from users where name like "al%" and meta is not null', doubled],
  ["select '😀é', id from users where name = \"zoë\"", doubled],
  ['select count(*) as "n" from users having "n" > 1', "look at the table's columns with describe_table"],
  ["select id from users where name = alice", "look at the table's columns with describe_table"],
  ['select users."alice" from users', "look at the table's columns with describe_table"],
  [
    'select "nmae" from users',
    'Perhaps you meant to reference the column "users.name"; look at the table\'s columns with describe_table',
  ],
  ["select id from users where name = “alice”", straight],
  ["select id from users where name = ‘alice’", straight],
  ["select meta->sku from users", "a JSON key is text: 'sku', in single quotes"],
  ['select u.meta ->> "it\'s" from users u', "a JSON key is text: 'it''s', in single quotes"],
  ["select id - sku from users", "look at the table's columns with describe_table"],
  ["select id from users where name == 'a'", "equality is written ="],
  ["select ifnull(name, 'x') from users", "PostgreSQL has coalesce(a, b)"],
  ["select isnull(name, 'x') from users", "PostgreSQL has coalesce(a, b)"],
  ["select isnull(name) from users", "PostgreSQL has value IS NULL"],
  ["select group_concat(name) from users", "PostgreSQL has string_agg(value, ', ')"],
  ["select year(now())", "PostgreSQL has extract(year FROM time)"],
  [
    "select constructor(1)",
    "No function matches the given name and argument types. You might need to add explicit type casts",
  ],
  ["show constructor", undefined],
  ["select current_setting('tables')", undefined],
];

/** What is advised, with names of ours for the placeholders. */
const advised = [
  "select datname from pg_database",
  "select nspname from pg_namespace",
  "select pid, state from pg_stat_activity",
  "show all",
  "select * from users limit 20 offset 10",
  "select meta->'sku', meta #> '{sku}' from users where name = 'alice'",
  `select "name" from users`,
  "select coalesce(name, 'x'), case when id = 1 then 1 else 2 end, length(name), upper(name), lower(name) from users",
  "select string_agg(name, ', ') from users",
  "select strpos(name, 'l'), split_part(name, 'l', 1), random(), now(), current_date, current_time from users",
  "select to_char(now(), 'YYYY-MM-DD'), to_date('2026-01-02', 'YYYY-MM-DD'), now()::date - '2026-01-01'::date",
  "select now() + interval '1 day', now() - interval '1 day', extract(epoch FROM now()), extract(hour FROM now())",
  "select to_timestamp(1), current_database()",
];

Deno.test({
  name: "what is written in another database's SQL, or for psql, is answered with what to write",
  ignore: !databaseAvailable,
  async fn(context) {
    await using test = await createDatabase(schema);
    const tool = queryDatabase(test.database, { maxRows: 200, allowFunctions: [] });
    for (const [sql, hint] of mistaken) {
      await context.step(`${sql}: ${hint ?? "nothing said"}`, async () => {
        const error = await callTool(tool, { sql }).then(() => undefined, (error) => error);
        assert.ok(error instanceof CallError, `${error}`);
        const said = error.hint?.replace(/^At character \d+: [^]*?(; |$)/, "") ?? "";
        assert.equal(said, hint ?? "");
      });
    }
    for (const sql of advised) {
      await context.step(
        `runs ${sql}`,
        async () =>
          assert.ok((await callTool(tool, { sql })).structured.row_count > 0 || sql.includes("offset")),
      );
    }
    await context.step("explain_query says the same", async () => {
      const explain = explainQuery(test.database, { allowFunctions: [] });
      for (
        const [sql, hint] of [['select id from users where name = "alice"', doubled], [
          "\\d users",
          `At character 1: \\d users; ${describes}`,
        ]]
      ) {
        const error = await callTool(explain, { sql }).then(() => undefined, (error) => error);
        assert.equal(error?.hint, hint);
      }
    });
  },
});
