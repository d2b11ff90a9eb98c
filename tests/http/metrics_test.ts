import assert from "@std/assert";
import { join } from "node:path";
import { HttpProgram, patientProgram } from "../support/http_program.ts";
import { programCommand } from "../support/mcp.ts";
import { permitted } from "../support/permitted.ts";
import { postgresAvailable } from "../support/postgres.ts";
import { createProgramDatabase, endless } from "../support/program_database.ts";
import { newToken } from "../../src/common/http/tokens.ts";
import { until } from "../support/until.ts";

const ignore = !permitted;

Deno.test({
  name:
    "/metrics counts calls, errors, refusals, durations, bytes and cache hits, by tool and never by argument",
  ignore,
  async fn(t) {
    await using program = await HttpProgram.start({
      command: patientProgram,
      variables: { QUERY_CACHE_TTL_SECONDS: "60", RATE_LIMIT_PER_MINUTE: "4" },
    });
    const call = (name: string, args: Record<string, unknown>) =>
      program.ask("tools/call", { name, arguments: args });
    await t.step("before the first call each tool has its series, at 0, one for each outcome", async () => {
      const page = await (await program.get("/metrics")).text();
      for (const outcome of ["ok", "invalid", "failed", "cancelled", "defect"]) {
        assert.match(page, new RegExp(`^mcp_calls_total\\{tool="echo",outcome="${outcome}"\\} 0$`, "m"));
      }
    });
    await call("echo", { value: "a secret argument" });
    await call("echo", { value: "a secret argument" });
    await call("echo", { value: "another" });
    await call("echo", { wrong: 1 });
    await call("echo", { value: "one too many" });
    await call("fail", { kind: "refused" });
    await call("fail", { kind: "defect" });
    for (let number = 0; number < 30; number++) await call(`made_up_${number}`, {});
    const response = await program.get("/metrics");
    const page = await response.text();
    await t.step("as OpenMetrics", () => {
      assert.equal(
        response.headers.get("content-type"),
        "application/openmetrics-text; version=1.0.0; charset=utf-8",
      );
      assert.ok(page.endsWith("# EOF\n"));
    });
    const sample = (name: string) =>
      Number(page.split("\n").find((line) => line.startsWith(`${name} `))?.split(" ").at(-1));
    for (
      const [name, value] of [
        ['mcp_calls_total{tool="echo",outcome="ok"}', 3],
        ['mcp_calls_total{tool="echo",outcome="invalid"}', 1],
        ['mcp_calls_total{tool="echo",outcome="limited"}', 1],
        ['mcp_calls_total{tool="fail",outcome="refused"}', 1],
        ['mcp_calls_total{tool="fail",outcome="defect"}', 1],
        ['mcp_cache_hits_total{tool="echo"}', 1],
        ['mcp_calls_running{tool="echo"}', 0],
        ['mcp_call_duration_seconds_count{tool="echo"}', 5],
        ["mcp_patience_cancelled", 0],
      ] as const
    ) {
      await t.step(`${name} is ${value}`, () => assert.equal(sample(name), value));
    }
    await t.step("names that are no tools share one series", () => {
      assert.ok(!page.includes("made_up"));
      assert.ok(sample('mcp_calls_total{tool="(unknown tool)",outcome="limited"}') > 0);
    });
    await t.step("no argument and no client is in it", () => {
      assert.ok(!page.includes("secret") && !page.includes("loopback"));
    });
  },
});

Deno.test({
  name: "/readyz tells of the backend, /readyz?exclude=backend does not",
  ignore,
  async fn() {
    await using program = await HttpProgram.start({ command: patientProgram });
    const status = async (path: string) => {
      const response = await program.get(path);
      await response.body?.cancel();
      return response.status;
    };
    const backend = (answers: boolean) =>
      program.ask("tools/call", { name: "backend", arguments: { answers } });
    assert.equal(await status("/readyz"), 200);
    await backend(false);
    await until("not ready", async () => await status("/readyz") === 503);
    assert.equal(await status("/readyz?exclude=backend"), 200);
    assert.equal(await status("/healthz"), 200);
    await backend(true);
    await until("ready again", async () => await status("/readyz") === 200);
    const told = () => program.errorLines.filter((line) => /: (not )?ready$/.test(String(line.message)));
    // The answer may be here before the log's line is.
    await until("both told", () => told().length >= 2);
    assert.equal(told().length, 2);
  },
});

Deno.test({
  name: "on an address that others can reach /metrics needs a token, health does not",
  ignore,
  async fn() {
    const { token, line } = newToken("prometheus");
    const path = await Deno.makeTempFile({ prefix: "tokens-" });
    await Deno.writeTextFile(path, line);
    await using program = await HttpProgram.start({
      command: patientProgram,
      address: "0.0.0.0:0",
      variables: { MCP_TOKENS_FILE: path, MCP_ALLOWED_HOSTS: "127.0.0.1" },
    });
    const status = async (where: string, headers: Record<string, string> = {}) => {
      const response = await program.get(where, headers);
      await response.body?.cancel();
      return response.status;
    };
    assert.equal(await status("/healthz"), 200);
    assert.equal(await status("/readyz"), 200);
    assert.equal(await status("/metrics"), 401);
    assert.equal(await status("/metrics", { authorization: `Bearer ${token}` }), 200);
    await Deno.remove(path);
  },
});

