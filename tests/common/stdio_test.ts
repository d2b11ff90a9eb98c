import assert from "@std/assert";
import type { JSONRPCMessage } from "@modelcontextprotocol/server";
import { createLogger } from "../../src/common/log.ts";
import { StdioTransport } from "../../src/common/stdio.ts";

interface Line {
  readonly write: (text: string | Uint8Array) => void;
  readonly end: () => void;
  readonly received: JSONRPCMessage[];
  readonly sent: Record<string, unknown>[];
  readonly logged: Record<string, unknown>[];
  readonly transport: StdioTransport;
}

/** A transport on streams in memory. */
async function open(graceMs = 50, ready?: () => Promise<void>): Promise<Line> {
  const input = new TransformStream<Uint8Array, Uint8Array>(undefined, { highWaterMark: Infinity }, {
    highWaterMark: Infinity,
  });
  const writer = input.writable.getWriter();
  const received: JSONRPCMessage[] = [];
  const sent: Record<string, unknown>[] = [];
  const logged: Record<string, unknown>[] = [];
  const transport = new StdioTransport({
    input: input.readable,
    write: (bytes) => {
      const lines = new TextDecoder().decode(bytes).trimEnd().split("\n");
      sent.push(...lines.map((line) => JSON.parse(line)));
      return Promise.resolve();
    },
    log: createLogger("warn", (line) => logged.push(JSON.parse(line))),
    graceMs,
    ...(ready === undefined ? {} : { ready }),
    refuseLine: (reason) => reason,
    refuse: (message) => "method" in message && message.method === "refused" ? "not this one" : undefined,
  });
  transport.onmessage = (message) => received.push(message);
  await transport.start();
  return {
    write: (text) => void writer.write(typeof text === "string" ? new TextEncoder().encode(text) : text),
    end: () => void writer.close(),
    received,
    sent,
    logged,
    transport,
  };
}

const ping = (id: unknown) => JSON.stringify({ jsonrpc: "2.0", id, method: "ping" });

Deno.test("lines become messages however the bytes are cut, the last one without its newline too", async () => {
  const { write, end, received, transport } = await open();
  const bytes = new TextEncoder().encode(`${ping("ü")}\r\n\n${ping(2)}`);
  for (const byte of bytes) write(new Uint8Array([byte]));
  end();
  await transport.closed;
  assert.deepEqual(received.map((message) => "id" in message && message.id), ["ü", 2]);
});

const bad: readonly (readonly [string, string | Uint8Array, unknown, number, RegExp])[] = [
  ["no JSON", "hello\n", null, -32700, /not valid JSON/],
  ["truncated JSON", '{"jsonrpc":"2.0","id":7,"method":\n', 7, -32700, /not valid JSON/],
  ["invalid UTF-8", new Uint8Array([0x7b, 0xff, 0x7d, 10]), null, -32700, /not valid UTF-8/],
  ["a batch", `[${ping(1)}]\n`, null, -32600, /Batches/],
  ["no JSON-RPC", '{"id":3,"hello":1}\n', 3, -32600, /not a JSON-RPC/],
  ["a number", "5\n", null, -32600, /not a JSON-RPC/],
  ["null", "null\n", null, -32600, /not a JSON-RPC/],
  ["a deep one", `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}\n`, null, -32600, /nested deeper/],
  [
    "one of 17 MB",
    `{"jsonrpc":"2.0","method":"x","params":{"a":"${"x".repeat(17_000_000)}"},"id":9}\n`,
    9,
    -32600,
    /The message has 17,000,0\d\d bytes, and a message may have 16,777,216/,
  ],
  ["one of many values", `{"a":[${"1,".repeat(30_000)}1]}\n`, null, -32600, /more than 20,000 values/],
  [
    "one that the program refuses",
    '{"jsonrpc":"2.0","id":4,"method":"refused"}\n',
    4,
    -32602,
    /not this one/,
  ],
];
for (const [what, line, id, code, message] of bad) {
  Deno.test(`a line that can't be read gets an answer, and the next line is read: ${what}`, async () => {
    const { write, end, received, sent, transport } = await open();
    write(line);
    write(`${ping("next")}\n`);
    end();
    await transport.closed;
    const [answer] = sent;
    assert.equal(answer?.id, id);
    const error = answer?.error as { code: number; message: string };
    assert.equal(error.code, code);
    assert.match(error.message, message);
    assert.equal(received.length, 1);
  });
}

