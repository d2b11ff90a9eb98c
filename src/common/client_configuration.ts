/** What to paste into a client so that it starts this very program. No secret is ever part of it. */
import { resolve } from "node:path";
import type { ConfigurationForm } from "./arguments.ts";
import type { Environment } from "./env.ts";
import { commonVariables, type Program, type Variable } from "./program.ts";

/**
 * The command that starts this very Deno. One that npx keeps in its cache may be gone tomorrow: then it is npx, which
 * gets the same version again.
 */
export function denoCommand(executable: string = Deno.execPath()): readonly string[] {
  return /[\\/]_npx[\\/]/.test(executable) ? ["npx", "-y", `deno@${Deno.version.deno}`] : [executable];
}

/** The command that starts this program, with absolute paths. */
function ownCommand(program: Program): readonly string[] {
  if (Deno.build.standalone) return [Deno.execPath()];
  const root = new URL("../../", import.meta.url);
  const path = (name: string) =>
    decodeURIComponent(new URL(name, root).pathname).replace(/^\/([A-Za-z]:)/, "$1");
  return [
    ...denoCommand(),
    "run",
    "--quiet",
    "--no-prompt",
    "--config",
    path("deno.json"),
    `-P=${program.shortName}`,
    path(`src/${program.shortName}.ts`),
  ];
}

/** That command as a line for a shell. */
export function commandLine(program: Program): string {
  return ownCommand(program).map(shellQuote).join(" ");
}

/** The configuration for `claude mcp add`, or the JSON that Claude Code (`.mcp.json`) and Claude Desktop read. */
export function printConfiguration(
  program: Program,
  form: ConfigurationForm,
  environment: Environment,
): string {
  const [command = "", ...args] = ownCommand(program);
  const variables = [...program.variables, ...commonVariables];
  const values = variables.filter((variable) => variable.secret !== true).flatMap(({ name, path }) => {
    const value = environment.text(name);
    return value === undefined ? [] : [[name, path === true ? absolute(value) : value] as const];
  });
  const secrets = secretVariables(program.variables, environment);
  if (form === "mcp-json") {
    const env = Object.fromEntries([...values, ...secrets.map(({ name, path }) => [name, path] as const)]);
    return JSON.stringify({ mcpServers: { [program.shortName]: { command, args, env } } }, null, 2);
  }
  const flags = [...values, ...secrets.map(({ name, path }) => [name, path] as const)]
    .map(([name, value]) => `--env ${name}=${shellQuote(value)} `);
  return `claude mcp add ${flags.join("")}--transport stdio ${program.shortName} -- ` +
    [command, ...args].map(shellQuote).join(" ");
}

/** What is to be done before the configuration works, a line each: what to set, and which files of secrets to make. */
export function configurationNotes(program: Program, environment: Environment): readonly string[] {
  const isSet = program.variables.some(({ name }) =>
    environment.isSet(name) || environment.isSet(`${name}_FILE`)
  );
  const names = secretVariables(program.variables, environment).filter(({ isThere }) => !isThere)
    .map(({ name }) => name);
  return [
    ...(isSet ? [] : [
      `No variable of ${program.name} is set, so none is in the output: set ${
        program.firstSettings ?? "what --help lists"
      }, and run this again`,
    ]),
    ...(names.length === 0 ? [] : [
      `Secrets are left out: write each into a file that only you can read, and put its path into ${
        names.join(", ")
      }`,
    ]),
  ];
}

/** The variable that names a secret's file; what stands for its path where there is no file yet. */
interface SecretFile {
  readonly name: string;
  readonly path: string;
  readonly isThere: boolean;
}

/** The file variables of the secrets that are set; a secret without a file becomes the advice to use one. */
function secretVariables(
  variables: readonly Variable[],
  environment: Environment,
): readonly SecretFile[] {
  return variables.filter((variable) => variable.secret === true).flatMap(({ name }): SecretFile[] => {
    const path = environment.text(`${name}_FILE`);
    if (path !== undefined) return [{ name: `${name}_FILE`, path: absolute(path), isThere: true }];
    return environment.isSet(name)
      ? [{ name: `${name}_FILE`, path: `/path/to/a/file/with/${name.toLowerCase()}`, isThere: false }]
      : [];
  });
}

/** A client starts the program in a folder of its own choice. */
function absolute(path: string): string {
  return path === "stderr" ? path : resolve(path);
}

function shellQuote(text: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
