import assert from "@std/assert";
import { HttpProgram } from "../support/http_program.ts";
import { postgresAvailable } from "../support/postgres.ts";
import { createProgramDatabase, endless } from "../support/program_database.ts";
import { until } from "../support/until.ts";

interface Answer {
  readonly content: readonly { readonly type: string; readonly text?: string }[];
  readonly isError?: boolean | undefined;
}

/** One of the official clients, as this test uses them. */
interface SessionClient extends AsyncDisposable {
  readonly revision: string | undefined;
  readonly instructions: string | undefined;
  tools(): Promise<readonly string[]>;
  call(
    name: string,
    args: Record<string, unknown>,
    options?: { signal?: AbortSignal; onprogress?: (progress: { progress: number }) => void },
  ): Promise<Answer>;
}

async function openClient(url: URL, mode: "legacy" | "auto" | { pin: string }): Promise<SessionClient> {
  // Both SDKs ask for permissions as they load, and plain `deno test` gives none.
  const { Client, StreamableHTTPClientTransport } = await import("@modelcontextprotocol/client");
  const client = new Client({ name: "sdk-2", version: "1" }, { versionNegotiation: { mode } });
  const held: Response[] = [];
  // Deno 2.9 forgets the signal of a fetch whose response nobody holds any more: a call that is given up would flow on.
  const holding: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    held.push(response);
    return response;
  };
  await client.connect(new StreamableHTTPClientTransport(url, { fetch: holding }));
  return {
    revision: client.getNegotiatedProtocolVersion(),
    instructions: client.getInstructions(),
    tools: async () => (await client.listTools()).tools.map((tool) => tool.name),
    call: async (name, args, options) => {
      const result = await client.callTool({ name, arguments: args }, options);
      return { ...result, content: result.content.map((part) => ({ ...part })) };
    },
    [Symbol.asyncDispose]: () => client.close(),
  };
}

async function openMaintenanceClient(url: URL): Promise<SessionClient> {
  const { Client } = await import("@modelcontextprotocol/sdk/client/index.js");
  const { StreamableHTTPClientTransport } = await import(
    "@modelcontextprotocol/sdk/client/streamableHttp.js"
  );
  const client = new Client({ name: "sdk-1", version: "1" });
  const transport = new StreamableHTTPClientTransport(url);
  // Its own type says `string | undefined` where the interface, under exact optional properties, says `string`.
  await client.connect(transport as Parameters<typeof client.connect>[0]);
  return {
    revision: transport.protocolVersion,
    instructions: client.getInstructions(),
    tools: async () => (await client.listTools()).tools.map((tool: { name: string }) => tool.name),
    // 1.x still knows the answers of 2024-10-07, which had another shape.
    call: async (name, args, options) =>
      await client.callTool({ name, arguments: args }, undefined, options) as Answer,
    [Symbol.asyncDispose]: () => client.close(),
  };
}

const clients: readonly (readonly [string, string, (url: URL) => Promise<SessionClient>])[] = [
  ["SDK 2.x with initialize", "2025-11-25", (url) => openClient(url, "legacy")],
  ["SDK 2.x with server/discover", "2026-07-28", (url) => openClient(url, { pin: "2026-07-28" })],
  ["SDK 2.x, which finds out by itself", "2026-07-28", (url) => openClient(url, "auto")],
  ["SDK 1.x", "2025-11-25", openMaintenanceClient],
];

for (const [name, revision, open] of clients) {
  Deno.test({
    name: `over HTTP with the official client: ${name}`,
    ignore: !postgresAvailable,
    async fn(t) {
      await using database = await createProgramDatabase();
      await using program = await HttpProgram.start({ variables: database.variables });
      await using client = await open(new URL(`${program.origin}/mcp`));
      const text = (answer: Answer) => answer.content.map((part) => part.text ?? "").join("\n");

      await t.step("it opens with its revision and the instructions", () => {
        assert.equal(client.revision, revision);
        assert.match(client.instructions ?? "", /untrusted/);
      });
      await t.step("it lists the tools and calls one", async () => {
        assert.ok((await client.tools()).includes("query_database"));
        const answer = await client.call("query_database", { sql: "SELECT count(*) FROM todos" });
        assert.match(text(answer), /3000/);
      });
      await t.step("a refusal is an answer with isError", async () => {
        const answer = await client.call("query_database", { sql: "DELETE FROM todos" });
        assert.equal(answer.isError, true);
      });
      await t.step("an unknown tool is a protocol error", async () => {
        await assert.rejects(client.call("drop_database", {}), /Unknown tool "drop_database"/);
      });
      await t.step(
        "progress flows while a call runs, and a closed stream ends it at the server",
        async () => {
          const cancel = new AbortController();
          const told: number[] = [];
          const call = client.call("query_database", { sql: endless("over_http") }, {
            signal: cancel.signal,
            onprogress: ({ progress }) => told.push(progress),
          });
          const outcome = call.then(() => "answered", () => "rejected");
          await until("two notifications of progress", () => told.length >= 2);
          assert.equal(await database.running("over_http"), 1);
          cancel.abort();
          assert.equal(await outcome, "rejected");
          // Before 2026-07-28 a client only sends a notification, which need not come to the same replica, and leaves
          // its stream open: the call ends by its deadline, or here with the program.
          if (revision < "2026") return;
          await until("the statement is gone", async () => await database.running("over_http") === 0);
          await until("the audit log knows", () => program.auditLines.at(-1)?.outcome === "cancelled");
        },
      );
      await t.step(
        "the audit log has what the client calls itself, and who it is: somebody on this machine",
        () => {
          const [line] = program.auditLines;
          // Without sessions an older client's name is forgotten after `initialize`: its User-Agent is left.
          assert.match(String(line?.client_info), revision < "2026" ? /^Deno/ : /^sdk-2/);
          assert.equal(line?.client, "loopback");
        },
      );
    },
  });
}
