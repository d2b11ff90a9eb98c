import assert from "@std/assert";
import { explainQuery } from "../../src/postgres/explain_query.ts";
import { queryDatabase } from "../../src/postgres/query_database.ts";
import { rejection } from "../support/rejection.ts";
import { createDatabase, databaseAvailable } from "../support/test_database.ts";
import { callTool } from "../support/tools.ts";

const schema = `create table users (id bigint primary key, name text, meta jsonb, total int);
  create table products (id int, "displayName" text, tags text[]);
  create table orders (id int, placed_at timestamp, completed boolean, meta text);
  insert into users values (1, 'alice', '{"sku": "a"}', 1)`;

const lists = "list_tables lists the tables";
const describes = "describe_table describes a table";
const fence = "send the statement alone, without a code fence";
const backticks = "names go in double quotes, not in backticks";
const doubled =
  "in double quotes it is a column's name (describe_table has them): text goes in single quotes";
const straight = "text goes in straight single quotes";
const asks = "this server reads one database; another schema's table is written schema.table";

const columns = "look at the table's columns with describe_table";
const casts = "You might need to add explicit type casts";
const unknown = "there is no function of that name";
const lookFor = "look for the table with list_tables";
const days = "PostgreSQL has b::date - a::date, in days";
const filtered = "PostgreSQL has count(*) FILTER (WHERE condition)";
const joined = "text is joined with ||";
const formatted = "PostgreSQL has to_char(time, 'YYYY-MM-DD')";
const misspelt = (word: string, keyword: string) => `${word}: did you mean ${keyword}?`;
const truth = "a boolean is compared with true or false, not with 1 or 0";
const quotedDate = "a date goes in single quotes: '2026-01-31'";
const isoDate = "write dates as 2026-01-31";
const brackets = "names go in double quotes, not in brackets";
const bound = "values go into parameters, and are written $1, $2 … in the statement";
const aliased = (name: string, instead = "repeat its expression, or select from a subquery") =>
  `${name} is an alias of the SELECT list, not known here: ${instead}`;
