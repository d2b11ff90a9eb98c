/**
 * Builds one executable: `deno bundle` makes one file of the program, `deno compile` puts it, the packages that
 * must stay whole and the runtime into one executable.
 */
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import manifest from "../deno.json" with { type: "json" };
import type { Program } from "./programs.ts";

/** What to build. */
export interface Build {
  readonly program: Program;
  /** Permission flags of `deno compile`. */
  readonly flags: readonly string[];
  /** A platform of {@linkcode knownTargets}; undefined for this machine's. */
  readonly target: string | undefined;
  /** The executable's path. It appears there when it is whole. */
  readonly output: string;
  readonly say: (line: string) => void;
  /** The SDK as it comes, with all that it loads: what the bench measures ours against. */
  readonly plain?: boolean;
}

/** A build that failed for a reason that its message explains. */
export class BuildError extends Error {
  override readonly name = "BuildError";
}

const project = fileURLToPath(new URL("..", import.meta.url));

/**
 * CommonJS packages keep their calls of `require`, for Node's own modules alone, and the bundle makes one for them out
 * of `node:module`: whose loading takes a tenth of a start. The runtime gives its own modules without.
 */
const madeRequire =
  /import\s*\{\s*createRequire as (\w+)\s*\}\s*from\s*"node:module";\s*var (\w+)\s*=\s*\1\(import\.meta\.url\);/;

/**
 * What the SDK takes by the kind of runtime: Node's `process` for a transport that is not used here, and the JSON Schema
 * library that checks what a user fills in for a server that asks. Ours ask nothing, and a client would wait for it to load.
 */
const sdkShims = "@modelcontextprotocol/server/_shims";
const ownShims = `export class DefaultJsonSchemaValidator {
  getValidator() {
    throw new Error("This program has no JSON Schema validator");
  }
}
export const process = globalThis.process;
`;

/**
 * The same program in ASCII alone: one letter that is not Latin, and the whole file takes two bytes a letter in memory. The
 * bundler spells out those in strings, and leaves those in patterns.
 */
