import assert from "@std/assert";
import { buildProgram } from "../../scripts/build.ts";
import { permissionFlags, permissionSet } from "../../scripts/permissions.ts";
import { type CommandLine, compiled, programCommand, RawClient } from "../support/mcp.ts";
import { permitted } from "../support/permitted.ts";
import { postgresAvailable } from "../support/postgres.ts";
import { createProgramDatabase, readerPassword } from "../support/program_database.ts";

const entry = "tests/support/probe_program.ts";

/** The probe, started or compiled as the program itself is. */
async function probeCommand(folder: string): Promise<CommandLine> {
  if (!compiled) {
    const { command, args } = programCommand();
    return { command, args: [...args.slice(0, args.findIndex((arg) => arg.startsWith("scripts/"))), entry] };
  }
  const program = { name: "probe", entry, permissions: "postgres", whole: ["libpg-query"] };
  const output = `${folder}/probe`;
  const flags = permissionFlags(permissionSet("postgres"));
  await buildProgram({ program, flags, target: undefined, output, say: () => {} });
  return { command: output, args: [] };
}

/** Deno itself reads nothing of other processes. */
async function shell(script: string): Promise<string> {
  const { stdout } = await new Deno.Command("sh", { args: ["-c", script], stdout: "piped" }).output();
  return new TextDecoder().decode(stdout);
}