const reserved = (word: string) => `${word} is a reserved word: as a name it is written "${word}"`;

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
  ['select count(*) as "n" from users having "n" > 1', aliased("n")],
  ["select id from users where name = alice", "look at the table's columns with describe_table"],
  ['select users."alice" from users', "look at the table's columns with describe_table"],
  [
    'select "nmae" from users',
    "Perhaps you meant to reference the column users.name; look at the table's columns with describe_table",
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
  ["select constructor(1)", unknown],
  ["select zzyzx(1)", unknown],
  ["select coutn(*) from users", "did you mean count?"],
  ["select uper(name) from users", "did you mean upper?"],
  ["select pg_slep(1)", unknown],
  ["select coalese(name, 'x') from users", "did you mean coalesce?"],
  ["select datepart(year, placed_at) from orders", "PostgreSQL has extract(year FROM time)"],
  ["select upper(1, 2)", `No function matches the given name and argument types. ${casts}`],
  ["select meta.plan from users", "meta is jsonb: write meta->>'plan'"],
  ["select 1 from users where users.meta.planName = 'a'", "meta is jsonb: write users.meta->>'planName'"],
  ["select meta.plan from orders", lookFor],
  ["with users as (select 1 as meta) select meta.plan from users", lookFor],
  ["select o.meta.plan from users u cross join orders o", lookFor],
  ["show constructor", undefined],
  ["select displayName from products", 'write products."displayName"'],
  ["select p.displayName from products p", 'write p."displayName"'],
  ['select id, displayName from products as "order"', 'write "order"."displayName"'],
  ['select "o.id" from orders o', "write o.id, without quotes around both"],
  ["select o.idd from orders o", `Perhaps you meant to reference the column o.id; ${columns}`],
  ["select sysdate from users", "PostgreSQL has now() and current_date"],
  ["select id from users where rownum <= 5", "PostgreSQL has LIMIT n at the end, and row_number() OVER ()"],
  ["select u.rownum from users u", columns],
  ["select @@version", "PostgreSQL has version()"],
  ["select version from users", columns],
  ["select datediff(day, placed_at, now()) from orders", days],
  ["select datediff('day', placed_at, now()) from orders", days],
  ["select DATEDIFF(month, placed_at, now()) from orders", "PostgreSQL has age(b, a), an interval"],
  ["select dateadd(day, 1, placed_at) from orders", "PostgreSQL has time + n * interval '1 day'"],
  ["select convert(varchar, id) from users", "PostgreSQL has value::text"],
  ["select convert(id, char) from users", "PostgreSQL has value::text"],
  ["select day from users", columns],
  ["select total + 1 as t2 from users where t2 > 1", aliased("t2")],
  ["select name, count(*) as n from users group by name having n > 1", aliased("n")],
  ["select 'é', count(*) n from users where n > 1", aliased("n", "filter outside of a subquery")],
  ["select id x from users where id in (select x from orders)", columns],
  ["select now() from dual", "leave FROM dual out"],
  ["select orders.id from orders o", 'Perhaps you meant to reference the table alias "o"'],
  ["select * from sqlite_master", lookFor],
  ["select name + ' x' from users", joined],
  ["select 'a' + name + 'b' from users", joined],
  ["select name + 1 from users", `No operator matches the given name and argument types. ${casts}`],
  ["select median(total) from users", "PostgreSQL has percentile_cont(0.5) WITHIN GROUP (ORDER BY value)"],
  ["select decode(total, 1, 'a', 'b') from users", "PostgreSQL has CASE WHEN … THEN … ELSE … END"],
  ["select trunc(placed_at) from orders", "PostgreSQL has date_trunc('day', time)"],
  ["select trunc(name) from users", `No function matches the given name and argument types. ${casts}`],
  ["select countif(total > 1) from users", filtered],
  ["select sum(completed) from orders", filtered],
  ["select max(total, 1) from users", "PostgreSQL has greatest(a, b)"],
  ["select min(total, id) from users", "PostgreSQL has least(a, b)"],
  ["select last_insert_id()", "only statements that read can run here: nothing was inserted"],
  ["select id from orders where placed_at > 2026-01-01", quotedDate],
  [
    "select id from orders where placed_at > 2026",
    `No operator matches the given name and argument types. ${casts}`,
  ],
  ["select id from orders where completed = 1", truth],
  [
    "select id from orders where completed = id",
    `No operator matches the given name and argument types. ${casts}`,
  ],
  ["select id from products where tags like '%a%'", "an array is searched with 'x' = ANY(array)"],
  ["select id from orders where placed_at > '31/01/2026'", isoDate],
  ["select top 5 * from users", "TOP 5 is written LIMIT 5 at the end"],
  ["select top 5 from from users", undefined],
  ["select id from users where id = $id", bound],
  ["select id from users where id = ${id} and name = {{ name }}", bound],
  ["select id from users where name = {name}", bound],
  ["select id from users where id = @user_id", bound],
  ["select id from users where name = @name", bound],
  ["select * from ${table} where id = 1", undefined],
  ["select $a$ 1 from users", undefined],
  ["select @ user_id from users", columns],
  [
    "select @-name from users",
    "No operator matches the given name and argument type. You might need to add an explicit type cast",
  ],
  ["SELCT * FROM users", misspelt("SELCT", "SELECT")],
  ["SELEC 1;", misspelt("SELEC", "SELECT")],
  ["explian select 1", misspelt("explian", "EXPLAIN")],
  ["select * form users", misspelt("form", "FROM")],
  ["select 'é😀', id form users", misspelt("form", "FROM")],
  ["select * from users wehre id = 1", misspelt("wehre", "WHERE")],
  ["select id from users orderby id", misspelt("orderby", "ORDER BY")],
  ["select id from users odrer by id", misspelt("odrer", "ORDER")],
  ["select id from users where id betwen 1 and 2", misspelt("betwen", "BETWEEN")],
  ["select id from users limt 5", misspelt("limt", "LIMIT")],
  ["select * from form whre id = 1", misspelt("whre", "WHERE")],
  ["SELCT * FROM users wehre id = 1", undefined],
  ['"selct" 1', undefined],
  ["select id from users us er", undefined],
  ["select id from from users where", undefined],
  ["find users", undefined],
  ["select [id] from [users]", brackets],
  ["select id from users where id = any([id])", undefined],
  ["select id from users where id=?", bound],
  ["select id from users where id = :id and name = :name", bound],
  ["select id from users where id in (%s, %s)", bound],
  ["select id from users where where id = ?", undefined],
  ["select now() - interval 1 DAY", "an interval is written interval '1 day'"],
  ["select id from users minus select id from orders", "MINUS is written EXCEPT"],
  ["select * from users with (nolock) where id = 1", "leave WITH (NOLOCK) out"],
  ["select order from orders", reserved("order")],
  ["select id, group from orders", reserved("group")],
  ["select id from orders where end > now()", reserved("end")],
  ["select id, from orders", undefined],
  ["select id from orders where order by id", undefined],
  ["select distinct from orders", undefined],
  ["select id, desc from orders", reserved("desc")],
  ["select id from orders order by (id), desc", undefined],
  ["select top 10 percent id from users", undefined],
  ["select convert(int, name) from users", "PostgreSQL has value::int"],
  ["select convert(varchar(10), id) from users", "PostgreSQL has value::varchar(10)"],
  ["select CONVERT(VARCHAR(max), lower(name)) from users", "PostgreSQL has value::text"],
  ["select try_convert(decimal(10, 2), name) from users", "PostgreSQL has value::numeric(10, 2)"],
  ["select convert(nvarchar(10), id) from users", "PostgreSQL has value::varchar(n)"],
  ["select convert(varchar(10), placed_at, 120) from orders", formatted],
  ["select convert(char(8), getdate(), 112), id from orders", formatted],
  ["select convert(name, decimal(10,2)) from users", "PostgreSQL has value::numeric(10,2)"],
  ["select convert(varchar(10), id) from from users", undefined],
  ["select datediff(week, placed_at, now()) from orders", days],
  [
    "select datediff(placed, now()) from orders",
    `Perhaps you meant to reference the column orders.placed_at; ${columns}`,
  ],
  ["select total * 2 as totals from users where totals > 1", aliased("totals")],
  ["select id as x from users order by x + 1", aliased("x")],
  ["select total zz from users where exists (select 1 from orders where zz > 1)", columns],
  [
    "select row_number() over () rn from users group by id having rn = 1",
    aliased("rn", "filter outside of a subquery"),
  ],
  [
    "select tags not like '%a%' from products",
    `No operator matches the given name and argument types. ${casts}`,
  ],
  ["select id from users where id=@id", bound],
  ["select id from users where id>=@id and name=@name", bound],
  ["select id from users where id=@p1", bound],
  ["select id from users where id<>@p1", bound],
  ["select id from users where id = ? and meta ? 'a'", undefined],
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
  `select products."displayName" from products right join users on true limit 5`,
  "select name || ' x', version(), row_number() over (), greatest(id, 1), least(id, 1), total::text from users",
  "select percentile_cont(0.5) within group (order by total), count(*) filter (where total > 1) from users",
  "select now()::date - '2026-01-31'::date, age(now(), '2026-01-31'), now() + 3 * interval '1 day'",
  "select id::varchar(10), '1'::numeric(10, 2), to_char(now(), 'YYYY-MM-DD') from users",
  "select date_trunc('day', now()), now()::timestamp - '2026-01-31'::timestamp, 'x' = any('{x}'::text[])",
];

Deno.test({
  name: "what is written in another database's SQL, or for psql, is answered with what to write",
  ignore: !databaseAvailable,
  async fn(context) {
    await using test = await createDatabase(schema);
    const tool = queryDatabase(test.database, { maxRows: 200, allowFunctions: [] });
    for (const [sql, hint] of mistaken) {
      await context.step(`${sql}: ${hint ?? "nothing said"}`, async () => {
        const error = await rejection(callTool(tool, { sql }));
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
