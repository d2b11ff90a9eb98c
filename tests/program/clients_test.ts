import assert from "@std/assert";
import type { ClientOptions } from "@modelcontextprotocol/client";
import { programCommand, programEnvironment, project } from "../support/mcp.ts";
import { postgresAvailable } from "../support/postgres.ts";
import { createProgramDatabase, endless, type ProgramDatabase } from "../support/program_database.ts";
import { until } from "../support/until.ts";

/** One of the official clients, as these tests use them. */
interface SessionClient extends AsyncDisposable {
  listTools(): Promise<{ tools: { name: string; outputSchema?: unknown }[] }>;
  /** Throws what the client throws: for a protocol error, and for structured content that breaks the schema. */
  callTool(
    params: { name: string; arguments: Record<string, unknown> },
    options?: {
      signal?: AbortSignal;
      onprogress?: (progress: { progress: number; message?: string | undefined }) => void;
    },
  ): Promise<
    { content: { type: string; text?: string }[]; structuredContent?: unknown; isError?: boolean | undefined }
  >;
  /** The revision that was agreed on. */
  readonly revision: string;
  readonly instructions: string | undefined;
}

function launch(database: ProgramDatabase) {
  const { command, args } = programCommand();
  return { command, args: [...args], cwd: project, env: programEnvironment(database.variables) };
}

async function openClient(
  database: ProgramDatabase,
  mode: NonNullable<ClientOptions["versionNegotiation"]>["mode"],
): Promise<SessionClient> {
  // Both SDKs ask for permissions as they load, and plain `deno test` gives none.
  const { Client } = await import("@modelcontextprotocol/client");
  const { StdioClientTransport } = await import("@modelcontextprotocol/client/stdio");
  const client = new Client(
    { name: "sdk-2", version: "1" },
    mode === undefined ? {} : { versionNegotiation: { mode } },
  );
  await client.connect(new StdioClientTransport({ ...launch(database), stderr: "ignore" }));
  return {
    listTools: () => client.listTools(),
    callTool: async (params, options) => {
      const result = await client.callTool(params, options);
      return { ...result, content: result.content.map((part) => ({ ...part })) };
    },
    revision: client.getNegotiatedProtocolVersion() ?? "",
    instructions: client.getInstructions(),
    [Symbol.asyncDispose]: () => client.close(),
  };
}

async function openMaintenanceClient(database: ProgramDatabase): Promise<SessionClient> {
  const { Client } = await import("@modelcontextprotocol/sdk/client/index.js");
  const { StdioClientTransport } = await import("@modelcontextprotocol/sdk/client/stdio.js");
  const client = new Client({ name: "sdk-1", version: "1" });
  let revision = "";
  const transport = Object.assign(new StdioClientTransport({ ...launch(database), stderr: "ignore" }), {
    setProtocolVersion: (version: string) => revision = version,
  });
  await client.connect(transport);
  return {
    listTools: () => client.listTools(),
    callTool: async (params, options) => {
      const result = await client.callTool(params, undefined, options);
      // 1.x still knows the answers of 2024-10-07, which had another shape.
      return result as Awaited<ReturnType<SessionClient["callTool"]>>;
    },
    revision,
    instructions: client.getInstructions(),
    [Symbol.asyncDispose]: () => client.close(),
  };
}

/** The clients, and the revision each of them speaks. */
const clients: readonly (readonly [string, string, (database: ProgramDatabase) => Promise<SessionClient>])[] =
  [
    ["SDK 2.x with initialize", "2025-11-25", (database) => openClient(database, "legacy")],
    ["SDK 2.x with server/discover", "2026-07-28", (database) => openClient(database, { pin: "2026-07-28" })],
    ["SDK 1.x", "2025-11-25", openMaintenanceClient],
  ];

