/** Files of secrets that others than their owner can read or write. */
import type { Environment } from "./env.ts";
import type { Program } from "./program.ts";

/** What `--check` says of each, where the system tells: it has users and modes. */
export function secretFilesToClose(program: Program, environment: Environment): readonly string[] {
  const variables = program.variables.filter(({ secret }) => secret === true).map(({ name }) =>
    `${name}_FILE`
  );
  return [...variables, "MCP_TOKENS_FILE"].flatMap((name) => {
    const path = environment.text(name);
    const mode = path === undefined ? 0 : modeOf(path);
    if ((mode & 0o022) !== 0) {
      const consequence = name === "MCP_TOKENS_FILE" ? ", and so let themselves in" : "";
      return [
        `Users other than its owner can write the file that ${name} names${consequence}: chmod 600 it.`,
      ];
    }
    return (mode & 0o004) === 0
      ? []
      : [`Every user of this machine can read the file that ${name} names: chmod 600 it.`];
  });
}

/** Its permissions; 0 where there are none. */
function modeOf(path: string): number {
  try {
    return Deno.build.os === "windows" ? 0 : Deno.statSync(path).mode ?? 0;
  } catch {
    return 0; // Whoever needs the file says what is wrong with it.
  }
}
