import assert from "@std/assert";
import { isAbsolute } from "node:path";
import { FakePrometheus } from "../support/fake_prometheus.ts";
import { type Ended, type ProgramName, runProgramToEnd } from "../support/mcp.ts";
import { permitted } from "../support/permitted.ts";
import { postgresAvailable } from "../support/postgres.ts";
import { createProgramDatabase } from "../support/program_database.ts";

const check = (program: ProgramName, variables: Readonly<Record<string, string>>): Promise<Ended> =>
  runProgramToEnd({ program, args: ["--check"], plain: true, variables });

/** A backend that refuses at once. */
const refusing = "http://127.0.0.1:2";

/** The line that says how a client starts it: the command, with its absolute path, stands first. */
function assertPath(stdout: string): void {
  const [, command = ""] =
    /^A client starts it as (\S+).*; --print-config prints what to paste\.$/m.exec(stdout) ?? [];
  assert.ok(isAbsolute(command) || command === "npx", stdout);
}

Deno.test({
  name: "prometheus: --check exits 0 where it answers, and 1 with the next step where it does not",
  ignore: !permitted,
  async fn() {
    await using server = new FakePrometheus();
    const well = await check("prometheus", { PROMETHEUS_URL: server.url });
    assert.equal(well.code, 0, well.stdout);
    assert.match(well.stdout, /Prometheus 3\.16\.0/);
    assertPath(well.stdout);
    const ill = await check("prometheus", { PROMETHEUS_URL: refusing });
    assert.equal(ill.code, 1);
    assert.match(ill.stdout, /refused[^]*PROMETHEUS_URL/);
    assertPath(ill.stdout);
  },
});

Deno.test({
  name: "--check says which variables are set, by name, so that a misspelt one shows by being absent",
  ignore: !permitted,
  async fn() {
    const settings = async (program: ProgramName, variables: Readonly<Record<string, string>>) => {
      const { stdout } = await check(program, variables);
      return /^Settings: .*$/m.exec(stdout)?.[0];
    };
    await using server = new FakePrometheus();
    assert.equal(
      await settings("prometheus", {
        PROMETHEUS_URL: server.url,
        PROMETHEUS_TOKEN: "a-token",
        PROMETHEUS_TIMEOUT: "1",
        MAX_POINTS: "",
      }),
      "Settings: PROMETHEUS_URL and PROMETHEUS_TOKEN are set, and no other variable that --help lists.",
    );
    assert.equal(
      await settings("postgres", { DB_PORT: "2", DB_PASWORD: "x" }),
      "Settings: DB_PORT is set, and no other variable that --help lists.",
    );
    assert.equal(
      await settings("kubernetes", {}),
      "Settings: none of the variables that --help lists is set.",
    );
    const file = await Deno.makeTempFile();
    try {
      await Deno.writeTextFile(file, "a-password");
      assert.equal(
        await settings("platform", {
          DB_PASSWORD_FILE: file,
          DB_PORT: "2",
          MAX_ROWS: "5",
          MCP_ALLOWED_HOSTS: "a",
        }),
        "Settings: DB_PORT, DB_PASSWORD_FILE, MAX_ROWS and MCP_ALLOWED_HOSTS are set, and no other variable that --help lists.",
      );
    } finally {
      await Deno.remove(file);
    }
  },
});

Deno.test({
  name: "--check exits 2 where the audit log can't be opened, and writes nothing into it where it can",
  ignore: !permitted,
  async fn() {
    await using server = new FakePrometheus();
    const folder = await Deno.makeTempDir();
    const audited = (path: string) => check("prometheus", { PROMETHEUS_URL: server.url, AUDIT_LOG: path });
    try {
      const ill = await audited(`${folder}/none/audit.jsonl`);
      assert.equal(ill.code, 2, ill.stdout);
      assert.match(ill.stderr, /AUDIT_LOG names a file that cannot be opened for appending: its folder/);
      assert.equal((await audited(`${folder}/audit.jsonl`)).code, 0);
      assert.equal(await Deno.readTextFile(`${folder}/audit.jsonl`), "");
      await Deno.writeTextFile(`${folder}/kept.jsonl`, "{}\n");
      assert.equal((await audited(`${folder}/kept.jsonl`)).code, 0);
      assert.equal(await Deno.readTextFile(`${folder}/kept.jsonl`), "{}\n");
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "platform: --check tells of each backend under its name, and exits 1 where one of them is down",
  ignore: !postgresAvailable,
  async fn(t) {
    await using database = await createProgramDatabase();
    await using server = new FakePrometheus();
    const { variables } = database;
    await t.step("both are well: 0", async () => {
      const { code, stdout } = await check("platform", { ...variables, PROMETHEUS_URL: server.url });
      assert.match(stdout, /^PostgreSQL:\n {2}Connected to [^]*^Prometheus:\n {2}\S/m);
      assert.match(stdout, /^Kubernetes: nothing of it is configured, so its tools are left out\.$/m);
      assert.equal(code, 0, stdout);
      assertPath(stdout);
    });
    await t.step("the default table of activity is not there: told, and no fault", async () => {
      const { code, stdout } = await check("platform", variables);
      assert.equal(code, 0, stdout);
      assert.match(
        stdout,
        /can't be read: there is no table events\(service, timestamp\), and DB_EVENTS names/,
      );
    });
    await t.step("one that DB_EVENTS names and nobody may read: 1, with the GRANT", async () => {
      await database.execute("create table log (who text, at timestamptz)");
      const given = { ...variables, DB_EVENTS: "log(who, at)" };
      const { code, stdout } = await check("platform", given);
      assert.equal(code, 1, stdout);
      assert.ok(stdout.includes(`GRANT SELECT ON "log" TO "${variables.DB_USER}".`), stdout);
      await database.execute(`grant select on log to ${variables.DB_USER}`);
      const again = await check("platform", given);
      assert.equal(again.code, 0, again.stdout);
      assert.match(again.stdout, /activity of a service is read from log\./);
    });
    await t.step("the first is down: 1, and the second is told of", async () => {
      const { code, stdout } = await check("platform", {
        ...variables,
        DB_PORT: "2",
        PROMETHEUS_URL: server.url,
      });
      assert.equal(code, 1);
      assert.match(stdout, /^PostgreSQL:\n {2}Not connected to [^]*DB_HOST[^]*^Prometheus:\n {2}.*3\.16\.0/m);
    });
    await t.step("the second is down: 1, and the first is told of", async () => {
      const { code, stdout } = await check("platform", { ...variables, PROMETHEUS_URL: refusing });
      assert.equal(code, 1);
      assert.match(stdout, /^PostgreSQL:\n {2}Connected to [^]*^Prometheus:\n {2}.*refused/m);
    });
  },
});
