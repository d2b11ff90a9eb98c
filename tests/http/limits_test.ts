import assert from "@std/assert";
import {
  HttpProgram,
  mcpRequest,
  messagesOf,
  patientProgram,
  patientProgramWith,
  sendRaw,
} from "../support/http_program.ts";
import { permitted } from "../support/permitted.ts";
import { newToken } from "../../src/common/http/tokens.ts";
import { tokenFile } from "../support/token_file.ts";
import { until } from "../support/until.ts";

const ignore = !permitted;

Deno.test({
  name: "more calls than there is room for are answered with 503 and Retry-After, health is not",
  ignore,
  async fn() {
    await using program = await HttpProgram.start({ command: patientProgram });
    const abort = new AbortController();
    const waiting = Array.from(
      { length: 64 },
      (_, id) =>
        program.send("tools/call", { name: "wait", arguments: { seconds: 50 } }, {
          id,
          signal: abort.signal,
        }),
    );
    const responses = await Promise.all(waiting);
    assert.ok(responses.every((response) => response.status === 200));
    const refused = await program.send("tools/list", {});
    assert.equal(refused.status, 503);
    assert.match(refused.headers.get("retry-after") ?? "", /^\d+$/);
    await refused.body?.cancel();
    for (const path of ["/healthz", "/readyz"]) {
      const response = await program.get(path);
      assert.equal(response.status, 200);
      await response.body?.cancel();
    }
    assert.equal(await program.metric('mcp_http_refusals_total{reason="overload"}'), 1);
    abort.abort();
    await Promise.allSettled(responses.map((response) => response.text()));
    await until("all were cancelled", async () => await program.metric("mcp_patience_cancelled") === 64);
    await until("there is room again", async () => await program.metric("mcp_http_exchanges") === 0);
    assert.ok((await program.ask("tools/list")).result !== undefined);
  },
});

const head = (headers: string) =>
  `POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n` +
  `Accept: application/json, text/event-stream\r\n${headers}\r\n`;
const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1]);

Deno.test({
  name: "a client that takes all the places it can get leaves some to the others",
  ignore,
  async fn() {
    const [alice, bob] = [newToken("alice"), newToken("bob")];
    await using file = await tokenFile(`${alice.line}\n${bob.line}\n`);
    await using program = await HttpProgram.start({
      command: patientProgramWith({ bodyMs: 60_000 }),
      variables: { MCP_TOKENS_FILE: file.path },
    });
    const bearer = (token: string) => `Authorization: Bearer ${token}\r\n`;
    const connections: Deno.TcpConn[] = [];
    let turnedAway = 0;
    for (let number = 0; number < 140; number++) {
      const connection = await Deno.connect({ hostname: "127.0.0.1", port: program.port });
      connections.push(connection);
      await connection.write(
        new TextEncoder().encode(`${head(`${bearer(alice.token)}Content-Length: 100\r\n`)}{"jsonrpc"`),
      );
      connection.read(new Uint8Array(1_024)).then(() => turnedAway++, () => {});
    }
    await until("what is over her share is refused", () => turnedAway === 140 - 64);
    const answer = await program.ask("tools/call", { name: "echo", arguments: { value: "me too" } }, {
      headers: { authorization: `Bearer ${bob.token}` },
    });
    assert.match(JSON.stringify(answer.result), /me too/);
    for (const connection of connections) connection.close();
  },
});

