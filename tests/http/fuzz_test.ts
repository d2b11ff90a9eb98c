import assert from "@std/assert";
import {
  HttpProgram,
  mcpRequest,
  patientProgram,
  patientProgramWith,
  sendRaw,
} from "../support/http_program.ts";
import { authorization, malformedRequest, random } from "../support/malformed_requests.ts";
import { permitted } from "../support/permitted.ts";
import { newToken } from "../../src/common/http/tokens.ts";
import { until } from "../support/until.ts";

/** How many requests; `deno task fuzz:http` for the long run. */
const requests = permitted ? Number(Deno.env.get("HTTP_FUZZ_REQUESTS") ?? 3_000) : 0;
const clients = 8;
const megabyte = 1024 * 1024;

/** Sends it, says nothing more, and waits for the end; a server that waits for more is not waited for. */
async function fire(port: number, bytes: Uint8Array): Promise<string> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  try {
    for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await connection.write(rest));
    await connection.closeWrite();
    const part = new Uint8Array(65_536);
    const late = setTimeout(() => connection.close(), 2_000);
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

/** Several clients at once, each with numbers of its own. */
async function together(
  count: number,
  seed: number,
  once: (pick: (below: number) => number) => Promise<void>,
) {
  await Promise.all(Array.from({ length: clients }, async (_, client) => {
    const pick = random(seed + client);
    for (let number = 0; number < count / clients; number++) await once(pick);
  }));
}

async function answersStill(program: HttpProgram, headers: Record<string, string> = {}): Promise<void> {
  const answer = await program.ask("tools/call", { name: "echo", arguments: { value: "still here" } }, {
    headers,
  });
  assert.match(JSON.stringify(answer.result), /still here/);
  assert.equal(await program.metric('mcp_calls_running{tool="echo"}'), 0);
  const defects = program.errorLines.filter((line) => line.level === "error");
  assert.deepEqual(defects, []);
}

Deno.test({
  name: `${requests} malformed requests: no crash, no defect, no place lost, and memory stays level`,
  ignore: !permitted,
  async fn() {
    await using program = await HttpProgram.start({
      command: patientProgram,
      variables: { AUDIT_LOG: "/dev/null" },
      longestLifeMs: 120_000 + requests * 20,
    });
    const memory = () => program.metric("process_resident_memory_bytes");
    let answered = 0;
    const run = (count: number, seed: number) =>
      together(count, seed, async (pick) => {
        const answer = await fire(program.port, malformedRequest(pick));
        if (answer !== "") answered++;
        assert.ok(!/ 500 |secret| {4}at /.test(answer), answer);
      });
    await run(requests / 3, 1);
    const before = await memory();
    await run(requests * 2 / 3, 100);
    // An answer that never comes would pass every assertion on what is in it.
    assert.ok(answered > requests * 0.8, `${answered} of ${requests} answered`);
    await answersStill(program);
    await until(
      "every connection is gone",
      async () => await program.metric("mcp_http_connections") < 3,
    );
    await until("memory is level", async () => await memory() - before < 64 * megabyte);
  },
});

Deno.test({
  name: `${Math.round(requests / 3)} headers around a token: only the token itself is let in`,
  ignore: !permitted,
  async fn() {
    const { token, line } = newToken("alice");
    const path = await Deno.makeTempFile({ prefix: "tokens-" });
    await Deno.writeTextFile(path, line, { mode: 0o600 });
    await using program = await HttpProgram.start({
      command: patientProgram,
      variables: { AUDIT_LOG: "/dev/null", MCP_TOKENS_FILE: path },
      longestLifeMs: 120_000 + requests * 20,
    });
    const { body, headers } = mcpRequest("tools/list");
    const common = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("");
    const seen = { in: 0, out: 0 };
    await together(requests / 3, 7, async (pick) => {
      const value = authorization(pick, token);
      const answer = await sendRaw(
        program.port,
        new TextEncoder().encode(
          `POST /mcp HTTP/1.1\r\nHost: localhost\r\n${common}Authorization: ${value}\r\n` +
            `Content-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
        ),
      );
      // White space around a header's value is none of it, RFC 9110, section 5.5.
      const isToken = new RegExp(`^bearer +${token}$`, "i").test(value.replace(/^[ \t]+|[ \t]+$/g, "")) &&
        value.includes(token);
      const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1]);
      assert.ok(
        isToken ? status === 200 : [400, 401].includes(status),
        `${status} for ${JSON.stringify(value)}`,
      );
      seen[isToken ? "in" : "out"]++;
    });
    assert.ok(seen.in > requests / 300 && seen.out > requests / 10, JSON.stringify(seen));
    await answersStill(program, { authorization: `Bearer ${token}` });
    await Deno.remove(path);
  },
});

Deno.test({
  name: "many requests by one connection, one after the other and all at once, are answered in their order",
  ignore: !permitted,
  async fn() {
    await using program = await HttpProgram.start({
      command: patientProgram,
      variables: { AUDIT_LOG: "/dev/null" },
    });
    await together(clients * 5, 11, async (pick) => {
      const ids = Array.from({ length: 20 }, () => pick(1_000_000));
      const messages = ids.map((id, at) => {
        const { body, headers } = mcpRequest("tools/call", {
          name: "echo",
          arguments: { value: `own ${id}` },
        }, {
          id,
        });
        const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("");
        const last = at === ids.length - 1 ? "Connection: close\r\n" : "";
        return `POST /mcp HTTP/1.1\r\nHost: localhost\r\n${lines}${last}Content-Length: ${body.length}\r\n\r\n${body}`;
      });
      const answers = await sendRaw(program.port, messages.join(""), 20_000);
      const own = [...answers.matchAll(/"text":"own (\d+)"/g)].map(([, id]) => Number(id));
      assert.deepEqual(own, ids);
    });
    await answersStill(program);
  },
});

Deno.test({
  name: "bodies that come slowly, whole or not, take no place for long",
  ignore: !permitted,
  async fn() {
    await using program = await HttpProgram.start({
      command: patientProgramWith({ bodyMs: 1_000 }),
      variables: { AUDIT_LOG: "/dev/null" },
    });
    const { body, headers } = mcpRequest("tools/list");
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("");
    const head = `POST /mcp HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${lines}`;
    const slowly = async (isWhole: boolean) => {
      const connection = await Deno.connect({ hostname: "127.0.0.1", port: program.port });
      const answer = new Response(connection.readable).text();
      const text = `${head}Content-Length: ${body.length + (isWhole ? 0 : 1)}\r\n\r\n${body}`;
      for (let at = 0; at < text.length; at += 40) {
        await connection.write(new TextEncoder().encode(text.slice(at, at + 40))).catch(() => {});
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      return Number(/^HTTP\/1\.1 (\d{3})/.exec(await answer)?.[1]);
    };
    const statuses = await Promise.all(Array.from({ length: 20 }, (_, number) => slowly(number % 2 === 0)));
    assert.deepEqual(statuses, Array.from({ length: 20 }, (_, number) => number % 2 === 0 ? 200 : 408));
    await until("their places are free", async () => await program.metric("mcp_http_exchanges") === 0);
    await answersStill(program);
  },
});