Deno.test({
  name: "once it serves, the program is refused whatever it does not need",
  ignore: !postgresAvailable,
  async fn(t) {
    await using database = await createProgramDatabase();
    const folder = await Deno.makeTempDir();
    try {
      const audit = `${folder}/audit.jsonl`;
      const other = `${folder}/other`;
      await Deno.writeTextFile(other, "of no concern");
      const command = await probeCommand(folder);
      const variables = { ...database.variables, AUDIT_LOG: audit };
      await using client = await RawClient.connect({ command, variables });
      const attempt = async (what: string, on = "") => (await client.call("attempt", { what, on })).text;

      const refused: readonly (readonly [string, string, string?])[] = [
        ["another file", "read", other],
        ["its own audit file", "read", audit],
        ["a folder", "readFolder", folder],
        ["what the system tells of a process", "read", "/proc/self/environ"],
        ["writing a new file", "write", `${folder}/new`],
        ["writing over its own audit file", "write", audit],
        ["opening its audit file again", "append", audit],
        ["removing a file", "remove", other],
        ["starting a process", "run", "/bin/true"],
        ["starting itself", "run", command.command],
        ["a foreign function", "foreignFunction", "libc.so.6"],
        ["the host's name", "system"],
      ];
      for (const [what, name, on] of refused) {
        await t.step(what, async () => assert.equal(await attempt(name, on), "refused NotCapable"));
      }
      for (const name of ["DB_PASSWORD", "DB_USER", "HOME", "PATH"]) {
        await t.step(`the environment variable ${name}`, async () => {
          assert.match(await attempt("environment", name), /^(got undefined|refused NotCapable)$/);
        });
      }
      await t.step("the whole environment", async () => {
        assert.match(await attempt("wholeEnvironment"), /^(got 0|refused NotCapable)$/);
      });
      await t.step("what was given up is not given back", async () => {
        assert.equal(await attempt("regain"), "got denied");
      });
      await t.step("and all the while it reaches its database, and writes its audit file", async () => {
        assert.equal((await client.query("SELECT 1")).isError, false);
        const lines = (await Deno.readTextFile(audit)).trimEnd().split("\n").map((line) => JSON.parse(line));
        assert.equal(lines.length, refused.length + 4 + 1 + 1 + 1);
        assert.equal(lines.at(-1).tool, "query_database");
        assert.equal(await Deno.readTextFile(other), "of no concern");
      });
      if (Deno.build.os === "linux") {
        await t.step("it holds no other file of ours open, and has no children", async () => {
          const open = (await shell(`for fd in /proc/${client.pid}/fd/*; do readlink "$fd"; done`)).split(
            "\n",
          );
          assert.deepEqual(open.filter((path) => path.startsWith(folder) && path !== command.command), [
            audit,
          ]);
          assert.equal((await shell(`cat /proc/${client.pid}/task/*/children`)).trim(), "");
        });
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "read is kept for a secret's file, and nothing else",
  ignore: !postgresAvailable,
  async fn() {
    await using database = await createProgramDatabase();
    const folder = await Deno.makeTempDir();
    try {
      const path = `${folder}/password`;
      await Deno.writeTextFile(path, readerPassword);
      const { DB_PASSWORD: _, ...rest } = database.variables;
      const command = await probeCommand(folder);
      await using client = await RawClient.connect({
        command,
        variables: { ...rest, DB_PASSWORD_FILE: path },
      });
      assert.equal((await client.query("SELECT 1")).isError, false);
      for (const [what, on] of [["write", path], ["run", "/bin/true"], ["remove", path]]) {
        assert.equal((await client.call("attempt", { what, on })).text, "refused NotCapable");
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

/** The source under flags of the test's own; the compiled program's are baked (tests/compiled). */
function withFlags(...flags: readonly string[]): CommandLine {
  const all = ["run", "--quiet", "--no-prompt", "--allow-env", ...flags, "src/postgres.ts"];
  return { command: Deno.execPath(), args: all };
}

const missing: readonly (readonly [string, readonly string[], Readonly<Record<string, string>>, RegExp])[] = [
  ["net", ["--allow-read"], {}, /--allow-net=127\.0\.0\.1:1\b/],
  ["net for this host", ["--allow-read", "--allow-net=127.0.0.1:2"], {}, /--allow-net=127\.0\.0\.1:1\b/],
  [
    "write, with an audit file",
    ["--allow-read", "--allow-net"],
    { AUDIT_LOG: "/tmp/never.jsonl" },
    /--allow-write/,
  ],
  [
    "read and write, with a Unix socket",
    ["--allow-read", "--allow-net"],
    { DB_HOST: "/tmp/no-such-folder" },
    /--allow-read and --allow-write/,
  ],
];
for (const [what, flags, variables, says] of missing) {
  Deno.test({
    name: `a missing permission never ends the process, and the call says which one: ${what}`,
    ignore: !permitted || compiled || Deno.build.os === "windows",
    async fn() {
      const given = { DB_HOST: "127.0.0.1", DB_PORT: "1", ...variables };
      await using client = await RawClient.connect({ command: withFlags(...flags), variables: given });
      const { text, isError } = await client.query("SELECT 1");
      assert.equal(isError, true);
      assert.match(text, says);
      assert.deepEqual((await client.request("ping")).result, {});
    },
  });
}

Deno.test({
  name: "a Unix socket works with permissions for its folder alone, which stay; open ones go",
  ignore: !postgresAvailable || compiled,
  async fn() {
    await using database = await createProgramDatabase();
    const { DB_PASSWORD: _, ...rest } = database.variables;
    const variables = { ...rest, DB_HOST: database.server.socket };
    const ask = async (...flags: readonly string[]) => {
      const command = withFlags("--allow-net", ...flags);
      await using client = await RawClient.connect({ command, variables });
      return await client.query("SELECT current_user");
    };
    const open = await ask("--allow-read", "--allow-write");
    assert.equal(open.isError, true);
    assert.match(open.text, /--read=FOLDER --write=FOLDER/);
    // From source, the parser's WebAssembly is read from Deno's cache.
    const { output } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output().then(
      ({ stdout }) => ({ output: JSON.parse(new TextDecoder().decode(stdout)) }),
    );
    const folder = database.server.socket;
    const narrow = await ask(`--allow-read=${folder},${output.npmCache}`, `--allow-write=${folder}`);
    assert.equal(narrow.isError, false, narrow.text);
  },
});
