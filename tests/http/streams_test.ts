import assert from "@std/assert";
import { type Era, HttpProgram, messagesOf, patientProgramWith } from "../support/http_program.ts";
import { permitted } from "../support/permitted.ts";
import { postgresAvailable } from "../support/postgres.ts";
import { createProgramDatabase, endless } from "../support/program_database.ts";
import { until } from "../support/until.ts";

const eras: readonly Era[] = ["2025-11-25", "2026-07-28"];

for (const era of eras) {
  Deno.test({
    name: `a client that closes its stream cancels at the backend (${era})`,
    ignore: !postgresAvailable,
    async fn() {
      await using database = await createProgramDatabase();
      await using program = await HttpProgram.start({ variables: database.variables });
      const abort = new AbortController();
      const response = await program.send("tools/call", {
        name: "query_database",
        arguments: { sql: endless("closed_stream") },
      }, { era, signal: abort.signal });
      assert.equal(response.headers.get("x-accel-buffering"), "no");
      await until("the statement runs", async () => await database.running("closed_stream") === 1);
      abort.abort();
      await assert.rejects(response.text());
      await until("the statement is gone", async () => await database.running("closed_stream") === 0);
      await until("the audit log knows", () => program.auditLines.at(-1)?.outcome === "cancelled");
      await until("its place is free", async () => await program.metric("mcp_http_exchanges") === 0);
    },
  });

  Deno.test({
    name: `parallel clients that use the same ids get their own answers (${era})`,
    ignore: !postgresAvailable,
    async fn() {
      await using database = await createProgramDatabase();
      await using program = await HttpProgram.start({ variables: database.variables });
      await Promise.all(Array.from({ length: 40 }, async (_, number) => {
        const sql = `SELECT count(*) + ${number} - ${
          number % 7
        } * 100000 AS own FROM generate_series(1, 1000000 + ${number % 7} * 100000)`;
        const answer = await program.ask("tools/call", { name: "query_database", arguments: { sql } }, {
          era,
          id: number % 3,
        });
        assert.equal(answer.id, number % 3);
        assert.match(JSON.stringify(answer.result), new RegExp(String(number + 1_000_000)));
      }));
      await until("a line of each", () => program.auditLines.length === 40);
    },
  });
}

Deno.test({
  name: "each era is answered in its own way, and neither gets a session",
  ignore: !permitted,
  async fn(t) {
    await using program = await HttpProgram.start();
    await t.step("initialize", async () => {
      const response = await program.send("initialize", {
        protocolVersion: "2025-06-18",
        capabilities: {},
        clientInfo: { name: "raw", version: "1" },
      });
      assert.equal(response.headers.get("mcp-session-id"), null);
      const [message] = await messagesOf(response);
      assert.equal(message?.result?.protocolVersion, "2025-06-18");
    });
    await t.step("server/discover", async () => {
      const response = await program.send("server/discover", {}, { era: "2026-07-28" });
      assert.equal(response.headers.get("mcp-session-id"), null);
      const [message] = await messagesOf(response);
      assert.ok((message?.result?.supportedVersions as string[]).includes("2026-07-28"));
    });
    for (
      const [what, headers] of Object.entries({
        "another method": { "mcp-method": "tools/list" },
        "another tool": { "mcp-name": "describe_table" },
        "another revision": { "mcp-protocol-version": "2025-11-25" },
      })
    ) {
      await t.step(`2026-07-28: a header that names ${what} than the body is refused`, async () => {
        const response = await program.send("tools/call", { name: "list_tables", arguments: {} }, {
          era: "2026-07-28",
          headers,
        });
        assert.equal(response.status, 400);
        await response.body?.cancel();
        assert.ok(program.auditLines.every(({ outcome }) => outcome === "invalid"));
      });
    }
    await t.step("a revision that nobody knows is refused", async () => {
      const response = await program.send("tools/list", {}, {
        headers: { "mcp-protocol-version": "1999-01-01" },
      });
      assert.equal(response.status, 400);
      await response.body?.cancel();
    });
    for (const method of ["GET", "DELETE", "PUT", "OPTIONS"]) {
      await t.step(`${method} is not answered, and nothing allows another site's page to ask`, async () => {
        const response = await fetch(`${program.origin}/mcp`, {
          method,
          headers: { accept: "text/event-stream" },
        });
        await response.body?.cancel();
        assert.equal(response.status, 405);
        assert.equal(response.headers.get("allow"), "POST");
        assert.equal(response.headers.get("access-control-allow-origin"), null);
      });
    }
  },
});

for (const era of eras) {
  Deno.test({
    name: `the stream of a call on which nothing happens is kept alive (${era})`,
    ignore: !permitted,
    async fn() {
      await using program = await HttpProgram.start({ command: patientProgramWith({ keepAliveMs: 50 }) });
      // No progress token: all that comes is what keeps a proxy from cutting the connection.
      const response = await program.send("tools/call", { name: "wait", arguments: { seconds: 50 } }, {
        era,
      });
      const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
      // One comment opens the stream; those that follow are what this is about.
      for (let text = ""; (text.match(/^: ?/gm)?.length ?? 0) < 4;) {
        const part = await reader?.read();
        if (part?.done !== false) throw new Error(`the stream ended after ${text}`);
        text += part.value;
      }
      await reader?.cancel();
    },
  });
}
