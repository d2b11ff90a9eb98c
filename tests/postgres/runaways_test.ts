/** Statements that PostgreSQL can't interrupt: the pool's size bounds them, too. */
import assert from "@std/assert";
import { CallError } from "../../src/common/errors.ts";
import { queryDatabase } from "../../src/postgres/query_database.ts";
import { postgresAvailable } from "../support/postgres.ts";
import { createDatabase } from "../support/test_database.ts";
import { callTool } from "../support/tools.ts";

/** Nested counts over some hundred nodes take seconds in libxml2, which looks for no interrupt. */
const long = `select xpath('count(//*[count(//*[count(//*)>0])>0])',
  (select xmlelement(name a, xmlagg(xmlelement(name b, i))) from generate_series(1, 900) i))`;

/** Waits until it runs, or does not any more. */
const until = (what: string) =>
  `do $$ begin
    while not (${what} (select from pg_stat_activity where state = 'active' and query like 'select xpath%')) loop
      perform pg_sleep(0.05); perform pg_stat_clear_snapshot();
    end loop; end $$`;

Deno.test({
  name: "a statement that was given up and runs on counts as one until it ends",
  ignore: !postgresAvailable,
  async fn() {
    await using test = await createDatabase("create table t (a int)", { poolSize: 1 });
    const tool = queryDatabase(test.database, { maxRows: 10, allowFunctions: [] });
    const count = () => callTool(tool, { sql: "select count(*) from t" });
    const giveUp = new AbortController();
    await count();
    const call = tool.run(tool.input.parse({ sql: long }), {
      signal: giveUp.signal,
      budget: 1000,
      progress: () => {},
    });
    await test.execute(until("exists"));
    giveUp.abort(new CallError("cancelled", "Cannot answer as the call was cancelled"));
    await assert.rejects(call, /cancelled/);
    await assert.rejects(count(), /one that was given up still runs at the server/);
    await test.execute(until("not exists"));
    assert.equal((await count()).structured.row_count, 1);
  },
});
