/**
 * `deno task demo`: asks a sample database what people ask theirs, through postgres-mcp as a client such as
 * Claude Code starts it; then Prometheus, Kubernetes and all of them together, where they are at hand.
 * `--compiled` takes the executables in dist/ instead of the source.
 */
import { fileURLToPath } from "node:url";
import { printedConfiguration, sampleConfiguration } from "./configuration.ts";
import { questions } from "./demo/sample_questions.ts";
import { DemoError, play } from "./demo/session.ts";
import { startSampleDatabase } from "./sample_database.ts";
import { Screen, terminal } from "./screen.ts";

async function sampleAct(screen: Screen, compiled: boolean): Promise<void> {
  screen.title("postgres-mcp: from a question to a safe answer");
  const ready = screen.begin("starting a sample PostgreSQL");
  await using database = await startSampleDatabase();
  ready("1,000 users, 8,000 todos, 5,000 events");
  const variables = {
    DB_HOST: database.host,
    DB_PORT: String(database.port),
    DB_NAME: database.database,
    DB_USER: database.user,
    DB_SSLMODE: "disable",
  };
  await play({ program: "postgres", variables, steps: questions }, screen, compiled);
}

/** The acts on real parts, in a process of their own: they start servers, which takes permissions that this one lacks. */
async function furtherActs(compiled: boolean): Promise<void> {
  const fromProject = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));
  const options = ["--quiet", "--no-prompt", "--config", fromProject("deno.json"), "-P=test"];
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      ...options,
      fromProject("scripts/demo/further_acts.ts"),
      ...(compiled ? ["--compiled"] : []),
    ],
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).output();
  if (!success) throw new DemoError("See above.");
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
    await sampleAct(screen, compiled);
    await furtherActs(compiled);
    await farewell(screen, compiled);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    Deno.stderr.writeSync(new TextEncoder().encode(`\nThe demo failed. ${message}\n`));
    Deno.exit(1);
  }
}
