import assert from "@std/assert";
import { significant } from "../../src/common/units.ts";
import { describeTable } from "../../src/postgres/describe_table.ts";
import { loadParser } from "../../src/postgres/parser.ts";
import { queryDatabase } from "../../src/postgres/query_database.ts";
import { HIDDEN_TEXT, statementPrefix } from "../../src/postgres/statement_prefix.ts";
import { topQueries } from "../../src/postgres/top_queries.ts";
import { startOwnServer } from "../support/own_server.ts";
import { postgresAvailable } from "../support/postgres.ts";
import { rejection } from "../support/rejection.ts";
import { callTool, type Structured } from "../support/tools.ts";
import { until } from "../support/until.ts";

const ignore = !postgresAvailable;

const prefixes: readonly (readonly [name: string, text: string | null, shown: string])[] = [
  ["one line", "select 1,\n\t  2", "select 1, 2"],
  ["cut by characters", `select ${"é".repeat(100)}`, `select ${"é".repeat(73)}…`],
  ["no half of a pair", "😀".repeat(100), `${"😀".repeat(80)}…`],
  ["nothing", "  ", "(none)"],
  ["hidden", HIDDEN_TEXT, "unseen"],
  ["null", null, "unseen"],
  ["a password", "ALTER ROLE a PassWord 'x'", "(not shown: it mentions a password or a key)"],
  [
    "a password far behind",
    `select ${" 1,".repeat(200)} password`,
    "(not shown: it mentions a password or a key)",
  ],
  ["pgcrypto", "select pgp_sym_encrypt($1, 'key')", "(not shown: it mentions a password or a key)"],
  ["a URL", "copy t from program 'curl https://u:p@h/'", "copy t from program 'curl https://u:***@h/'"],
  ["a token", "update t set token = 'abc'", "update t set token = '***'"],
  [
    "the options of an EXPLAIN",
    "EXPLAIN (FORMAT JSON, VERBOSE, COSTS, SETTINGS, SUMMARY, ANALYZE, BUFFERS, TIMING)\nselect (1)",
    "EXPLAIN select (1)",
  ],
  ["hidden characters", "select '\u202e'", "select '\\u{202e}'"],
];
Deno.test.each(prefixes)("the beginning of a statement: %s", (_, text, shown) => {
  assert.equal(statementPrefix(text, 80), shown);
});

/** The error's sentence and hint. */
async function refusal(call: Promise<unknown>): Promise<string> {
  const error = await rejection(call);
  assert.equal(error.kind, "unavailable");
  return `${error.message}. ${error.hint}`;
}

