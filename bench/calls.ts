/** One call at a time: how long its answer takes, beside the bare work that it can't do without. */
import { summarize, type Summary } from "./statistics.ts";

/** Something to do over and over. */
export interface Work {
  readonly name: string;
  readonly once: () => Promise<unknown>;
  /** Done before, each time, and not measured. */
  readonly prepare?: () => Promise<unknown>;
}

/** Milliseconds. */
export interface CallResult {
  readonly name: string;
  readonly time: Summary;
  readonly failure: string | undefined;
}

/** Does each work `rounds` times, in turn, after `warmUp` rounds that do not count. */
export async function measureCalls(
  works: readonly Work[],
  rounds: number,
  warmUp: number,
): Promise<readonly CallResult[]> {
  const times = new Map(works.map(({ name }) => [name, [] as number[]]));
  const failures = new Map<string, string>();
  for (let round = -warmUp; round < rounds; round++) {
    for (const { name, once, prepare } of works) {
      if (failures.has(name)) continue;
      try {
        await prepare?.();
        const begun = performance.now();
        await once();
        if (round >= 0) times.get(name)?.push(performance.now() - begun);
      } catch (error) {
        failures.set(name, error instanceof Error ? error.message : String(error));
      }
    }
  }
  return works.map(({ name }) => ({
    name,
    time: summarize(times.get(name) ?? []),
    failure: failures.get(name),
  }));
}
