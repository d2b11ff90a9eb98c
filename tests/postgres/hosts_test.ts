/** Several hosts in DATABASE_URL and target_session_attrs: which server answers is what psql says. */
import assert from "@std/assert";
import { Environment } from "../../src/common/env.ts";
import { createLogger } from "../../src/common/log.ts";
import { Database } from "../../src/postgres/database.ts";
import { describeTable } from "../../src/postgres/describe_table.ts";
import { explainQuery } from "../../src/postgres/explain_query.ts";
import { listTables } from "../../src/postgres/list_tables.ts";
import { loadParser } from "../../src/postgres/parser.ts";
import { queryDatabase } from "../../src/postgres/query_database.ts";
import { postgresResources } from "../../src/postgres/resources.ts";
import { readDatabaseSettings, sessionAttributes } from "../../src/postgres/settings.ts";
import { topQueries } from "../../src/postgres/top_queries.ts";
import { type OwnServer, startOwnServer } from "../support/own_server.ts";
import { postgresAvailable } from "../support/postgres.ts";
import { psql, psqlAvailable } from "../support/psql.ts";
import { type Standby, startStandby } from "../support/standby.ts";
import { callTool } from "../support/tools.ts";
import { fetchOnce } from "../support/unguarded.ts";
import { until } from "../support/until.ts";

/** Hosts in the order of the URL; nothing listens on port 1. */
const orders = [
  ["primary"],
  ["standby"],
  ["primary", "standby"],
  ["standby", "primary"],
  ["down", "primary", "standby"],
  ["down", "standby", "primary"],
  ["primary", "down", "standby"],
  ["standby", "down"],
  ["down"],
] as const;

/** `calm` has nothing set; in `frozen` every session of the primary starts read-only, too. */
const databases = ["calm", "frozen"] as const;

function open(url: string): Database {
  const settings = readDatabaseSettings(
    new Environment({
      get: (name) => name === "DATABASE_URL" ? url : undefined,
      readFile: () => {
        throw new Deno.errors.NotFound();
      },
    }),
  );
  return new Database(settings, createLogger("off"));
}

/** The port of the server that answers, or undefined where none does. */
async function ours(url: string): Promise<string | undefined> {
  await using database = open(url);
  try {
    const { rows } = await fetchOnce(database, "select current_setting('port')");
    return rows[0]?.[0] ?? undefined;
  } catch {
    return undefined;
  }
}

interface Pair {
  readonly own: OwnServer;
  readonly standby: Standby;
  /** A URL with these hosts. */
  url(order: readonly ("primary" | "standby" | "down")[], database: string, parameters?: string): string;
}

/** Waits until the standby shows what the primary has written so far. */
async function caughtUp({ own }: Pair): Promise<void> {
  await until("the standby has caught up", async () =>
    (await own.execute(
      "select from pg_stat_replication where state = 'streaming' and replay_lsn = pg_current_wal_lsn()",
    )).length > 0);
}

async function withPair(test: (pair: Pair) => Promise<void>): Promise<void> {
  await loadParser();
  await using own = await startOwnServer(
    ["synchronous_commit = on", "shared_preload_libraries = 'pg_stat_statements'"],
    "create database calm",
  );
  await own.execute("create database frozen");
  await own.execute("alter database frozen set default_transaction_read_only = on");
  await using standby = await startStandby(own);
  const ports = { primary: own.server.port, standby: standby.port, down: 1 };
  const password = encodeURIComponent(own.server.password);
  const pair: Pair = {
    own,
    standby,
    url: (order, database, parameters = "") =>
      `postgres://${own.server.superuser}:${password}@${
        order.map((name) => `127.0.0.1:${ports[name]}`).join(",")
      }/${database}?sslmode=disable${parameters}`,
  };
  await caughtUp(pair);
  await test(pair);
}

Deno.test({
  name: "several hosts and target_session_attrs, as psql chooses among them",
  ignore: !postgresAvailable || !psqlAvailable,
  fn: (t) =>
    withPair(async (pair) => {
      const servers = new Map([
        [String(pair.own.server.port), "the primary"],
        [String(pair.standby.port), "the standby"],
      ]);
      const seen = new Set<string>();
      for (const database of databases) {
        for (const attributes of sessionAttributes) {
          for (const order of orders) {
            const url = pair.url(order, database, `&target_session_attrs=${attributes}`);
            const said = await psql(url, "select current_setting('port')");
            const who = said === undefined ? "nobody" : servers.get(said) ?? said;
            seen.add(who);
            await t.step(`${attributes} of ${order.join(", ")} in ${database}: ${who}`, async () => {
              assert.equal(await ours(url), said);
            });
          }
        }
      }
      assert.deepEqual([...seen].sort(), ["nobody", "the primary", "the standby"]);
    }),
});

Deno.test({
  name: "as in psql, a wrong password at one host is not tried at the next",
  ignore: !postgresAvailable || !psqlAvailable,
  fn: () =>
    withPair(async (pair) => {
      await pair.own.execute("create role elsewhere login password 'right'");
      await caughtUp(pair);
      const wrong = (url: string) => url.replace(/\/\/[^@]*@/, "//elsewhere:wrong@");
      const url = wrong(pair.url(["primary", "standby"], "calm"));
      assert.equal(await psql(url, "select 1"), undefined);
      await using database = open(url);
      await assert.rejects(fetchOnce(database, "select 1"), /the password of user "elsewhere" is wrong/);
      const right = url.replace(":wrong@", ":right@");
      assert.equal(await ours(right), await psql(right, "select current_setting('port')"));
    }),
});