Deno.test({
  name: "top_queries",
  ignore,
  async fn(t) {
    await using own = await startOwnServer(
      ["shared_preload_libraries = 'pg_stat_statements'", "pg_stat_statements.track = all"],
      `create role reader login; create role monitor login; grant pg_monitor to monitor;
       create schema "Ext ras";
       create table todos as select n as id, 'title ' || n as title from generate_series(1, 20000) n;
       create function nested() returns bigint language plpgsql as 'begin return (select count(*) from todos, generate_series(1, 3)); end';`,
    );
    await own.execute("create database other");
    const tool = topQueries(own.reader());

    await t.step("loaded, but not created: the statement, and no restart", async () => {
      const said = await refusal(callTool(tool, {}));
      assert.match(
        said,
        /not created in this database\. .*CREATE EXTENSION pg_stat_statements; in database postgres$/,
      );
      assert.doesNotMatch(said, /restart/);
    });

    await own.execute(`create extension pg_stat_statements schema "Ext ras"`);

    await t.step("created in a schema that the role may not use: the grant", async () => {
      const said = await refusal(callTool(topQueries(own.reader("reader")), {}));
      assert.match(said, /GRANT USAGE ON SCHEMA "Ext ras" TO reader;/);
      await own.execute(`grant usage on schema "Ext ras" to public`);
    });

    await t.step("by total and by mean: shares, rows, hits and spills", async () => {
      const total = (query: string) =>
        `(select total_exec_time from "Ext ras".pg_stat_statements where query = '${query}')`;
      let reset = 0;
      // The one is slower each time, the other takes more in all: it is so unless the server was held up.
      await until("two orders", async () => {
        reset = performance.now();
        await own.execute(`select "Ext ras".pg_stat_statements_reset()`);
        await own.execute("select pg_sleep(0.3)");
        for (let n = 0; n < 20; n++) await own.execute("select 1, pg_sleep(0.1)");
        const [once, often] = ["select pg_sleep($1)", "select $1, pg_sleep($2)"].map(total);
        return (await own.execute(`select where ${often} > ${once} and ${often} / 20 < ${once}`)).length > 0;
      });
      for (let n = 0; n < 300; n++) await own.execute(`select title from todos where id <= 10 and ${n} >= 0`);
      await own.execute("set work_mem = '64kB'");
      await own.execute("select count(*) from (select * from todos order by title desc offset 1) x");
      await own.execute("select nested()");
      const other = await own.session("postgres", "x", "other");
      await other.execute("select 'of the other database', pg_sleep(0.4)");
      const { structured, text } = await callTool(tool, { limit: 50 });
      const passed = (performance.now() - reset) / 1000;
      const found = (part: string): Structured =>
        structured.statements.find(({ query }: Structured) => query.includes(part));
      const many = found("select title from todos");
      assert.equal(many.calls, 300);
      assert.equal(many.rows_per_call, 10);
      assert.match(many.query, /id <= \$1 and \$2 >= \$3/, "constants are not shown");
      assert.ok(many.cache_hit > 0.5 && many.cache_hit <= 1);
      assert.ok(Math.abs(many.mean_ms * 300 - many.total_ms) < 1e-4 * many.total_ms);
      assert.equal(many.mean_ms, significant(many.mean_ms));
      assert.ok(found("order by title").temp_bytes > 100_000);
      assert.equal(found("of the other database"), undefined);
      assert.equal(found("generate_series").nested, true);
      assert.equal(found("select nested").nested, undefined);
      const top = structured.statements.filter(({ nested }: Structured) => !nested);
      const shares = top.reduce((sum: number, { share }: Structured) => sum + share, 0);
      assert.ok(Math.abs(shares + structured.own.share - 1) < 0.001, `${shares}`);
      assert.equal(structured.total, structured.statements.length + structured.own.statements);
      const totals = structured.statements.map(({ total_ms }: Structured) => total_ms);
      assert.deepEqual(totals, totals.toSorted((a: number, b: number) => b - a));
      assert.match(
        text,
        /^postgres: \d+ of \d+ statements by total time, counted in the last [\d.]+ m?(s|in).*; /,
      );
      assert.match(text, /share .* queryid/);
      // Told in whole seconds.
      assert.ok(structured.since_seconds <= passed + 1, `${structured.since_seconds} of ${passed} s`);
      const mean = await callTool(tool, { limit: 1, order: "mean" });
      const byMean = structured.statements.toSorted((a: Structured, b: Structured) => b.mean_ms - a.mean_ms);
      assert.equal(mean.structured.statements[0].query, byMean[0].query);
      assert.ok(found("select $1, pg_sleep($2)").total_ms > found("select pg_sleep($1)").total_ms);
      assert.ok(found("select $1, pg_sleep($2)").mean_ms < found("select pg_sleep($1)").mean_ms);
      assert.equal(mean.structured.statements.length, 1);
      assert.match(mean.text, /^postgres: 1 of \d+ statements by mean time/);
    });

    await t.step("texts of other roles: unseen for a reader, with the right for it", async () => {
      const { structured, text } = await callTool(topQueries(own.reader("reader")), { limit: 50 });
      assert.doesNotMatch(text, /title|pg_sleep/);
      assert.ok(structured.hidden > 3);
      assert.equal(structured.statements[0].query, "unseen");
      assert.equal(structured.statements[0].query_id, null);
      assert.ok(structured.statements[0].total_ms > 0);
      const grant = /texts are unseen: an operator can run GRANT pg_read_all_stats TO "reader";/;
      assert.match(text, grant);
      assert.match(structured.notes.join("\n"), grant);
      const monitor = await callTool(topQueries(own.reader("monitor")), { limit: 50 });
      assert.equal(monitor.structured.hidden, undefined);
      assert.match(monitor.text, /select title from todos/);
      assert.doesNotMatch(monitor.text, /unseen/);
    });

    await t.step("one statement of two roles is one row", async () => {
      await own.execute("grant select on todos to reader");
      const reader = await own.session("reader", "x");
      await reader.execute("select title from todos where id <= 10 and 5 >= 0");
      const { structured } = await callTool(tool, { limit: 50 });
      const same = structured.statements.filter(({ query }: Structured) =>
        query.includes("select title from todos")
      );
      assert.deepEqual(same.map(({ calls }: Structured) => calls), [301]);
    });

    await t.step("no secret in a text", async () => {
      await own.execute("create role secretive password 'hunter2'");
      await own.execute("comment on table todos is 'postgres://u:hunter2@h/d'");
      const { text, structured } = await callTool(tool, { limit: 50 });
      assert.doesNotMatch(text + JSON.stringify(structured), /hunter2/);
      assert.match(text, /not shown: it mentions a password/);
      assert.match(text, /u:\*\*\*@h/);
    });

    await t.step("a small budget is kept, and the cut is told", async () => {
      const { text, structured } = await callTool(tool, { limit: 50 }, 2_048);
      assert.ok(structured.statements.length < structured.total);
      assert.match(text, /\[Cut: \d+ of \d+ shown/);
      assert.match(structured.notes[0], /^Cut: \d+ of \d+ shown\. Ask for less with limit\.$/);
    });

    await t.step("the program's own queries are left out, and counted", async () => {
      await own.execute(`select "Ext ras".pg_stat_statements_reset()`);
      await loadParser();
      const database = own.reader();
      const query = queryDatabase(database, { maxRows: 10, allowFunctions: [] });
      for (let n = 0; n < 3; n++) {
        await callTool(query, { sql: "select count(*) from todos where title like 'a%'" });
      }
      await callTool(query, { sql: "select 'the caller''s own' /* postgres-mcp */" });
      await callTool(describeTable(database), { table_name: "todos" });
      const { structured, text } = await callTool(tool, { limit: 50 });
      const shown = structured.statements.map(({ query }: Structured) => query);
      assert.ok(
        shown.some((query: string) => query.includes("from todos where title")),
        "the caller's is shown",
      );
      assert.ok(shown.some((query: string) => query.startsWith("select $1 /*")), "the caller's is shown");
      assert.deepEqual(
        shown.filter((query: string) =>
          /pg_class|pg_prepared_statements|set_config|with recursive/.test(query)
        ),
        [],
      );
      assert.ok(structured.own.statements > 5);
      assert.ok(structured.own.share > 0 && structured.own.share < 1);
      assert.match(text, /\nLeft out: \d+ statements of this program's own, [\d.<]+ ?% of the time\.(\n|$)/);
    });

    await t.step("a database without a counted statement has no data", async () => {
      await own.execute("create database empty");
      const setup = await own.session("postgres", "x", "empty");
      await setup.execute("create extension pg_stat_statements");
      await setup.close();
      await own.execute("alter database empty set pg_stat_statements.track = none");
      await own.execute(
        `select "Ext ras".pg_stat_statements_reset(0, (select oid from pg_database where datname = 'empty'))`,
      );
      const database = own.reader("postgres", { database: "empty" });
      const { text, structured } = await callTool(topQueries(database), {});
      assert.equal(structured.total, 0);
      assert.deepEqual(structured.statements, []);
      assert.match(text, /^No data: pg_stat_statements counted no statement of empty/);
      assert.match(structured.notes[0], /^No data: pg_stat_statements counted no statement of empty/);
    });

    await t.step("created, but not loaded after a restart", async () => {
      await own.execute("alter system set shared_preload_libraries = 'plpgsql'");
      await own.server.restart();
      const said = await refusal(callTool(topQueries(own.reader()), {}));
      assert.match(
        said,
        /not loaded by the server\. .*shared_preload_libraries = 'pg_stat_statements'.*restart PostgreSQL$/,
      );
    });

    await t.step("a setting of its name is not the loaded library", async () => {
      const path = `${own.server.dataDirectory}/postgresql.conf`;
      await Deno.writeTextFile(path, "\npg_stat_statements.max = 100\n", { append: true });
      await own.server.restart();
      assert.match(await refusal(callTool(topQueries(own.reader()), {})), /not loaded by the server\./);
    });
  },
});

Deno.test({
  name: "top_queries without the extension says in one sentence how to enable it",
  ignore,
  async fn() {
    await using own = await startOwnServer();
    const said = await refusal(callTool(topQueries(own.reader()), {}));
    assert.match(
      said,
      /neither loaded nor created\. .*shared_preload_libraries = 'pg_stat_statements'.*, restart PostgreSQL, and run CREATE EXTENSION/,
    );
  },
});

Deno.test({
  name: "a view of somebody's own beside an old pg_stat_statements is not read",
  ignore,
  async fn() {
    await using own = await startOwnServer(
      ["shared_preload_libraries = 'pg_stat_statements'"],
      `create extension pg_stat_statements version '1.8'; create role planter; grant create on schema public to planter;
       set role planter;
       create function ran() returns bigint language plpgsql as $$ begin raise exception 'it ran'; end $$;
       create view pg_stat_statements_info as select ran() as dealloc, now() as stats_reset;
       grant select on pg_stat_statements_info to public; reset role`,
    );
    const { text } = await callTool(topQueries(own.reader()), {});
    assert.match(text, /statement/);
  },
});
