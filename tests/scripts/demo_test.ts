import assert from "@std/assert";
import { fileURLToPath } from "node:url";
import { permitted } from "../support/permitted.ts";

const project = fileURLToPath(new URL("../..", import.meta.url));

Deno.test(
  "the demo answers, refuses, and ends with a configuration to paste",
  { ignore: !permitted },
  async () => {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["task", "--quiet", "demo"],
      cwd: project,
      env: { DB_HOST: "elsewhere.invalid", DATABASE_URL: "postgres://elsewhere.invalid/" },
    }).output();
    const text = new TextDecoder().decode(stdout);
    assert.equal(code, 0, text + new TextDecoder().decode(stderr));
    assert.ok(!text.includes("\x1b"));
    assert.equal(text.match(/answered in/g)?.length, 6);
    assert.equal(text.match(/refused in/g)?.length, 2);
    assert.match(text, /\b77\.6\b/);
    assert.match(
      text,
      /^claude mcp add .*--transport stdio postgres -- .*-P=postgres \S+src\/postgres\.ts$/m,
    );
  },
);

Deno.test(
  "serve:postgres --demo speaks nothing but MCP, and ends with its input",
  { ignore: !permitted },
  async () => {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["task", "--quiet", "serve:postgres", "--demo"],
      cwd: project,
      env: { DB_HOST: "elsewhere.invalid" },
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const messages = [
      {
        id: 1,
        method: "initialize",
        params: {
          protocolVersion: "2025-11-25",
          capabilities: {},
          clientInfo: { name: "test", version: "1" },
        },
      },
      { method: "notifications/initialized" },
      {
        id: 2,
        method: "tools/call",
        params: { name: "query_database", arguments: { sql: "SELECT count(*) FROM events" } },
      },
    ];
    const input = child.stdin.getWriter();
    for (const message of messages) {
      await input.write(new TextEncoder().encode(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`));
    }
    await input.close(); // what has been read is answered all the same
    const { code, stdout } = await child.output();
    assert.equal(code, 0);
    const answers = new TextDecoder().decode(stdout).trimEnd().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual(answers.map(({ id }) => id), [1, 2]);
    assert.match(answers[1].result.content[0].text, /5000/);
  },
);
