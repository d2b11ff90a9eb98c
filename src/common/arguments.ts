/** The command line that all programs share. */
import { parseArgs } from "@std/cli";
import { StartError } from "./errors.ts";

/** Which clients `--print-config` knows. */
export const configurationForms = ["claude-code", "mcp-json"] as const;
export type ConfigurationForm = (typeof configurationForms)[number];

/** What a program was asked to do. */
export type Command =
  | { readonly name: "serve" }
  | { readonly name: "check" }
  | { readonly name: "help" }
  | { readonly name: "version" }
  | { readonly name: "print-config"; readonly form: ConfigurationForm };

/** Reads the arguments. Throws {@linkcode StartError} with one line for an argument it does not know. */
export function parseCommand(args: readonly string[]): Command {
  let values;
  try {
    ({ values } = parseArgs({
      args: [...args],
      strict: true,
      allowPositionals: false,
      options: {
        help: { type: "boolean", short: "h" },
        version: { type: "boolean", short: "V" },
        check: { type: "boolean" },
        demo: { type: "boolean" },
        "print-config": { type: "string" },
      },
    }));
  } catch (error) {
    // An argument that is none of ours may be a connection URL with its password: it is never repeated.
    const [, option] =
      /'(-{1,2}[a-z][a-z-]{0,30})( <value>)?'/.exec(error instanceof Error ? error.message : "") ?? [];
    throw new StartError(
      option === undefined
        ? "Unexpected argument: the database is named in the environment, DATABASE_URL for one; --help lists all"
        : `The option ${option} can't be used so: --help lists the arguments`,
    );
  }
  if (values.help === true) return { name: "help" };
  if (values.version === true) return { name: "version" };
  if (values.demo === true) {
    throw new StartError("--demo works from source only: deno task serve:postgres --demo");
  }
  const chosen = values["print-config"];
  if (chosen !== undefined) {
    const form = configurationForms.find((candidate) => candidate === chosen);
    if (form === undefined) {
      throw new StartError(`--print-config must be one of ${configurationForms.join(", ")}`);
    }
    return { name: "print-config", form };
  }
  return values.check === true ? { name: "check" } : { name: "serve" };
}
