import assert from "@std/assert";
import { denoCommand } from "../../src/common/client_configuration.ts";

Deno.test("a Deno that is installed is named by its path", () => {
  assert.deepEqual(denoCommand("/opt/deno/deno"), ["/opt/deno/deno"]);
});

for (
  const path of [
    "/home/me/.npm/_npx/0a1b/node_modules/@deno/x/deno",
    "C:\\Users\\me\\npm-cache\\_npx\\0a1b\\deno.exe",
  ]
) {
  Deno.test(`a Deno in npx's cache is started by npx, which gets it again: ${path}`, () => {
    assert.deepEqual(denoCommand(path), ["npx", "-y", `deno@${Deno.version.deno}`]);
  });
}
