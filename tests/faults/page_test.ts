/** docs/reliability.md names a test for each of its rows: they are there, under these names. */
import assert from "@std/assert";
import { permitted } from "../support/permitted.ts";

const project = new URL("../../", import.meta.url);

Deno.test({
  name: "every test that docs/reliability.md names is there",
  ignore: !permitted,
  async fn() {
    const page = await Deno.readTextFile(new URL("docs/reliability.md", project));
    const named = [...page.matchAll(/\| `(tests\/[a-z_/]+_test\.ts)`: (.+) \|$/gm)];
    assert.ok(named.length > 20, `${named.length} rows name a test`);
    for (const [, path = "", name = ""] of named) {
      const source = await Deno.readTextFile(new URL(path, project));
      assert.ok(source.includes(name), `${path} has no test of the name ${name}`);
    }
  },
});
