import assert from "@std/assert";
import { isAbsolute } from "node:path";
import { type ProgramName, RawClient, runProgramToEnd } from "../support/mcp.ts";
import { permitted } from "../support/permitted.ts";
import { postgresAvailable } from "../support/postgres.ts";
import { createProgramDatabase, readerPassword } from "../support/program_database.ts";

/** Variables of each program, one of them a path that is relative, and one of its tools. */
const programs: readonly (readonly [ProgramName, Readonly<Record<string, string>>, string, string])[] = [
  ["postgres", { DB_HOST: "db.example", DB_SSLROOTCERT: "ca.pem" }, "DB_SSLROOTCERT", "query_database"],
  [
    "prometheus",
    { PROMETHEUS_URL: "http://127.0.0.1:2", AUDIT_LOG: "audit.jsonl" },
    "AUDIT_LOG",
    "query_metrics",
  ],
  ["kubernetes", { KUBE_TIMEOUT_MS: "2000", AUDIT_LOG: "audit.jsonl" }, "AUDIT_LOG", "get_pods"],
  [
    "platform",
    { PROMETHEUS_URL: "http://127.0.0.1:2", DB_EVENTS: "log(who, at)", AUDIT_LOG: "audit.jsonl" },
    "AUDIT_LOG",
    "service_health_report",
  ],
];

for (const [program, variables, path, tool] of programs) {
  Deno.test({
    name: `${program}: --print-config is what starts it from anywhere, with absolute paths`,
    ignore: !permitted,
    async fn() {
      const printed = await runProgramToEnd({
        program,
        args: ["--print-config", "mcp-json"],
        plain: true,
        variables,
      });
      assert.equal(printed.stderr, "");
      const { [program]: entry, ...others } = JSON.parse(printed.stdout).mcpServers;
      assert.deepEqual(others, {});
      const { command, args, env } = entry;
      assert.ok(isAbsolute(command) || command === "npx", command);
      assert.ok(isAbsolute(env[path]), env[path]);
      assert.deepEqual({ ...env, [path]: variables[path] }, variables);
      const { AUDIT_LOG: _log, DB_SSLROOTCERT: _certificate, ...started } = env;
      await using client = await RawClient.connect({
        command: { command, args },
        variables: started,
        cwd: "/",
      });
      const { result } = await client.request("tools/list");
      assert.ok(JSON.stringify(result).includes(`"name":"${tool}"`));
    },
  });
}

Deno.test({
  name: "--print-config mcp-json is JSON that starts this very program from anywhere, and it answers",
  ignore: !postgresAvailable,
  async fn() {
    await using database = await createProgramDatabase();
    const passwordFile = await Deno.makeTempFile();
    try {
      await Deno.writeTextFile(passwordFile, readerPassword);
      const { DB_PASSWORD: _, ...rest } = database.variables;
      const variables = { ...rest, DB_PASSWORD_FILE: passwordFile };
      const printed = await runProgramToEnd({ args: ["--print-config", "mcp-json"], plain: true, variables });
      assert.equal(printed.code, 0);
      assert.equal(printed.stderr, "");
      const { command, args, env } = JSON.parse(printed.stdout).mcpServers.postgres;
      // A Deno that npx keeps may be gone tomorrow: then it is npx that gets it again.
      assert.ok(isAbsolute(command) || command === "npx", command);
      assert.deepEqual(env, variables);
      await using client = await RawClient.connect({ command: { command, args }, variables: env, cwd: "/" });
      const { text, isError } = await client.query("SELECT count(*) FROM todos");
      assert.equal(isError, false, text);
      assert.match(text, /3000/);
    } finally {
      await Deno.remove(passwordFile);
    }
  },
});

Deno.test({
  name: "--print-config claude-code is a line that a shell reads back as the same command",
  ignore: !permitted || Deno.build.os === "windows",
  async fn() {
    const variables = { DB_HOST: "db.example", DB_USER: "it's a 'reader' $HOME `id`" };
    const printed = await runProgramToEnd({
      args: ["--print-config", "claude-code"],
      plain: true,
      variables,
    });
    assert.equal(printed.code, 0);
    const script = `claude() { printf '%s\\0' "$@"; }\n${printed.stdout}`;
    const { stdout } = await new Deno.Command("sh", { args: ["-c", script], stdout: "piped" }).output();
    const words = new TextDecoder().decode(stdout).split("\0");
    assert.deepEqual(words.slice(0, 2), ["mcp", "add"]);
    assert.ok(words.includes(`DB_USER=${variables.DB_USER}`));
    const command = words.slice(words.indexOf("--") + 1, -1);
    assert.ok(isAbsolute(command[0] ?? "") || command[0] === "npx");
  },
});

for (const form of ["claude-code", "mcp-json"]) {
  Deno.test({
    name: `--print-config ${form} holds no secret, and names the file for it instead`,
    ignore: !permitted,
    async fn() {
      const secrets: readonly (readonly [ProgramName, Readonly<Record<string, string>>])[] = [
        ["postgres", { DB_PASSWORD: "MARKER-77" }],
        ["postgres", { DATABASE_URL: "postgres://u:MARKER-77@h/d" }],
        ["prometheus", { PROMETHEUS_TOKEN: "MARKER-77" }],
        ["prometheus", { PROMETHEUS_HEADERS: '{"X-Key":"MARKER-77"}' }],
        ["platform", { DB_PASSWORD: "MARKER-77" }],
        ["platform", { PROMETHEUS_PASSWORD: "MARKER-77" }],
      ];
      for (const [program, variables] of secrets) {
        const { stdout, stderr } = await runProgramToEnd({
          program,
          args: ["--print-config", form],
          plain: true,
          variables,
        });
        assert.ok(!(stdout + stderr).includes("MARKER-77"));
        assert.ok(stdout.includes(`${Object.keys(variables)[0]}_FILE`));
        // The file is not there: that is said beside what is to be pasted.
        assert.match(stderr, /^Secrets are left out: [^\n]+_FILE\n$/);
        assert.ok(stderr.trim().endsWith(`${Object.keys(variables)[0]}_FILE`));
        if (form === "mcp-json") JSON.parse(stdout);
      }
    },
  });
}

Deno.test({
  name: "--print-config says where nothing is set, and what to set",
  ignore: !permitted,
  async fn() {
    const firsts: Readonly<Record<ProgramName, string>> = {
      postgres: "DB_HOST",
      prometheus: "PROMETHEUS_URL",
      kubernetes: "KUBECONFIG",
      platform: "DB_HOST",
    };
    for (const [program] of programs) {
      const options = { program, args: ["--print-config", "mcp-json"], plain: true };
      const { code, stdout, stderr } = await runProgramToEnd(options);
      assert.equal(code, 0);
      assert.ok(program in JSON.parse(stdout).mcpServers);
      assert.match(
        stderr,
        new RegExp(
          `^No variable of ${program}-mcp is set, .*: set ${firsts[program]}.*, and run this again\\n$`,
        ),
      );
    }
  },
});
