import assert from "@std/assert";
import { type ProgramName, RawClient } from "../support/mcp.ts";
import { permitted } from "../support/permitted.ts";

const ignore = !permitted;
const snapshots = new URL("snapshots/", import.meta.url);

/** The programs, how many tools each has, and the bytes of JSON that its list may have without output schemas. */
const programs: readonly (readonly [ProgramName, number, number])[] = [
  ["postgres", 6, 12 * 1024],
  ["prometheus", 8, 12 * 1024],
  ["kubernetes", 11, 12 * 1024],
  ["platform", 27, 28 * 1024],
];

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

interface Catalogue {
  readonly instructions: string;
  readonly tools: readonly ListedTool[];
}

const asked = new Map<ProgramName, Promise<Catalogue>>();

/** What a program with nothing configured tells a client; each is asked once. */
function catalogue(program: ProgramName): Promise<Catalogue> {
  const known = asked.get(program) ?? ask(program);
  asked.set(program, known);
  return known;
}

async function ask(program: ProgramName): Promise<Catalogue> {
  await using client = RawClient.launch({ program });
  const { result } = await client.initialize();
  const list = await client.request("tools/list");
  // The assertions below are what finds out whether it has this shape.
  const tools = list.result?.tools as ListedTool[];
  return { instructions: String(result?.instructions), tools };
}

for (const [program, count, bytes] of programs) {
  Deno.test({
    name: `${program}: every tool keeps to the catalogue's rules`,
    ignore,
    async fn(t) {
      const { instructions, tools } = await catalogue(program);
      await t.step("instructions have at most 2 KB", () => {
        assert.ok(new TextEncoder().encode(instructions).length <= 2048);
        assert.match(instructions, /untrusted/);
      });
      await t.step(`without output schemas the list has at most ${bytes / 1024} KB`, () => {
        const lean = tools.map(({ outputSchema: _, ...tool }) => tool);
        const length = new TextEncoder().encode(JSON.stringify({ tools: lean })).length;
        assert.ok(length <= bytes, `${length} bytes`);
      });
      await t.step("names are unique, and none is missing", () => {
        assert.equal(tools.length, count);
        assert.equal(new Set(tools.map(({ name }) => name)).size, tools.length);
      });
      for (const tool of tools) {
        await t.step(tool.name, () => {
          assert.match(tool.name, /^[a-z][a-z0-9_]{0,39}$/);
          assert.ok(tool.title.length > 0);
          assert.ok(tool.description.length > 0 && tool.description.length <= 1000);
          assert.deepEqual(tool.annotations, { readOnlyHint: true });
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
}

Deno.test({
  name: "tools/list is what was reviewed, tool by tool (UPDATE_SNAPSHOTS=1 writes it anew)",
  ignore,
  async fn(t) {
    const update = Deno.env.get("UPDATE_SNAPSHOTS") === "1";
    const reviewed = new Map<string, ListedTool>();
    for (const [program] of programs) {
      for (const tool of (await catalogue(program)).tools) {
        const before = reviewed.get(tool.name);
        if (before !== undefined) {
          await t.step(
            `${tool.name} of ${program} is the one that is known`,
            () => assert.deepEqual(tool, before),
          );
          continue;
        }
        reviewed.set(tool.name, tool);
        const file = new URL(`${tool.name}.json`, snapshots);
        if (update) await Deno.writeTextFile(file, `${JSON.stringify(tool, null, 2)}\n`);
        await t.step(tool.name, async () => {
          assert.deepEqual(tool, JSON.parse(await Deno.readTextFile(file)));
        });
      }
    }
    await t.step("no snapshot of a tool that is gone", () => {
      const files = [...Deno.readDirSync(snapshots)].map(({ name }) => name);
      for (const name of files.filter((name) => !reviewed.has(name.replace(/\.json$/, "")))) {
        if (update) Deno.removeSync(new URL(name, snapshots));
        else assert.fail(`${name} is the snapshot of no tool`);
      }
    });
  },
});
