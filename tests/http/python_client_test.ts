import assert from "@std/assert";
import { HttpProgram } from "../support/http_program.ts";
import { programCommand, programEnvironment, programNames, project } from "../support/mcp.ts";
import { permitted } from "../support/permitted.ts";
import { anyCall, unreachable } from "../support/unreachable.ts";

/** The official SDK for Python, https://pypi.org/project/mcp/. */
const release = "mcp==2.3.0";

/** Opens a session with `target`, a URL or a command; prints the revision, the tools and the answer of one call. */
const session = `
import asyncio, json, sys
from mcp import Client, StdioServerParameters

async def main():
    mode, tool, variables, *target = sys.argv[1:]
    server = target[0] if len(target) == 1 else StdioServerParameters(
        command=target[0], args=target[1:], env=json.loads(variables))
    async with Client(server, mode=mode) as client:
        tools = await client.list_tools()
        answer = await client.call_tool(tool, {})
        print(json.dumps({
            "revision": client.protocol_version,
            "tools": [one.name for one in tools.tools],
            "content": [part.text for part in answer.content],
        }))

asyncio.run(main())
`;

/** `modules`: a folder that modules are looked for in first. */
function python(args: readonly string[], modules = ""): Deno.Command {
  return new Deno.Command("python3", {
    args: [...args],
    cwd: project,
    clearEnv: true,
    env: { ...programEnvironment({}), PIP_DISABLE_PIP_VERSION_CHECK: "1", PYTHONPATH: modules },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

/** Whether there is a Python, and a registry that has the SDK; with `CI` set there has to be. */
const available = permitted && (Deno.env.get("CI") === "true" || canInstall());

function canInstall(): boolean {
  const folder = Deno.makeTempDirSync();
  try {
    return python(["-m", "pip", "download", "--quiet", "--no-deps", "-d", folder, release]).outputSync()
      .success;
  } catch {
    return false;
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

async function succeed(command: Deno.Command): Promise<string> {
  const { success, stdout, stderr } = await command.output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

Deno.test({
  name: "the official client for Python lists the tools of each program and calls one",
  ignore: !available,
  async fn(t) {
    const folder = await Deno.makeTempDir({ prefix: "python-client-" });
    try {
      await succeed(python(["-m", "pip", "install", "--quiet", "--target", folder, release]));
      for (const name of programNames) {
        const open = async (mode: string, ...target: string[]) => {
          const args = ["-c", session, mode, anyCall[name], JSON.stringify(unreachable), ...target];
          const answer = JSON.parse(await succeed(python(args, folder)));
          assert.ok(answer.tools.includes(anyCall[name]));
          assert.ok(answer.content.length > 0 && answer.content[0].length > 0);
          return answer.revision;
        };
        await t.step(`${name}-mcp over HTTP, in both eras`, async () => {
          await using program = await HttpProgram.start({
            command: programCommand([], name),
            variables: unreachable,
          });
          const url = `${program.origin}/mcp`;
          assert.equal(await open("legacy", url), "2025-11-25");
          assert.equal(await open("auto", url), "2026-07-28");
        });
        await t.step(`${name}-mcp over stdio`, async () => {
          const { command, args } = programCommand([], name);
          await open("auto", command, ...args);
        });
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
