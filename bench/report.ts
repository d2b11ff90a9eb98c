/** docs/benchmarks.md and its charts, out of what was measured last. */
import { join } from "node:path";
import type { CallResult } from "./calls.ts";
import type { ManyResults } from "./benchmarks/many.ts";
import type { Attempt } from "./benchmarks/promises.ts";
import type { Grown } from "./benchmarks/size.ts";
import type { Held } from "./benchmarks/soak.ts";
import type { StartResults } from "./benchmarks/start.ts";
import type { TokenResults } from "./benchmarks/tokens.ts";
import { project } from "./context.ts";
import {
  aimSection,
  callSection,
  manySection,
  promiseSection,
  sizeSection,
  soakSection,
  startSection,
  tokenSection,
  write,
} from "./report_sections.ts";

/** A file of bench/results. */
interface Kept<Result> {
  readonly machine: {
    readonly date: string;
    readonly cores: number;
    readonly deno: string;
    readonly target: string;
    readonly peers: readonly string[];
  };
  readonly result: Result;
}

/** Writes the page; a benchmark that was not run is left out, and named. */
export async function writeReport(): Promise<void> {
  const parts: string[] = [];
  const missing: string[] = [];
  let machine: Kept<unknown>["machine"] | undefined;
  const section = async <Result>(name: string, write: (result: Result) => Promise<string> | string) => {
    const kept = await read<Result>(name);
    if (kept === undefined) return void missing.push(name);
    machine ??= kept.machine;
    parts.push(await write(kept.result));
  };
  await section<readonly Attempt[]>("promises", promiseSection);
  parts.push(aimSection({
    start: (await read<StartResults>("start"))?.result,
    call: (await read<Readonly<Record<string, readonly CallResult[]>>>("call"))?.result,
    many: (await read<ManyResults>("many"))?.result,
    tokens: (await read<TokenResults>("tokens"))?.result,
  }));
  await section<StartResults>("start", startSection);
  await section<Readonly<Record<string, readonly CallResult[]>>>("call", callSection);
  await section<ManyResults>("many", manySection);
  await section<readonly Grown[]>("size", sizeSection);
  await section<TokenResults>("tokens", tokenSection);
  await section<readonly Held[]>("soak", soakSection);
  if (machine === undefined) throw new Error("Nothing was measured yet: run deno task bench first");
  const { date, cores, deno, target, peers } = machine;
  const page = [
    "# Benchmarks",
    "",
    "Written by `deno task bench`, which starts a real PostgreSQL, Prometheus and Kubernetes control plane, installs the",
    "alternatives, and measures everything in turn in the same run. Compare figures within a table; figures from",
    "different machines are not comparable. Every subject is a process over stdio unless it says HTTP. `±` is half the",
    "interquartile range.",
    "",
    `Last run: ${date}, ${cores} cores, ${target}, Deno ${deno}. Alternatives: ${peers.join(", ")}.`,
    ...(missing.length === 0 ? [] : ["", `Not measured in that run: ${missing.join(", ")}.`]),
    "",
    ...parts,
  ].join("\n");
  await write("docs/benchmarks.md", `${page.trimEnd()}\n`);
}

async function read<Result>(name: string): Promise<Kept<Result> | undefined> {
  try {
    return JSON.parse(await Deno.readTextFile(join(project, "bench/results", `${name}.json`)));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
