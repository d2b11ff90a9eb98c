import assert from "@std/assert";
import { type Ended, RawClient, runProgramToEnd } from "../support/mcp.ts";
import { permitted } from "../support/permitted.ts";
import { postgresAvailable } from "../support/postgres.ts";
import { createProgramDatabase, readerPassword } from "../support/program_database.ts";

/** A value that nothing a program prints may hold. */
const marker = "MARKER-5f2c";

type Variables = Readonly<Record<string, string>>;
const wrong: readonly (readonly [variable: string, value: string, others?: Variables])[] = [
  ["DB_PORT", "abc"],
  ["DB_PORT", "0"],
  ["DB_PORT", "65536"],
  ["DB_PORT", "5432.5"],
  ["DB_PORT", "-1"],
  ["DB_HOST", "${DB_HOST}"],
  ["DB_NAME", "${DB_NAME:-x}"],
  ["DB_USER", "${DB_USER}"],
  ["DB_PASSWORD", "${DB_PASSWORD}"],
  ["DATABASE_URL", "${DATABASE_URL}"],
  ["DB_PASSWORD_FILE", "${HOME}/password"],
  ["DB_SSLMODE", `verify-${marker}`],
  ["DB_SSLROOTCERT", `/nowhere/${marker}`],
  ["DB_POOL_SIZE", "0"],
  ["DB_POOL_SIZE", marker],
  ["STATEMENT_TIMEOUT_MS", "30s"],
  ["STATEMENT_TIMEOUT_MS", "1e3"],
  ["MAX_ROWS", "many"],
  ["MAX_OUTPUT_BYTES", "12"],
  ["RATE_LIMIT_PER_MINUTE", "-1"],
  ["CACHE_TTL_SECONDS", "x"],
  ["QUERY_CACHE_TTL_SECONDS", "x"],
  ["LOG_LEVEL", marker],
  ["AUDIT_LOG", `/nowhere/${marker}/audit.jsonl`],
  ["AUDIT_LOG", "/"],
  ["AUDIT_LOG", "stdout"],
  ["AUDIT_LOG", "-"],
  ["DB_PASSWORD_FILE", `/nowhere/${marker}`],
  ["DB_PASSWORD_FILE", "/"],
  ["DB_PASSWORD", marker, { DB_PASSWORD_FILE: "/dev/null" }],
  ["DATABASE_URL", `postgres://reader:${marker}@db/x`, { DATABASE_URL_FILE: "/dev/null" }],
  ["DATABASE_URL", `postgres://reader:${marker}@db/x`, { DB_HOST: "other" }],
  ["DATABASE_URL", `mysql://reader:${marker}@db/x`],
  ["DATABASE_URL", `postgres://reader:${marker}/@x@db:abc/x`],
  ["DATABASE_URL", `postgres://reader:${marker}%zz@db/x`],
  ["DATABASE_URL", `postgres://reader:${marker}@db:99999/x`],
  ["DATABASE_URL", `postgres://reader:${marker}@db/x?sslmode=${marker}`],
  ["DATABASE_URL", `postgres://reader:${marker}@db/x?${marker}=1`],
  ["DATABASE_URL", `postgres://reader:${marker}@db/x?options=-c%20role=${marker}`],
  ["DATABASE_URL", `reader:${marker}@db`],
];
for (const [variable, value, others] of wrong) {
  const shown = [`${variable}=${value}`, ...Object.entries(others ?? {}).map((pair) => pair.join("="))].join(
    " ",
  );
  Deno.test({
    name: `exit 2 and one line that names the variable and not its value: ${shown}`,
    ignore: !permitted,
    async fn() {
      const ended = await runProgramToEnd({ variables: { ...others, [variable]: value } });
      assert.equal(ended.code, 2);
      assert.equal(ended.stdout, "");
      assert.match(ended.stderr, /^postgres-mcp: [^\n]+\n$/);
      assert.ok(ended.stderr.includes(variable), ended.stderr);
      assert.ok(!ended.stderr.includes(marker), ended.stderr);
      if (value.length > 3) assert.ok(!ended.stderr.includes(value), ended.stderr);
    },
  });
}

Deno.test({
  name: "a variable that is set to nothing counts as unset",
  ignore: !permitted,
  async fn() {
    const variables = {
      DB_HOST: "",
      DB_PORT: "",
      DATABASE_URL: "",
      DB_PASSWORD_FILE: "",
      AUDIT_LOG: "",
      MAX_ROWS: "",
    };
    await using client = await RawClient.connect({ variables });
    assert.match((await client.query("SELECT 1")).text, /localhost:5432/);
  },
});

