import assert from "@std/assert";
import { HttpProgram } from "../support/http_program.ts";
import {
  type CommandLine,
  programCommand,
  programEnvironment,
  programNames,
  project,
} from "../support/mcp.ts";
import { permitted } from "../support/permitted.ts";
import { anyCall, unreachable } from "../support/unreachable.ts";

/** The release of the MCP Inspector that is run, https://modelcontextprotocol.io/docs/tools/inspector. */
const inspector = "@modelcontextprotocol/inspector@2.12.0";

function command(args: readonly string[]): Deno.Command {
  return new Deno.Command("npx", {
    args: ["--yes", inspector, "--cli", ...args],
    cwd: project,
    clearEnv: true,
    env: { ...programEnvironment({}), npm_config_update_notifier: "false" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

/** Whether the Inspector is in npm's cache, or can be had; with `CI` set it has to be. */
const available = permitted && (Deno.env.get("CI") === "true" || canRun());

function canRun(): boolean {
  try {
    return command(["--version"]).outputSync().success;
  } catch {
    return false;
  }
}

async function run(args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const { code, stdout, stderr } = await command(args).output();
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

/** The Inspector loads for seconds each time: what it looks at is the same in both eras, so each has its half. */
const eras = { postgres: "modern", prometheus: "legacy", kubernetes: "modern", platform: "legacy" } as const;

for (const name of programNames) {
  Deno.test({
    name: `${name}-mcp passes the Inspector's strict check of its tools, and answers its call (${
      eras[name]
    })`,
    ignore: !available,
    async fn() {
      await using program = await HttpProgram.start({
        command: programCommand([], name),
        variables: unreachable,
        longestLifeMs: 300_000,
      });
      const common = [`${program.origin}/mcp`, "--protocol-era", eras[name], "--method"];
      const listed = await run([...common, "tools/list", "--strict"]);
      assert.equal(listed.code, 0, listed.stderr);
      const names = JSON.parse(listed.stdout).tools.map((tool: { name: string }) => tool.name);
      assert.ok(names.includes(anyCall[name]), names.join());
      const called = await run([...common, "tools/call", "--tool-name", anyCall[name]]);
      assert.match(called.stdout, /"content":/, called.stderr);
    },
  });
}

Deno.test({
  name: "the Inspector starts a program itself, over stdio",
  ignore: !available,
  async fn() {
    const { command, args }: CommandLine = programCommand();
    const variables = Object.entries(unreachable).flatMap(([key, value]) => ["-e", `${key}=${value}`]);
    const method = ["--method", "tools/list", "--strict", "--connect-timeout", "60000"];
    const listed = await run([...variables, ...method, "--", command, ...args]);
    assert.equal(listed.code, 0, listed.stderr);
    assert.match(listed.stdout, new RegExp(`"${anyCall.postgres}"`));
  },
});
