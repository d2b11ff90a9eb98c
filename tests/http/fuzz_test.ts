import assert from "@std/assert";
import { HttpProgram, patientProgram } from "../support/http_program.ts";
import { permitted } from "../support/permitted.ts";

/** How many requests; `HTTP_FUZZ_REQUESTS=100000` for the long run. */
const requests = permitted ? Number(Deno.env.get("HTTP_FUZZ_REQUESTS") ?? 3_000) : 0;
const clients = 8;

/** A generator of numbers that is the same each time, so that what it finds can be found again. */
function random(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const methods = [
  "POST",
  "POST",
  "POST",
  "POST",
  "GET",
  "PUT",
  "DELETE",
  "PATCH",
  "OPTIONS",
  "HEAD",
  "TRACE",
  "post",
  "",
];
const targets = [
  "/mcp",
  "/mcp",
  "/mcp",
  "/metrics",
  "/readyz",
  "/",
  "/mcp/",
  "//mcp",
  "/%00",
  "/..",
  "*",
  "http://evil/",
  "",
];
const headerLines = [
  "Host: localhost",
  "Host: localhost",
  "Host: evil.example.com",
  "Content-Type: application/json",
  "Content-Type: text/html",
  "Accept: application/json, text/event-stream",
  "Accept: */*",
  "Origin: null",
  "Authorization: Bearer \xff",
  "MCP-Protocol-Version: 2026-07-28",
  "MCP-Protocol-Version: 2025-11-25",
  "MCP-Protocol-Version: \u0001",
  "Mcp-Method: tools/call",
  "Mcp-Method: tools/list",
  "Mcp-Name: echo",
  "Mcp-Session-Id: 1",
  "Last-Event-ID: 1",
  "Expect: 100-continue",
  "Upgrade: websocket",
  "Transfer-Encoding: chunked",
  "Content-Length: 5",
  "Content-Length: 99999999999999999999",
  "Connection: close, host",
  " folded",
  "no colon",
  `X-Long: ${"x".repeat(9_000)}`,
];
const fragments = [
  ...'{}[]":,0-e \n\\',
  '"jsonrpc":"2.0"',
  '"id":1',
  '"id":null',
  '"id":{}',
  '"method":"tools/call"',
  '"method":"tools/list"',
  '"method":"initialize"',
  '"method":"server/discover"',
  '"method":"subscriptions/listen"',
  '"method":"__proto__"',
  '"params":{"name":"echo","arguments":{"value":"x"}}',
  '"params":{"name":"echo","arguments":{"__proto__":1}}',
  '"params":{"_meta":{"progressToken":{}}}',
  '"params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}',
  '"params":[]',
  '"result":{}',
  '"\\ud800"',
  "1e999",
  "[".repeat(200),
];

/** One request, more or less. */
function request(pick: (below: number) => number): Uint8Array {
  const one = (from: readonly string[]) => from[pick(from.length)] ?? "";
  const few = (from: readonly string[], most: number) =>
    Array.from({ length: pick(most + 1) }, () => one(from));
  const isWellFormed = pick(3) === 0;
  const body = isWellFormed ? `{${few(fragments.slice(14), 5).join()}}` : few(fragments, 12).join("");
  const headers = isWellFormed
    ? [
      ...headerLines.slice(0, 1),
      headerLines[3] ?? "",
      headerLines[5] ?? "",
      ...few(headerLines.slice(9, 17), 3),
    ]
    : few(headerLines, 8);
  const length = pick(5) === 0
    ? []
    : [`Content-Length: ${new TextEncoder().encode(body).length + (pick(9) === 0 ? 1 : 0)}`];
  const line = isWellFormed ? "POST /mcp HTTP/1.1" : `${one(methods)} ${one(targets)} HTTP/1.${pick(3)}`;
  const text = [line, ...headers, ...length, "Connection: close", "", body].join("\r\n");
  const bytes = new TextEncoder().encode(text);
  if (pick(10) === 0 && bytes.length > 0) bytes[pick(bytes.length)] = pick(256);
  return pick(20) === 0 ? bytes.subarray(0, pick(bytes.length)) : bytes;
}

/** Sends it, says nothing more, and waits for the end; a server that waits for more is not waited for. */
async function fire(port: number, bytes: Uint8Array): Promise<string> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  try {
    for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await connection.write(rest));
    await connection.closeWrite();
    const part = new Uint8Array(65_536);
    const late = setTimeout(() => connection.close(), 300);
    try {
      const size = await connection.read(part);
      return size === null ? "" : new TextDecoder().decode(part.subarray(0, size));
    } finally {
      clearTimeout(late);
    }
  } catch {
    return "";
  } finally {
    try {
      connection.close();
    } catch {
      // Closed by the timer.
    }
  }
}

Deno.test({
  name: `${requests} malformed requests: no crash, no defect, no place lost, and memory stays level`,
  ignore: !permitted,
  async fn() {
    await using program = await HttpProgram.start({
      command: patientProgram,
      variables: { AUDIT_LOG: "/dev/null" },
      longestLifeMs: 60_000 + requests * 20,
    });
    const memory = () => program.metric("process_resident_memory_bytes");
    const run = async (count: number, seed: number) => {
      await Promise.all(Array.from({ length: clients }, async (_, client) => {
        const pick = random(seed + client);
        for (let number = 0; number < count / clients; number++) {
          const answer = await fire(program.port, request(pick));
          assert.ok(!/ 500 |secret| {4}at /.test(answer), answer);
        }
      }));
    };
    await run(requests / 3, 1);
    const before = await memory();
    await run(requests * 2 / 3, 100);
    const answer = await program.ask("tools/call", { name: "echo", arguments: { value: "still here" } });
    assert.match(JSON.stringify(answer.result), /still here/);
    assert.equal(await program.metric('mcp_calls_running{tool="echo"}'), 0);
    const grown = (await memory() - before) / 1024 / 1024;
    assert.ok(grown < 64, `${grown} MB more`);
    const defects = program.errorLines.filter((line) => line.level === "error");
    assert.deepEqual(defects, []);
  },
});