const unreachable: readonly (readonly [string, Variables, RegExp])[] = [
  [
    "an unknown host",
    { DB_HOST: "no-such-host.invalid" },
    /no-such-host\.invalid:5432 as the host's name is unknown/,
  ],
  [
    "a port where nothing listens",
    { DB_HOST: "127.0.0.1", DB_PORT: "1" },
    /127\.0\.0\.1:1 as nothing accepts/,
  ],
];
for (const [what, variables, says] of unreachable) {
  Deno.test({
    name: `${what} does not end the start: each call says so, and no secret is in it`,
    ignore: !permitted,
    async fn() {
      for (const secret of [{ DB_PASSWORD: marker }, asUrl(variables)]) {
        const chosen: Variables = "DATABASE_URL" in secret ? secret : { ...variables, ...secret };
        await using client = await RawClient.connect({ variables: { ...chosen, LOG_LEVEL: "debug" } });
        for (const tool of ["list_tables", "query_database"]) {
          const answer = await client.call(tool, tool === "list_tables" ? {} : { sql: "SELECT 1" });
          assert.equal(answer.isError, true);
          assert.match(answer.text, says);
        }
        await client.endInput();
        const { code, stdout, stderr } = await client.ended;
        assert.equal(code, 0);
        assert.ok(!(stdout + stderr).includes(marker));
        assert.ok(client.auditLines.every((line) => line.outcome === "unavailable"));
      }
    },
  });
}

function asUrl({ DB_HOST, DB_PORT }: Variables): { readonly DATABASE_URL: string } {
  return { DATABASE_URL: `postgres://reader:${marker}@${DB_HOST}:${DB_PORT ?? "5432"}/x` };
}

Deno.test({
  name: "a password full of @:/?#% reaches a server that asks for SCRAM, by every way that it can be given",
  ignore: !postgresAvailable,
  async fn(t) {
    await using database = await createProgramDatabase();
    const { DB_PASSWORD: _, ...rest } = database.variables;
    const { DB_HOST, DB_PORT, DB_NAME, DB_USER } = database.variables;
    const folder = await Deno.makeTempDir();
    const passwordFile = `${folder}/password`;
    const urlFile = `${folder}/url`;
    const url = `postgres://${DB_USER}:${
      encodeURIComponent(readerPassword)
    }@${DB_HOST}:${DB_PORT}/${DB_NAME}`;
    await Deno.writeTextFile(passwordFile, `${readerPassword}\n`);
    await Deno.writeTextFile(urlFile, `${url}?sslmode=disable\n`);
    const ways: readonly (readonly [string, Variables])[] = [
      ["DB_PASSWORD", database.variables],
      ["DB_PASSWORD_FILE", { ...rest, DB_PASSWORD_FILE: passwordFile }],
      ["DATABASE_URL", { DATABASE_URL: url }],
      ["DATABASE_URL_FILE", { DATABASE_URL_FILE: urlFile }],
    ];
    try {
      for (const [way, variables] of ways) {
        await t.step(way, async () => {
          await using client = await RawClient.connect({ variables: { ...variables, LOG_LEVEL: "debug" } });
          const { text, isError } = await client.query("SELECT current_user");
          assert.ok(!isError, text);
          assert.match(text, /_reader/);
          await client.endInput();
          assertNoPassword(await client.ended);
        });
      }
      await t.step("a password file that is replaced is read again for the next connection", async () => {
        const variables = { ...rest, DB_PASSWORD_FILE: passwordFile };
        await Deno.writeTextFile(passwordFile, "not this one");
        await using client = await RawClient.connect({ variables });
        const refused = await client.query("SELECT 1");
        assert.match(refused.text, /password of user .* is wrong/);
        await Deno.writeTextFile(passwordFile, readerPassword);
        assert.equal((await client.query("SELECT 1")).isError, false);
      });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

function assertNoPassword({ stdout, stderr }: Ended): void {
  for (
    const secret of [
      readerPassword,
      encodeURIComponent(readerPassword),
      JSON.stringify(readerPassword).slice(1, -1),
    ]
  ) {
    assert.ok(!(stdout + stderr).includes(secret));
  }
}
