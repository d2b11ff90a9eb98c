/** What the last run, or the one before it, of sick pods said. */
import { CallError } from "../common/errors.ts";
import type { Cluster } from "../kubernetes/api.ts";
import { type LogLine, readLogLine } from "../kubernetes/log_window.ts";
import { type ErrorLine, errorLines } from "./error_lines.ts";
import { sentenceOf } from "./unseen_text.ts";
import type { Pod } from "./workload.ts";

/** Sick pods whose logs are read. */
const maxLogs = 3;
/** Lines of a log that are searched for errors. */
const logTail = 200;
/** Milliseconds that one log may take. */
const logTimeoutMs = 5_000;

/** What the last run, or the one before it, of a pod said. */
export interface PodErrors {
  readonly pod: string;
  readonly previous: boolean;
  readonly lines: readonly ErrorLine[];
}

/** What sick pods last said; a log that can't be read is told in `unseen`. */
export async function readErrors(
  cluster: Cluster,
  sick: readonly Pod[],
  signal: AbortSignal,
  unseen: string[],
): Promise<readonly PodErrors[]> {
  // Those that were restarted most have most to tell.
  const chosen = sick.filter(({ container }) => container !== undefined)
    .sort((a, b) => b.status.restarts - a.status.restarts).slice(0, maxLogs);
  const read = await Promise.all(chosen.map(async (pod): Promise<PodErrors | undefined> => {
    for (const previous of pod.status.restarts > 0 ? [false, true] : [false]) {
      const lines: LogLine[] = [];
      try {
        for await (
          const line of cluster.logs(pod.namespace, pod.name, {
            signal,
            timeoutMs: logTimeoutMs,
            tailLines: logTail,
            timestamps: true,
            previous,
            ...(pod.container === undefined ? {} : { container: pod.container }),
          })
        ) lines.push(readLogLine(line));
      } catch (error) {
        if (signal.aborted || !(error instanceof CallError)) throw error;
        if (!previous) unseen.push(`the log of ${pod.name}: ${sentenceOf(error)}`);
        continue;
      }
      const found = errorLines(lines);
      if (found.length > 0) return { pod: pod.name, previous, lines: found };
    }
    return undefined;
  }));
  return read.filter((errors) => errors !== undefined);
}
