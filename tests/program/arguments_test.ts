import assert from "@std/assert";
import manifest from "../../deno.json" with { type: "json" };
import { parseCommand } from "../../src/common/arguments.ts";
import { runProgramToEnd } from "../support/mcp.ts";
import { permitted } from "../support/permitted.ts";

const ignore = !permitted;

for (const argument of ["--help", "-h"]) {
  Deno.test({
    name: `${argument} names every argument and every variable, whatever the environment holds`,
    ignore,
    async fn() {
      const variables = { DB_PORT: "abc", LOG_LEVEL: "loud" };
      const { code, stdout, stderr } = await runProgramToEnd({ args: [argument], plain: true, variables });
      assert.equal(code, 0);
      assert.equal(stderr, "");
      const words = ["--check", "--print-config", "--version", "DATABASE_URL", "DB_HOST", "DB_PASSWORD_FILE"];
      const more = ["DB_SSLMODE", "STATEMENT_TIMEOUT_MS", "MAX_ROWS", "AUDIT_LOG", "RATE_LIMIT_PER_MINUTE"];
      for (const word of [...words, ...more]) assert.ok(stdout.includes(word), word);
    },
  });
}

Deno.test({
  name: "--version is the name and the version",
  ignore,
  async fn() {
    const { code, stdout, stderr } = await runProgramToEnd({ args: ["--version"], plain: true });
    assert.deepEqual({ code, stdout, stderr }, {
      code: 0,
      stdout: `postgres-mcp ${manifest.version}\n`,
      stderr: "",
    });
  },
});

const misused: readonly (readonly [readonly string[], string])[] = [
  [["--chekc"], "unknown option --chekc: did you mean --check?"],
  [["--bogus"], "unknown option --bogus: --help lists the arguments"],
  [["-x"], "unknown option -x: --help lists the arguments"],
  [["--print-config"], "--print-config needs claude-code or mcp-json"],
  [["--print-config", "--check"], "--print-config needs claude-code or mcp-json"],
  [["--new-token"], "--new-token needs the name of a client"],
  [["--check=yes"], "--check takes no value"],
  [
    ["--demo"],
    "--demo works from source only: deno task serve:postgres --demo, or deno task serve:platform --demo",
  ],
  [["--check", "--print-config", "mcp-json"], "--print-config cannot be combined with --check"],
  [["--http", "--print-config", "mcp-json"], "--print-config cannot be combined with --http"],
  [["--new-token", "alice", "--check"], "--new-token cannot be combined with --check"],
];
for (const [args, says] of misused) {
  Deno.test(`an option that can't be used so says what is wrong: ${args.join(" ")}`, () => {
    assert.throws(() => parseCommand(args), { name: "StartError", message: says });
  });
}

const unknown = [
  ["--bogus"],
  ["bogus"],
  ["-x"],
  ["--check=yes"],
  ["--check", "more"],
  ["--print-config"],
  ["--print-config", "emacs"],
  ["--print-config="],
  ["--"].concat("x"),
];
for (const args of unknown) {
  Deno.test({
    name: `an argument that makes no sense is one line and exit 2: ${args.join(" ")}`,
    ignore,
    async fn() {
      const { code, stdout, stderr } = await runProgramToEnd({ args, plain: true });
      assert.equal(code, 2);
      assert.equal(stdout, "");
      assert.match(stderr, /^postgres-mcp: [^\n]+\n$/);
    },
  });
}