for (const [name, revision, open] of clients) {
  Deno.test({
    name: `a session with the official client: ${name}`,
    ignore: !postgresAvailable,
    async fn(t) {
      await using database = await createProgramDatabase();
      await using client = await open(database);
      const text = async (tool: string, args: Record<string, unknown>) => {
        const answer = await client.callTool({ name: tool, arguments: args });
        return { text: answer.content.map((part) => part.text ?? "").join("\n"), answer };
      };

      await t.step("it opens with its revision and the instructions", () => {
        assert.equal(client.revision, revision);
        assert.match(client.instructions ?? "", /untrusted/);
      });
      await t.step(
        "tools are listed, each with an output schema, which the client then holds answers against",
        async () => {
          const { tools } = await client.listTools();
          const names = tools.map((tool) => tool.name);
          for (const tool of ["query_database", "list_tables", "describe_table"]) {
            assert.ok(names.includes(tool), tool);
          }
          assert.ok(tools.every((tool) => tool.outputSchema !== undefined));
        },
      );
      await t.step("query_database", async () => {
        const sql = "SELECT id, title AS id, completed FROM todos WHERE id <= $1 ORDER BY 1";
        const { text: shown, answer } = await text("query_database", { sql, parameters: [2] });
        assert.ok(answer.isError !== true, shown);
        assert.match(shown, /todo 2/);
        const { columns, rows } = answer.structuredContent as { columns: { name: string }[]; rows: unknown };
        assert.deepEqual(columns.map((column) => column.name), ["id", "id", "completed"]);
        assert.deepEqual(rows, [["1", "todo 1", "f"], ["2", "todo 2", "f"]]);
      });
      await t.step("list_tables", async () => {
        const { text: shown, answer } = await text("list_tables", {});
        assert.match(shown, /todos/);
        assert.ok(answer.structuredContent !== undefined);
      });
      await t.step("describe_table", async () => {
        const { text: shown, answer } = await text("describe_table", { table_name: "todos" });
        assert.match(shown, /completed.*boolean/);
        assert.ok(answer.structuredContent !== undefined);
      });
      await t.step("a refusal is an answer with isError", async () => {
        const { text: shown, answer } = await text("query_database", { sql: "DELETE FROM todos" });
        assert.equal(answer.isError, true);
        assert.match(shown, /DELETE|SELECT/);
      });
      await t.step("nothing found is a normal answer", async () => {
        const { answer } = await text("query_database", { sql: "SELECT * FROM todos WHERE false" });
        assert.ok(answer.isError !== true);
      });
      await t.step("arguments of the wrong type and unknown keys are refused in words", async () => {
        const wrong = await text("query_database", { sql: 5 });
        assert.equal(wrong.answer.isError, true);
        assert.match(wrong.text, /sql/);
        const unknown = await text("query_database", { sql: "SELECT 1", timeout: 5 });
        assert.equal(unknown.answer.isError, true);
        assert.match(unknown.text, /"timeout".*sql, parameters/);
      });
      await t.step("an unknown tool is a protocol error", async () => {
        await assert.rejects(
          client.callTool({ name: "drop_database", arguments: {} }),
          /Unknown tool "drop_database"/,
        );
      });
      await t.step(
        "a call of more than a second tells of its progress, and a cancelled one ends at the server",
        async () => {
          const cancel = new AbortController();
          const told: { progress: number; message?: string | undefined }[] = [];
          const call = client.callTool({
            name: "query_database",
            arguments: { sql: endless("to_be_cancelled") },
          }, {
            signal: cancel.signal,
            onprogress: (progress) => told.push(progress),
          });
          const outcome = call.then(() => "answered", () => "rejected");
          await until("two notifications of progress", () => told.length >= 2);
          assert.ok(Number(told[1]?.progress) > Number(told[0]?.progress));
          assert.match(told[0]?.message ?? "", /running for/);
          assert.equal(await database.running("to_be_cancelled"), 1);
          cancel.abort();
          assert.equal(await outcome, "rejected");
          await until(
            "the statement is gone",
            async () => await database.running("to_be_cancelled") === 0,
          );
        },
      );
      await t.step("and the next call works", async () => {
        assert.match((await text("query_database", { sql: "SELECT count(*) FROM todos" })).text, /3000/);
      });
    },
  });
}
