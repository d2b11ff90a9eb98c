import assert from "@std/assert";
import { RawClient } from "../support/mcp.ts";
import { permitted } from "../support/permitted.ts";

const ignore = !permitted;
const snapshots = new URL("snapshots/", import.meta.url);

/** What these tests look at of a tool in `tools/list`. */
interface ListedTool {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly inputSchema: {
    readonly type: string;
    readonly properties: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
    readonly additionalProperties: unknown;
  };
  readonly outputSchema: Readonly<Record<string, unknown>>;
  readonly annotations: Readonly<Record<string, unknown>>;
}

async function catalogue(): Promise<{ instructions: string; tools: readonly ListedTool[] }> {
  await using client = RawClient.launch();
  const { result } = await client.initialize();
  const list = await client.request("tools/list");
  // The assertions below are what finds out whether it has this shape.
  const tools = list.result?.tools as ListedTool[];
  return { instructions: String(result?.instructions), tools };
}

Deno.test({
  name: "every tool keeps to the catalogue's rules",
  ignore,
  async fn(t) {
    const { instructions, tools } = await catalogue();
    await t.step("instructions have at most 2 KB", () => {
      assert.ok(new TextEncoder().encode(instructions).length <= 2048);
      assert.match(instructions, /untrusted/);
    });
    await t.step("without output schemas the list has at most 12 KB", () => {
      const lean = tools.map(({ outputSchema: _, ...tool }) => tool);
      assert.ok(new TextEncoder().encode(JSON.stringify({ tools: lean })).length <= 12 * 1024);
    });
    await t.step("names are unique", () => {
      assert.equal(new Set(tools.map(({ name }) => name)).size, tools.length);
    });
    for (const tool of tools) {
      await t.step(tool.name, () => {
        assert.match(tool.name, /^[a-z][a-z0-9_]{0,39}$/);
        assert.ok(tool.title.length > 0);
        assert.ok(tool.description.length > 0 && tool.description.length <= 1000);
        assert.equal(tool.annotations.readOnlyHint, true);
        assert.equal(tool.annotations.title, tool.title);
        const { inputSchema, outputSchema } = tool;
        assert.equal(inputSchema.type, "object");
        assert.equal(inputSchema.additionalProperties, false);
        for (const [name, property] of Object.entries(inputSchema.properties)) {
          assert.notEqual(property.type, "object", `${name} is an object: the schema is not flat`);
          for (const word of ["$ref", "properties", "propertyNames", "oneOf", "allOf"]) {
            assert.ok(!(word in property), `${name} has ${word}`);
          }
        }
        assert.equal(outputSchema.type, "object");
        assert.ok(!("$schema" in outputSchema) && !("$schema" in inputSchema));
      });
    }
  },
});

Deno.test({
  name: "tools/list is what was reviewed, tool by tool (UPDATE_SNAPSHOTS=1 writes it anew)",
  ignore,
  async fn(t) {
    const { tools } = await catalogue();
    const update = Deno.env.get("UPDATE_SNAPSHOTS") === "1";
    for (const tool of tools) {
      const file = new URL(`${tool.name}.json`, snapshots);
      const now = `${JSON.stringify(tool, null, 2)}\n`;
      if (update) await Deno.writeTextFile(file, now);
      await t.step(tool.name, async () => {
        assert.deepEqual(tool, JSON.parse(await Deno.readTextFile(file)));
      });
    }
    await t.step("no snapshot of a tool that is gone", () => {
      const known = new Set(tools.map(({ name }) => `${name}.json`));
      const files = [...Deno.readDirSync(snapshots)].map(({ name }) => name);
      for (const name of files.filter((name) => !known.has(name))) {
        if (update) Deno.removeSync(new URL(name, snapshots));
        else assert.fail(`${name} is the snapshot of no tool`);
      }
    });
  },
});
