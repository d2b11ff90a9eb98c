/** Requests as nobody should make them, the same each time for the same seed. */

/** A generator of numbers that is the same each time, so that what it finds can be found again. */
export function random(seed: number): (below: number) => number {
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
export function malformedRequest(pick: (below: number) => number): Uint8Array {
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

/** What an Authorization header may be, around a token that is accepted. */
export function authorization(pick: (below: number) => number, token: string): string {
  const one = (from: readonly string[]) => from[pick(from.length)] ?? "";
  const schemes = ["Bearer", "bearer", "BEARER", "Basic", "Digest", "", "Bear er", "Bearer\t"];
  const gaps = [" ", " ", "  ", "", "\t", ", ", "="];
  const changed = () => {
    const at = pick(token.length);
    return token.slice(0, at) + one(["a", "_", " ", "=", "\u00e9", ""]) + token.slice(at + 1);
  };
  const tokens = [
    token,
    token,
    token,
    token,
    changed(),
    token.slice(0, pick(token.length)),
    `${token}${one(["=", " ", "x", ",", ";", " extra"])}`,
    `"${token}"`,
    `token=${token}`,
    "x".repeat(pick(20_000)),
    "a.b.c",
    "",
  ];
  return `${one(schemes)}${one(gaps)}${one(tokens)}${one(["", "", "", " ", `, Bearer ${token}`])}`;
}
