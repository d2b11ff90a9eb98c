/** How a client starts a program, by the program's own word. */
import { fileURLToPath } from "node:url";
import { denoCommand } from "../src/common/client_configuration.ts";
import { permissionSet } from "./permissions.ts";

/** A program by the name of its task and permission set; its executable is `NAME-mcp`. */
export type ProgramName = "postgres" | "prometheus" | "kubernetes" | "platform";

/** The command and arguments that a client is configured with: from source, or the executable in `dist`. */
export async function configuredCommand(
  compiled: boolean,
  program: ProgramName,
): Promise<{ command: string; args: string[] }> {
  const { mcpServers } = JSON.parse(await printedConfiguration(compiled, "mcp-json", {}, program));
  const { command, args }: { command: string; args: string[] } = mcpServers[program];
  const launcher = denoCommand();
  // This process may run its own Deno and nothing else; npx would start the very same.
  return command === "npx"
    ? { command: Deno.execPath(), args: args.slice(launcher.length - 1) }
    : { command, args };
}

/**
 * What `--print-config` prints under these variables.
 *
 * @throws {Error} in words for the person at the terminal when the program does not start
 */
export async function printedConfiguration(
  compiled: boolean,
  form: "claude-code" | "mcp-json",
  variables: Readonly<Record<string, string>>,
  program: ProgramName = "postgres",
): Promise<string> {
  const { command, args } = compiled ? compiledCommand(program) : sourceCommand(program);
  let result;
  try {
    result = await new Deno.Command(command, {
      args: [...args, "--print-config", form],
      env: { ...inheritedEnvironment(program), ...variables },
      clearEnv: true,
    }).output();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Error(`Cannot find dist/${program}-mcp: make it with deno task compile:${program}`);
  }
  if (!result.success) {
    throw new Error(`Cannot start ${program}-mcp: ${new TextDecoder().decode(result.stderr).trim()}`);
  }
  return new TextDecoder().decode(result.stdout).trim();
}

/** Of the variables that a program reads those that are no setting of it: Deno itself finds its cache by them. */
const everybodys: ReadonlySet<string> = new Set(
  ["PATH", "HOME", "USERPROFILE", "LOCALAPPDATA", "APPDATA", "SYSTEMROOT", "TMPDIR", "TEMP", "LANG"],
);

/** This process's environment without the backends and limits that the program would read of it. */
export function inheritedEnvironment(program: ProgramName): Record<string, string> {
  const { env } = permissionSet(program);
  const read = typeof env === "object" && "allow" in env ? env.allow : [];
  return Object.fromEntries(
    Object.entries(Deno.env.toObject()).filter(([name]) => !read.includes(name) || everybodys.has(name)),
  );
}

/** The configuration that gives Claude Code the sample database. */
export function sampleConfiguration(): string {
  const command = [
    ...denoCommand(),
    "task",
    "--quiet",
    "--config",
    fromProject("deno.json"),
    "serve:postgres",
    "--demo",
  ];
  return `claude mcp add --transport stdio tododb -- ${command.map(quoted).join(" ")}`;
}

function compiledCommand(program: ProgramName): { command: string; args: string[] } {
  return {
    command: fromProject(`dist/${program}-mcp${Deno.build.os === "windows" ? ".exe" : ""}`),
    args: [],
  };
}

function sourceCommand(program: ProgramName): { command: string; args: string[] } {
  const options = ["--quiet", "--no-prompt", "--config", fromProject("deno.json"), `-P=${program}`];
  return { command: Deno.execPath(), args: ["run", ...options, fromProject(`src/${program}.ts`)] };
}

function fromProject(path: string): string {
  return fileURLToPath(new URL(`../${path}`, import.meta.url));
}

function quoted(word: string): string {
  return /^[\w@%+=:,./\\-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
