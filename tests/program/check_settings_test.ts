/** What `--check` says of a program's own settings: the same for each of them. */
import assert from "@std/assert";
import { FakePrometheus, type Play, success } from "../support/fake_prometheus.ts";
import {
  compiled,
  type Ended,
  programCommand,
  type ProgramName,
  programNames,
  runProgramToEnd,
} from "../support/mcp.ts";
import { permitted } from "../support/permitted.ts";
import { postgresAvailable } from "../support/postgres.ts";
import { createProgramDatabase } from "../support/program_database.ts";
import { tokenFile } from "../support/token_file.ts";

const check = (
  args: readonly string[],
  variables: Readonly<Record<string, string>>,
  program: ProgramName = "prometheus",
): Promise<Ended> => runProgramToEnd({ program, args: [...args, "--check"], plain: true, variables });

const token = `alice:${"a".repeat(64)}\n`;

for (const program of programNames) {
  Deno.test({
    name: `${program}: a token file that --http could not use ends --check, with --http or without`,
    ignore: !permitted,
    async fn() {
      await using bad = await tokenFile("alice\n");
      for (const path of [bad.path, `${bad.path}-missing`]) {
        for (const args of [[], ["--http", "127.0.0.1:0"]]) {
          const { code, stdout, stderr } = await check(args, { MCP_TOKENS_FILE: path }, program);
          assert.equal(code, 2, stdout);
          assert.match(stderr, /MCP_TOKENS_FILE names a file that can't be used: /);
        }
      }
    },
  });

  Deno.test({
    name: `${program}: --http --check says of the address whether it could be listened on, and who may call`,
    ignore: !permitted,
    async fn() {
      using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const address = `127.0.0.1:${listener.addr.port}`;
      const taken = await check(["--http", address], {}, program);
      assert.equal(taken.code, 1, taken.stderr);
      assert.ok(
        taken.stdout.includes(
          `Cannot listen on ${address}: another program does; stop it, or give --http another port.`,
        ),
        taken.stdout,
      );
      assert.match(taken.stdout, /^Anybody on this machine may call: /m);
      assert.doesNotMatch(taken.stdout, /All is well/);
    },
  });
}

Deno.test({
  name: "--http --check says all is well where it is, and what --http would serve",
  ignore: !permitted,
  async fn() {
    const result = [{ metric: {}, value: [0, "1"] }];
    const play: Play = ({ path, parameters }) =>
      path === "/api/v1/query" && parameters.get("query") === "count(up)"
        ? success({ resultType: "vector", result })
        : undefined;
    await using server = new FakePrometheus({ play });
    await using file = await tokenFile(token);
    const variables = { PROMETHEUS_URL: server.url, MCP_TOKENS_FILE: file.path };
    const well = await check(["--http", "127.0.0.1:0"], variables);
    assert.equal(well.code, 0, well.stdout);
    assert.match(
      well.stdout,
      /^--http would serve MCP at http:\/\/127\.0\.0\.1:0\/mcp, under the names localhost, 127\.0\.0\.1, \[::1\]\.\nThe token file accepts 1 token\.\nAll is well\.$/m,
    );
    const deaf = await check(["--http", "0.0.0.0:0"], variables);
    assert.equal(deaf.code, 0, deaf.stdout);
    assert.match(deaf.stdout, /^Only requests to loopback names are answered: set MCP_ALLOWED_HOSTS to /m);
    assert.doesNotMatch(deaf.stdout, /All is well/);
    const named = { ...variables, MCP_ALLOWED_HOSTS: "mcp.example.com,[::1]:8080" };
    const known = await check(["--http", "0.0.0.0:0"], named);
    assert.match(
      known.stdout,
      /^--http .* under the names mcp\.example\.com, \[::1\]:8080\.\nThe token file .*\nAll is well\.$/m,
    );
    const stdio = await check([], variables);
    assert.match(
      stdio.stdout,
      /^The token file accepts 1 token; only --http requires one\.\nAll is well\.$/m,
    );
    const issued = {
      MCP_OAUTH_ISSUER: "https://login.example.com",
      MCP_PUBLIC_URL: "https://mcp.example.com/mcp",
    };
    const unasked = await check([], { ...variables, ...issued });
    assert.match(
      unasked.stdout,
      /^MCP_OAUTH_ISSUER was not contacted: --http --check does that\.\nAll is well\.$/m,
    );
    const open = await check(["--http", "0.0.0.0:0"], { PROMETHEUS_URL: server.url });
    assert.equal(open.code, 2);
    assert.match(open.stderr, /needs to know who may call/);
  },
});

Deno.test({
  name: "--check says that a program that may not write its audit log would refuse each call: exit 1",
  ignore: !permitted || compiled,
  async fn() {
    await using server = new FakePrometheus();
    for (const program of ["prometheus", "platform"] as const) {
      const { command, args } = programCommand([], program);
      const but = ["--allow-net", "--allow-read", "--allow-env"];
      const given = [...args.flatMap((word) => word === `-P=${program}` ? but : [word]), "--check"];
      const { code, stdout } = await runProgramToEnd({
        command: { command, args: given },
        plain: true,
        variables: { PROMETHEUS_URL: server.url, AUDIT_LOG: "/tmp/audit.jsonl" },
      });
      assert.equal(code, 1, stdout);
      assert.ok(
        stdout.includes(
          "Each call would be refused: Cannot answer as the audit log can't be written.\n" +
            `Build this program with deno task compile:${program} --write=FILE, or start it from source`,
        ),
        stdout,
      );
      assert.doesNotMatch(stdout, /All is well/);
    }
  },
});

Deno.test({
  name: "--check warns of files of secrets that every user can read",
  ignore: !postgresAvailable || Deno.build.os === "windows",
  async fn() {
    await using database = await createProgramDatabase();
    await using tokens = await tokenFile(token);
    const { DB_PASSWORD = "", ...others } = database.variables;
    await using password = await tokenFile(DB_PASSWORD);
    const variables = { ...others, DB_PASSWORD_FILE: password.path, MCP_TOKENS_FILE: tokens.path };
    const closed = await check([], variables, "postgres");
    assert.match(closed.stdout, /All is well/);
    await Promise.all([password, tokens].map(({ path }) => Deno.chmod(path, 0o644)));
    const open = await check([], variables, "postgres");
    assert.equal(open.code, 0);
    for (const name of ["DB_PASSWORD_FILE", "MCP_TOKENS_FILE"]) {
      assert.ok(
        open.stdout.includes(
          `Every user of this machine can read the file that ${name} names: chmod 600 it.\n`,
        ),
      );
    }
    assert.doesNotMatch(open.stdout, /All is well/);
    await Promise.all([password, tokens].map(({ path }) => Deno.chmod(path, 0o602)));
    const writable = await check([], variables, "postgres");
    for (
      const line of [
        "Users other than its owner can write the file that MCP_TOKENS_FILE names, and so let themselves in: chmod 600 it.\n",
        "Users other than its owner can write the file that DB_PASSWORD_FILE names: chmod 600 it.\n",
      ]
    ) assert.ok(writable.stdout.includes(line), writable.stdout);
    assert.doesNotMatch(writable.stdout, /All is well/);
  },
});

Deno.test({
  name: "a reader that closes stdout early is nobody's error",
  ignore: !permitted,
  async fn() {
    await using server = new FakePrometheus();
    const { command, args } = programCommand(["--check"], "prometheus");
    const child = new Deno.Command(command, {
      args: [...args],
      clearEnv: true,
      env: {
        PROMETHEUS_URL: server.url,
        ...Object.fromEntries(
          ["HOME", "DENO_DIR", "PATH"].flatMap((name) => {
            const value = Deno.env.get(name);
            return value === undefined ? [] : [[name, value]];
          }),
        ),
      },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    await child.stdout.cancel();
    const [{ code }, stderr] = await Promise.all([child.status, new Response(child.stderr).text()]);
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  },
});

Deno.test({
  name: "--demo is in the help where it works, and --demo --check tells what it has put in whose place",
  ignore: !permitted || compiled,
  async fn() {
    for (const program of programNames) {
      const { stdout } = await runProgramToEnd({ program, args: ["--help"], plain: true });
      assert.equal(stdout.includes("\n  --demo "), program === "postgres" || program === "platform");
      assert.match(stdout, /^OTEL_DENO=true and OTEL_EXPORTER_OTLP_ENDPOINT /m);
    }
    const elsewhere = { DB_HOST: "elsewhere.invalid", DB_PASSWORD: "hunter2", MAX_ROWS: "5" };
    const { code, stdout } = await check(["--demo"], elsewhere, "postgres");
    assert.equal(code, 0, stdout);
    const [, settings] = /^(Settings: .*\n.*)$/m.exec(stdout) ?? [];
    assert.equal(
      settings,
      "Settings: MAX_ROWS is set, and no other variable that --help lists. The sample database takes the place of " +
        "DB_PASSWORD and DB_HOST, which are set.\nFor a client, deno task demo ends with what to paste.",
    );
  },
});