Deno.test({
  name: "large messages have a share of memory: beyond it 503 and Retry-After, while small ones are answered",
  ignore,
  async fn() {
    await using program = await HttpProgram.start({ command: patientProgramWith({ bodyMs: 60_000 }) });
    const megabyte = 1024 * 1024;
    const open: Deno.TcpConn[] = [];
    let refusal = "";
    for (let number = 0; number < 20; number++) {
      const connection = await Deno.connect({ hostname: "127.0.0.1", port: program.port });
      open.push(connection);
      await connection.write(new TextEncoder().encode(head(`Content-Length: ${megabyte}\r\n`)));
      const part = new Uint8Array(4_096);
      connection.read(part).then(
        (size) => refusal = new TextDecoder().decode(part.subarray(0, size ?? 0)),
        () => {},
      );
    }
    await until("one is refused", () => refusal !== "");
    assert.equal(statusOf(refusal), 503);
    assert.match(refusal, /\r\nretry-after: \d+\r\n/i);
    assert.match(refusal, /\r\nconnection: close\r\n/i);
    assert.match(refusal, /Too many large messages/);
    await until("twelve are waited for", async () => await program.metric("mcp_http_exchanges") === 12);
    const small = await program.ask("tools/call", { name: "echo", arguments: { value: "me too" } });
    assert.match(JSON.stringify(small.result), /me too/);
    for (const connection of open) connection.close();
    await until("there is room again", async () => await program.metric("mcp_http_exchanges") === 0);
    const large = await program.ask("tools/call", {
      name: "echo",
      arguments: { value: "x".repeat(megabyte - 1_000) },
    });
    assert.ok(JSON.stringify(large.result).includes("xxx"));
  },
});

Deno.test({
  name: "calls as long as messages may be are not kept whole, where answers are given again",
  ignore,
  async fn() {
    const { command, args: [run, ...args] } = patientProgram;
    await using program = await HttpProgram.start({
      command: { command, args: [run, "--v8-flags=--max-old-space-size=160", ...args] },
      variables: { QUERY_CACHE_TTL_SECONDS: "3600", RATE_LIMIT_PER_MINUTE: "0", AUDIT_LOG: "/dev/null" },
    });
    const long = "x".repeat(1024 * 1024 - 1_000);
    // Kept whole, these would not fit into its memory, and it would end.
    for (let number = 0; number < 200; number++) {
      await program.ask("tools/call", { name: "echo", arguments: { value: `${number} ${long}` } });
    }
    const short = { name: "echo", arguments: { value: "short" } };
    await program.ask("tools/call", short);
    const again = await program.ask("tools/call", short);
    assert.match(JSON.stringify(again.result), /short.*This answer is .* old/);
  },
});

Deno.test({
  name: "a body that does not come is waited for, but not for ever",
  ignore,
  async fn() {
    await using program = await HttpProgram.start({ command: patientProgramWith({ bodyMs: 100 }) });
    const answer = await sendRaw(program.port, `${head("Content-Length: 100\r\n")}{"jsonrpc"`, 20_000);
    assert.equal(statusOf(answer), 408, answer);
    assert.match(answer, /longer than 0\.1 s/);
    await until("its place is free", async () => await program.metric("mcp_http_exchanges") === 0);
  },
});

const ping = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" });
const call = (args: string) =>
  `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":${args}}}`;

const latin1 = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));

/** What is sent, and the status that it is answered with. */
const bodies: readonly (readonly [string, number, Record<string, string>, string | Uint8Array])[] = [
  ["a ping", 200, {}, ping],
  ["a ping, with a charset", 200, { "content-type": "application/json; charset=utf-8" }, ping],
  ["another content type", 415, { "content-type": "text/plain" }, ping],
  ["a form", 415, { "content-type": "application/x-www-form-urlencoded" }, "a=b"],
  ["a compressed body", 415, { "content-encoding": "gzip" }, ping],
  ["an answer of one kind alone", 406, { accept: "application/json" }, ping],
  ["nothing", 400, {}, ""],
  ["half a message", 400, {}, ping.slice(0, 20)],
  ["bytes that are no UTF-8", 400, {}, latin1(ping.replace("}", ',"params":{"a":"\u00ff"}}'))],
  ["a number", 400, {}, "1"],
  ["a message of another kind", 400, {}, '{"hello":"world"}'],
  ["an id that is an object", 400, {}, '{"jsonrpc":"2.0","id":{},"method":"ping"}'],
  ["a batch", 400, {}, `[${ping}]`],
  ["a batch bomb", 400, {}, `[${Array(10_000).fill(ping).join()}]`],
  ["100,000 levels", 400, {}, call("[".repeat(100_000) + "]".repeat(100_000))],
  ["50,000 keys", 400, {}, call(`{${Array.from({ length: 50_000 }, (_, i) => `"k${i}":1`).join()}}`)],
  ["more than 1 MB", 413, {}, call(JSON.stringify({ value: "x".repeat(1024 * 1024) }))],
  ["a prototype", 200, {}, call('{"__proto__":{"a":1},"value":"x"}')],
  ["arguments of the wrong shape", 200, {}, call('"x"')],
];

