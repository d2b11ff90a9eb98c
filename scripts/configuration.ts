/** How a client starts postgres-mcp, by the program's own word. */
import { fileURLToPath } from "node:url";
import { denoCommand } from "../src/common/client_configuration.ts";
import { permissionSet } from "./permissions.ts";

/** The command and arguments that a client is configured with: from source, or `dist/postgres-mcp`. */
export async function configuredCommand(compiled: boolean): Promise<{ command: string; args: string[] }> {
  const { mcpServers } = JSON.parse(await printedConfiguration(compiled, "mcp-json", {}));
  const { command, args }: { command: string; args: string[] } = mcpServers.postgres;
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
): Promise<string> {
  const { command, args } = compiled ? compiledCommand() : sourceCommand();
  let result;
  try {
    result = await new Deno.Command(command, {
      args: [...args, "--print-config", form],
      env: { ...inheritedEnvironment(), ...variables },
      clearEnv: true,
    }).output();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Error("Cannot find dist/postgres-mcp: make it with deno task compile:postgres");
  }
  if (!result.success) {
    throw new Error(`Cannot start postgres-mcp: ${new TextDecoder().decode(result.stderr).trim()}`);
  }
  return new TextDecoder().decode(result.stdout).trim();
}

/** This process's environment without what postgres-mcp would read of it. */
export function inheritedEnvironment(): Record<string, string> {
  const { env } = permissionSet("postgres");
  const read = typeof env === "object" && "allow" in env ? env.allow : [];
  return Object.fromEntries(Object.entries(Deno.env.toObject()).filter(([name]) => !read.includes(name)));
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

function compiledCommand(): { command: string; args: string[] } {
  return { command: fromProject(`dist/postgres-mcp${Deno.build.os === "windows" ? ".exe" : ""}`), args: [] };
}

function sourceCommand(): { command: string; args: string[] } {
  const options = ["--quiet", "--no-prompt", "--config", fromProject("deno.json"), "-P=postgres"];
  return { command: Deno.execPath(), args: ["run", ...options, fromProject("src/postgres.ts")] };
}

function fromProject(path: string): string {
  return fileURLToPath(new URL(`../${path}`, import.meta.url));
}

function quoted(word: string): string {
  return /^[\w@%+=:,./\\-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
