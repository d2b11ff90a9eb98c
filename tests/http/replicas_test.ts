import assert from "@std/assert";
import { type Era, HttpProgram, mcpRequest, messagesOf } from "../support/http_program.ts";
import { postgresAvailable } from "../support/postgres.ts";
import { createProgramDatabase, endless } from "../support/program_database.ts";
import { until } from "../support/until.ts";

const ignore = !postgresAvailable || Deno.build.os === "windows";

/** A proxy that sends each request to the next replica that is ready, as it was when it was last asked. */
function roundRobin(replicas: readonly HttpProgram[]): { readonly origin: string } & AsyncDisposable {
  let ready = [...replicas];
  let turn = 0;
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const { pathname, search } = new URL(request.url);
    const body = request.body === null ? null : await request.text();
    const headers = new Headers(request.headers);
    headers.delete("host");
    for (let attempt = 0; attempt < replicas.length; attempt++) {
      const replica = ready[turn++ % ready.length];
      try {
        return await fetch(`${replica?.origin}${pathname}${search}`, {
          method: request.method,
          headers,
          body,
        });
      } catch (error) {
        // Nobody listens there any more. What was cut may have been done: it is not done twice.
        if (!(error instanceof Error) || !/Connection refused/.test(String(error.cause))) break;
      }
    }
    return new Response(null, { status: 502 });
  });
  const probe = setInterval(async () => {
    const answers = await Promise.all(replicas.map(async (replica) => {
      try {
        const response = await replica.get("/readyz?exclude=backend");
        await response.body?.cancel();
        return response.ok;
      } catch {
        return false;
      }
    }));
    ready = replicas.filter((_, at) => answers[at] === true);
  }, 100);
  return {
    origin: `http://127.0.0.1:${server.addr.port}`,
    async [Symbol.asyncDispose]() {
      clearInterval(probe);
      await server.shutdown();
    },
  };
}

/** Three real programs; a call of theirs that takes as long as the test says is a statement that sleeps. */
class Replicas extends AsyncDisposableStack {
  readonly programs: HttpProgram[] = [];

  static async start(variables: Readonly<Record<string, string>>): Promise<Replicas> {
    const replicas = new Replicas();
    for (const program of await Promise.all([1, 2, 3].map(() => HttpProgram.start({ variables })))) {
      replicas.programs.push(replicas.use(program));
    }
    return replicas;
  }
}

const query = (sql: string) => ({ name: "query_database", arguments: { sql } });
const asked = (program: HttpProgram) =>
  program.auditLines.filter((line) => line.tool === "query_database").length;

Deno.test({
  name: "one client's calls spread over three replicas, and nothing depends on which",
  ignore,
  async fn(t) {
    await using database = await createProgramDatabase();
    await using replicas = await Replicas.start(database.variables);
    await using proxy = roundRobin(replicas.programs);
    const { Client, StreamableHTTPClientTransport } = await import("@modelcontextprotocol/client");
    for (const mode of ["legacy", { pin: "2026-07-28" }] as const) {
      await t.step(typeof mode === "string" ? "with initialize" : "with server/discover", async () => {
        const before = replicas.programs.map(asked);
        const client = new Client({ name: "sdk-2", version: "1" }, { versionNegotiation: { mode } });
        await client.connect(new StreamableHTTPClientTransport(new URL(`${proxy.origin}/mcp`)));
        for (let number = 0; number < 12; number++) {
          const { content } = await client.callTool(query(`SELECT 'number ${number}' AS own`));
          assert.match(JSON.stringify(content), new RegExp(`number ${number}\\b`));
        }
        await client.close();
        const since = () => replicas.programs.map(asked).map((count, at) => count - (before[at] ?? 0));
        await until("a line of each", () => since().reduce((sum, count) => sum + count) === 12);
        assert.deepEqual(since(), [4, 4, 4]);
      });
    }
  },
});

/** Callers of both eras that call until they are told to stop, and what became of their calls. */
function callers(origin: string) {
  const counts = { answered: 0, failed: 0 };
  let isOver = false;
  const caller = async (era: Era) => {
    while (!isOver) {
      try {
        const request = mcpRequest("tools/call", query("SELECT count(*) FROM generate_series(1, 300000)"), {
          era,
        });
        const response = await fetch(`${origin}/mcp`, request);
        const [message] = await messagesOf(response);
        assert.match(JSON.stringify(message?.result), /300000/);
        counts.answered++;
      } catch {
        counts.failed++;
      }
    }
  };
  const all = Promise.all(
    (["2025-11-25", "2026-07-28"] as const).flatMap((era) => [1, 2, 3].map(() => caller(era))),
  );
  return {
    counts,
    async stop() {
      isOver = true;
      await all;
    },
  };
}

Deno.test({
  name: "a replica is told to stop, and no call fails",
  ignore,
  async fn() {
    await using database = await createProgramDatabase();
    await using replicas = await Replicas.start(database.variables);
    await using proxy = roundRobin(replicas.programs);
    const { counts, stop } = callers(proxy.origin);
    await until("calls are answered", () => counts.answered > 12);
    const [lost] = replicas.programs;
    lost?.kill("SIGTERM");
    assert.equal((await lost?.ended())?.code, 0);
    const then = counts.answered;
    await until("calls go on", () => counts.answered > then + 12);
    await stop();
    assert.equal(counts.failed, 0);
  },
});

Deno.test({
  name: "a replica is killed: the calls that it had fail, one per caller at most, and the others go on",
  ignore,
  async fn() {
    await using database = await createProgramDatabase();
    await using replicas = await Replicas.start(database.variables);
    await using proxy = roundRobin(replicas.programs);
    const { counts, stop } = callers(proxy.origin);
    await until("calls are answered", () => counts.answered > 12);
    const [lost] = replicas.programs;
    const held = await fetch(`${lost?.origin}/mcp`, mcpRequest("tools/call", query(endless("killed"))));
    await until("a call is under way", async () => await database.running("killed") === 1);
    lost?.kill("SIGKILL");
    assert.equal((await lost?.ended())?.signal, "SIGKILL");
    await assert.rejects(held.text());
    const then = counts.answered;
    await until("calls go on", () => counts.answered > then + 12);
    await stop();
    assert.ok(counts.failed <= 6, `${counts.failed} failed`);
  },
});
