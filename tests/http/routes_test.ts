/** What each path answers, and what strangers' paths leave behind. */
import assert from "@std/assert";
import { HttpProgram, patientProgram } from "../support/http_program.ts";
import { permitted } from "../support/permitted.ts";

Deno.test({
  name: "paths that are read are read alone, and a path that leads nowhere is no name of a series",
  ignore: !permitted,
  async fn(t) {
    await using program = await HttpProgram.start({ command: patientProgram });
    const ask = async (path: string, method: string) => {
      const response = await fetch(`${program.origin}${path}`, { method });
      await response.body?.cancel();
      assert.equal(response.headers.get("x-content-type-options"), "nosniff");
      return [response.status, response.headers.get("allow")];
    };
    for (const path of ["/healthz", "/readyz", "/metrics"]) {
      await t.step(path, async () => {
        assert.deepEqual(await ask(path, "GET"), [200, null]);
        assert.deepEqual(await ask(path, "HEAD"), [200, null]);
        for (const method of ["POST", "PUT", "DELETE"]) {
          assert.deepEqual(await ask(path, method), [405, "GET, HEAD"]);
        }
      });
    }
    await t.step("another", async () => {
      for (const path of ["/", "/strange", "/mcp/", "/healthz/strange", "/MCP"]) {
        assert.deepEqual(await ask(path, "GET"), [404, null]);
      }
      assert.equal(await program.metric('mcp_http_requests_total{route="other",code="404"}'), 5);
      assert.doesNotMatch(await (await program.get("/metrics")).text(), /strange|MCP"/);
    });
  },
});