Deno.test({
  name: "on loopback /metrics needs a token from whoever comes by another name, as through a proxy",
  ignore,
  async fn() {
    const { line } = newToken("alice");
    const path = await Deno.makeTempFile({ prefix: "tokens-" });
    await Deno.writeTextFile(path, line);
    await using program = await HttpProgram.start({
      command: patientProgram,
      variables: { MCP_TOKENS_FILE: path, MCP_ALLOWED_HOSTS: "127.0.0.1,mcp.example.com" },
    });
    const open = await program.get("/metrics");
    assert.equal(open.status, 200);
    await open.body?.cancel();
    const connection = await Deno.connect({ hostname: "127.0.0.1", port: program.port });
    await connection.write(
      new TextEncoder().encode("GET /metrics HTTP/1.1\r\nHost: mcp.example.com\r\nConnection: close\r\n\r\n"),
    );
    const answer = await new Response(connection.readable).text();
    assert.match(answer, /^HTTP\/1\.1 401 /);
    await Deno.remove(path);
  },
});

Deno.test({
  name:
    "postgres-mcp: ready with a database, also while calls have all connections, and the pool shows in /metrics",
  ignore: !postgresAvailable,
  async fn() {
    await using database = await createProgramDatabase();
    await using program = await HttpProgram.start({
      variables: { ...database.variables, DB_POOL_SIZE: "2" },
    });
    const status = async () => {
      const response = await program.get("/readyz");
      await response.body?.cancel();
      return response.status;
    };
    const started = performance.now();
    assert.equal(await status(), 200);
    await until(
      "the one that was asked by is given back",
      async () => await program.metric("mcp_postgres_connections_busy") === 0,
    );
    const abort = new AbortController();
    const calls = ["fills_1", "fills_2"].map((mark) =>
      program.send("tools/call", { name: "query_database", arguments: { sql: endless(mark) } }, {
        signal: abort.signal,
      })
    );
    await until(
      "all are taken",
      async () => await program.metric("mcp_postgres_connections_busy") === 2,
    );
    // The last word of the backend is older than it is believed by then.
    await until("it is asked again", async () => {
      assert.equal(await status(), 200);
      return await database.running("fills_") === 2 && performance.now() - started > 3_500;
    });
    abort.abort();
    await Promise.allSettled(calls);
  },
});

Deno.test({
  name: "postgres-mcp: without its database it is not ready, and says so when a tool is called",
  ignore,
  async fn() {
    await using program = await HttpProgram.start({ variables: { DB_PORT: "1" } });
    const response = await program.get("/readyz");
    assert.equal(response.status, 503);
    assert.match(await response.text(), /the backend does not answer/);
    const answer = await program.ask("tools/call", { name: "list_tables", arguments: {} });
    assert.match(JSON.stringify(answer.result), /Cannot connect/);
  },
});

/** A backend that takes every request and answers none. */
function silentBackend() {
  const never = Promise.withResolvers<Response>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => never.promise);
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    async [Symbol.asyncDispose]() {
      never.resolve(new Response());
      await server.shutdown();
    },
  };
}

Deno.test({
  name: "prometheus-mcp: requests under way and those that wait for a place show in /metrics",
  ignore,
  async fn() {
    await using backend = silentBackend();
    await using program = await HttpProgram.start({
      command: programCommand([], "prometheus"),
      variables: { PROMETHEUS_URL: backend.url },
    });
    const page = await (await program.get("/metrics")).text();
    assert.match(page, /^mcp_prometheus_requests_running 0$/m);
    const abort = new AbortController();
    const calls = Array.from(
      { length: 10 },
      (_, id) =>
        program.send("tools/call", { name: "query_metrics", arguments: { query: `up + ${id}` } }, {
          id,
          signal: abort.signal,
        }).then((response) => response.text()).catch(() => {}),
    );
    await until(
      "eight are under way, others wait",
      async () =>
        await program.metric("mcp_prometheus_requests_running") === 8 &&
        await program.metric("mcp_prometheus_requests_waiting") > 0,
    );
    abort.abort();
    await Promise.all(calls);
    await until(
      "none is left",
      async () =>
        await program.metric("mcp_prometheus_requests_running") === 0 &&
        await program.metric("mcp_prometheus_requests_waiting") === 0,
    );
  },
});

Deno.test({
  name: "kubernetes-mcp: requests under way show in /metrics, those of one question together",
  ignore,
  async fn() {
    await using backend = silentBackend();
    const folder = await Deno.makeTempDir({ prefix: "kubeconfig-" });
    const kubeconfig = join(folder, "config");
    await Deno.writeTextFile(
      kubeconfig,
      JSON.stringify({
        "current-context": "silent",
        contexts: [{ name: "silent", context: { cluster: "silent", user: "nobody" } }],
        clusters: [{ name: "silent", cluster: { server: backend.url } }],
        users: [{ name: "nobody", user: { token: "none" } }],
      }),
    );
    await using program = await HttpProgram.start({
      command: programCommand([], "kubernetes"),
      variables: { KUBECONFIG: kubeconfig },
    });
    const running = () => program.metric("mcp_kubernetes_requests_running");
    const page = await (await program.get("/metrics")).text();
    assert.match(page, /^mcp_kubernetes_requests_running 0$/m);
    assert.match(page, /^mcp_kubernetes_answers_waiting 0$/m);
    const abort = new AbortController();
    const calls = Array.from(
      { length: 3 },
      (_, id) =>
        program.send("tools/call", { name: "get_nodes", arguments: {} }, { id, signal: abort.signal })
          .then((response) => response.text()).catch(() => {}),
    );
    await until("they are under way", async () => await running() > 0);
    abort.abort();
    await Promise.all(calls);
    await until("none is left", async () => await running() === 0);
    await Deno.remove(folder, { recursive: true });
  },
});
