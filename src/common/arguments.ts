/** The command line that all programs share. */
import { parseArgs } from "@std/cli";
import { StartError } from "./errors.ts";
import { nearest } from "./nearest.ts";
import { type ListenAddress, parseListenAddress } from "./listen_address.ts";

/** Which clients `--print-config` knows. */
export const configurationForms = ["claude-code", "mcp-json"] as const;
export type ConfigurationForm = (typeof configurationForms)[number];

/** What a program was asked to do. */
export type Command =
  | { readonly name: "serve"; readonly http: ListenAddress | undefined }
  | { readonly name: "check"; readonly http: ListenAddress | undefined }
  | { readonly name: "help" }
  | { readonly name: "version" }
  | { readonly name: "new-token"; readonly client: string }
  | { readonly name: "print-config"; readonly form: ConfigurationForm };

/** The options, and what each that has a value needs. */
const options = {
  help: { type: "boolean", short: "h" },
  version: { type: "boolean", short: "V" },
  check: { type: "boolean" },
  demo: { type: "boolean" },
  http: { type: "string" },
  "new-token": { type: "string" },
  "print-config": { type: "string" },
} as const;
const needs: Readonly<Record<string, string>> = {
  "--new-token": "the name of a client",
  "--print-config": configurationForms.join(" or "),
};

/** What the name of a token may be, as the token file has it. */
const tokenName = /^[A-Za-z0-9._-]{1,64}$/;

/** Reads the arguments. Throws {@linkcode StartError} with one line for an argument it does not know. */
export function parseCommand(args: readonly string[]): Command {
  let values;
  try {
    ({ values } = parseArgs({
      args: withDefaultAddress(args),
      strict: true,
      allowPositionals: false,
      options,
    }));
  } catch (error) {
    // An argument that is none of ours may be a connection URL with its password: it is never repeated.
    const [, option] =
      /'(-{1,2}[a-z][a-z-]{0,30})( <value>)?'/.exec(error instanceof Error ? error.message : "") ?? [];
    throw new StartError(
      option === undefined
        ? "Unexpected argument: backends are named in environment variables, which --help lists"
        : misuse(option),
    );
  }
  if (values.help === true) return { name: "help" };
  if (values.version === true) return { name: "version" };
  if (values.demo === true) {
    throw new StartError(
      "--demo works from source only: deno task serve:postgres --demo, or deno task serve:platform --demo",
    );
  }
  for (const alone of ["print-config", "new-token"] as const) {
    if (values[alone] === undefined) continue;
    const other = Object.keys(values).find((name) => name !== alone);
    if (other !== undefined) throw new StartError(`--${alone} cannot be combined with --${other}`);
  }
  const client = values["new-token"];
  if (client !== undefined) {
    if (!tokenName.test(client)) {
      throw new StartError("--new-token takes a name of 1 to 64 characters: letters, digits, dot, _ and -");
    }
    return { name: "new-token", client };
  }
  const chosen = values["print-config"];
  if (chosen !== undefined) {
    const form = configurationForms.find((candidate) => candidate === chosen);
    if (form === undefined) {
      throw new StartError(`--print-config must be one of ${configurationForms.join(", ")}`);
    }
    return { name: "print-config", form };
  }
  const http = values.http === undefined ? undefined : parseListenAddress(values.http);
  return { name: values.check === true ? "check" : "serve", http };
}

/** What is wrong with an option that can't be used as it was: it is unknown, or has a value too much or too little. */
function misuse(option: string): string {
  const names = Object.keys(options).map((name) => `--${name}`);
  if (needs[option] !== undefined) return `${option} needs ${needs[option]}`;
  if (names.includes(option)) return `${option} takes no value`;
  const [near] = option.startsWith("--") ? nearest(option, names, 1) : [];
  return `unknown option ${option}: ${
    near === undefined ? "--help lists the arguments" : `did you mean ${near}?`
  }`;
}

/** `parseArgs` knows no option whose value may be left out: a bare `--http` gets an empty one. */
function withDefaultAddress(args: readonly string[]): string[] {
  return args.map((argument, at) => {
    const next = args[at + 1];
    return argument === "--http" && (next === undefined || next.startsWith("-")) ? "--http=" : argument;
  });
}
