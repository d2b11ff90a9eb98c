import assert from "@std/assert";
import { type Era, HttpProgram, mcpRequest, messagesOf, patientProgram } from "../support/http_program.ts";
import { eventually } from "../support/mcp.ts";
import { permitted } from "../support/permitted.ts";

const ignore = !permitted || Deno.build.os === "windows";

/** A proxy that sends each request to the next replica, and to another when one refuses the connection. */
function roundRobin(replicas: readonly HttpProgram[]): Deno.HttpServer<Deno.NetAddr> {
  let turn = 0;
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const { pathname, search } = new URL(request.url);
    const body = request.body === null ? null : await request.text();
    const headers = new Headers(request.headers);
    headers.delete("host");
    for (let attempt = 0; attempt < replicas.length; attempt++) {
      const replica = replicas[turn++ % replicas.length];
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
    const origin = `http://127.0.0.1:${proxy.addr.port}`;
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
    await proxy.shutdown();
    for (const replica of replicas) await replica[Symbol.asyncDispose]();
  },
});

Deno.test({
  name: "a replica is lost without a failed call",
  ignore,
  async fn() {
    const replicas = await startThree();
    const proxy = roundRobin(replicas);
    const origin = `http://127.0.0.1:${proxy.addr.port}`;
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
    await eventually("calls are answered", () => answered > 12);
    lost?.kill("SIGTERM");
    assert.equal((await lost?.ended())?.code, 0);
    const then = answered;
    await eventually("calls go on", () => answered > then + 12);
    isOver = true;
    await Promise.all(callers);
    await proxy.shutdown();
    for (const replica of replicas) await replica[Symbol.asyncDispose]();
  },
});
