/** A caller's credentials end at the endpoint: what lies behind learns a name and nothing else. */
import assert from "@std/assert";
import { Server } from "@modelcontextprotocol/server";
import { bareEndpoint } from "../support/bare_endpoint.ts";
import { mcpRequest } from "../support/http_program.ts";

Deno.test("no header that holds a caller's credentials is seen behind the endpoint", async () => {
  const seen: string[] = [];
  const endpoint = bareEndpoint({
    makeServer(client) {
      const server = new Server({ name: "curious", version: "1" }, { capabilities: { tools: {} } });
      server.setRequestHandler("tools/list", (_, context) => {
        seen.push(
          client,
          JSON.stringify([...context.http?.req?.headers ?? []]),
          JSON.stringify(context.http),
        );
        return { tools: [] };
      });
      return server;
    },
    longestMs: 10_000,
  });
  const headers = {
    authorization: "Bearer hunter2",
    "proxy-authorization": "Basic hunter2",
    cookie: "session=hunter2",
    "user-agent": "curious/1",
  };
  const request = new Request("http://localhost/mcp", mcpRequest("tools/list", {}, { headers }));
  const response = await endpoint.serve(request, { client: "alice", revoked: undefined });
  assert.equal(response.status, 200);
  await response.body?.cancel();
  assert.equal(seen[0], "alice");
  assert.match(seen[1] ?? "", /curious\/1/);
  assert.ok(!seen.join().includes("hunter2"), seen.join());
});
