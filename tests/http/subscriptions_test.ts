import assert from "@std/assert";
import { McpServer } from "@modelcontextprotocol/server";
import type { Admitted } from "../../src/common/http/admission.ts";
import type { McpEndpoint } from "../../src/common/http/mcp_endpoint.ts";
import { bareEndpoint } from "../support/bare_endpoint.ts";
import { mcpRequest } from "../support/http_program.ts";

/**
 * The endpoint of a server whose list of tools may change. The programs' never does, so that a subscription to one of
 * them ends at once.
 */
function endpointOf(keepAliveMs: number): McpEndpoint {
  return bareEndpoint({
    makeServer: () =>
      new McpServer({ name: "changing", version: "1" }, { capabilities: { tools: { listChanged: true } } }),
    longestMs: 100,
    keepAliveMs,
  });
}

/** The stream of a subscription, as text. */
async function subscribe(endpoint: McpEndpoint, caller: Omit<Admitted, "client">) {
  const request = mcpRequest("subscriptions/listen", { notifications: { toolsListChanged: true } }, {
    era: "2026-07-28",
  });
  const response = await endpoint.serve(new Request("http://localhost/mcp", request), {
    client: "alice",
    ...caller,
  });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (reader === undefined) throw new Error("no stream");
  return reader;
}

async function readUntil(reader: ReadableStreamDefaultReader<string>, pattern: RegExp): Promise<void> {
  for (let text = ""; !pattern.test(text);) {
    const part = await reader.read();
    if (part.done) throw new Error(`the stream ended after ${text}`);
    text += part.value;
  }
}

Deno.test("a subscription is kept alive, for longer than a call may take, and ends with the program", async () => {
  const endpoint = endpointOf(40);
  // The SDK's timer keeps no process alive.
  const alive = setInterval(() => {}, 1_000);
  const reader = await subscribe(endpoint, { revoked: undefined });
  await readUntil(reader, /toolsListChanged/);
  await readUntil(reader, /(?:^:[^\n]*\n\n){4}/m);
  clearInterval(alive);
  endpoint.endSubscriptions();
  await assert.rejects(async () => await readUntil(reader, /never/));
});

Deno.test("a subscription ends when the token of its caller expires, and another's goes on", async () => {
  const endpoint = endpointOf(40);
  const lasting = await subscribe(endpoint, { revoked: undefined, expiresAt: Date.now() + 1e12 });
  const reader = await subscribe(endpoint, { revoked: undefined, expiresAt: Date.now() + 2_000 });
  await readUntil(reader, /toolsListChanged/);
  await assert.rejects(async () => await readUntil(reader, /never/), /given up/);
  await readUntil(lasting, /toolsListChanged/);
  await lasting.cancel();
});

Deno.test("a subscription is cut when the token of its caller is revoked", async () => {
  const revocation = new AbortController();
  const reader = await subscribe(endpointOf(40), { revoked: revocation.signal });
  await readUntil(reader, /toolsListChanged/);
  revocation.abort();
  await assert.rejects(async () => await readUntil(reader, /never/), /given up/);
});

Deno.test("a client that takes all the subscriptions it can get leaves some to the others", async () => {
  const endpoint = endpointOf(60_000);
  const listen = async (client: string) => {
    const request = mcpRequest("subscriptions/listen", { notifications: { toolsListChanged: true } }, {
      era: "2026-07-28",
    });
    return await endpoint.serve(new Request("http://localhost/mcp", request), { client, revoked: undefined });
  };
  const open: Response[] = [];
  for (let number = 0; number < 64; number++) open.push(await listen("alice"));
  assert.ok(open.every(({ status }) => status === 200));
  const refused = await listen("alice");
  assert.equal(refused.status, 503);
  assert.match(await refused.text(), /Too many subscriptions/);
  const bobs = await listen("bob");
  assert.equal(bobs.status, 200);
  for (const { body } of [...open, bobs]) await body?.cancel();
});
