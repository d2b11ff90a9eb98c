import assert from "@std/assert";
import { HttpProgram } from "../support/http_program.ts";
import { runProgramToEnd } from "../support/mcp.ts";
import { permitted } from "../support/permitted.ts";
import { postgresAvailable } from "../support/postgres.ts";
import { createProgramDatabase, endless } from "../support/program_database.ts";
import { newToken, TokenFile } from "../../src/common/http/tokens.ts";
import { tokenFile } from "../support/token_file.ts";
import { until } from "../support/until.ts";

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });

/** The status of a list of tools. */
async function listStatus(program: HttpProgram, headers: Record<string, string>): Promise<number> {
  const response = await program.send("tools/list", {}, { headers });
  await response.body?.cancel();
  return response.status;
}

Deno.test({
  name: "--new-token prints a token of 32 random bytes and its line, which then lets it in",
  ignore: !permitted,
  async fn(t) {
    const made = await runProgramToEnd({ args: ["--new-token", "alice.smith-1_x"], plain: true });
    assert.equal(made.code, 0);
    const [token = "", line = "", rest] = made.stdout.split("\n");
    assert.equal(rest, "");
    assert.match(
      made.stderr,
      /^The first line is the token for alice\.smith-1_x, .*\. The second goes into the file .*:\n$/,
    );
    assert.match(token, /^mcp_[A-Za-z0-9_-]{43}$/);
    assert.match(line, /^alice\.smith-1_x:[0-9a-f]{64}$/);
    const again = await runProgramToEnd({ args: ["--new-token", "alice.smith-1_x"], plain: true });
    assert.notEqual(again.stdout, made.stdout);

    await using file = await tokenFile(
      `\uFEFF# people\n\n  ${line.replace(/:.*/, (hash) => hash.toUpperCase())}\r\n`,
    );
    await using program = await HttpProgram.start({ variables: { MCP_TOKENS_FILE: file.path } });
    await t.step("with it a call is answered, under the token's name", async () => {
      const answer = await program.ask("tools/call", { name: "list_tables", arguments: {} }, bearer(token));
      assert.ok(answer.result !== undefined);
      await until("its line", () => program.auditLines.at(-1)?.client === "alice.smith-1_x");
      assert.ok(!program.stderr.includes(token));
    });
    await t.step(
      "without it, with another, and with a broken header none is, on loopback either",
      async () => {
        const response = await program.send("tools/list");
        assert.equal(response.status, 401);
        assert.equal(response.headers.get("www-authenticate"), 'Bearer realm="mcp"');
        await response.body?.cancel();
        const wrong: Record<string, string> = {
          "another token": `Bearer ${newToken("alice").token}`,
          "the hash": `Bearer ${line.split(":")[1]}`,
          "the token twice": `Bearer ${token}, Bearer ${token}`,
          "another scheme": `Basic ${token}`,
          "nothing after the scheme": "Bearer ",
          "a cut token": `Bearer ${token.slice(0, -1)}`,
          "a longer token": `Bearer ${token}x`,
          "16 KB": `Bearer ${"x".repeat(16_000)}`,
        };
        for (const [what, authorization] of Object.entries(wrong)) {
          assert.equal(await listStatus(program, { authorization }), 401, what);
        }
      },
    );
    await t.step("the scheme's letters may be of any case", async () => {
      assert.equal(await listStatus(program, { authorization: `bEARER ${token}` }), 200);
    });
    await t.step("health needs none, and on loopback neither do the metrics", async () => {
      for (const path of ["/healthz", "/readyz?exclude=backend", "/metrics"]) {
        const response = await program.get(path);
        assert.equal(response.status, 200, path);
        await response.body?.cancel();
      }
    });
  },
});

const badFiles: readonly (readonly [string, string, RegExp])[] = [
  ["is empty", "", /holds no token: add the second line that --new-token NAME prints$/m],
  ["holds comments alone", "# nobody yet\n\n", /holds no token/],
  [
    "has a line without a hash",
    "alice\n",
    /line 1 is not name:sha256hex; --new-token NAME prints such a line, its second$/m,
  ],
  ["has a hash that is too short", `# x\nalice:${"a".repeat(63)}\n`, /line 2 is not/],
  ["has a name with a blank", `al ice:${"a".repeat(64)}\n`, /line 1 is not/],
  ["has a name of 65 characters", `${"a".repeat(65)}:${"a".repeat(64)}\n`, /line 1 is not/],
  [
    "has a name twice",
    `a:${"a".repeat(64)}\na:${"b".repeat(64)}\n`,
    /line 2 has a name that another line has: give each token a name of its own$/m,
  ],
  [
    "has a token twice",
    `a:${"a".repeat(64)}\nb:${"A".repeat(64)}\n`,
    /line 2 has a token that another line has: take one of the two out$/m,
  ],
  [
    "holds the token in place of its hash",
    `# x\nalice:${newToken("alice").token}\n`,
    /line 2 is not name:sha256hex: it holds the token itself, where the second line that --new-token printed belongs$/m,
  ],
  [
    "holds the token itself",
    Object.values(newToken("alice")).join("\n"),
    /line 1 is not name:sha256hex: it holds the token itself, where the second line that --new-token printed belongs$/m,
  ],
];

for (const [what, text, complaint] of badFiles) {
  Deno.test({
    name: `a token file that ${what} ends the start with exit 2, and is not repeated`,
    ignore: !permitted,
    async fn() {
      await using file = await tokenFile(text);
      const ended = await runProgramToEnd({
        args: ["--http", "127.0.0.1:0"],
        variables: { MCP_TOKENS_FILE: file.path },
      });
      assert.equal(ended.code, 2);
      assert.match(ended.stderr, complaint);
      assert.match(ended.stderr, /MCP_TOKENS_FILE/);
      assert.ok(
        !ended.stderr.includes(file.path) && !/mcp_[A-Za-z0-9_-]{43}/.test(ended.stderr),
        ended.stderr,
      );
    },
  });
}

