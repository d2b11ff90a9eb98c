import assert from "@std/assert";
import { join } from "node:path";
import { project } from "../support/mcp.ts";
import { permitted } from "../support/permitted.ts";

async function* sourceFiles(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = join(folder, name);
    if (isDirectory) yield* sourceFiles(path);
    else if (name.endsWith(".ts")) yield path;
  }
}

Deno.test({
  name: "zod is imported as a namespace: by its name it would bring its forty languages into each executable",
  ignore: !permitted,
  async fn() {
    const namespaces: string[] = [];
    for await (const path of sourceFiles(join(project, "src"))) {
      const imported = /^import (.+) from "zod";$/m.exec(await Deno.readTextFile(path))?.[1];
      if (imported === undefined) continue;
      assert.match(imported, /^(?:type )?\* as z$/, path);
      namespaces.push(path);
    }
    assert.ok(namespaces.length > 30);
  },
});
