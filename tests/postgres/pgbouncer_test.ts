/** Behind PgBouncer in transaction mode, where each transaction may be on another connection than the one before. */
import assert from "@std/assert";
import postgres from "postgres";
import { Database } from "../../src/postgres/database.ts";
import type { Tool } from "../../src/common/tool.ts";
import { databaseHealth } from "../../src/postgres/database_health.ts";
import { describeTable } from "../../src/postgres/describe_table.ts";
import { explainQuery } from "../../src/postgres/explain_query.ts";
import { listTables } from "../../src/postgres/list_tables.ts";
import { loadParser } from "../../src/postgres/parser.ts";
import { queryDatabase } from "../../src/postgres/query_database.ts";
import { postgresResources } from "../../src/postgres/resources.ts";
import { topQueries } from "../../src/postgres/top_queries.ts";
import { patient } from "../support/own_server.ts";
import { pgbouncerAvailable, startPgBouncer } from "../support/pgbouncer.ts";
import { postgresAvailable, sharedPostgres } from "../support/postgres.ts";
import { rejection } from "../support/rejection.ts";
import { callTool } from "../support/tools.ts";
import { eventually, execute, fetchOnce, quiet, settingsFor } from "../support/unguarded.ts";

Deno.test({
  name: "behind PgBouncer in transaction mode",
  ignore: !postgresAvailable || !pgbouncerAvailable,
  async fn(context) {
    await loadParser();
    const server = await sharedPostgres();
    await using bouncer = await startPgBouncer(server, 1);
    const settings = settingsFor({ ...server, ...bouncer }, { sslMode: "disable", poolSize: 4 });
    await using database = new Database(settings, quiet);
    const query = queryDatabase(database, { maxRows: 200, allowFunctions: [] });
    /** Another client of the same PgBouncer, whose one connection to the server all share. */
    const other = postgres({
      host: bouncer.host,
      port: bouncer.port,
      user: server.superuser,
      database: "postgres",
      max: 1,
      prepare: false,
      onnotice: () => {},
    });

    await context.step("guarded queries with parameters work, 40 at once", async () => {
      const answers = await Promise.all(
        Array.from(
          { length: 40 },
          (_, n) => callTool(query, { sql: "select $1::int * 2 as twice", parameters: [n] }),
        ),
      );
      assert.deepEqual(
        answers.map(({ structured }) => structured.rows[0][0]),
        answers.map((_, n) => String(2 * n)),
      );
    });

    await context.step(
      "no verdict is kept, and no statement, as the next process may be another",
      async () => {
        const state = await database.read(
          { signal: new AbortController().signal },
          (transaction) => Promise.resolve(transaction.state),
        );
        assert.equal(state, undefined);
        const { structured } = await callTool(query, {
          sql: "select count(*) from pg_prepared_statements where name like 'kept%'",
        });
        assert.deepEqual(structured.rows, [["0"]]);
      },
    );

    await context.step(
      "what another client has set on the connection changes nothing of what we read",
      async () => {
        await other.unsafe(
          "set datestyle = 'German'; set intervalstyle = 'sql_standard'; set bytea_output = 'escape'; set extra_float_digits = -5",
        );
        const { structured } = await callTool(query, {
          sql: `select date '2024-05-06', interval '1 day 2 hours', '\\x00ff'::bytea, 0.1::float8 + 0.2`,
        });
        assert.deepEqual(structured.rows, [[
          "2024-05-06",
          "1 day 02:00:00",
          "\\x00ff",
          "0.30000000000000004",
        ]]);
      },
    );

    await context.step("nothing of ours is left on the connection that others use", async () => {
      await callTool(query, { sql: "select 1" });
      const [row] = await other.unsafe(`select current_setting('statement_timeout') as timeout,
        current_setting('transaction_read_only') as read_only, current_setting('idle_in_transaction_session_timeout') as idle,
        (select count(*)::int from pg_prepared_statements) as prepared`);
      assert.deepEqual({ ...row }, { timeout: "0", read_only: "off", idle: "0", prepared: 0 });
    });

    await context.step("each tool answers as it does without PgBouncer", async () => {
      await execute(
        server,
        `create table if not exists bounced_users as select n as id, 'user ' || n as name from generate_series(1, 100) n`,
      );
      await using direct = new Database(settingsFor(server, { sslMode: "disable" }), quiet);
      const sql = "select * from bounced_users where id = 7";
      const calls: readonly (readonly [(database: Database) => Tool, Readonly<Record<string, unknown>>])[] = [
        [(database) => queryDatabase(database, { maxRows: 200, allowFunctions: [] }), { sql }],
        [listTables, { pattern: "bounced_users" }],
        [describeTable, { table_name: "bounced_users" }],
        [(database) => explainQuery(database, { allowFunctions: [] }), { sql }],
        [(database) => postgresResources(database, describeTable(database)).list, {}],
        [(database) => postgresResources(database, describeTable(database)).read, {
          uri: "postgres://tables/public/bounced_users",
        }],
        [(database) => postgresResources(database, describeTable(database)).complete, {
          uriTemplate: "postgres://tables/{schema}/{table}",
          argument: "table",
          value: "bounced_u",
          known: {},
        }],
      ];
      for (const [make, args] of calls) {
        const [bounced, straight] = await Promise.all(
          [database, direct].map((each) => callTool(make(each), args)),
        );
        const timeless = (answer: typeof bounced) =>
          JSON.stringify(answer?.structured).replace(/"planning_ms":[\d.]+/, "");
        assert.equal(timeless(bounced), timeless(straight));
        assert.match(`${bounced?.text}${JSON.stringify(bounced?.structured)}`, /bounced_users|user 7/);
      }
    });

    await context.step("database_health sees every section, and top_queries says what it lacks", async () => {
      const { structured } = await callTool(databaseHealth(database, patient), {});
      const unseen = structured.sections.filter(({ verdict }: { verdict: string }) =>
        verdict === "unknown" || verdict === "unseen"
      );
      assert.deepEqual(unseen, []);
      const error = await rejection(callTool(topQueries(database), {}));
      assert.match(error.message, /^Cannot rank statements as pg_stat_statements is/);
    });

    await context.step("a writing statement is refused by the server as well", async () => {
      await execute(server, "create table if not exists bounced (a int)");
      const error = await rejection(fetchOnce(database, "insert into bounced values (1)"));
      assert.match(error.message, /SQLSTATE 25006/);
    });

    await context.step("a cancel reaches the statement", async () => {
      const running = async () =>
        (await execute(
          server,
          "select from pg_stat_activity where state = 'active' and query like '%generate_series(1, 1e9)%' and pid <> pg_backend_pid()",
        )).length > 0;
      const abort = new AbortController();
      const call = rejection(
        fetchOnce(database, "select count(*) from generate_series(1, 1e9)", {
          signal: abort.signal,
        }),
      );
      await eventually(running);
      abort.abort();
      assert.equal((await call).kind, "cancelled");
      await eventually(async () => !(await running()));
      assert.deepEqual((await fetchOnce(database, "select 1")).rows, [["1"]]);
    });

    await context.step("a statement timeout holds", async () => {
      await using hasty = new Database({ ...settings, statementTimeoutMs: 200 }, quiet);
      const error = await rejection(fetchOnce(hasty, "select count(*) from generate_series(1, 1e9)"));
      assert.equal(error.kind, "unavailable");
    });
    await other.end();
  },
});
