/**
 * What a PostgreSQL server with the same SDK comes to over HTTP without a guard, an audit log or a budget: one tool that
 * runs a statement through the same driver in a read-only transaction.
 */
import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";
import postgres from "postgres";
import * as z from "zod";

const sql = postgres(Deno.env.get("DATABASE_URL") ?? "", { max: 4, onnotice: () => {} });

function make(): McpServer {
  const server = new McpServer({ name: "query-tool", version: "1.0.0" });
  server.registerTool(
    "query_database",
    { description: "Runs a statement", inputSchema: z.object({ sql: z.string() }) },
    async (args) => {
      const rows = await sql.begin("read only", (transaction) => transaction.unsafe(args.sql));
      return { content: [{ type: "text", text: JSON.stringify(rows) }] };
    },
  );
  return server;
}

const [port] = Deno.args;
const { fetch } = createMcpHandler(make);
Deno.serve({ hostname: "127.0.0.1", port: Number(port), onListen: () => {} }, (request) => fetch(request));
