/** From spawn to the answers of `initialize`, `tools/list` and a first call, and the memory at rest. */
import { memory } from "./process.ts";
import type { Asked } from "./questions.ts";
import { type Launch, StdioClient } from "./stdio_client.ts";
import { summarize, type Summary } from "./statistics.ts";

/** One subject of the measurement. */
export interface Subject {
  readonly name: string;
  readonly launch: Launch;
  /** A call that it can answer. */
  readonly first?: Asked | undefined;
  /** It speaks no MCP: the time to its first byte is taken. */
  readonly silent?: true;
}

/** Milliseconds since the spawn. */
export interface StartResult {
  readonly name: string;
  readonly initialize: Summary;
  readonly list: Summary | undefined;
  readonly first: Summary | undefined;
  /** Bytes in memory a second after `tools/list`, when what is loaded later has been loaded. */
  readonly memory: Summary | undefined;
  readonly failure: string | undefined;
}

/** One start. */
interface Start {
  readonly initialize: number;
  readonly list?: number;
  readonly first?: number;
  readonly memory?: number;
}

/** Starts of each subject whose memory is taken. */
const memoryRounds = 5;
/** Milliseconds until a process that is asked nothing is at rest. */
const restMs = 1_000;

/** Starts each subject `rounds` times, in turn, after one round that does not count; `before` each start of all. */
export async function measureStart(
  subjects: readonly Subject[],
  rounds: number,
  before: () => Promise<void> = () => Promise.resolve(),
): Promise<readonly StartResult[]> {
  const starts = new Map(subjects.map(({ name }) => [name, [] as Start[]]));
  const failures = new Map<string, string>();
  for (let round = -1; round < rounds; round++) {
    for (const subject of subjects) {
      if (failures.has(subject.name)) continue;
      try {
        await before();
        const start = await startOnce(subject);
        const rested = round >= 0 && round < memoryRounds ? await restOnce(subject) : {};
        if (round >= 0) starts.get(subject.name)?.push({ ...start, ...rested });
      } catch (error) {
        failures.set(subject.name, error instanceof Error ? error.message : String(error));
      }
    }
  }
  return subjects.map(({ name }) => {
    const measured = starts.get(name) ?? [];
    const summary = (part: keyof Start) => {
      const values = measured.flatMap((start) => start[part] ?? []);
      return values.length === 0 ? undefined : summarize(values);
    };
    return {
      name,
      initialize: summarize(measured.map(({ initialize }) => initialize)),
      list: summary("list"),
      first: summary("first"),
      memory: summary("memory"),
      failure: failures.get(name),
    };
  });
}

async function startOnce({ launch, silent, first: asked }: Subject): Promise<Start> {
  const begun = performance.now();
  if (silent === true) {
    const child = new Deno.Command(launch.command, {
      args: [...launch.args],
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const reader = child.stdout.getReader();
    await reader.read();
    const initialize = performance.now() - begun;
    await reader.cancel();
    await child.status;
    return { initialize };
  }
  const client = new StdioClient(launch);
  try {
    await client.initialize();
    const initialize = performance.now() - begun;
    await client.request("tools/list");
    const list = performance.now() - begun;
    if (asked === undefined) return { initialize, list };
    await client.call(...asked);
    return { initialize, list, first: performance.now() - begun };
  } finally {
    await client.close();
  }
}

/** The memory of a process of its own, so that reading it delays nothing that is timed. */
async function restOnce({ launch, silent }: Subject): Promise<{ readonly memory?: number }> {
  if (silent === true) return {};
  const client = new StdioClient(launch);
  try {
    await client.initialize();
    await client.request("tools/list");
    await new Promise((resolve) => setTimeout(resolve, restMs));
    return { memory: (await memory(client.pid)).now };
  } finally {
    await client.close();
  }
}
