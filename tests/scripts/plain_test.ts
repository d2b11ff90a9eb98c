import assert from "@std/assert";
import { project } from "../support/mcp.ts";
import { permitted } from "../support/permitted.ts";

Deno.test({
  name: "plain deno test, without any permission, passes what needs none and skips the rest by name",
  ignore: !permitted,
  async fn() {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      // Types are checked by themselves.
      args: ["test", "--quiet", "--no-check"],
      cwd: project,
      env: { NO_COLOR: "1" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).output();
    const decoder = new TextDecoder();
    const said = decoder.decode(stdout) + decoder.decode(stderr);
    const failed = said.split("\n").filter((line) => line.includes("FAILED"));
    assert.deepEqual([code, failed], [0, []], said.slice(-2_000));
    const [, passed = "", ignored = ""] = /ok \| (\d+) passed .*\| 0 failed \| (\d+) ignored/.exec(said) ??
      [];
    assert.ok(Number(passed) > 1_000 && Number(ignored) > 1_000, said.slice(-200));
    assert.match(said, /plain deno test, without any permission.* ignored/);
  },
});
