import assert from "@std/assert";
import { type CommandLine, type ErrorLine, eventually, programCommand, RawClient } from "../support/mcp.ts";
import { permitted } from "../support/permitted.ts";
import { postgresAvailable } from "../support/postgres.ts";
import { createProgramDatabase } from "../support/program_database.ts";

Deno.test({
  name: "one line per call, before its answer, with what happened and no secret",
  ignore: !postgresAvailable,
  async fn(t) {
    await using database = await createProgramDatabase();
    await using client = await RawClient.connect({ variables: database.variables });
    const last = async (tool: string, args: Readonly<Record<string, unknown>>): Promise<ErrorLine> => {
      const before = client.auditLines.length;
      await client.request("tools/call", { name: tool, arguments: args });
      await eventually("the call's line", () => client.auditLines.length > before);
      const lines = client.auditLines.slice(before);
      assert.equal(lines.length, 1);
      return lines[0] ?? {};
    };
    await t.step("what a line holds", async () => {
      const sql = "SELECT id FROM todos WHERE id < $1";
      const line = await last("query_database", { sql, parameters: [4] });
      const { time, bytes, duration_ms: duration, ...rest } = line;
      assert.deepEqual(rest, {
        type: "audit",
        client: "stdio",
        client_info: "raw/1",
        tool: "query_database",
        arguments: { sql, parameters: [4] },
        outcome: "ok",
        rows: 3,
      });
      assert.equal(new Date(String(time)).toISOString(), time);
      assert.ok(Number(bytes) > 0);
      assert.ok(Number(duration) > 0);
    });
    const outcomes: readonly (readonly [string, string, Readonly<Record<string, unknown>>])[] = [
      ["refused", "query_database", { sql: "DELETE FROM todos" }],
      ["invalid", "query_database", { sql: "SELECT FROM WHERE" }],
      ["invalid", "query_database", { sql: 5 }],
      ["invalid", "query_database", { sql: "SELECT 1", more: true }],
      ["invalid", "query_database", { sql: "SELECT 1/0" }],
      ["not_found", "query_database", { sql: "SELECT * FROM nothing" }],
      ["not_found", "describe_table", { table_name: "nothing" }],
      ["invalid", "drop_everything", {}],
    ];
    for (const [outcome, tool, args] of outcomes) {
      await t.step(`${outcome}: ${tool} ${JSON.stringify(args)}`, async () => {
        const line = await last(tool, args);
        assert.equal(line.outcome, outcome);
        assert.equal(line.tool, tool);
        assert.equal(line.rows, 0);
      });
    }
    await t.step("secrets in arguments are masked", async () => {
      const sql = "SELECT 'postgres://u:s3cr3t-one@h/d', 'password=s3cr3t-two', $1";
      const line = await last("query_database", { sql, parameters: ["AKIA" + "A1B2C3D4E5F6G7H8"] });
      assert.doesNotMatch(JSON.stringify(line), /s3cr3t|A1B2C3D4/);
    });
    await t.step("a cancelled call", async () => {
      const before = client.auditLines.length;
      const id = client.post("tools/call", {
        name: "query_database",
        arguments: { sql: "SELECT count(*) FROM generate_series(1, 1000000000)" },
      });
      client.notify("notifications/cancelled", { requestId: id });
      await client.query("SELECT 1");
      await eventually("both lines", () => client.auditLines.length >= before + 2);
      const lines = client.auditLines.slice(before);
      assert.deepEqual(lines.map((line) => line.outcome).toSorted(), ["cancelled", "ok"]);
    });
    await t.step("every line of stderr is JSON with a type", () => {
      assert.ok(client.errorLines.every((line) => line.type === "audit" || line.type === "log"));
    });
  },
});

Deno.test({
  name: "AUDIT_LOG=path appends to that file, which only its owner can read",
  ignore: !permitted,
  async fn() {
    const folder = await Deno.makeTempDir();
    const path = `${folder}/audit.jsonl`;
    try {
      for (const run of [1, 2]) {
        await using client = await RawClient.connect({ variables: { AUDIT_LOG: path, DB_PORT: "1" } });
        await client.query(`SELECT ${run}`);
        const lines = (await Deno.readTextFile(path)).trimEnd().split("\n").map((line) => JSON.parse(line));
        assert.deepEqual(lines.map((line) => line.arguments.sql), ["SELECT 1", "SELECT 2"].slice(0, run));
        assert.deepEqual(client.auditLines, []);
      }
      if (Deno.build.os !== "windows") assert.equal(Number((await Deno.stat(path)).mode) & 0o777, 0o600);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

/** The program under test in a shell that lets no file grow beyond a few hundred bytes, as a full disk would. */
function onFullDisk(): CommandLine {
  const { command, args } = programCommand();
  return { command: "sh", args: ["-c", `trap '' XFSZ; ulimit -f 1; exec "$0" "$@"`, command, ...args] };
}

Deno.test({
  name: "a call that can't be audited is refused, and the program lives on",
  ignore: !permitted || Deno.build.os === "windows",
  async fn() {
    const path = await Deno.makeTempFile();
    try {
      const variables = { AUDIT_LOG: path, DB_PORT: "1" };
      await using client = await RawClient.connect({ command: onFullDisk(), variables });
      assert.doesNotMatch((await client.query("SELECT 1")).text, /audit/);
      for (let i = 0; i < 2; i++) {
        const { text, isError } = await client.query(`SELECT 'what nobody may see${"!".repeat(1_000)}'`);
        assert.equal(isError, true);
        assert.match(text, /audit log can't be written/);
        assert.ok(!/nobody may see/.test(text) && !text.includes(path));
      }
      const unknown = await client.request("tools/call", { name: "no_such_tool" });
      assert.match(JSON.stringify(unknown), /audit log can't be written/);
    } finally {
      await Deno.remove(path);
    }
  },
});

Deno.test({
  name:
    "an audit file that the program has no permission to write refuses each call, and says which permission",
  ignore: !permitted || Deno.build.os !== "linux",
  async fn() {
    // Deno opens no device, whatever its permissions.
    await using client = await RawClient.connect({ variables: { AUDIT_LOG: "/dev/full", DB_PORT: "1" } });
    const { text, isError } = await client.query("SELECT 'what nobody may see'");
    assert.equal(isError, true);
    assert.match(text, /audit log can't be written.*--allow-write/);
  },
});
