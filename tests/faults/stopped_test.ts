/** Processes that stand still (SIGSTOP): their connections stay, and nothing comes. Then they go on. */
import assert from "@std/assert";
import { RawClient } from "../support/mcp.ts";
import { permitted } from "../support/permitted.ts";
import { postgresAvailable } from "../support/postgres.ts";
import { createProgramDatabase } from "../support/program_database.ts";
import { prometheusAvailable, startPrometheus } from "../support/prometheus.ts";
import { keepRows } from "../support/reliability.ts";
import { until } from "../support/until.ts";

Deno.test({
  name: "a backend that stands still is told in time, and asked again when it goes on",
  ignore: !postgresAvailable || !prometheusAvailable || Deno.build.os === "windows",
  async fn(t) {
    const rows: string[][] = [];
    await t.step("Prometheus", async () => {
      await using server = await startPrometheus({ settle: false });
      const variables = { PROMETHEUS_URL: server.url, PROMETHEUS_TIMEOUT_MS: "2000" };
      await using client = await RawClient.connect({ program: "prometheus", variables });
      const ask = () => client.call("query_metrics", { query: "vector(1)" });
      assert.equal((await ask()).isError, false);
      Deno.kill(server.pid, "SIGSTOP");
      const { text, isError } = await ask();
      Deno.kill(server.pid, "SIGCONT");
      assert.equal(isError, true);
      assert.match(text, /within 2 s/);
      assert.equal((await ask()).isError, false);
      rows.push(["Prometheus stands still (SIGSTOP)", text]);
    });
    await t.step("one session of PostgreSQL", async () => {
      await using database = await createProgramDatabase();
      const variables = { ...database.variables, STATEMENT_TIMEOUT_MS: "2000" };
      await using client = await RawClient.connect({ variables });
      assert.equal((await client.query("SELECT 1")).isError, false);
      const [session] = await database.execute(
        `select pid from pg_stat_activity where usename = '${database.variables.DB_USER}'`,
      );
      const pid = Number(session?.pid);
      Deno.kill(pid, "SIGSTOP");
      try {
        const { text, isError } = await client.query("SELECT 1");
        assert.equal(isError, false, text);
      } finally {
        Deno.kill(pid, "SIGCONT");
      }
      rows.push([
        "a session of PostgreSQL stands still",
        "nothing: it is answered, over a new connection",
      ]);
    });
    await t.step("docs/reliability.md says so", () => keepRows("stopped", rows));
  },
});

Deno.test({
  name: "a program that stood still goes on where it was: what came meanwhile is answered",
  ignore: !permitted || Deno.build.os === "windows",
  async fn() {
    await using client = await RawClient.connect({ variables: { DB_PORT: "1" } });
    client.kill("SIGSTOP");
    const ids = Array.from({ length: 20 }, () => client.post("tools/list"));
    client.kill("SIGCONT");
    for (const id of ids) assert.ok(Array.isArray((await client.answer(id)).result?.tools));
  },
});

Deno.test({
  name: "an input that is at its end before anything was said ends the program with exit 0",
  ignore: !permitted,
  async fn() {
    await using client = RawClient.launch({ variables: { DB_PORT: "1" } });
    await client.endInput();
    const { code, stdout } = await client.ended;
    assert.deepEqual([code, stdout], [0, ""]);
  },
});

Deno.test({
  name:
    "an output that is closed before the first answer ends the program as soon as it has something to say",
  ignore: !permitted,
  async fn() {
    await using client = RawClient.launch({ variables: { DB_PORT: "1" } });
    await client.closeOutput();
    let over = false;
    const ended = client.ended.finally(() => over = true);
    await until("the program ends", () => {
      client.post("ping");
      return over;
    });
    assert.equal((await ended).code, 0);
  },
});
