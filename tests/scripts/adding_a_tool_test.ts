import assert from "@std/assert";
import { dirname, join } from "node:path";
import { project } from "../support/mcp.ts";
import { permitted } from "../support/permitted.ts";
import { databaseAvailable } from "../support/test_database.ts";

/** The files that the guide shows, by the path that it gives them. */
async function guideFiles(): Promise<ReadonlyMap<string, string>> {
  const guide = await Deno.readTextFile(join(project, "docs/adding-a-tool.md"));
  return new Map(
    [...guide.matchAll(/<!-- file: (\S+) -->\n\n```ts\n([\s\S]*?)```/g)]
      .map(([, path = "", text = ""]) => [path, text]),
  );
}

Deno.test({
  name: "the guide's tool type-checks, and its test passes",
  ignore: !permitted || !databaseAvailable,
  async fn() {
    const files = await guideFiles();
    assert.equal(files.size, 2);
    const folder = await Deno.makeTempDir({ prefix: "guide-" });
    try {
      // A tree of its own, where all but the guide's files are the project's.
      for (const name of ["deno.json", "deno.lock"]) {
        await Deno.copyFile(join(project, name), join(folder, name));
      }
      for (const path of ["src", "tests/support", "scripts"]) {
        await copyTree(join(project, path), join(folder, path));
      }
      for (const [path, text] of files) {
        await Deno.mkdir(dirname(join(folder, path)), { recursive: true });
        await Deno.writeTextFile(join(folder, path), text);
      }
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: [
          "test",
          "--quiet",
          "--no-prompt",
          "-P=test",
          "--doc=false",
          "tests/postgres/list_extensions_test.ts",
        ],
        cwd: folder,
        env: { NO_COLOR: "1" },
      }).output();
      const decoder = new TextDecoder();
      const text = decoder.decode(stdout) + decoder.decode(stderr);
      assert.equal(code, 0, text);
      assert.match(text, /1 passed/);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

async function copyTree(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copyTree(join(from, name), join(to, name));
    else await Deno.copyFile(join(from, name), join(to, name));
  }
}
