/** One act of the demo: a program, started over stdio as a client starts it, and the questions it is asked. */
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { configuredCommand, inheritedEnvironment, type ProgramName } from "../configuration.ts";
import type { Screen } from "../screen.ts";

/** One step of a session. */
export interface Step {
  readonly question: string;
  readonly tool: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  /** Words that the answer must hold, or the demo has failed; none where nobody knows what it will be. */
  readonly expect?: string;
  readonly refused?: true;
}

/** What is played, and on what. */
export interface Act {
  readonly program: ProgramName;
  /** The program's settings. */
  readonly variables: Readonly<Record<string, string>>;
  readonly steps: readonly Step[];
}

/** A demo that went wrong, in words for the person in front of it. */
export class DemoError extends Error {}

/** Plays an act to its end. Throws {@linkcode DemoError} when an answer is not what it must be. */
export async function play(
  { program, variables, steps }: Act,
  screen: Screen,
  compiled: boolean,
): Promise<void> {
  const { command, args } = await configuredCommand(compiled, program);
  const transport = new StdioClientTransport({
    command,
    args,
    env: { ...inheritedEnvironment(program), ...variables },
    stderr: "pipe",
  });
  let complaint = "";
  transport.stderr?.on("data", (chunk) => complaint += chunk);
  const client = new Client({ name: "demo", version: "1" });
  const serving = screen.begin(`starting ${program}-mcp over stdio, as Claude Code does`);
  try {
    await client.connect(transport).catch((error) => {
      throw new DemoError(`Cannot start ${program}-mcp: ${error.message}`);
    });
    const { tools } = await client.listTools();
    serving(`${tools.length} tools: ${tools.map((tool) => tool.name).join(", ")};`);
    for (const step of steps) await take(step, client, screen);
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
  const given = Object.values(step.arguments)
    .map((value) => typeof value === "string" ? value : JSON.stringify(value));
  screen.call(step.tool, given.join("\n"));
  const started = performance.now();
  const result = await client.callTool({ name: step.tool, arguments: { ...step.arguments } });
  const ms = performance.now() - started;
  const text = result.content.map((part) => part.type === "text" ? part.text : "").join("\n");
  const refused = result.isError === true;
  screen.answer(text, refused ? "refused" : "answered", ms);
  if (step.expect === undefined) return;
  if (refused !== (step.refused ?? false)) {
    throw new DemoError(`That should have been ${step.refused ? "refused" : "answered"}`);
  }
  if (!text.includes(step.expect)) throw new DemoError(`The answer should have held ${step.expect}`);
}
