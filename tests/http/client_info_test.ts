/** What a client says of itself, in the record of its call. */
import assert from "@std/assert";
import { HttpProgram, patientProgram } from "../support/http_program.ts";
import { permitted } from "../support/permitted.ts";
import { until } from "../support/until.ts";

Deno.test({
  name: "what a client says of itself is recorded, its beginning where it is long",
  ignore: !permitted,
  async fn() {
    await using program = await HttpProgram.start({ command: patientProgram });
    const call = ["tools/call", { name: "echo", arguments: { value: "x" } }] as const;
    const recorded = async (...send: Parameters<HttpProgram["ask"]>) => {
      const before = program.auditLines.length;
      await program.ask(...send);
      await until("the call's line", () => program.auditLines.length > before);
      return program.auditLines.at(-1)?.client_info;
    };
    const agent = "agent/1 ".repeat(40);
    assert.equal(await recorded(...call, { headers: { "user-agent": agent } }), agent.slice(0, 128));
    const info = { name: "n".repeat(300), version: "1" };
    const named = { ...call[1], _meta: { "io.modelcontextprotocol/clientInfo": info } };
    assert.equal(await recorded("tools/call", named, { era: "2026-07-28" }), "n".repeat(128));
    const short = {
      ...call[1],
      _meta: { "io.modelcontextprotocol/clientInfo": { name: "raw", version: "2" } },
    };
    assert.equal(await recorded("tools/call", short, { era: "2026-07-28" }), "raw/2");
  },
});
