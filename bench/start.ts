/** From spawn to the answers of `initialize`, `tools/list` and a first call, and the memory at rest after them. */
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
  /** Bytes in memory after `tools/list`. */
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
        if (round >= 0) starts.get(subject.name)?.push(start);
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
    const { now } = await memory(client.pid);
    if (asked === undefined) return { initialize, list, memory: now };
    // What reading the memory took is not the server's.
    const resumed = performance.now();
    await client.call(...asked);
    return { initialize, list, memory: now, first: list + performance.now() - resumed };
  } finally {
    await client.close();
  }
}
