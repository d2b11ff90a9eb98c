import assert from "@std/assert";
import {
  type CommandLine,
  type ErrorLine,
  programCommand,
  RawClient,
  runProgramToEnd,
} from "../support/mcp.ts";
import { permitted } from "../support/permitted.ts";
import { postgresAvailable } from "../support/postgres.ts";
import { createProgramDatabase } from "../support/program_database.ts";
import { until } from "../support/until.ts";

Deno.test({
  name: "one line per call, before its answer, with what happened and no secret",
  ignore: !postgresAvailable,
  async fn(t) {
    await using database = await createProgramDatabase();
    await using client = await RawClient.connect({ variables: database.variables });
    const last = async (tool: string, args: Readonly<Record<string, unknown>>): Promise<ErrorLine> => {
      const before = client.auditLines.length;
      await client.request("tools/call", { name: tool, arguments: args });
      await until("the call's line", () => client.auditLines.length > before);
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
      await until("both lines", () => client.auditLines.length >= before + 2);
      const lines = client.auditLines.slice(before);
      assert.deepEqual(lines.map((line) => line.outcome).toSorted(), ["cancelled", "ok"]);
    });
    await t.step("every line of stderr is JSON with a type", () => {
      assert.ok(client.errorLines.every((line) => line.type === "audit" || line.type === "log"));
    });
  },
});

const tableTemplate = "postgres://tables/{schema}/{table}";
const completeTodos = {
  ref: { type: "ref/resource", uri: tableTemplate },
  argument: { name: "table", value: "to" },
  context: { arguments: { schema: "public" } },
};
const resourceRequests: readonly (readonly [method: string, params: Readonly<Record<string, unknown>>])[] = [
  ["resources/list", {}],
  ["resources/read", { uri: "postgres://tables/public/todos" }],
  ["completion/complete", completeTodos],
];

Deno.test({
  name: "resources and completions are audited and limited as calls are",
  ignore: !postgresAvailable,
  async fn(t) {
    await using database = await createProgramDatabase();
    await using client = await RawClient.connect({
      variables: { ...database.variables, RATE_LIMIT_PER_MINUTE: "2" },
    });
    for (const [method, params] of resourceRequests) {
      await t.step(method, async () => {
        const before = client.auditLines.length;
        for (const _ of [1, 2]) {
          const { result } = await client.request(method, params);
          assert.match(JSON.stringify(result), /todos/);
        }
        const { error } = await client.request(method, params);
        assert.match(error?.message ?? "", new RegExp(`${method} more than 2 times a minute`));
        await until("a line of each", () => client.auditLines.length >= before + 3);
        const lines = client.auditLines.slice(before);
        assert.deepEqual(lines.map(({ tool }) => tool), [method, method, method]);
        assert.deepEqual(lines.map(({ outcome }) => outcome), ["ok", "ok", "limited"]);
        assert.ok(Number(lines[0]?.rows) > 0 && Number(lines[0]?.duration_ms) > 0);
      });
    }
    await t.step("a resource that is not there", async () => {
      await using fresh = await RawClient.connect({ variables: database.variables });
      const uri = "postgres://tables/public/nothing";
      assert.notEqual((await fresh.request("resources/read", { uri })).error, undefined);
      await until("its line", () => fresh.auditLines.length > 0);
      const [{ tool, arguments: args, outcome } = {}, ...more] = fresh.auditLines;
      assert.deepEqual([tool, args, outcome], ["resources/read", { uri }, "not_found"]);
      assert.deepEqual(more, []);
    });
  },
});

Deno.test({
  name: "what the protocol layer refuses by itself is audited and limited as calls are",
  ignore: !postgresAvailable,
  async fn() {
    await using database = await createProgramDatabase();
    await using client = RawClient.launch({
      variables: { ...database.variables, RATE_LIMIT_PER_MINUTE: "3" },
    });
    const ask = async (info: unknown, capabilities: unknown = {}) => {
      const { error } = await client.request("tools/call", {
        name: "list_tables",
        arguments: { schema: "public" },
        _meta: {
          "io.modelcontextprotocol/protocolVersion": "2026-07-28",
          "io.modelcontextprotocol/clientInfo": info,
          "io.modelcontextprotocol/clientCapabilities": capabilities,
        },
      });
      return error?.message;
    };
    const good = { name: "raw", version: "1" };
    assert.equal(await ask(good), undefined);
    assert.notEqual(await ask(5), undefined);
    assert.notEqual(await ask(good, "none"), undefined);
    assert.match(await ask(good, "none") ?? "", /list_tables more than 3 times a minute/);
    await until("a line of each", () => client.auditLines.length >= 4);
    assert.deepEqual(
      client.auditLines.map(({ tool, outcome }) => [tool, outcome]),
      ["ok", "invalid", "invalid", "limited"].map((outcome) => ["list_tables", outcome]),
    );
    for (const { arguments: args } of client.auditLines) assert.deepEqual(args, { schema: "public" });
  },
});