Deno.test({
  name: "a token file that is missing ends the start with exit 2",
  ignore: !permitted,
  async fn() {
    const variables = { MCP_TOKENS_FILE: "/nowhere/tokens" };
    const ended = await runProgramToEnd({ args: ["--http", ":0"], variables });
    assert.equal(ended.code, 2);
    assert.match(
      ended.stderr,
      /MCP_TOKENS_FILE names a file that can't be used: its folder does not exist; create it or correct/,
    );
  },
});

Deno.test({
  name: "the file is read again when it changes: tokens come and go, and a bad file lets nobody in",
  ignore: !permitted,
  async fn(t) {
    const [alice, bob] = [newToken("alice"), newToken("bob")];
    await using file = await tokenFile(`${alice.line}\n`);
    await using program = await HttpProgram.start({ variables: { MCP_TOKENS_FILE: file.path } });
    const status = (token: string) => listStatus(program, { authorization: `Bearer ${token}` });
    const warnings = () =>
      program.errorLines.filter((line) => /users other than its owner/.test(String(line.message)));
    const complaints = () =>
      program.errorLines.filter((line) => String(line.message).startsWith("nobody is accepted"));

    await t.step("a new line lets its token in", async () => {
      await Deno.writeTextFile(file.path, `${alice.line}\n${bob.line}\n`);
      await until("bob is let in", async () => await status(bob.token) === 200);
      assert.equal(await status(alice.token), 200);
    });
    await t.step(
      "a line that is gone keeps its token out, also when the file is replaced by another",
      async () => {
        await Deno.writeTextFile(`${file.path}.new`, `${bob.line}\n`, { mode: 0o600 });
        await Deno.rename(`${file.path}.new`, file.path);
        await until("alice is kept out", async () => await status(alice.token) === 401);
        assert.equal(await status(bob.token), 200);
      },
    );
    await t.step("a bad line keeps everybody out, and the log says so once", async () => {
      await Deno.writeTextFile(file.path, `${bob.line}\nnonsense\n`);
      await until("bob is kept out", async () => await status(bob.token) === 401);
      await Deno.writeTextFile(file.path, `${bob.line}\nstill nonsense\n`);
      // What it says of the mode shows that it has looked again.
      await Deno.chmod(file.path, 0o602);
      await until("it has looked again", () => warnings().length === 1);
      assert.equal(complaints().length, 1);
      await Deno.remove(file.path);
      assert.equal(await status(bob.token), 401);
    });
    await t.step("a good file lets them in again", async () => {
      await Deno.writeTextFile(file.path, `${bob.line}\n`, { mode: 0o600 });
      await until("bob is let in", async () => await status(bob.token) === 200);
      assert.ok(program.errorLines.some((line) => line.message === "the token file can be read again"));
      assert.equal(complaints().length, 1);
      assert.match(String(complaints()[0]?.reason), /line 2/);
    });
    await t.step("others who may write the file are warned of, once", async () => {
      assert.equal(warnings().length, 1);
      await Deno.chmod(file.path, 0o620);
      await until("the warning", () => warnings().length === 2);
      assert.equal(warnings()[1]?.mode, "620");
    });
  },
});

Deno.test({
  name: "a revoked token's running stream is cut, and its call ends at the backend; another's goes on",
  ignore: !postgresAvailable,
  async fn() {
    const [alice, bob] = [newToken("alice"), newToken("bob")];
    await using file = await tokenFile(`${alice.line}\n${bob.line}\n`);
    await using database = await createProgramDatabase();
    await using program = await HttpProgram.start({
      variables: { ...database.variables, MCP_TOKENS_FILE: file.path },
    });
    const run = (mark: string, token: string) =>
      program.send("tools/call", { name: "query_database", arguments: { sql: endless(mark) } }, {
        era: "2026-07-28",
        ...bearer(token),
      });
    const [cut, kept] = await Promise.all([run("of_alice", alice.token), run("of_bob", bob.token)]);
    await until("both run", async () => await database.running("of_") === 2);
    await Deno.writeTextFile(file.path, `${bob.line}\n`);
    await assert.rejects(cut.text());
    await until("alice's is gone", async () => await database.running("of_alice") === 0);
    assert.equal(await database.running("of_bob"), 1);
    await until(
      "its line",
      () => program.auditLines.find((line) => line.client === "alice")?.outcome === "cancelled",
    );
    await kept.body?.cancel();
  },
});

Deno.test({
  name: "a file that can't be opened for want of handles is the one that was read, unless it has changed",
  ignore: !permitted,
  async fn() {
    const { token, line } = newToken("alice");
    await using file = await tokenFile(`${line}\n`);
    const tokens = await TokenFile.open(file.path, { debug() {}, info() {}, warn() {}, error() {} });
    const readFile = Deno.readFile;
    let refused = 0;
    Deno.readFile = () => {
      refused++;
      return Promise.reject(
        Object.assign(new Error("Too many open files (os error 24)"), { code: "EMFILE" }),
      );
    };
    try {
      await until("it was looked at three times", () => refused >= 3);
      assert.equal(tokens.holder(token)?.name, "alice");
      await Deno.writeTextFile(file.path, "# nobody, any more\n");
      await until("it lets nobody in", () => tokens.holder(token) === undefined);
    } finally {
      Deno.readFile = readFile;
      tokens.close();
    }
  },
});
