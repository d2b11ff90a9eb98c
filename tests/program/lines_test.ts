import assert from "@std/assert";
import { type Message, RawClient } from "../support/mcp.ts";
import { permitted } from "../support/permitted.ts";

const ignore = !permitted;
const encoder = new TextEncoder();

const toolCall = (id: unknown, name: unknown = "no_such_tool", args?: unknown) =>
  JSON.stringify({ jsonrpc: "2.0", id, method: "tools/call", params: { name, arguments: args } });

interface BadLine {
  readonly what: string;
  readonly line: string | Uint8Array;
  readonly id: number | string | null;
  readonly code: number;
  readonly says: RegExp;
}

const bad: readonly BadLine[] = [
  { what: "no JSON", line: "hello", id: null, code: -32700, says: /not valid JSON/ },
  {
    what: "a truncated message",
    line: '{"jsonrpc":"2.0","id":77,"method":"tools/call","params":{"na',
    id: 77,
    code: -32700,
    says: /not valid JSON/,
  },
  {
    what: "invalid UTF-8",
    line: Uint8Array.from([...encoder.encode('{"jsonrpc":"2.0","id":78,"method":"'), 0xc3, 0x28, 0x22, 0x7d]),
    id: 78,
    code: -32700,
    says: /UTF-8/,
  },
  {
    what: "a deep one",
    line: `{"jsonrpc":"2.0","id":79,"method":"tools/call","params":${"[".repeat(200_000)}${
      "]".repeat(200_000)
    }}`,
    id: 79,
    code: -32600,
    says: /nested/,
  },
  {
    what: "one of 20 MB",
    line: toolCall(80, "query_database", { sql: "x".repeat(20_000_000) }),
    id: 80,
    code: -32600,
    says: /a message may have 16,777,216/,
  },
  { what: "a batch", line: `[${toolCall(81)}]`, id: null, code: -32600, says: /Batches/ },
  {
    what: "another protocol",
    line: '{"jsonrpc":"1.0","id":82,"method":"ping"}',
    id: 82,
    code: -32600,
    says: /2\.0/,
  },
  {
    what: "a call without a name",
    line: toolCall(83, null),
    id: 83,
    code: -32602,
    says: /: name must be/,
  },
  { what: "a call of the number 5", line: toolCall(84, 5), id: 84, code: -32602, says: /: name must be/ },
  {
    what: "arguments that are a list",
    line: toolCall(85, "query_database", ["SELECT 1"]),
    id: 85,
    code: -32602,
    says: /: arguments must be/,
  },
  {
    what: "a tool that does not exist",
    line: toolCall(86),
    id: 86,
    code: -32602,
    says: /Unknown tool "no_such_tool"/,
  },
  {
    what: "a method that does not exist",
    line: '{"jsonrpc":"2.0","id":87,"method":"tools/destroy"}',
    id: 87,
    code: -32601,
    says: /./,
  },
];

Deno.test({
  name: "a line that can't be read is answered, and the session goes on",
  ignore,
  async fn(t) {
    await using client = await RawClient.connect();
    for (const { what, line, id, code, says } of bad) {
      await t.step(what, async () => {
        const before = client.messages.length;
        client.write(line);
        client.write("\n");
        const answer = await client.message((message) => client.messages.indexOf(message) >= before);
        assert.equal(answer.id, id);
        assert.equal(answer.error?.code, code);
        assert.match(answer.error?.message ?? "", says);
        assert.doesNotMatch(answer.error?.message ?? "", /\.ts\b|\/src\/|\n {4}at /);
        assert.deepEqual((await client.request("ping")).result, {});
      });
    }
    await t.step("blank lines and carriage returns are no messages", async () => {
      const before = client.messages.length;
      client.write('\n\r\n   \n{"jsonrpc":"2.0","id":"cr","method":"ping"}\r\n');
      await client.answer("cr");
      assert.equal(client.messages.length, before + 1);
    });
    await t.step("whatever came, stdout carries nothing but answers", async () => {
      await client.endInput();
      const { code, stdout } = await client.ended;
      assert.equal(code, 0);
      assert.ok(stdout.endsWith("\n"));
    });
    await t.step("each of them is audited", () => {
      const audited = client.auditLines.map(({ tool, outcome }) => ({ tool, outcome }));
      const lines = audited.filter(({ tool }) => tool === "(malformed)");
      assert.ok(lines.length >= 5 && lines.every(({ outcome }) => outcome === "invalid"));
      assert.deepEqual(audited.filter(({ tool }) => tool !== "(malformed)"), [
        { tool: "(no name)", outcome: "invalid" },
        { tool: "(no name)", outcome: "invalid" },
        { tool: "query_database", outcome: "invalid" },
        { tool: "no_such_tool", outcome: "invalid" },
      ]);
    });
  },
});

Deno.test({
  name: "input that ends in the middle of a line is a message when it is whole, and an error when it is not",
  ignore,
  async fn() {
    for (
      const [text, isPong] of [['{"jsonrpc":"2.0","id":5,"method":"ping"}', true], [
        '{"id":5,"meth',
        false,
      ]] as const
    ) {
      await using client = await RawClient.connect();
      client.write(text);
      await client.endInput();
      const { code } = await client.ended;
      const last: Message | undefined = client.messages.at(-1);
      assert.equal(code, 0);
      assert.equal(last?.result !== undefined, isPong);
      assert.equal(last?.error !== undefined, !isPong);
    }
  },
});

Deno.test({
  name: "a program that gets no input at all ends with exit 0, and has written nothing",
  ignore,
  async fn() {
    await using client = RawClient.launch();
    await client.endInput();
    assert.deepEqual(await client.ended, { code: 0, signal: null, stdout: "", stderr: "" });
  },
});
