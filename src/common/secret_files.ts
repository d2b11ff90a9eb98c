/** Files of secrets that others than their owner can read. */
import type { Environment } from "./env.ts";
import type { Program } from "./program.ts";

/** The variables that name such files, where the system tells: it has users and modes. */
export function secretFilesToClose(program: Program, environment: Environment): readonly string[] {
  const variables = program.variables.filter(({ secret }) => secret === true).map(({ name }) =>
    `${name}_FILE`
  );
  return [...variables, "MCP_TOKENS_FILE"].filter((name) => {
    const path = environment.text(name);
    return path !== undefined && isOpenToAll(path);
  });
}

function isOpenToAll(path: string): boolean {
  try {
    const { mode } = Deno.statSync(path);
    return Deno.build.os !== "windows" && mode !== null && (mode & 0o004) !== 0;
  } catch {
    return false; // Whoever needs the file says what is wrong with it.
  }
}
