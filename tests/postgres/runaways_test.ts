/** Statements that PostgreSQL can't interrupt: the pool's size bounds them, too. */
import assert from "@std/assert";
import { CallError } from "../../src/common/errors.ts";
import { queryDatabase } from "../../src/postgres/query_database.ts";
import { postgresAvailable, sharedPostgres } from "../support/postgres.ts";
import { createDatabase } from "../support/test_database.ts";
import { callTool } from "../support/tools.ts";
import { eventually, execute } from "../support/unguarded.ts";

const endless = "select count(*) as runaway from generate_series(1, 100000000000)";

Deno.test({
  name: "a statement that was given up and runs on counts as one until it ends",
  ignore: !postgresAvailable,
  async fn() {
    await using test = await createDatabase("create table t (a int)", { poolSize: 1 });
    const server = await sharedPostgres();
    const running = () =>
      execute(server, `select pid from pg_stat_activity where state = 'active' and query = '${endless}'`);
    const tool = queryDatabase(test.database, { maxRows: 10, allowFunctions: [] });
    const count = () => callTool(tool, { sql: "select count(*) from t" });
    const giveUp = new AbortController();
    await count();
    const call = tool.run(tool.input.parse({ sql: endless }), {
      signal: giveUp.signal,
      budget: 1000,
      progress: () => {},
    });
    call.catch(() => {});
    await eventually(async () => (await running()).length === 1);
    const [row] = await running();
    const pid = Number(row?.pid);
    // As in a library that looks for no interrupt, whatever it takes.
    Deno.kill(pid, "SIGSTOP");
    try {
      giveUp.abort(new CallError("cancelled", "Cannot answer as the call was cancelled"));
      await assert.rejects(call, /cancelled/);
      await assert.rejects(count(), /one that was given up still runs at the server/);
    } finally {
      Deno.kill(pid, "SIGCONT");
    }
    await eventually(async () => (await running()).length === 0);
    assert.equal((await count()).structured.row_count, 1);
  },
});