Deno.test("brackets inside strings are not depth", async () => {
  const { write, end, received, transport } = await open();
  write(
    `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"${"[".repeat(1000)}\\"${"{".repeat(1000)}"}}\n`,
  );
  end();
  await transport.closed;
  assert.equal(received.length, 1);
});

Deno.test("at the end of input a call in flight is waited for, and its answer still goes out", async () => {
  const { write, end, sent, transport } = await open(60_000);
  let answered = Promise.resolve();
  transport.onmessage = () => {
    answered = Promise.resolve().then(() => transport.send({ jsonrpc: "2.0", id: 1, result: {} }));
  };
  write(`${ping(1)}\n`);
  end();
  await transport.closed;
  await answered;
  assert.deepEqual(sent, [{ jsonrpc: "2.0", id: 1, result: {} }]);
});

Deno.test("a call that does not end is given up after the grace: it gets an error, and a line says how many", async () => {
  const { write, end, sent, logged, transport } = await open(10);
  let closed = false;
  transport.onclose = () => closed = true;
  write(`${ping(1)}\n${ping("two")}\n`);
  end();
  await transport.closed;
  assert.equal(closed, true);
  const cause = "the input has ended, and this took longer than the 10 ms that are left then";
  const error = { code: -32000, message: `Not answered: ${cause}` };
  assert.deepEqual(sent, [{ jsonrpc: "2.0", id: 1, error }, { jsonrpc: "2.0", id: "two", error }]);
  assert.equal(logged.length, 1);
  const { level, message, requests, not_begun } = logged[0] ?? {};
  assert.deepEqual({ level, message, requests, not_begun }, {
    level: "warn",
    message: "requests were cut as the program ends",
    requests: 2,
    not_begun: 0,
  });
  // It was answered: what the server says after that is too late.
  await transport.send({ jsonrpc: "2.0", id: 1, result: {} });
  assert.equal(sent.length, 2);
});

Deno.test("requests that never had their turn, and two of one id, get an answer each as well", async () => {
  const { write, end, sent, logged, transport } = await open(10);
  for (const id of [...numbers(1, 299), 299]) write(call(id));
  end();
  await transport.closed;
  assert.deepEqual(sent.map(({ id }) => id), [...numbers(1, 299), 299]);
  assert.ok(sent.every(({ error }) => error !== undefined));
  assert.equal(logged[0]?.requests, 300);
  assert.equal(logged[0]?.not_begun, 44);
});

Deno.test("to be told to stop answers what is in flight as well", async () => {
  const { write, received, sent, transport } = await open(60_000);
  write(call(1));
  while (received.length === 0) await turn();
  await transport.close();
  assert.deepEqual(sent, [{
    jsonrpc: "2.0",
    id: 1,
    error: { code: -32000, message: "Not answered: the program was told to stop" },
  }]);
});

Deno.test("the time that loading takes is not the calls'", async () => {
  const loaded = Promise.withResolvers<void>();
  const { write, end, received, sent, transport } = await open(20, () => loaded.promise);
  write(call(1));
  end();
  while (received.length === 0) await turn();
  await new Promise((resolve) => setTimeout(resolve, 100)); // five times the grace
  assert.deepEqual(sent, []);
  loaded.resolve();
  await transport.send({ jsonrpc: "2.0", id: 1, result: {} });
  await transport.closed;
  assert.deepEqual(sent, [{ jsonrpc: "2.0", id: 1, result: {} }]);
});

Deno.test("a subscription, which lasts as long as the connection, does not hold up its end", async () => {
  const { write, end, sent, transport } = await open(1_000);
  write('{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{}}\n');
  end();
  await transport.closed;
  // And not that it took too long.
  const error = { code: -32000, message: "Not answered: the input has ended" };
  assert.deepEqual(sent, [{ jsonrpc: "2.0", id: 1, error }]);
});

Deno.test("a cancelled call is not waited for", async () => {
  const { write, end, sent, transport } = await open(1_000);
  write(`${ping(1)}\n`);
  write('{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}\n');
  end();
  await transport.closed;
  // Nor answered, as it would be for having taken too long.
  assert.deepEqual(sent, []);
});

const idsOf = (messages: readonly JSONRPCMessage[]) =>
  messages.flatMap((message) => "id" in message && "method" in message ? [message.id] : []);
const call = (id: number, padding = "") =>
  `${JSON.stringify({ jsonrpc: "2.0", id, method: "tools/call", params: { name: "x", padding } })}\n`;
