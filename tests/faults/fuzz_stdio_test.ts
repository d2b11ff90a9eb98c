/**
 * Grammar-based fuzzing of the stdio transport: lines that are messages, nearly messages, or noise, cut into chunks
 * anywhere. Whatever comes, each request gets one answer, and the next line is read.
 */
import assert from "@std/assert";
import fc from "fast-check";
import type { JSONRPCMessage } from "@modelcontextprotocol/server";
import { createLogger } from "../../src/common/log.ts";
import { StdioTransport } from "../../src/common/stdio.ts";
import { RawClient } from "../support/mcp.ts";
import { permitted } from "../support/permitted.ts";
import { rounds } from "../support/rounds.ts";
import { until } from "../support/until.ts";
import { seeds } from "./seeds.ts";

const id = fc.oneof(fc.integer({ min: 0, max: 40 }), fc.string({ maxLength: 6 }));
const anything = fc.jsonValue({ maxDepth: 3 });
const method = fc.oneof(
  fc.constantFrom("tools/call", "tools/list", "ping", "initialize", "resources/read", "completion/complete"),
  fc.string({ maxLength: 12 }),
);
const request = fc.record({
  jsonrpc: fc.constant("2.0"),
  id,
  method,
  params: fc.oneof(anything, fc.constant({})),
}, {
  requiredKeys: ["jsonrpc", "id", "method"],
});
const cancellation = fc.record({
  jsonrpc: fc.constant("2.0"),
  method: fc.constant("notifications/cancelled"),
  params: fc.record({ requestId: fc.oneof(id, anything) }, { requiredKeys: [] }),
}, { requiredKeys: ["jsonrpc", "method"] });
const nearlyMessage = fc.record({
  jsonrpc: fc.constantFrom("2.0", "1.0", 2),
  id: fc.oneof(id, anything),
  method: fc.oneof(method, anything),
  result: anything,
  error: anything,
}, { requiredKeys: [] });
const line = fc.oneof(
  { weight: 4, arbitrary: request.map((value) => JSON.stringify(value)) },
  { weight: 2, arbitrary: cancellation.map((value) => JSON.stringify(value)) },
  { weight: 2, arbitrary: nearlyMessage.map((value) => JSON.stringify(value)) },
  { weight: 1, arbitrary: anything.map((value) => JSON.stringify(value)) },
  { weight: 1, arbitrary: fc.string({ maxLength: 40 }).map((text) => text.replaceAll("\n", " ")) },
  {
    weight: 1,
    arbitrary: fc.tuple(request.map((value) => JSON.stringify(value)), fc.nat(60)).map(([text, cut]) =>
      text.slice(0, cut)
    ),
  },
).map((text) => new TextEncoder().encode(text));
const noise = fc.uint8Array({ maxLength: 30 }).map((bytes) => bytes.filter((byte) => byte !== 10));
const input = fc.record({
  lines: fc.array(fc.oneof({ weight: 9, arbitrary: line }, { weight: 1, arbitrary: noise }), {
    maxLength: 40,
  }),
  chunk: fc.integer({ min: 1, max: 200 }),
});

function joined(lines: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(lines.flatMap((bytes) => [...bytes, 10]));
}

async function* cut(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const runs = { numRuns: rounds({ short: 300, long: 20_000 }), seed: seeds.stdio };

Deno.test("whatever lines come, the transport passes requests on in order, answers the rest, and ends", async () => {
  await fc.assert(
    fc.asyncProperty(input, async ({ lines, chunk }) => {
      const received: JSONRPCMessage[] = [];
      const sent: Record<string, unknown>[] = [];
      const transport = new StdioTransport({
        input: cut(
          joined([...lines, new TextEncoder().encode('{"jsonrpc":"2.0","id":"last","method":"ping"}')]),
          chunk,
        ),
        write: (bytes) => {
          sent.push(JSON.parse(new TextDecoder().decode(bytes)));
          return Promise.resolve();
        },
        log: createLogger("off"),
        graceMs: 5_000,
        refuseLine: (reason) => reason,
        refuse: () => undefined,
      });
      transport.onmessage = (message) => {
        received.push(message);
        if ("method" in message && "id" in message) {
          const { id } = message;
          queueMicrotask(() => void transport.send({ jsonrpc: "2.0", id, result: {} }));
        }
      };
      await transport.start();
      await transport.closed;
      const last = received.at(-1);
      assert.ok(last !== undefined && "id" in last && last.id === "last", "the line after all that was read");
      const requests = received.filter((message) => "method" in message && "id" in message);
      const results = sent.filter((message) => "result" in message);
      assert.equal(results.length, requests.length);
      for (const message of sent) {
        if ("result" in message) continue;
        const error = message.error as { code: number; message: string };
        assert.ok([-32700, -32600].includes(error.code));
        assert.ok(error.message.length < 200 && !error.message.includes("\n"));
      }
    }),
    runs,
  );
});

Deno.test({
  name:
    "the running program survives a thousand such lines, keeps to JSON lines, and answers the next request",
  ignore: !permitted,
  async fn() {
    await using client = await RawClient.connect({ variables: { DB_PORT: "1", RATE_LIMIT_PER_MINUTE: "0" } });
    const [lines = []] = fc.sample(fc.array(fc.oneof(line, noise), { minLength: 1_000, maxLength: 1_000 }), {
      numRuns: 1,
      seed: seeds.stdio,
    });
    client.write(joined(lines));
    const next = client.post("tools/list");
    // A client that uses an id twice is answered twice.
    await until(
      "the answer",
      () => client.messages.some((message) => message.id === next && Array.isArray(message.result?.tools)),
    );
    assert.ok(client.errorLines.every((each) => each.type === "audit" || each.type === "log"));
    assert.ok(!client.stderr.includes("unhandled"), client.stderr.slice(0, 1_000));
  },
});
