/** Start: from spawn to the first answers, with a warm and with a cold file cache; memory at rest; size on disk. */
import {
  alternatives,
  type Bench,
  compiled,
  executable,
  floor,
  fromSource,
  groups,
  print,
  say,
} from "../context.ts";
import { firstOf } from "../questions.ts";
import { measureStart, type StartResult, type Subject } from "../start.ts";
import { three } from "../statistics.ts";

/** Bytes of an executable. */
interface Size {
  readonly name: string;
  readonly bytes: number;
}

/** What came of it. */
export interface StartResults {
  readonly warm: readonly StartResult[];
  /** Absent where the cache can't be dropped: that takes root. */
  readonly cold: readonly StartResult[] | undefined;
  readonly sizes: readonly Size[];
}

export async function start(bench: Bench): Promise<StartResults> {
  const empty = await floor("empty");
  const oneTool = await floor("one_tool");
  const { backends } = bench;
  const subjects: Subject[] = [
    { name: "floor: an empty executable", launch: empty, silent: true },
    { name: "floor: one tool of the same SDK, compiled", launch: oneTool, first: ["empty", {}] },
  ];
  for (const group of groups) {
    const { asked } = firstOf(group);
    for (
      const { name, launch, key } of [
        compiled(group, backends),
        fromSource(group, backends),
        ...alternatives(group, bench),
      ]
    ) subjects.push({ name, launch, first: asked[key] });
  }
  const platform = compiled("platform", backends);
  subjects.push({ ...platform, first: firstOf("kubernetes").asked.ours });

  const warm = await measureStart(subjects, 15);
  report("Start, warm file cache: milliseconds from spawn to each answer, and memory at rest", warm);
  const executables = subjects.filter(({ launch }) => launch.command.startsWith("/"));
  const cold = await canDropCaches() ? await measureStart(executables, 5, dropCaches) : undefined;
  if (cold !== undefined) report("Start, cold file cache", cold);

  const denort = Deno.env.get("DENORT_BIN");
  const files = [
    ...(denort === undefined ? [] : [["Deno's runtime alone", denort] as const]),
    ...[...groups, "platform"].map((name) => [`${name}-mcp`, executable(name)] as const),
  ];
  const sizes = await Promise.all(files.map(async ([name, path]) => {
    return { name, bytes: (await Deno.stat(path)).size };
  }));
  say("\nSize on disk");
  print(
    ["executable", "MB", "times the runtime"],
    sizes.map(({ name, bytes }) => [name, three(bytes / 1e6), three(bytes / (sizes[0]?.bytes ?? NaN))]),
  );
  return { warm, cold, sizes };
}

function report(title: string, results: readonly StartResult[]): void {
  const floor = results[0]?.initialize.median ?? NaN;
  say(`\n${title}`);
  print(
    ["subject", "initialize", "±", "times the empty one", "tools/list", "first call", "MB"],
    results.map(({ name, initialize, list, first, memory, failure }) =>
      failure !== undefined ? [name, failure.slice(0, 60), "", "", "", "", ""] : [
        name,
        three(initialize.median),
        three(initialize.spread),
        three(initialize.median / floor),
        three(list?.median ?? NaN),
        three(first?.median ?? NaN),
        three((memory?.median ?? NaN) / 1e6),
      ]
    ),
  );
}

/** Deno itself writes below /proc with all permissions alone. */
async function dropCaches(): Promise<void> {
  const script = "sync && echo 1 > /proc/sys/vm/drop_caches";
  const { success } = await new Deno.Command("sh", { args: ["-c", script], stderr: "null" }).output();
  if (!success) throw new Error("Cannot drop the file cache");
}

async function canDropCaches(): Promise<boolean> {
  try {
    await dropCaches();
    return true;
  } catch {
    say("skipped: a cold file cache: only root can drop it");
    return false;
  }
}
