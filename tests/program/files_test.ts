import assert from "@std/assert";
import { newToken } from "../../src/common/http/tokens.ts";
import { type ProgramName, runProgramToEnd } from "../support/mcp.ts";
import { permitted } from "../support/permitted.ts";

/** Each variable that names a file, the program that reads it, and how it is started. */
const variables:
  readonly (readonly [string, ProgramName, readonly string[], Readonly<Record<string, string>>?])[] = [
    ["DATABASE_URL_FILE", "postgres", []],
    ["DB_PASSWORD_FILE", "postgres", []],
    ["DB_SSLROOTCERT", "postgres", []],
    ["AUDIT_LOG", "postgres", []],
    ["MCP_TOKENS_FILE", "postgres", ["--http", "127.0.0.1:0"]],
    ["PROMETHEUS_TOKEN_FILE", "prometheus", []],
    ["PROMETHEUS_PASSWORD_FILE", "prometheus", [], { PROMETHEUS_USERNAME: "joe" }],
    ["PROMETHEUS_HEADERS_FILE", "prometheus", []],
    ["PROMETHEUS_CA_FILE", "prometheus", []],
    ["PROMETHEUS_CERT_FILE", "prometheus", []],
    ["PROMETHEUS_KEY_FILE", "prometheus", []],
    ["KUBECONFIG", "kubernetes", []],
  ];

/** Those that are read in a way of their own. */
const ownWays = new Set(["DB_PASSWORD_FILE", "AUDIT_LOG", "MCP_TOKENS_FILE", "KUBECONFIG"]);
/** What is tried of each of the others. */
const usual = new Set(["missing", "a folder", "the secret itself"]);

/** A path that can't be used, and what is said of it; it is never repeated, as it may be a secret. */
const paths: readonly (readonly [string, string, RegExp, only?: RegExp])[] = [
  ["missing", "/tmp/marker-5f2c", /: there is no such file; create it or correct \w+$/, /^(?!AUDIT)/],
  [
    "in a folder that is missing",
    "/tmp/marker-5f2c/x",
    /: its folder does not exist; create it or correct \w+$/,
  ],
  ["a folder", "/tmp", /: it is a folder; name the file in it$/],
  ["below a file", "/etc/passwd/marker-5f2c", /: a part of its path is a file, not a folder$/],
  ["below the shell's home", "~/marker-5f2c", /: only a shell expands ~: write out the home folder$/],
  ["of a shell's variable", "$HOME/marker-5f2c", /: only a shell expands \$: write out the path$/],
  ["in quotes", '"/tmp/marker-5f2c"', /: the quotes around it are taken as part of it: leave them out$/],
  ["with a blank behind it", "/tmp/marker-5f2c ", /: it begins or ends with a blank$/, /^(?!AUDIT)/],
  ["a URL", "file:///tmp/marker-5f2c", /: it is a URL: write the path alone$/],
  [
    "the file's own text",
    "-----BEGIN CERTIFICATE-----\nmarker-5f2c\n",
    /: it is a file's contents, not its path$/,
    // It would be made.
    /^(?!AUDIT)/,
  ],
  [
    "relative",
    "folder/marker-5f2c",
    /: (there is no such file|its folder does not exist) in the folder that the program is started in: write an absolute path/,
  ],
  [
    "the secret itself",
    "marker-5f2c",
    /write an absolute path; the secret itself goes into (DB_PASSWORD|DATABASE_URL|PROMETHEUS_(TOKEN|PASSWORD|HEADERS))$/,
    /^(DB_PASS|DATABASE|PROMETHEUS_(TOKEN|PASSWORD|HEADERS))/,
  ],
  ["far too long", `/${"marker-5f2c".repeat(40)}`, /: its name is too long; is it the file's contents\?$/],
];

for (const [variable, program, args, others] of variables) {
  Deno.test({
    name:
      `${variable}: a file that can't be used is told by what is wrong with it and what to do, and not by its path`,
    ignore: !permitted,
    async fn(t) {
      for (const [what, path, says, only] of paths) {
        if (only !== undefined && !only.test(variable)) continue;
        if (!ownWays.has(variable) && !usual.has(what)) continue;
        await t.step(what, async () => {
          const ended = await runProgramToEnd({ program, args, variables: { ...others, [variable]: path } });
          assert.equal(ended.code, 2, ended.stderr);
          const [line = "", rest] = ended.stderr.split("\n");
          assert.equal(rest, "");
          assert.ok(line.startsWith(`${program}-mcp: ${variable} names `), line);
          assert.match(line, says);
          assert.ok(!line.includes("marker-5f2c"), line);
        });
      }
    },
  });
}

Deno.test({
  name: "AUDIT_LOG that is a symbolic link to a file that is not there is told as that",
  ignore: !permitted,
  async fn() {
    const folder = await Deno.makeTempDir();
    await Deno.symlink(`${folder}/nothing`, `${folder}/link`);
    const ended = await runProgramToEnd({ variables: { AUDIT_LOG: `${folder}/link` } });
    assert.equal(ended.code, 2);
    assert.match(ended.stderr, /: it is a symbolic link that leads to nothing or to itself\n$/);
    await Deno.remove(folder, { recursive: true });
  },
});

Deno.test({
  name: "MCP_TOKENS_FILE that is set to a token, or to a token's line, is told so",
  ignore: !permitted,
  async fn() {
    const { token, line } = newToken("alice");
    for (const value of [token, line, `alice:${token}`]) {
      const ended = await runProgramToEnd({
        args: ["--http", "127.0.0.1:0"],
        variables: { MCP_TOKENS_FILE: value },
      });
      assert.equal(ended.code, 2);
      assert.match(
        ended.stderr,
        /MCP_TOKENS_FILE names .*: it is a token, and not a file's path; write the line that --new-token prints into a file\n$/,
      );
      assert.ok(!ended.stderr.includes(token) && !ended.stderr.includes(line), ended.stderr);
    }
  },
});