Deno.test({
  name: "resources and completions keep to MAX_OUTPUT_BYTES",
  ignore: !postgresAvailable,
  async fn(t) {
    const maximum = 2_048;
    await using database = await createProgramDatabase();
    await database.execute(`do $$ begin
      for n in 1..60 loop execute format('create table tall_tables_%s (id int)', n); end loop;
      execute 'create table wide (' || (select string_agg(format('column_%s int', n), ',') from generate_series(1, 300) n) || ')';
    end $$`);
    await using client = await RawClient.connect({
      variables: { ...database.superuserVariables, MAX_OUTPUT_BYTES: String(maximum) },
    });
    const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value)).length;
    await t.step("pages of a list, which together name every table", async () => {
      const names = new Set<string>();
      let cursor: unknown;
      do {
        const { result } = await client.request("resources/list", cursor === undefined ? {} : { cursor });
        assert.ok(bytes(result) <= maximum);
        const listed = result?.["resources"];
        for (const { name } of Array.isArray(listed) ? listed : []) names.add(name);
        cursor = result?.["nextCursor"];
      } while (cursor !== undefined);
      assert.equal([...names].filter((name) => /\.tall_tables_/.test(name)).length, 60);
    });
    await t.step("a resource, which says that it was cut", async () => {
      const { result } = await client.request("resources/read", { uri: "postgres://tables/public/wide" });
      const contents = result?.["contents"];
      const text = String(Array.isArray(contents) ? contents[0]?.text : "");
      assert.ok(new TextEncoder().encode(text).length <= maximum);
      assert.match(text, /\[Cut: /);
    });
    await t.step("a completion", async () => {
      const { result } = await client.request("completion/complete", {
        ...completeTodos,
        argument: { name: "table", value: "tall" },
      });
      assert.ok(bytes(result) <= maximum);
      assert.match(JSON.stringify(result), /tall_tables_/);
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
      await client.endInput();
      await client.ended;

      // What was written in part stays, as another process may have appended since; the next record ends its line.
      await using roomy = await RawClient.connect({ variables });
      await roomy.query("SELECT 'there is room again'");
      const text = await Deno.readTextFile(path);
      assert.ok(text.endsWith("\n"));
      const sentences = text.trimEnd().split("\n").map((line) => {
        try {
          return String(JSON.parse(line).arguments.sql);
        } catch {
          return "in part";
        }
      });
      assert.deepEqual(sentences, ["SELECT 1", "in part", "SELECT 'there is room again'"]);
    } finally {
      await Deno.remove(path);
    }
  },
});

for (const value of ["stdout", "-", "off", "none", "false", "0"]) {
  Deno.test({
    name: `AUDIT_LOG=${value} is no file's name: it ends the start`,
    ignore: !permitted,
    async fn() {
      const ended = await runProgramToEnd({ variables: { AUDIT_LOG: value } });
      assert.equal(ended.code, 2, ended.stderr);
      assert.match(ended.stderr, /^postgres-mcp: AUDIT_LOG must be stderr or a file: .+\n$/);
    },
  });
}

Deno.test({
  name: "records go on into an audit file that was renamed, and at the start of one that was emptied",
  ignore: !permitted || Deno.build.os === "windows",
  async fn() {
    const folder = await Deno.makeTempDir();
    const path = `${folder}/audit.jsonl`;
    try {
      await using client = await RawClient.connect({ variables: { AUDIT_LOG: path, DB_PORT: "1" } });
      await Deno.rename(path, `${path}.1`);
      await client.query("SELECT 'renamed'");
      assert.match(await Deno.readTextFile(`${path}.1`), /renamed/);
      await Deno.truncate(`${path}.1`);
      await client.query("SELECT 'emptied'");
      assert.match(await Deno.readTextFile(`${path}.1`), /^\{.*emptied/);
    } finally {
      await Deno.remove(folder, { recursive: true });
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
    assert.match(text, /audit log can't be written.*compile:postgres --write=FILE.*--allow-write=FILE/);
  },
});