const cancelling = (requestId: number) =>
  `${JSON.stringify({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId } })}\n`;
const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const turn = () => new Promise((resolve) => setTimeout(resolve));

Deno.test("256 requests are worked on at once; the others have their turn in order, each after an answer", async () => {
  const { write, end, received, transport } = await open(60_000);
  for (const id of numbers(1, 300)) write(call(id));
  await turn();
  assert.deepEqual(idsOf(received), numbers(1, 256));
  // Answers come in any order.
  for (const id of numbers(1, 300).toReversed().filter((id) => id <= 256)) {
    await transport.send({ jsonrpc: "2.0", id, result: {} });
  }
  assert.deepEqual(idsOf(received), numbers(1, 300));
  end();
  for (const id of numbers(257, 300)) await transport.send({ jsonrpc: "2.0", id, result: {} });
  await transport.closed;
});

Deno.test("a ping and a cancellation do not wait behind 300 requests", async () => {
  const { write, received, transport } = await open();
  for (const id of numbers(1, 300)) write(call(id));
  write(`${ping("still there?")}\n`);
  await turn();
  await transport.send({ jsonrpc: "2.0", id: "still there?", result: {} });
  write(cancelling(7));
  write(cancelling(290));
  await turn();
  // 257 has the place of 7; 290 begins out of its turn, and is cancelled.
  assert.deepEqual(idsOf(received).slice(256), ["still there?", 257, 290]);
  const cancelled = received.filter((message) => "method" in message && !("id" in message));
  assert.deepEqual(cancelled.length, 2);
  await transport.close();
});

Deno.test("no more begin while 16 MB of requests are worked on, however few they are", async () => {
  const { write, received, transport } = await open();
  for (const id of [1, 2, 3]) write(call(id, "x".repeat(9_000_000)));
  write(call(4));
  await turn();
  assert.deepEqual(idsOf(received), [1, 2]);
  await transport.send({ jsonrpc: "2.0", id: 1, result: {} });
  await turn();
  assert.deepEqual(idsOf(received), [1, 2, 3]);
  await transport.close();
});

Deno.test("a notification gets no answer, not even where it is none", async () => {
  const { write, end, sent, received, transport } = await open();
  write('{"jsonrpc":"1.0","method":"notifications/cancelled"}\n');
  write('{"jsonrpc":"2.0","method":"notifications/cancelled","params":5}\n');
  write(`${ping(1)}\n`);
  await turn();
  await transport.send({ jsonrpc: "2.0", id: 1, result: {} });
  end();
  await transport.closed;
  assert.deepEqual(idsOf(received), [1]);
  assert.deepEqual(sent.map(({ id }) => id), [1]);
});

Deno.test("at the end of input what waits for its turn is still answered", async () => {
  const { write, end, sent, transport } = await open(60_000);
  transport.onmessage = (message) => {
    if ("id" in message && message.id !== undefined && "method" in message) {
      const { id } = message;
      setTimeout(() => void transport.send({ jsonrpc: "2.0", id, result: {} }));
    }
  };
  for (const id of numbers(1, 1_000)) write(call(id));
  end();
  await transport.closed;
  assert.deepEqual(sent.map(({ id }) => id), numbers(1, 1_000));
});

Deno.test("no more than 16 MB wait for their turn: the input is read on when there is room", async () => {
  const padding = "x".repeat(1_000_000);
  let read = 0;
  async function* input() {
    for (const id of numbers(1, 256)) yield new TextEncoder().encode(call(id));
    // One more is read than there is room for.
    for (const id of numbers(257, 300)) {
      read++;
      yield new TextEncoder().encode(call(id, padding));
    }
  }
  const transport = new StdioTransport({
    input: input(),
    write: () => Promise.resolve(),
    log: createLogger("off"),
    graceMs: 60_000,
    refuseLine: (reason) => reason,
    refuse: () => undefined,
  });
  const begun: number[] = [];
  transport.onmessage = (message) => {
    if ("id" in message) begun.push(Number(message.id));
  };
  await transport.start();
  await turn();
  assert.deepEqual([begun.length, read], [256, 18]);
  for (const id of numbers(1, 300)) {
    await transport.send({ jsonrpc: "2.0", id, result: {} });
    await turn();
  }
  await transport.closed;
  assert.deepEqual(begun, numbers(1, 300));
});
