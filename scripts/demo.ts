/**
 * `deno task demo`: asks a sample database what people ask theirs, through postgres-mcp as a client such as
 * Claude Code starts it. `--compiled` takes dist/postgres-mcp instead of the source.
 */
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import {
  configuredCommand,
  inheritedEnvironment,
  printedConfiguration,
  sampleConfiguration,
} from "./configuration.ts";
import { startSampleDatabase } from "./sample_database.ts";
import { Screen, terminal } from "./screen.ts";

/** One step of the session. */
interface Step {
  readonly question: string;
  readonly tool: string;
  readonly arguments: Readonly<Record<string, string>>;
  /** Words that the answer must hold, or the demo has failed. */
  readonly expect: string;
  readonly refused?: true;
}

const query = (question: string, sql: string, expect: string): Step => {
  return { question, tool: "query_database", arguments: { sql }, expect };
};

/** What is asked, with answers that the sample's fixed rows make certain. */
export const session: readonly Step[] = [
  { question: "Which tables are there?", tool: "list_tables", arguments: {}, expect: "user_progress" },
  {
    question: "What is a todo?",
    tool: "describe_table",
    arguments: { table_name: "todos" },
    expect: "completed_has_a_time",
  },
  query(
    "How many users have completed todos?",
    "SELECT count(DISTINCT user_id) AS users\nFROM todos\nWHERE completed",
    "776",
  ),
  query(
    "What percentage of all users is that?",
    "SELECT round(100.0 * count(DISTINCT user_id) / (SELECT count(*) FROM users), 1) AS percent\n" +
      "FROM todos\nWHERE completed",
    "77.6",
  ),
  query(
    "Who is most active?",
    "SELECT users.name, users.country, count(*) AS todos,\n" +
      "       count(*) FILTER (WHERE completed) AS completed, max(completed_at) AS last_completed\n" +
      "FROM users JOIN todos ON todos.user_id = users.id\n" +
      "GROUP BY users.id\nORDER BY completed DESC\nLIMIT 5",
    "Ines Walker",
  ),
  { ...query("Clean up what is done.", "DELETE FROM todos WHERE completed", ""), refused: true },
  { ...query("And with a trick?", "COMMIT; DROP TABLE todos", ""), refused: true },
  query("Is everything still there?", "SELECT count(*) AS todos FROM todos", "8000"),
];

/** A demo that went wrong, in words for the person in front of it. */
class DemoError extends Error {}

async function demo(screen: Screen, compiled: boolean): Promise<void> {
  screen.title("postgres-mcp: from a question to a safe answer");
  const ready = screen.begin("starting a sample PostgreSQL");
  await using database = await startSampleDatabase();
  ready("1,000 users, 8,000 todos, 5,000 events");

  const environment = {
    DB_HOST: database.host,
    DB_PORT: String(database.port),
    DB_NAME: database.database,
    DB_USER: database.user,
    DB_SSLMODE: "disable",
  };
  const { command, args } = await configuredCommand(compiled);
  const transport = new StdioClientTransport({
    command,
    args,
    env: { ...inheritedEnvironment(), ...environment },
    stderr: "pipe",
  });
  let complaint = "";
  transport.stderr?.on("data", (chunk) => complaint += chunk);
  const client = new Client({ name: "demo", version: "1" });
  const serving = screen.begin("starting postgres-mcp over stdio, as Claude Code does");
  try {
    await client.connect(transport).catch((error) => {
      throw new DemoError(`Cannot start postgres-mcp: ${error.message}`);
    });
    const { tools } = await client.listTools();
    serving(`${tools.length} tools: ${tools.map((tool) => tool.name).join(", ")};`);
    for (const step of session) await take(step, client, screen);
  } catch (error) {
    const log = complaint.trim().split("\n").slice(-3).join("\n");
    if (error instanceof DemoError) error.message += `\nThe end of the server's log:\n${log}`;
    throw error;
  } finally {
    await client.close();
  }
}

async function take(step: Step, client: Client, screen: Screen): Promise<void> {
  screen.question(step.question);
  screen.call(step.tool, Object.values(step.arguments).join("\n"));
  const started = performance.now();
  const result = await client.callTool({ name: step.tool, arguments: { ...step.arguments } });
  const ms = performance.now() - started;
  const text = result.content.map((part) => part.type === "text" ? part.text : "").join("\n");
  const refused = result.isError === true;
  screen.answer(text, refused ? "refused" : "answered", ms);
  if (refused !== (step.refused ?? false)) {
    throw new DemoError(`That should have been ${step.refused ? "refused" : "answered"}`);
  }
  if (!text.includes(step.expect)) throw new DemoError(`The answer should have held ${step.expect}`);
}

async function farewell(screen: Screen, compiled: boolean): Promise<void> {
  screen.title("Your own database, in Claude Code");
  screen.paragraph("With the host, the names and the password file that are yours:");
  screen.paste(
    await printedConfiguration(compiled, "claude-code", {
      DB_HOST: "localhost",
      DB_NAME: "tododb",
      DB_USER: "postgres",
      DB_PASSWORD_FILE: "/path/to/password",
    }),
  );
  screen.paragraph("Or this sample, to ask it questions of your own:");
  screen.paste(sampleConfiguration());
}

if (import.meta.main) {
  const screen = new Screen(terminal());
  const compiled = Deno.args.includes("--compiled");
  try {
    await demo(screen, compiled);
    await farewell(screen, compiled);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    Deno.stderr.writeSync(new TextEncoder().encode(`\nThe demo failed. ${message}\n`));
    Deno.exit(1);
  }
}
