import assert from "@std/assert";
import { bundleManifest } from "../../scripts/release/bundle.ts";
import { platforms } from "../../scripts/release/platforms.ts";
import { programs } from "../../scripts/programs.ts";
import { Environment } from "../../src/common/env.ts";
import { createLogger } from "../../src/common/log.ts";
import { type ProgramName, RawClient } from "../support/mcp.ts";
import { permitted } from "../support/permitted.ts";

/** What a desktop client makes of a manifest, by the library that it uses itself. */
const expansion = `
import { getMcpConfigForManifest } from "npm:@anthropic-ai/mcpb@2.1.2";
const { manifest, userConfig } = JSON.parse(await new Response(Deno.stdin.readable).text());
const common = { manifest, extensionPath: "/extension", systemDirs: {}, pathSeparator: "/" };
console.log(JSON.stringify(await getMcpConfigForManifest({ ...common, userConfig })));
`;

async function expand(
  manifest: unknown,
  userConfig: Readonly<Record<string, string>>,
): Promise<{ command: string; env: Record<string, string> }> {
  const script = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(script, expansion);
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--allow-all", "--quiet", "--no-lock", "--no-config", script],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const input = child.stdin.getWriter();
    await input.write(new TextEncoder().encode(JSON.stringify({ manifest, userConfig })));
    await input.close();
    return JSON.parse(new TextDecoder().decode((await child.output()).stdout));
  } finally {
    await Deno.remove(script);
  }
}

async function manifestOf(name: string) {
  const program = programs.find((candidate) => candidate.name === name);
  const platform = platforms[0];
  if (program === undefined || platform === undefined) throw new Error(`there is no ${name}`);
  const loaded = (await program.load()).program;
  const nothing = new Environment({ get: () => undefined, readFile: () => "" });
  const backend = await loaded.open(nothing, createLogger("off"));
  const manifest = bundleManifest(loaded, backend.tools, platform);
  await backend.close();
  return manifest;
}

for (const { name, permissions } of programs) {
  Deno.test({
    name: `the bundle of ${name} starts with the settings that a user left alone`,
    ignore: !permitted,
    async fn() {
      const { command, env } = await expand(await manifestOf(name), {});
      assert.equal(command, `/extension/server/${name}`);
      assert.deepEqual(Object.entries(env).filter(([, value]) => value !== ""), []);
      // The permission sets carry the names of the programs' tasks.
      await using client = await RawClient.connect({ program: permissions as ProgramName, variables: env });
      const { result } = await client.request("tools/list");
      assert.ok(Array.isArray(result?.tools) && result.tools.length > 5);
    },
  });
}

Deno.test({
  name: "a bundle hands on what a user has set, and nothing else",
  ignore: !permitted,
  async fn() {
    const { env } = await expand(await manifestOf("postgres-mcp"), {
      database_url: "postgres://db.example/shop",
    });
    assert.deepEqual(Object.entries(env).filter(([, value]) => value !== ""), [
      ["DATABASE_URL", "postgres://db.example/shop"],
    ]);
  },
});
