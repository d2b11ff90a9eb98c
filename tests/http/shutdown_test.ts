import assert from "@std/assert";
import { HttpProgram, messagesOf, patientProgram, patientProgramWith } from "../support/http_program.ts";
import { RawClient, runProgramToEnd } from "../support/mcp.ts";
import { permitted } from "../support/permitted.ts";
import { postgresAvailable } from "../support/postgres.ts";
import { createProgramDatabase, endless } from "../support/program_database.ts";
import { freePort } from "../support/real_program.ts";
import { until } from "../support/until.ts";

const ignore = !permitted || Deno.build.os === "windows";
const waiting = (seconds: number) => ["tools/call", { name: "wait", arguments: { seconds } }] as const;

Deno.test({
  name: "SIGTERM: not ready at once, the call in flight is answered, new ones are for a while, then exit 0",
  ignore,
  async fn() {
    await using program = await HttpProgram.start({ command: patientProgram });
    const response = await program.send(...waiting(50), { era: "2026-07-28" });
    await until("it is in flight", async () => await program.metric("mcp_http_exchanges") === 1);
    program.kill("SIGTERM");
    await until("it is not ready", async () => {
      const ready = await program.get("/readyz?exclude=backend");
      await ready.body?.cancel();
      return ready.status === 503;
    });
    const health = await program.get("/healthz");
    assert.equal(health.status, 200);
    assert.equal(health.headers.get("connection"), "close");
    await health.body?.cancel();
    const late = await program.ask("tools/call", { name: "echo", arguments: { value: "too late?" } });
    assert.match(JSON.stringify(late.result), /too late\?/);
    await program.ask("tools/call", { name: "enough", arguments: {} });
    const [answer] = await messagesOf(response);
    assert.match(JSON.stringify(answer?.result), /waited 0 s/);
    const { code, signal } = await program.ended();
    assert.deepEqual({ code, signal }, { code: 0, signal: null });
  },
});

Deno.test({
  name: "SIGTERM: calls that come too late are refused, while the one in flight is still answered",
  ignore,
  async fn() {
    await using program = await HttpProgram.start({ command: patientProgramWith({ newcomersMs: 0 }) });
    const response = await program.send(...waiting(3), { era: "2026-07-28" });
    await until("it is in flight", async () => await program.metric("mcp_http_exchanges") === 1);
    program.kill("SIGTERM");
    let refused: Response | undefined;
    await until("no more are taken", async () => {
      const late = await program.send("tools/call", { name: "echo", arguments: { value: "too late?" } });
      if (late.status === 503) refused = late;
      else await late.body?.cancel();
      return refused !== undefined;
    });
    assert.equal(refused?.headers.get("retry-after"), "1");
    assert.match(await refused?.text() ?? "", /This server is stopping/);
    assert.ok(await program.metric('mcp_http_refusals_total{reason="draining"}') > 0);
    const [answer] = await messagesOf(response);
    assert.match(JSON.stringify(answer?.result), /waited 3 s/);
    assert.equal((await program.ended()).code, 0);
  },
});

Deno.test({
  name:
    "SIGTERM between two calls: who keeps a connection is told by the next answer, and new ones are taken",
  ignore,
  async fn() {
    await using program = await HttpProgram.start({ command: patientProgramWith({ noticeMs: 60_000 }) });
    program.kill("SIGTERM");
    await until("it is not ready", async () => {
      const ready = await program.get("/readyz?exclude=backend");
      await ready.body?.cancel();
      return ready.status === 503;
    });
    const response = await program.send("tools/call", { name: "echo", arguments: { value: "still there" } });
    assert.equal(response.headers.get("connection"), "close");
    assert.match(JSON.stringify(await messagesOf(response)), /still there/);
    program.kill("SIGINT");
    assert.equal((await program.ended()).code, 0);
  },
});

Deno.test({
  name: "Ctrl+C between two calls ends the program at once",
  ignore,
  async fn() {
    const command = patientProgramWith({ noticeMs: 600_000, drainMs: 600_000 });
    await using program = await HttpProgram.start({ command });
    program.kill("SIGINT");
    assert.equal((await program.ended()).code, 0);
  },
});

Deno.test({
  name: "SIGTERM without a call in flight ends the program, idle connections and subscriptions too",
  ignore,
  async fn() {
    await using program = await HttpProgram.start({ command: patientProgram });
    const stream = await program.send("subscriptions/listen", { notifications: { toolsListChanged: true } }, {
      era: "2026-07-28",
    });
    const idle = await Deno.connect({ hostname: "127.0.0.1", port: program.port });
    program.kill("SIGTERM");
    assert.equal((await program.ended()).code, 0);
    await stream.text().catch(() => {});
    idle.close();
  },
});

