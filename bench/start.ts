/** From spawn to the answer of `initialize`, and to that of `tools/list`: ours, the alternatives, and the floors. */
import { type Launch, StdioClient } from "./stdio_client.ts";
import { summarize, type Summary } from "./statistics.ts";

/** One subject of the measurement. */
export interface Subject {
  readonly name: string;
  readonly launch: Launch;
  /** It speaks no MCP: the time to its first byte is taken. */
  readonly silent?: true;
}

/** Milliseconds. */
export interface StartResult {
  readonly name: string;
  readonly initialize: Summary;
  readonly list: Summary | undefined;
  readonly failure: string | undefined;
}

/** Starts each subject `rounds` times, in turn, after one round that does not count. */
export async function measureStart(
  subjects: readonly Subject[],
  rounds: number,
): Promise<readonly StartResult[]> {
  const times = new Map(
    subjects.map(({ name }) => [name, { initialize: [] as number[], list: [] as number[] }]),
  );
  const failures = new Map<string, string>();
  for (let round = -1; round < rounds; round++) {
    for (const subject of subjects) {
      if (failures.has(subject.name)) continue;
      try {
        const { initialize, list } = await startOnce(subject);
        if (round < 0) continue;
        times.get(subject.name)?.initialize.push(initialize);
        if (list !== undefined) times.get(subject.name)?.list.push(list);
      } catch (error) {
        failures.set(subject.name, error instanceof Error ? error.message : String(error));
      }
    }
  }
  return subjects.map(({ name }) => {
    const { initialize = [], list = [] } = times.get(name) ?? {};
    return {
      name,
      initialize: summarize(initialize),
      list: list.length === 0 ? undefined : summarize(list),
      failure: failures.get(name),
    };
  });
}

async function startOnce({ launch, silent }: Subject): Promise<{ initialize: number; list?: number }> {
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
    return { initialize, list: performance.now() - begun };
  } finally {
    await client.close();
  }
}
