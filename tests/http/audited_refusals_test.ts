import assert from "@std/assert";
import { type Era, HttpProgram, mcpRequest, patientProgram } from "../support/http_program.ts";
import { permitted } from "../support/permitted.ts";
import { until } from "../support/until.ts";

const call = { name: "echo", arguments: { value: "x" } };

interface Case {
  readonly era?: Era;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** The answer's status; what is refused in the band has 200. */
  readonly status: number;
}

/** What no handler of ours sees, as it is refused before, and what it is refused with. */
const refused: Readonly<Record<string, Case>> = {
  "an answer of one kind alone": { headers: { accept: "application/json" }, status: 406 },
  "a version that there is not": { headers: { "mcp-protocol-version": "2099-01-01" }, status: 400 },
  "another version in its envelope": {
    params: { ...call, _meta: { "io.modelcontextprotocol/protocolVersion": "2099-01-01" } },
    era: "2026-07-28",
    status: 400,
  },
  "no envelope": { headers: { "mcp-protocol-version": "2026-07-28" }, status: 400 },
  "an envelope of the wrong shape": {
    params: { ...call, _meta: { "io.modelcontextprotocol/clientInfo": 5 } },
    era: "2026-07-28",
    status: 400,
  },
  "another name in its headers": { era: "2026-07-28", headers: { "mcp-name": "wait" }, status: 400 },
  "another method in its headers": { era: "2026-07-28", headers: { "mcp-method": "ping" }, status: 400 },
  "a state that is no text": { era: "2026-07-28", params: { ...call, requestState: 5 }, status: 200 },
  "a resource to complete without its URI": {
    method: "completion/complete",
    params: { ref: { type: "ref/resource" }, argument: { name: "a", value: "b" } },
    status: 200,
  },
  "a prompt to complete without its name": {
    method: "completion/complete",
    params: { ref: { type: "ref/prompt", uri: "x" }, argument: { name: "a", value: "b" } },
    status: 200,
  },
};

Deno.test({
  name:
    "a call that is refused before any handler is in the audit log all the same, and counts for the limit",
  ignore: !permitted,
  async fn(t) {
    await using program = await HttpProgram.start({
      command: patientProgram,
      variables: { RATE_LIMIT_PER_MINUTE: "20" },
    });
    const send = async ({ method = "tools/call", params = call, era, headers }: Case) => {
      const response = await fetch(
        `${program.origin}/mcp`,
        mcpRequest(method, params, { ...(era && { era }), ...(headers && { headers }) }),
      );
      return { status: response.status, text: await response.text() };
    };
    for (const [what, one] of Object.entries(refused)) {
      await t.step(what, async () => {
        const before = program.auditLines.length;
        const { status, text } = await send(one);
        assert.equal(status, one.status, text);
        assert.match(text, /"error"/);
        await until("there is a record", () => program.auditLines.length > before);
        const records = program.auditLines.slice(before);
        assert.deepEqual(records.map(({ tool, outcome }) => [tool, outcome]), [
          [one.method ?? "echo", "invalid"],
        ]);
        if (what === "no envelope") assert.deepEqual(records[0]?.arguments, call.arguments);
      });
    }
    await t.step(
      "beyond the limit the answer says so, and in the audit log it is called limited",
      async () => {
        let last = "";
        for (let number = 0; number < 20; number++) {
          last = (await send({ headers: { accept: "application/json" }, status: 406 })).text;
        }
        assert.match(last, /Cannot call echo more than 20 times a minute/);
        await until("it is recorded", () => program.auditLines.at(-1)?.outcome === "limited");
      },
    );
    await t.step("what is answered is recorded once", async () => {
      const before = program.auditLines.length;
      await send({ params: { name: "wait", arguments: { seconds: 0 } }, status: 200 });
      await send({ params: { name: "wait", arguments: {} }, era: "2026-07-28", status: 200 });
      await until("both are recorded", () => program.auditLines.length >= before + 2);
      assert.deepEqual(program.auditLines.slice(before).map(({ outcome }) => outcome), ["ok", "invalid"]);
    });
  },
});
