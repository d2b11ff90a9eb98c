/** `deno task compile`: makes the programs' executables, each with its own permissions and nothing beside them. */
import { parseArgs } from "node:util";
import { join } from "node:path";
import { BuildError, buildProgram, knownTargets } from "./build.ts";
import { narrow, narrowable, permissionFlags, permissionSet } from "./permissions.ts";
import { type Program, programs } from "./programs.ts";

const help = `Builds the executables, into dist/.

Usage: deno task compile [options]            all programs
       deno task compile:postgres [options]   one program

  --target PLATFORM   another platform, or "all"; repeat it for several
  --output PATH       the file; a folder if there are several files or PATH ends with a slash
  --net HOSTS         compile in fewer permissions: comma-separated, "none" for none at all
                      (--http needs the address that it serves on)
  --read PATHS
  --write PATHS
  --run PROGRAMS      names that deno.json grants, or absolute paths of programs with these names
  --help

Without these options, read, write and net are unrestricted, because only the user knows the database and the audit
file. A Unix socket needs read and write for its path.

DENO_COMPILE   another Deno to compile with, at least 2.7.14
DENORT_BIN     the runtime to embed if it can't be downloaded; the same version as that Deno
`;

/** What the command line asks for. */
interface Order {
  readonly programs: readonly Program[];
  readonly targets: readonly (string | undefined)[];
  readonly output: string | undefined;
  readonly narrowed: ReadonlyMap<(typeof narrowable)[number], readonly string[]>;
}

/** A command line that makes no sense: one line, exit 2. */
class UsageError extends Error {}

function readOrder(args: string[]): Order | "help" {
  const { values, positionals } = parse(args);
  if (values.help) return "help";
  const chosen = positionals.map((name) => {
    const program = programs.find((candidate) => candidate.permissions === name);
    if (program === undefined) {
      const names = programs.map(({ permissions }) => permissions).join(", ");
      throw new UsageError(`Cannot compile ${name}: the programs are ${names}`);
    }
    return program;
  });
  const narrowed = new Map(narrowable.flatMap((kind) => {
    const list = values[kind];
    if (list === undefined) return [];
    return [[kind, list === "none" ? [] : list.split(",").filter((value) => value !== "")] as const];
  }));
  return {
    programs: chosen.length > 0 ? chosen : programs,
    targets: values.target ?? [undefined],
    output: values.output,
    narrowed,
  };
}

function parse(args: string[]) {
  const text = { type: "string" } as const;
  const options = {
    target: { type: "string", multiple: true },
    output: text,
    net: text,
    read: text,
    write: text,
    run: text,
    help: { type: "boolean", short: "h" },
  } as const;
  try {
    return parseArgs({ args, allowPositionals: true, options });
  } catch (error) {
    if (error instanceof TypeError) {
      throw new UsageError(`${error.message.split(". ")[0]}: --help lists them`);
    }
    throw error;
  }
}

/** Where an executable goes. */
function outputPath(order: Order, program: Program, target: string | undefined, several: boolean): string {
  const extension = (target ?? Deno.build.target).includes("windows") ? ".exe" : "";
  const name = `${program.name}${target === undefined ? "" : `-${target}`}${extension}`;
  const { output } = order;
  if (output === undefined) return join("dist", name);
  return several || /[/\\]$/.test(output) ? join(output, name) : output;
}

async function compile(order: Order): Promise<void> {
  const plans = order.programs.map((program) => {
    let set = permissionSet(program.permissions);
    for (const [kind, values] of order.narrowed) set = narrow(set, kind, values);
    return { program, flags: permissionFlags(set) };
  });
  const targets = await expand(order.targets);
  const several = plans.length * targets.length > 1;
  const builds = plans.map(async ({ program, flags }) => {
    for (const target of targets) {
      const output = outputPath(order, program, target, several);
      await buildProgram({ program, flags, target, output, say });
    }
  });
  // Whichever fails, what the others have begun is ended.
  const failed = (await Promise.allSettled(builds)).find(({ status }) => status === "rejected");
  if (failed?.status === "rejected") throw failed.reason;
}

/** The platforms asked for; `all` is each that the compiling Deno knows. */
async function expand(targets: Order["targets"]): Promise<Order["targets"]> {
  if (targets[0] === undefined) return targets;
  const known = await knownTargets();
  const strange = targets.find((target) => target !== "all" && !known.includes(target ?? ""));
  if (strange !== undefined) {
    throw new UsageError(`Cannot compile for ${strange}: the platforms are ${known.join(", ")}`);
  }
  return targets.includes("all") ? known : targets;
}

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

if (import.meta.main) {
  try {
    const order = readOrder(Deno.args);
    if (order === "help") say(help.trimEnd());
    else await compile(order);
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof RangeError || error instanceof BuildError)) {
      throw error;
    }
    Deno.stderr.writeSync(new TextEncoder().encode(`${error.message}\n`));
    Deno.exit(error instanceof BuildError ? 1 : 2);
  }
}
