import assert from "@std/assert";
import { isAbsolute } from "node:path";
import { RawClient, runProgramToEnd } from "../support/mcp.ts";
import { permitted } from "../support/permitted.ts";
import { postgresAvailable } from "../support/postgres.ts";
import { createProgramDatabase, readerPassword } from "../support/program_database.ts";

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
      const secrets = [{ DB_PASSWORD: "MARKER-77" }, { DATABASE_URL: "postgres://u:MARKER-77@h/d" }];
      for (const variables of secrets) {
        const { stdout, stderr } = await runProgramToEnd({
          args: ["--print-config", form],
          plain: true,
          variables,
        });
        assert.ok(!(stdout + stderr).includes("MARKER-77"));
        assert.ok(stdout.includes(`${Object.keys(variables)[0]}_FILE`));
      }
    },
  });
}
