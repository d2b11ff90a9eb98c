import assert from "@std/assert";
import { HttpProgram } from "../support/http_program.ts";
import { programCommand } from "../support/mcp.ts";
import { permitted } from "../support/permitted.ts";
import { until } from "../support/until.ts";

/** File handles that the program may have; it takes about 25 before the first connection. */
const handles = 64;
const strangers = 100;

/** The program where no more handles are to be had, as under a small `LimitNOFILE`. */
function startWithFewHandles(): Promise<HttpProgram> {
  const { command, args } = programCommand();
  return HttpProgram.start({
    command: { command: "sh", args: ["-c", `ulimit -n ${handles}; exec "$0" "$@"`, command, ...args] },
    variables: { LOG_LEVEL: "error" },
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
        await until("a call is answered", async () => {
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
      await until("all are gone", async () => await program.metric("mcp_http_connections") < 5);
      assert.ok((await program.ask("tools/list")).result !== undefined);
      const told = program.errorLines.filter((line) => line.level === "error");
      assert.ok(told.length < 10, program.stderr);
      assert.deepEqual(told.filter((line) => /defect|rejection|uncaught/.test(String(line.message))), []);
      program.kill("SIGTERM");
      assert.equal((await program.ended()).code, 0);
    },
  });
}