Deno.test({
  name: "the next host answers when the first one goes, and the first one again when it is back",
  ignore: !postgresAvailable,
  fn: () =>
    withPair(async (pair) => {
      await using database = open(pair.url(["primary", "standby"], "calm"));
      const port = async () =>
        (await fetchOnce(database, "select current_setting('port')")).rows[0]?.[0] ?? undefined;
      assert.equal(await port(), String(pair.own.server.port));
      await pair.own.server.stop("immediate");
      assert.equal(await port(), String(pair.standby.port));
      await pair.own.server.start();
      await using fresh = open(pair.url(["primary", "standby"], "calm"));
      const { rows } = await fetchOnce(fresh, "select current_setting('port')");
      assert.deepEqual(rows, [[String(pair.own.server.port)]]);
    }),
});

Deno.test({
  name: "each tool on a hot standby",
  ignore: !postgresAvailable,
  fn: (t) =>
    withPair(async (pair) => {
      const admin = await pair.own.session("postgres", "filler", "calm");
      await admin.execute(`create extension pg_stat_statements;
        create table users (id int primary key, name text);
        create index on users (lower(name));
        create view named as select name from users where name is not null;
        create function twice(int) returns int language sql immutable as 'select 2 * $1';
        insert into users select n, 'user ' || n from generate_series(1, 1000) n;
        analyze users`);
      await caughtUp(pair);
      await using database = open(pair.url(["primary", "standby"], "calm", "&target_session_attrs=standby"));
      const options = { maxRows: 200, allowFunctions: [] };
      const query = queryDatabase(database, options);
      await t.step("query_database reads, through a view and a function too", async () => {
        const { structured } = await callTool(query, {
          sql: "select pg_is_in_recovery(), twice(count(*)::int) from named",
        });
        assert.deepEqual(structured.rows, [["t", "2000"]]);
      });
      await t.step("and sees what the primary wrote since, once it is there", async () => {
        await admin.execute("insert into users values (1001, 'later')");
        await caughtUp(pair);
        const { structured } = await callTool(query, { sql: "select max(id) from users" });
        assert.deepEqual(structured.rows, [["1001"]]);
      });
      await t.step("a snapshot of a standby says too little for a verdict to be kept", async () => {
        const state = await database.read(
          { signal: new AbortController().signal },
          (transaction) => Promise.resolve(transaction.state),
        );
        assert.equal(state, undefined);
      });
      await t.step("a function that writes from now on is noticed", async () => {
        const sql = "select twice(3)";
        assert.deepEqual((await callTool(query, { sql })).structured.rows, [["6"]]);
        assert.deepEqual((await callTool(query, { sql })).structured.rows, [["6"]]);
        await admin.execute(`create or replace function twice(int) returns int language plpgsql immutable as
          $$ begin execute 'select 1'; return 1; end $$`);
        await caughtUp(pair);
        await assert.rejects(callTool(query, { sql }), /EXECUTE/);
      });
      await t.step("what writes is refused", async () => {
        await assert.rejects(callTool(query, { sql: "insert into users values (1)" }), /INSERT writes/);
        await assert.rejects(callTool(query, { sql: "select pg_promote()" }), /Cannot call pg_promote/);
        await assert.rejects(
          callTool(query, { sql: "select pg_wal_replay_pause()" }),
          /Cannot call pg_wal_replay_pause/,
        );
      });
      await t.step("list_tables", async () => {
        assert.match((await callTool(listTables(database), {})).text, /users/);
      });
      await t.step("describe_table", async () => {
        const { text } = await callTool(describeTable(database), { table_name: "users" });
        assert.match(text, /lower\(name\)/);
      });
      await t.step("explain_query, with analyze", async () => {
        const { text } = await callTool(explainQuery(database, options), {
          sql: "select * from users where id = 7",
          analyze: true,
        });
        assert.match(text, /users_pkey/);
      });
      await t.step("top_queries: what the standby itself ran", async () => {
        for (let n = 0; n < 3; n++) await callTool(query, { sql: "select count(*) as seen from users" });
        const { structured } = await callTool(topQueries(database), { limit: 50 });
        const texts = structured.statements.map((item: { query: string }) => item.query);
        assert.ok(
          texts.some((text: string) => /count\(\*\) as seen from users/.test(text)),
          texts.join("\n"),
        );
        assert.ok(!texts.some((text: string) => /^insert/i.test(text)), "the primary's are its own");
      });
      await t.step("the resources", async () => {
        const { list, read, complete } = postgresResources(database, describeTable(database));
        const { structured } = await callTool(list, {});
        const uris = structured.resources.map((item: { uri: string }) => item.uri);
        assert.ok(uris.includes("postgres://tables/public/users"));
        for (const uri of uris) assert.ok((await callTool(read, { uri })).text.length > 20, uri);
        const completed = await callTool(complete, {
          uriTemplate: "postgres://tables/{schema}/{table}",
          argument: "table",
          value: "us",
          known: { schema: "public" },
        });
        assert.deepEqual(completed.structured.values, ["users"]);
      });
      await admin.close();
    }),
});
