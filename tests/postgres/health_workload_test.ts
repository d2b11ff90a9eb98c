/** Rollbacks and temporary files: what their counters do not tell is not said. */
import assert from "@std/assert";
import { databaseHealth } from "../../src/postgres/database_health.ts";
import { patient, startOwnServer } from "../support/own_server.ts";
import { postgresAvailable } from "../support/postgres.ts";
import { callTool, type Structured } from "../support/tools.ts";
import { until } from "../support/until.ts";

const never = { warning: Infinity, critical: Infinity };

Deno.test({
  name: "database_health does not warn of its own rollbacks, nor says what spilled",
  ignore: !postgresAvailable,
  async fn(t) {
    await using own = await startOwnServer();
    const database = own.reader();
    const ask = async (temporaryFiles = never) => {
      const { text, structured } = await callTool(
        databaseHealth(database, { ...patient, thresholds: { transactions: 20, temporaryFiles } }),
        {},
      );
      const workload = structured.sections.find(({ name }: Structured) => name === "workload");
      return { text, workload: { findings: [], ...workload } };
    };

    await t.step("on a quiet database, most transactions are its own", async () => {
      let { text, workload } = await ask();
      await until("they are counted", async () => {
        if (workload.verdict !== "no_data" && / rolled back \(/.test(workload.summary)) return true;
        if (workload.findings.length > 0) return true;
        ({ text, workload } = await ask());
        return false;
      });
      assert.deepEqual(workload.findings, []);
      assert.equal(workload.verdict, "ok");
      assert.match(
        text,
        /^ok workload: [\d,]+ transactions, [\d,]+ rolled back \([\d.]+%, those of postgres-mcp itself among them\), 0 deadlocks, /m,
      );
    });
    await t.step("an index that is built writes temporary files, whatever work_mem is", async () => {
      await own.execute(
        `create table t as select n from generate_series(1, 300000) n; set work_mem = '1GB';
         set maintenance_work_mem = '1MB'; set max_parallel_maintenance_workers = 0; create index on t (n)`,
      );
      const any = { warning: 0.0001, critical: Infinity };
      let { workload } = await ask(any);
      await until("the files are counted", async () => {
        if (workload.findings.length > 0) return true;
        await own.execute("select");
        ({ workload } = await ask(any));
        return false;
      });
      const [found] = workload.findings;
      assert.match(
        found.text,
        /^\d+ temporary files? of .+ in [\d,]+ transactions, written by sorts, hashes or index builds$/,
      );
      assert.equal(
        found.caution,
        "find the statements with top_queries; raise work_mem for the role of sorts and hashes rather than for all, " +
          "maintenance_work_mem for index builds",
      );
    });
  },
});
