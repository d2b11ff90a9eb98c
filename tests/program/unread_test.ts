/** Clients that start the program and do not read what it writes. */
import assert from "@std/assert";
import { permitted } from "../support/permitted.ts";
import { programCommand, programEnvironment, project } from "../support/mcp.ts";

function launch(): Deno.ChildProcess {
  const { command, args } = programCommand();
  return new Deno.Command(command, {
    args: [...args],
    cwd: project,
    env: programEnvironment({ DB_HOST: "127.0.0.1", DB_PORT: "1", RATE_LIMIT_PER_MINUTE: "0" }),
    clearEnv: true,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

const encoder = new TextEncoder();
const line = (id: number, method: string, params: unknown) =>
  encoder.encode(`${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`);
const initialize = line(0, "initialize", {
  protocolVersion: "2025-11-25",
  capabilities: {},
  clientInfo: { name: "test", version: "1" },
});

Deno.test({
  name: "a stderr that nobody reads does not stop the answers",
  ignore: !permitted,
  async fn() {
    await using program = launch();
    const input = program.stdin.getWriter();
    await input.write(initialize);
    // A refused statement of 3 kB, whose audit line repeats it: 200 of them are ten times what a pipe holds.
    const sql = `delete from x -- ${"x".repeat(3_000)}`;
    const calls = 200;
    for (let id = 1; id <= calls; id++) {
      await input.write(line(id, "tools/call", { name: "query_database", arguments: { sql } }));
    }
    const answered = new Set<unknown>();
    let rest = "";
    for await (const text of program.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const each of lines) answered.add(JSON.parse(each).id);
      if (answered.size === calls + 1) break;
    }
    assert.equal(answered.size, calls + 1);
    program.kill("SIGTERM");
    await program.stderr.cancel();
    await input.close().catch(() => {});
    await program.status;
  },
});

for (
  const [how, end] of [["the end of input", undefined], ["SIGTERM", "SIGTERM"], ["SIGINT", "SIGINT"]] as const
) {
  Deno.test({
    name: `answers that nobody reads do not keep the program alive after ${how}`,
    ignore: !permitted,
    async fn() {
      const program = launch();
      const backstop = setTimeout(() => program.kill("SIGKILL"), 120_000);
      const input = program.stdin.getWriter();
      await input.write(initialize);
      for (let id = 1; id <= 400; id++) await input.write(line(id, "tools/list", {}));
      if (end === undefined) await input.close();
      else {
        // The first bytes of an answer say that it serves, and takes signals.
        const reader = program.stdout.getReader();
        await reader.read();
        reader.releaseLock();
        program.kill(end);
      }
      const { code, signal } = await program.status;
      clearTimeout(backstop);
      assert.deepEqual({ code, signal }, { code: 0, signal: null });
      await program.stdout.cancel();
      await program.stderr.cancel();
      await input.close().catch(() => {});
    },
  });
}

Deno.test({
  name: "a URL given as an argument is not repeated",
  ignore: !permitted,
  async fn() {
    for (const args of [["postgres://u:MARKER@h/d"], ["--", "MARKER"], ["--MARKER=1"], ["-p", "MARKER"]]) {
      const { command, args: own } = programCommand(args);
      const { code, stderr } = await new Deno.Command(command, {
        args: [...own],
        cwd: project,
        env: programEnvironment({}),
        clearEnv: true,
      }).output();
      const text = new TextDecoder().decode(stderr);
      assert.equal(code, 2);
      assert.ok(!text.includes("MARKER"), text);
      assert.equal(text.trimEnd().split("\n").length, 1);
    }
  },
});