Deno.test({
  name: "what is no message that could be answered",
  ignore,
  async fn(t) {
    await using program = await HttpProgram.start({ command: patientProgram });
    for (const [what, status, headers, body] of bodies) {
      await t.step(`${what}: ${status}`, async () => {
        const response = await fetch(`${program.origin}/mcp`, {
          ...mcpRequest("ping", {}, { headers }),
          body: typeof body === "string" ? body : new Uint8Array(body),
        });
        const text = await response.text();
        assert.equal(response.status, status, text);
        if (status >= 400) assert.equal(JSON.parse(text).jsonrpc, "2.0");
      });
    }
    await t.step("a body without its length is bounded too", async () => {
      const chunk = "x".repeat(65_536);
      const chunked = `10000\r\n${chunk}\r\n`.repeat(20);
      const answer = await sendRaw(program.port, head("Transfer-Encoding: chunked\r\n") + chunked);
      assert.equal(statusOf(answer), 413, answer.slice(0, 300));
    });
    await t.step("smuggled and repeated headers are refused", async () => {
      for (
        const headers of [
          "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
          "Content-Length: 4\r\nContent-Length: 5\r\n",
          "Content-Length: -1\r\n",
          "Content-Length: 4x\r\n",
          "Transfer-Encoding: chunked, identity\r\nContent-Length: 4\r\n",
          `X-Long: ${"x".repeat(1_000_000)}\r\n`,
          "X: y\r\n".repeat(1_000),
          "X\0Y: z\r\n",
        ]
      ) {
        const answer = await sendRaw(
          program.port,
          `${head(headers)}0\r\n\r\nGET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n`,
        );
        const statuses = [...answer.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => status);
        assert.ok(
          statuses.length <= 1 && statuses.every((status) => status === "400" || status === "431"),
          answer,
        );
      }
    });
    await t.step(
      "a coding that nobody here undoes is refused, as is a second way to tell the length",
      async () => {
        for (
          const [headers, status] of [
            ["Transfer-Encoding: gzip, chunked\r\n", /^501$/],
            ["Transfer-Encoding: identity, chunked\r\n", /^(400|501)$/],
            ["Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", /^(400|501)$/],
            [`Content-Length: ${ping.length}\r\nTransfer-Encoding: chunked\r\n`, /^400$/],
          ] as const
        ) {
          const answer = await sendRaw(
            program.port,
            `${head(headers)}${ping.length.toString(16)}\r\n${ping}\r\n0\r\n\r\n`,
          );
          assert.match(String(statusOf(answer)), status, `${headers}${answer}`);
          assert.match(answer, /\r\nconnection: close\r\n|\r\n\r\n$/i);
        }
      },
    );
    await t.step("what comes behind a body in chunks is no request", async () => {
      // A proxy that went by the length would have taken it for a part of the body.
      for (const headers of ["Content-Length: 300\r\n", ""]) {
        const answer = await sendRaw(
          program.port,
          `POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${headers}Transfer-Encoding: chunked\r\n\r\n` +
            "0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        );
        assert.equal(answer.match(/HTTP\/1\.1 \d{3}/g)?.length, 1, answer);
        assert.ok(!answer.includes("alive"), answer);
      }
    });
    await t.step("and the next call is answered; what was refused is in the audit log", async () => {
      const [message] = await messagesOf(
        await program.send("tools/call", { name: "echo", arguments: { value: "still here" } }),
      );
      assert.match(JSON.stringify(message?.result), /still here/);
      await until(
        "it is recorded",
        () => program.auditLines.some(({ outcome, tool }) => outcome === "invalid" && tool === "(malformed)"),
      );
      assert.equal(await program.metric("mcp_http_exchanges"), 0);
    });
  },
});