export function inAscii(script: string): string {
  // By code units: a pattern reads two halves of a pair as the whole.
  return script.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Builds the executable. Throws {@linkcode BuildError} when a step fails; nothing is left half-written. */
export async function buildProgram(build: Build): Promise<void> {
  const { program, target, output, say, plain = false } = build;
  const started = performance.now();
  const workshop = await Deno.makeTempDir({ prefix: `${program.name}-` });
  await Deno.mkdir(dirname(output), { recursive: true });
  const unfinished = join(dirname(output), `.${Deno.pid}-${basename(output)}`);
  try {
    say(`${program.name}: bundling ${program.entry}`);
    const bundle = await bundleProgram(program, workshop, plain ? [] : [sdkShims]);
    const platform = target ?? Deno.build.target;
    const fetches = Deno.env.get("DENORT_BIN") ? "" : " (the first time fetches Deno's runtime)";
    say(`${program.name}: compiling for ${platform}${fetches}`);
    const options = target === undefined ? [] : ["--target", target];
    await deno(compiler(), [
      ...["compile", "--quiet", "--no-prompt", "--no-check", "--config", join(workshop, "deno.json")],
      // The runtime would keep the compiled code of the first start in the folder for temporary files, and run what it
      // finds there at the next: on a machine with other users, whatever one of them has put there.
      "--no-code-cache",
      // For src/common/garbage.ts.
      "--v8-flags=--expose-gc",
      ...[...build.flags, ...options, "--output", unfinished, bundle],
    ], explainCompile);
    await Deno.rename(unfinished, output);
  } finally {
    await Deno.remove(workshop, { recursive: true });
    await Deno.remove(unfinished).catch(() => {});
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const megabytes = ((await Deno.stat(output)).size / 1e6).toFixed(1);
  say(`${output}  ${megabytes} MB  ${seconds} s`);
  for (const flag of ["--no-prompt", ...build.flags]) flagLines(flag).forEach(say);
}

/** A flag as lines of at most 100 characters, indented, the further ones more. */
export function flagLines(flag: string): readonly string[] {
  const lines: string[] = [];
  let line = " ";
  for (const value of flag.replaceAll(",", ", ").split(" ")) {
    if (line.trim() !== "" && line.length + 1 + value.length > 100) {
      lines.push(line);
      line = "   ";
    }
    line += ` ${value}`;
  }
  return [...lines, line];
}

/**
 * Bundles a program, beside a deno.json that knows the packages kept whole; what it imports when it is needed stays in
 * files of its own. The path of the first file.
 */
async function bundleProgram(
  program: Program,
  workshop: string,
  replaced: readonly string[],
): Promise<string> {
  await deno(Deno.execPath(), [
    ...["bundle", "--quiet", "--minify", "--code-splitting", "--config", join(project, "deno.json")],
    ...[...replaced, ...program.whole].flatMap((name) => ["--external", name]),
    ...["--outdir", workshop, join(project, program.entry)],
  ], (complaint) => `Cannot bundle ${program.entry}: ${complaint}`);
  for await (const { name } of Deno.readDir(workshop)) {
    const text = await Deno.readTextFile(join(workshop, name));
    await Deno.writeTextFile(
      join(workshop, name),
      inAscii(text.replace(madeRequire, "var $2=(name)=>process.getBuiltinModule(name);")),
    );
  }

  const known: Readonly<Record<string, string>> = manifest.imports;
  const packages = Object.fromEntries(program.whole.map((name) => [name, known[name]]));
  const own = replaced.map((name) => [name, "./sdk_shims.js"]);
  const imports = { ...packages, ...Object.fromEntries(own) };
  await Deno.writeTextFile(join(workshop, "sdk_shims.js"), ownShims);
  await Deno.writeTextFile(join(workshop, "deno.json"), JSON.stringify({ imports, nodeModulesDir: "none" }));
  // The checksums of these packages stay the ones that were reviewed.
  await Deno.copyFile(join(project, "deno.lock"), join(workshop, "deno.lock"));
  return join(workshop, `${basename(program.entry, ".ts")}.js`);
}

/** The platforms that the compiling Deno knows, in its own words. */
export async function knownTargets(): Promise<string[]> {
  // There is no command that lists them, but a wrong one is answered with the list.
  const { stderr } = await new Deno.Command(compiler(), {
    args: ["compile", "--target", "unknown", "unknown.js"],
    env: { NO_COLOR: "1" },
    stdout: "null",
    stderr: "piped",
  }).output();
  const list = new TextDecoder().decode(stderr).match(/possible values: ([a-z0-9_, -]+)/)?.[1];
  if (list === undefined) throw new BuildError("Cannot find out which platforms deno compile knows");
  return list.split(", ");
}

function compiler(): string {
  return Deno.env.get("DENO_COMPILE") || Deno.execPath();
}

async function deno(path: string, args: string[], explain: (complaint: string) => string): Promise<void> {
  // Deno 2.7 trusts its own list of authorities alone unless told otherwise; 2.9 the system's too.
  const env = { NO_COLOR: "1", DENO_TLS_CA_STORE: Deno.env.get("DENO_TLS_CA_STORE") ?? "mozilla,system" };
  const command = new Deno.Command(path, { args, env, stdout: "null", stderr: "piped" });
  let result;
  try {
    result = await command.output();
  } catch (error) {
    throw new BuildError(`Cannot run ${path}: ${error instanceof Error ? error.message : error}`);
  }
  if (!result.success) {
    const [complaint = ""] = new TextDecoder().decode(result.stderr).split("Stack backtrace:");
    throw new BuildError(explain(complaint.trim().replace(/^error: /, "")));
  }
}

/** `deno compile`'s complaint as one message: its own words, or what to do when the runtime can't be had. */
export function explainCompile(complaint: string): string {
  const address = complaint.match(/https:\/\/\S+\/(denort-[^\s/)]+\.zip)/);
  if (address !== null) {
    return `Cannot download Deno's runtime: ${address[0]} can't be reached. ` +
      `Get that file elsewhere, unpack it, and set DENORT_BIN to the path of its denort`;
  }
  return `Cannot compile: ${complaint}`;
}
