import assert from "@std/assert";
import { RefusalLog } from "../../src/common/http/refusal_log.ts";
import { newToken } from "../../src/common/http/tokens.ts";
import { createLogger } from "../../src/common/log.ts";
import { HttpProgram, patientProgram, sendRaw } from "../support/http_program.ts";
import { permitted } from "../support/permitted.ts";
import { tokenFile } from "../support/token_file.ts";
import { until } from "../support/until.ts";

Deno.test("the first refusal of a kind in a minute is warned of, the next tells how many there were", () => {
  let now = 0;
  const lines: string[] = [];
  const log = createLogger("warn", (line) => {
    const { time: _, ...fields } = JSON.parse(line);
    lines.push(JSON.stringify(fields));
  });
  const refusals = new RefusalLog(log, () => now);
  for (let at = 0; at < 1_000; at++) refusals.tell("host", `host ${at}`);
  refusals.tell("unauthorized", "token");
  now = 59_999;
  refusals.tell("host", "late");
  now = 60_000;
  refusals.tell("host", "later");
  const line = (reason: string, others_before: number) =>
    JSON.stringify({ type: "log", level: "warn", message: "a request was refused", reason, others_before });
  assert.deepEqual(lines, [line("host 0", 0), line("token", 0), line("later", 1_000)]);
});

Deno.test({
  name: "a Host and a token that are refused leave a line each in the log, and no more however many come",
  ignore: !permitted,
  async fn() {
    const known = newToken("alice");
    await using file = await tokenFile(known.line);
    await using program = await HttpProgram.start({
      command: patientProgram,
      variables: { MCP_TOKENS_FILE: file.path },
    });
    const { token } = newToken("mallory");
    for (let at = 0; at < 20; at++) {
      // fetch sets the Host itself.
      const request = `GET /healthz HTTP/1.1\r\nHost: evil.example.com\r\nConnection: close\r\n\r\n`;
      assert.match(await sendRaw(program.port, request), /^HTTP\/1\.1 403 /);
      for (const headers of [{ authorization: `Bearer ${token}` }, undefined]) {
        const response = await program.send("tools/list", {}, headers === undefined ? {} : { headers });
        await response.body?.cancel();
        assert.equal(response.status, 401);
      }
    }
    const refused = () => program.errorLines.filter(({ message }) => message === "a request was refused");
    await until("both are told", () => refused().length >= 2);
    assert.deepEqual(refused().map(({ level, reason }) => ({ level, reason })), [
      {
        level: "warn",
        reason: "The Host evil.example.com is not allowed: an operator can name it in MCP_ALLOWED_HOSTS",
      },
      { level: "warn", reason: "This token is not accepted" },
    ]);
    assert.ok(!program.stderr.includes(token) && !program.stderr.includes(known.token));
  },
});
