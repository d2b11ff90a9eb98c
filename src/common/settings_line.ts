/** Which variables a check was given, by name: one that is misspelt shows by being absent. */
import type { Environment } from "./env.ts";
import { httpVariables } from "./http/settings.ts";
import { commonVariables, type Program } from "./program.ts";

/** One line; a program may read no other variables than its own, so that it can't name the ones that nobody reads. */
export function settingsLine(program: Program, environment: Environment): string {
  const names = [...program.variables, ...commonVariables, ...httpVariables].flatMap(({ name, secret }) =>
    secret === true ? [name, `${name}_FILE`] : [name]
  );
  const set = names.filter((name) => environment.isSet(name));
  if (set.length === 0) return "Settings: none of the variables that --help lists is set.";
  const listed = set.join(", ").replace(/, ([^,]+)$/, " and $1");
  return `Settings: ${listed} ${
    set.length === 1 ? "is" : "are"
  } set, and no other variable that --help lists.`;
}
