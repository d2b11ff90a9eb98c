/** The floor of a server with the same SDK: one empty tool, over stdio or, with a port, over HTTP. */
import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import * as z from "zod";

function make(): McpServer {
  const server = new McpServer({ name: "one-tool", version: "1.0.0" });
  server.registerTool(
    "empty",
    { description: "Does nothing", inputSchema: z.object({ text: z.string().optional() }) },
    () => ({ content: [{ type: "text", text: "nothing" }] }),
  );
  return server;
}

const [port] = Deno.args;
if (port === undefined) serveStdio(make);
else {
  const { fetch } = createMcpHandler(make);
  Deno.serve({ hostname: "127.0.0.1", port: Number(port), onListen: () => {} }, (request) => fetch(request));
}
