/** The lines of the audit log, and a file that takes them only in part. */
import assert from "@std/assert";
import { appendTo, type AuditRecord, openAuditLog } from "../../src/common/audit.ts";
import { CallError, StartError } from "../../src/common/errors.ts";
import { permitted } from "../support/permitted.ts";

const record: AuditRecord = {
  client: "alice",
  clientInfo: "raw/1",
  tool: "query_database",
  arguments: {},
  outcome: "ok",
  rows: 3,
  bytes: 120,
  durationMs: 1.2345,
};

/** A file that takes as many bytes of each write as it has room for, and then none. */
function fileOf(room: { bytes: number }) {
  let text = "";
  return {
    text: () => text,
    writeSync(bytes: Uint8Array): number {
      if (room.bytes === 0) throw new Error("no space left on device");
      const taken = bytes.subarray(0, Math.min(room.bytes, 100));
      room.bytes -= taken.length;
      text += new TextDecoder().decode(taken);
      return taken.length;
    },
    close() {},
  };
}

const time = () => new Date(0);

/** The line of a call with these arguments, read again. */
function lineOf(change: Partial<AuditRecord>): Record<string, unknown> {
  const file = fileOf({ bytes: 1e9 });
  appendTo(file, time).write({ ...record, ...change });
  assert.ok(file.text().endsWith("\n") && file.text().split("\n").length === 2);
  return JSON.parse(file.text());
}

Deno.test("what a line holds", () => {
  assert.deepEqual(lineOf({}), {
    type: "audit",
    time: "1970-01-01T00:00:00.000Z",
    client: "alice",
    client_info: "raw/1",
    tool: "query_database",
    arguments: {},
    outcome: "ok",
    rows: 3,
    bytes: 120,
    duration_ms: 1.2,
  });
});

Deno.test("a secret is masked wherever it stands: in a tool's name, an argument's, a value, or under a name that says so", () => {
  const url = "postgres://u:hunter2@h/d";
  const args = {
    [url]: [{ deep: url }],
    password: "hunter2",
    DB_PASSWORD: { of: "hunter2" },
    apiKey: 271828,
    token: null,
    has_secret: true,
  };
  const line = lineOf({ tool: url, arguments: args });
  assert.equal(line["tool"], "postgres://u:***@h/d");
  assert.deepEqual(line["arguments"], {
    "postgres://u:***@h/d": [{ deep: "postgres://u:***@h/d" }],
    password: "***",
    DB_PASSWORD: "***",
    apiKey: "***",
    token: null,
    has_secret: true,
  });
});

Deno.test("long arguments become their beginning and their size", () => {
  const { arguments: long } = lineOf({ arguments: { sql: "é".repeat(20_000) } });
  assert.deepEqual(long, { cut: `{"sql":"${"é".repeat(16_376)}`, characters: 20_010 });
  const { arguments: longer } = lineOf({ arguments: { sql: "x".repeat(5_000_000) } });
  assert.deepEqual(longer, { cut: `{"sql":"${"x".repeat(16_376)}`, characters: 5_000_010 });
});

Deno.test("arguments of any depth and number make a line", () => {
  let deep: unknown = "bottom";
  for (let depth = 0; depth < 10_000; depth++) deep = [deep];
  assert.equal(
    JSON.stringify(lineOf({ arguments: deep })["arguments"]),
    `${"[".repeat(32)}"…"${"]".repeat(32)}`,
  );
  const items = Array.from({ length: 2_000 }, () => 1);
  assert.deepEqual(lineOf({ arguments: { items } })["arguments"], { items: items.slice(0, 1_000) });
  const named = lineOf({ arguments: Object.fromEntries(items.map((one, at) => [`n${at}`, one])) });
  assert.equal(Object.keys(Object(named["arguments"])).length, 1_000);
});

Deno.test("a record that was written in part refuses its answer, and the next one begins a line of its own", () => {
  const room = { bytes: 1_000 };
  const file = fileOf(room);
  const audit = appendTo(file, time);
  audit.write(record);
  const whole = file.text();
  room.bytes = 150;
  for (let turn = 0; turn < 2; turn++) {
    assert.throws(
      () => audit.write(record),
      (error: unknown) => error instanceof CallError && error.kind === "unavailable",
    );
  }
  room.bytes = 1_000;
  audit.write(record);
  audit.write(record);
  assert.equal(file.text(), `${whole}${whole.slice(0, 150)}\n${whole}${whole}`);
});

Deno.test({
  name: "a pipe is no audit log: whoever reads it could stop the program",
  ignore: !permitted || Deno.build.os === "windows",
  async fn() {
    const folder = await Deno.makeTempDir();
    const path = `${folder}/pipe`;
    try {
      assert.equal((await new Deno.Command("mkfifo", { args: [path] }).output()).code, 0);
      // Its other end is open: what opens it does not wait.
      using _reader = await Deno.open(path, { read: true, write: true });
      assert.throws(() => openAuditLog(path, "postgres"), StartError);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
