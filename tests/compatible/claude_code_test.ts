/** Claude Code itself in front of postgres-mcp, as somebody sets it up who follows the README. */
import assert from "@std/assert";
import { ClaudeCode, claudeCode } from "../support/claude_code.ts";
import { HttpProgram } from "../support/http_program.ts";
import { RawClient, runProgramToEnd } from "../support/mcp.ts";
import { postgresAvailable } from "../support/postgres.ts";
import { createProgramDatabase, readerPassword } from "../support/program_database.ts";
import { newToken } from "../../src/common/http/tokens.ts";
import { tokenFile } from "../support/token_file.ts";

const calls = [
  { name: "mcp__postgres__query_database", input: { sql: "SELECT title FROM todos ORDER BY id LIMIT 2" } },
  { name: "mcp__postgres__query_database", input: { sql: "SELECT * FROM todos ORDER BY id" } },
  { name: "mcp__postgres__query_database", input: { sql: "DROP TABLE todos" } },
];

Deno.test({
  name: "Claude Code",
  ignore: claudeCode === undefined || !postgresAvailable,
  async fn(context) {
    await using database = await createProgramDatabase();
    await using password = await tokenFile(readerPassword);
    const { DB_PASSWORD: _, ...rest } = database.variables;
    const variables = { ...rest, DB_PASSWORD_FILE: password.path };
    const print = async (form: string) =>
      (await runProgramToEnd({ args: ["--print-config", form], plain: true, variables })).stdout;

    await context.step("connects by the line that --print-config prints", async () => {
      await using client = new ClaudeCode();
      await client.shell(await print("claude-code"));
      assert.match(await client.shell("claude mcp list"), /^postgres: .*Connected$/m);
    });

    await context.step(
      "shows a model the structured form of an answer, and the text of an error",
      async () => {
        await using client = new ClaudeCode();
        const shown = await client.converse(JSON.parse(await print("mcp-json")), calls);
        await using raw = await RawClient.connect({ variables: database.variables });
        for (const [index, { input }] of calls.entries()) {
          const { text, structured, isError } = await raw.call("query_database", input);
          assert.equal(shown[index]?.isError, isError);
          assert.equal(shown[index]?.text, isError ? text : JSON.stringify(structured));
        }
      },
    );

    await context.step("over HTTP, with a token", async () => {
      const { token, line } = newToken("alice");
      await using tokens = await tokenFile(line);
      await using program = await HttpProgram.start({
        variables: { ...database.variables, MCP_TOKENS_FILE: tokens.path },
      });
      await using client = new ClaudeCode();
      const add = (name: string, sent: string) =>
        client.shell(
          `claude mcp add --transport http ${name} ${program.origin}/mcp --header "Authorization: Bearer ${sent}"`,
        );
      await add("postgres", token);
      await add("stranger", newToken("stranger").token);
      const listed = await client.shell("claude mcp list");
      assert.match(listed, /^postgres: .*Connected$/m);
      assert.match(listed, /^stranger: .*Failed to connect$/m);
      const server = {
        type: "http",
        url: `${program.origin}/mcp`,
        headers: { Authorization: `Bearer ${token}` },
      };
      const shown = await client.converse({ mcpServers: { postgres: server } }, calls);
      assert.deepEqual(shown.map(({ isError }) => isError), [false, false, true]);
      assert.match(shown[0]?.text ?? "", /todo 1/);
    });
  },
});
