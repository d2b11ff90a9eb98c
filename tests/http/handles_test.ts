import assert from "@std/assert";
import { HttpProgram } from "../support/http_program.ts";
import { eventually, programCommand } from "../support/mcp.ts";
import { permitted } from "../support/permitted.ts";
import { newToken } from "../../src/common/http/tokens.ts";
import { tokenFile } from "../support/token_file.ts";

/** File handles that the program may have; it takes about 25 before the first connection. */
const handles = 64;
const strangers = 100;

/** The program where no more handles are to be had, as under a small `LimitNOFILE`. */
function startWithFewHandles(variables: Readonly<Record<string, string>> = {}): Promise<HttpProgram> {
  const { command, args } = programCommand();
  return HttpProgram.start({
    command: { command: "sh", args: ["-c", `ulimit -n ${handles}; exec "$0" "$@"`, command, ...args] },
    variables: { LOG_LEVEL: "error", ...variables },
  });
}

/** What strangers without a token hold open: bytes that they send, and whether they wait for the answer. */
const holdings: readonly (readonly [string, string, boolean])[] = [
  ["silent", "", false],
  ["with half a head", "POST /mcp HTTP/1.1\r\nHost: localhost\r\nX: ", false],
  ["with half a second head", "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nPOST ", true],
  ["idle after an answer", "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", true],
  ["with half a body", "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{", false],
];

for (const [what, bytes, isAnswered] of holdings) {
  Deno.test({
    name:
      `${strangers} connections ${what} take more handles than there are, and calls are answered all the same`,
    ignore: !permitted || Deno.build.os === "windows",
    async fn() {
      await using program = await startWithFewHandles();
      const held: Deno.TcpConn[] = [];
      try {
        for (let number = 0; number < strangers; number++) {
          const connection = await Deno.connect({ hostname: "127.0.0.1", port: program.port });
          held.push(connection);
          // Closed to make room, perhaps.
          await connection.write(new TextEncoder().encode(bytes)).catch(() => {});
          if (isAnswered) await connection.read(new Uint8Array(1_024)).catch(() => {});
        }
        await eventually("a call is answered", async () => {
          try {
            return (await program.ask("tools/list")).result !== undefined;
          } catch {
            return false;
          }
        });
        for (let number = 0; number < 5; number++) {
          assert.ok((await program.ask("tools/list")).result !== undefined);
        }
      } finally {
        for (const connection of held) connection.close();
      }
      await eventually("all are gone", async () => await program.metric("mcp_http_connections") < 5);
      assert.ok((await program.ask("tools/list")).result !== undefined);
      const told = program.errorLines.filter((line) => line.level === "error");
      assert.ok(told.length < 10, program.stderr);
      assert.deepEqual(told.filter((line) => /defect|rejection|uncaught/.test(String(line.message))), []);
      program.kill("SIGTERM");
      assert.equal((await program.ended()).code, 0);
    },
  });
}

/** The ports that the process listens on, by the operating system's own tables. */
async function listeningPorts(pid: number): Promise<readonly number[]> {
  const { stdout } = await new Deno.Command("sh", {
    args: ["-c", `ls -l /proc/${pid}/fd; cat /proc/${pid}/net/tcp`],
  }).output();
  const text = new TextDecoder().decode(stdout);
  const inodes = new Set([...text.matchAll(/socket:\[(\d+)\]/g)].map(([, inode]) => inode));
  return text.split("\n").map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[3] === "0A" && inodes.has(fields[9]))
    .map((fields) => parseInt(fields[1]?.split(":")[1] ?? "", 16));
}

Deno.test({
  name:
    `${strangers} connections of this machine to the port behind take all handles, and calls are answered all the same`,
  ignore: !permitted || Deno.build.os !== "linux",
  async fn() {
    const { token, line } = newToken("alice");
    await using file = await tokenFile(`${line}\n`);
    await using program = await startWithFewHandles({ MCP_TOKENS_FILE: file.path });
    const headers = { authorization: `Bearer ${token}` };
    const behind = (await listeningPorts(program.pid)).filter((port) => port !== program.port);
    assert.equal(behind.length, 1);
    const held: Deno.TcpConn[] = [];
    try {
      for (let number = 0; number < strangers; number++) {
        try {
          held.push(await Deno.connect({ hostname: "127.0.0.1", port: behind[0] ?? 0 }));
        } catch (error) {
          // It has gone from there, perhaps just now.
          const { ConnectionRefused, ConnectionReset } = Deno.errors;
          if (error instanceof ConnectionRefused || error instanceof ConnectionReset) break;
          throw error;
        }
      }
      await eventually("a call is answered", async () => {
        try {
          return (await program.ask("tools/list", {}, { headers })).result !== undefined;
        } catch {
          return false;
        }
      });
      for (let number = 0; number < 5; number++) {
        assert.ok((await program.ask("tools/list", {}, { headers })).result !== undefined);
      }
    } finally {
      for (const connection of held) connection.close();
    }
    assert.ok(!/nobody is accepted|defect|uncaught/.test(program.stderr), program.stderr);
    program.kill("SIGTERM");
    assert.equal((await program.ended()).code, 0);
  },
});
