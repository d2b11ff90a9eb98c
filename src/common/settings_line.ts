/** Which variables a check was given, by name: one that is misspelt shows by being absent. */
import type { Environment } from "./env.ts";
import { httpVariables } from "./http/settings.ts";
import { listed } from "./listing.ts";
import { commonVariables, type Program } from "./program.ts";

/** One line; a program may read no other variables than its own, so that it can't name the ones that nobody reads. */
export function settingsLine(program: Program, environment: Environment): string {
  const names = [...program.variables, ...commonVariables, ...httpVariables].flatMap(({ name, secret }) =>
    secret === true ? [name, `${name}_FILE`] : [name]
  );
  const { variables = [], replaced = [] } = program.sample ?? {};
  const set = names.filter((name) => environment.isSet(name) && !variables.includes(name));
  const instead = replaced.length === 0
    ? ""
    : ` The sample database takes the place of ${listed(replaced)}, which ${areOrIs(replaced)} set.`;
  if (set.length === 0) {
    return `Settings: none of the variables that --help lists is ${
      replaced.length === 0 ? "set" : "read"
    }.${instead}`;
  }
  return `Settings: ${listed(set)} ${areOrIs(set)} set, and no other variable that --help lists.${instead}`;
}

function areOrIs(names: readonly string[]): string {
  return names.length === 1 ? "is" : "are";
}
