import assert from "@std/assert";
import { RawClient, toolAnswer } from "../support/mcp.ts";
import { permitted } from "../support/permitted.ts";
import { postgresAvailable } from "../support/postgres.ts";
import { FaultProxy } from "../support/fault_proxy.ts";
import { createProgramDatabase, endless } from "../support/program_database.ts";
import { until } from "../support/until.ts";

const ignore = !postgresAvailable;

Deno.test({
  name: "at the end of input what was read is answered, and the program ends with exit 0",
  ignore,
  async fn() {
    await using database = await createProgramDatabase();
    await using client = await RawClient.connect({ variables: database.variables });
    const sql = "SELECT count(*) FROM generate_series(1, 100000)";
    const id = client.post("tools/call", { name: "query_database", arguments: { sql } });
    await client.endInput();
    const { code } = await client.ended;
    assert.equal(code, 0);
    assert.match(toolAnswer(await client.answer(id)).text, /100000/);
    assert.equal(client.auditLines.at(-1)?.outcome, "ok");
  },
});

Deno.test({
  name: "a call that does not end by itself is cancelled at the backend 3 s after the end of input",
  ignore,
  async fn() {
    await using database = await createProgramDatabase();
    await using client = await RawClient.connect({ variables: database.variables });
    const id = client.post("tools/call", {
      name: "query_database",
      arguments: { sql: endless("at_the_end") },
    });
    await until("the statement runs", async () => await database.running("at_the_end") === 1);
    await client.endInput();
    const { code, stderr } = await client.ended;
    assert.equal(code, 0);
    await until("the statement is gone", async () => await database.running("at_the_end") === 0);
    assert.equal(client.auditLines.at(-1)?.outcome, "cancelled");
    assert.match((await client.answer(id)).error?.message ?? "", /^Not answered: .*longer than the 3 s/);
    assert.match(stderr, /"level":"warn","message":"requests were cut as the program ends","requests":1,/);
  },
});

Deno.test({
  name: "each request that was read gets one answer before the program ends, however many there are",
  ignore,
  async fn() {
    await using database = await createProgramDatabase();
    const variables = { ...database.variables, RATE_LIMIT_PER_MINUTE: "0" };
    await using client = RawClient.launch({ variables });
    const sqls = Array.from({ length: 300 }, (_, i) => i % 10 === 0 ? "SELECT 1" : endless("crowd"));
    const ids = [
      client.post("initialize", {
        protocolVersion: "2025-11-25",
        capabilities: {},
        clientInfo: { name: "raw", version: "1" },
      }),
      ...sqls.map((sql) => client.post("tools/call", { name: "query_database", arguments: { sql } })),
      client.post("ping"),
    ];
    await client.endInput();
    const { code } = await client.ended;
    assert.equal(code, 0);
    const answered = client.messages.map(({ id }) => Number(id)).sort((a, b) => a - b);
    assert.deepEqual(answered, ids);
    await until("no statement is left", async () => await database.running("crowd") === 0);
  },
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test({
    name: `${signal} cancels at the backend and ends the program with exit 0`,
    ignore: ignore || Deno.build.os === "windows",
    async fn() {
      await using database = await createProgramDatabase();
      await using client = await RawClient.connect({ variables: database.variables });
      const id = client.post("tools/call", {
        name: "query_database",
        arguments: { sql: endless("by_signal") },
      });
      await until("the statement runs", async () => await database.running("by_signal") === 1);
      client.kill(signal);
      const { code, signal: by } = await client.ended;
      assert.deepEqual({ code, by }, { code: 0, by: null });
      assert.match((await client.answer(id)).error?.message ?? "", /^Not answered: .*told to stop/);
      await until("the statement is gone", async () => await database.running("by_signal") === 0);
    },
  });
}

Deno.test({
  name: "a client that closes its end of stdout ends the program",
  ignore: !permitted,
  async fn() {
    await using client = await RawClient.connect();
    await client.closeOutput();
    // It hears of it when it writes, and the system may take a moment to close the pipe.
    let over = false;
    const ended = client.ended.finally(() => over = true);
    await until("the program ends", () => {
      client.post("ping");
      return over;
    });
    assert.equal((await ended).code, 0);
  },
});

Deno.test({
  name: "a client that does not read its answers loses none of them",
  ignore,
  async fn() {
    await using database = await createProgramDatabase();
    const variables = { ...database.variables, RATE_LIMIT_PER_MINUTE: "0" };
    await using client = await RawClient.connect({ variables });
    const sql = "SELECT repeat('x', 30000)";
    const ids = Array.from(
      { length: 20 },
      () => client.post("tools/call", { name: "query_database", arguments: { sql } }),
    );
    await client.endInput();
    await client.ended;
    for (const id of ids) assert.equal(toolAnswer(await client.answer(id)).isError, false);
  },
});

Deno.test({
  name: "a call that is cancelled as soon as its statement is seen at the server ends there, each time",
  ignore,
  async fn() {
    await using database = await createProgramDatabase();
    await using client = await RawClient.connect({ variables: database.variables });
    for (let i = 0; i < 10; i++) {
      const id = client.post("tools/call", {
        name: "query_database",
        arguments: { sql: endless("at_once") },
      });
      await until("the statement is seen", async () => await database.running("at_once") === 1);
      client.notify("notifications/cancelled", { requestId: id });
      await until("the statement is gone", async () => await database.running("at_once") === 0);
    }
    assert.ok(client.auditLines.every((line) => line.outcome === "cancelled"));
  },
});

Deno.test({
  name: "a call that is cancelled before a word of its statement has come back ends at the server",
  ignore,
  async fn() {
    await using database = await createProgramDatabase();
    const { host, port } = database.server;
    await using proxy = await FaultProxy.start({ host, port });
    const variables = {
      ...database.variables,
      DB_HOST: "127.0.0.1",
      DB_PORT: String(proxy.port),
    };
    await using client = await RawClient.connect({ variables });
    const times = (last: number) => ({
      sql: "SELECT count(*) AS held FROM generate_series(1, $1) a, generate_series(1, 1000) b",
      parameters: [last],
    });
    // What has passed the guard is sent together with the beginning of its transaction.
    for (let i = 0; i < 3; i++) assert.equal((await client.call("query_database", times(1))).isError, false);
    await until("the session is as it was", async () => {
      const idle = await database.execute(
        "select from pg_stat_activity where state = 'idle' and query like '%pg_prepared_statements' and pid <> pg_backend_pid()",
      );
      return idle.length === 1;
    });
    proxy.arm("stall");
    const id = client.post("tools/call", { name: "query_database", arguments: times(2_000_000_000) });
    await until("the statement is seen", async () => await database.running("held") === 1);
    client.notify("notifications/cancelled", { requestId: id });
    await until("the statement is gone", async () => await database.running("held") === 0);
    proxy.disarm();
    assert.equal((await client.call("query_database", { sql: "SELECT 1" })).isError, false);
  },
});