Deno.test({
  name: "a second signal cuts the calls in flight, at the backend too",
  ignore: !postgresAvailable || ignore,
  async fn() {
    await using database = await createProgramDatabase();
    await using program = await HttpProgram.start({ variables: database.variables });
    const response = await program.send("tools/call", {
      name: "query_database",
      arguments: { sql: endless("cut_short") },
    });
    await until("the statement runs", async () => await database.running("cut_short") === 1);
    program.kill("SIGTERM");
    program.kill("SIGINT");
    await assert.rejects(response.text());
    assert.equal((await program.ended()).code, 0);
    await until("the statement is gone", async () => await database.running("cut_short") === 0);
    assert.equal(program.auditLines.at(-1)?.outcome, "cancelled");
  },
});

Deno.test({
  name: "a call that takes longer than a stop waits for is cut, and the program ends with 0",
  ignore,
  async fn() {
    await using program = await HttpProgram.start({ command: patientProgramWith({ drainMs: 300 }) });
    const response = await program.send(...waiting(60));
    await until("it is in flight", async () => await program.metric("mcp_http_exchanges") === 1);
    program.kill("SIGTERM");
    await assert.rejects(response.text());
    assert.equal((await program.ended()).code, 0);
    assert.ok(program.errorLines.some((line) => line.message === "calls are cut off as the program stops"));
    assert.equal(program.auditLines.at(-1)?.outcome, "cancelled");
  },
});

/** How a start is refused. */
const refusals: readonly (readonly [string, readonly string[], Record<string, string>, RegExp])[] = [
  [
    "an address that others can reach, and no word on who may call",
    ["--http", "0.0.0.0:0"],
    {},
    /set MCP_TOKENS_FILE/,
  ],
  ["any IPv6 address, likewise", ["--http", "[::]:0"], {}, /MCP_OAUTH_ISSUER/],
  ["a name that may be anybody's", ["--http", "localhost.localdomain:0"], {}, /MCP_TOKENS_FILE/],
  ["a port that is none", ["--http", "127.0.0.1:99999"], {}, /--http takes a port from 1 to 65535/],
  ["an address without a port", ["--http", "127.0.0.1"], {}, /--http takes HOST:PORT/],
  ["a URL", ["--http", "http://127.0.0.1:8080"], {}, /--http takes HOST:PORT/],
  ["an address of another machine", ["--http", "192.0.2.1:8080"], {
    MCP_OAUTH_ISSUER: "https://x",
    MCP_PUBLIC_URL: "https://y",
  }, /has no such address/],
  ["a token's name with a blank", ["--new-token", "a b"], {}, /--new-token takes a name/],
  ["a token's name with a colon", ["--new-token", "a:b"], {}, /--new-token takes a name/],
  ["a token without a name", ["--new-token"], {}, /--new-token/],
];

for (const [what, args, variables, complaint] of refusals) {
  Deno.test({
    name: `the start is refused with exit 2 for ${what}`,
    ignore: !permitted,
    async fn() {
      const ended = await runProgramToEnd({ args, variables });
      assert.equal(ended.code, 2, ended.stderr);
      assert.match(ended.stderr, complaint);
      assert.equal(ended.stderr.trim().split("\n").length, 1, ended.stderr);
    },
  });
}

Deno.test({
  name: "a port that another program has is named",
  ignore: !permitted,
  async fn() {
    await using program = await HttpProgram.start({ command: patientProgram });
    const ended = await runProgramToEnd({ args: ["--http", String(program.port)] });
    assert.equal(ended.code, 2);
    assert.match(
      ended.stderr,
      new RegExp(
        `Cannot listen on 127\\.0\\.0\\.1:${program.port}: another program does; stop it, or give --http another port$`,
        "m",
      ),
    );
  },
});

Deno.test({
  name: "LOG_LEVEL=off is silence, where it serves included",
  ignore: !permitted,
  async fn() {
    const port = freePort();
    await using program = RawClient.launch({
      args: ["--http", String(port)],
      variables: { LOG_LEVEL: "off" },
      plain: true,
    });
    await until("it serves", async () => {
      const response = await fetch(`http://127.0.0.1:${port}/healthz`).catch(() => undefined);
      await response?.body?.cancel();
      return response?.status === 200;
    });
    program.kill("SIGTERM");
    const { code, stderr } = await program.ended;
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  },
});
