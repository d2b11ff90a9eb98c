import assert from "@std/assert";
import { type Era, HttpProgram, mcpRequest, messagesOf, patientProgram } from "../support/http_program.ts";
import { eventually } from "../support/mcp.ts";
import { permitted } from "../support/permitted.ts";

const ignore = !permitted || Deno.build.os === "windows";

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
      } catch {
        // Nobody listens there any more.
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

async function startThree(): Promise<readonly HttpProgram[]> {
  return await Promise.all([1, 2, 3].map(() => HttpProgram.start({ command: patientProgram })));
}

const echoed = (program: HttpProgram) => program.auditLines.filter((line) => line.tool === "echo").length;

Deno.test({
  name: "one client's calls spread over three replicas, and nothing depends on which",
  ignore,
  async fn(t) {
    const replicas = await startThree();
    const proxy = roundRobin(replicas);
    const { origin } = proxy;
    const { Client, StreamableHTTPClientTransport } = await import("@modelcontextprotocol/client");
    for (const mode of ["legacy", { pin: "2026-07-28" }] as const) {
      await t.step(typeof mode === "string" ? "with initialize" : "with server/discover", async () => {
        const before = replicas.map(echoed);
        const client = new Client({ name: "sdk-2", version: "1" }, { versionNegotiation: { mode } });
        await client.connect(new StreamableHTTPClientTransport(new URL(`${origin}/mcp`)));
        for (let number = 0; number < 12; number++) {
          const { content } = await client.callTool({
            name: "echo",
            arguments: { value: `number ${number}` },
          });
          assert.match(JSON.stringify(content), new RegExp(`number ${number}"`));
        }
        await client.close();
        const after = replicas.map(echoed).map((count, at) => count - (before[at] ?? 0));
        assert.deepEqual(after, [4, 4, 4]);
      });
    }
    await proxy[Symbol.asyncDispose]();
    for (const replica of replicas) await replica[Symbol.asyncDispose]();
  },
});

Deno.test({
  name: "a replica is lost without a failed call",
  ignore,
  async fn() {
    const replicas = await startThree();
    const proxy = roundRobin(replicas);
    const { origin } = proxy;
    const [lost] = replicas;
    let isOver = false;
    let answered = 0;
    const caller = async (era: Era) => {
      while (!isOver) {
        const response = await fetch(
          `${origin}/mcp`,
          mcpRequest("tools/call", { name: "wait", arguments: { seconds: 0.2 } }, { era }),
        );
        const [message] = await messagesOf(response);
        assert.match(JSON.stringify(message?.result), /waited 0\.2 s/);
        answered++;
      }
    };
    const callers = (["2025-11-25", "2026-07-28"] as const).flatMap((era) =>
      [1, 2, 3].map(() => caller(era))
    );
    // A call that fails is this test's failure, not an uncaught error of the whole file.
    const failed = Promise.all(callers).then(() => undefined, (error: unknown) => error);
    await eventually("calls are answered", () => answered > 12);
    lost?.kill("SIGTERM");
    assert.equal((await lost?.ended())?.code, 0);
    const then = answered;
    await eventually("calls go on", () => answered > then + 12);
    isOver = true;
    assert.equal(await failed, undefined);
    await proxy[Symbol.asyncDispose]();
    for (const replica of replicas) await replica[Symbol.asyncDispose]();
  },
});
