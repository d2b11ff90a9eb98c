/** What pods said of trouble: the sick ones in their last run or the one before it, those that serve within the window. */
import { CallError } from "../common/errors.ts";
import type { Cluster } from "../kubernetes/api.ts";
import { type LogLine, readWindow } from "../kubernetes/log_window.ts";
import { type ErrorLine, errorLines, lastWords } from "./error_lines.ts";
import { sentenceOf } from "./unseen_text.ts";
import type { Pod } from "./workload.ts";

/** Pods whose logs are read. */
const maxLogs = 3;
/** Lines and bytes of a log that are searched for errors. */
const logTail = 2_000;
const logBytes = 256 * 1024;
/** Milliseconds that one log may take. */
const logTimeoutMs = 5_000;

/** What the last run, or the one before it, of a pod said. */
export interface PodErrors {
  readonly pod: string;
  readonly previous: boolean;
  /** Lines of trouble, or the end of a run that failed without a word of it, or of one that others wait for. */
  readonly lines: readonly ErrorLine[];
  readonly kind: "trouble" | "last words" | "awaited";
}

/** What sick pods said; a log that can't be read is told in `unseen`. */
export async function readErrors(
  cluster: Cluster,
  sick: readonly Pod[],
  signal: AbortSignal,
  unseen: string[],
): Promise<readonly PodErrors[]> {
  // Those that were restarted most have most to tell.
  const chosen = sick.filter(({ container }) => container !== undefined)
    .toSorted((a, b) => b.status.restarts - a.status.restarts);
  const read = await Promise.all(
    chosen.slice(0, maxLogs).map(async (pod): Promise<PodErrors | undefined> => {
      let ended: readonly LogLine[] = [];
      let awaited: readonly ErrorLine[] = [];
      for (const previous of pod.status.restarts > 0 ? [false, true] : [false]) {
        const lines = await readLog(cluster, pod, { signal, previous }, unseen);
        const found = errorLines(lines);
        if (found.length > 0) return { pod: pod.name, previous, lines: found, kind: "trouble" };
        if (previous || isOver(pod)) ended = lines;
        if (isInitialising(pod)) awaited = lastWords(lines).slice(-1);
      }
      if (awaited.length > 0) return { pod: pod.name, previous: false, lines: awaited, kind: "awaited" };
      const words = lastWords(ended);
      if (words.length === 0) return undefined;
      return { pod: pod.name, previous: pod.status.restarts > 0, lines: words, kind: "last words" };
    }),
  );
  return read.filter((errors) => errors !== undefined);
}

/** What pods that serve said in the last `seconds`; `slow`: what they said of slowness and retries counts as well. */
export async function readServingErrors(
  cluster: Cluster,
  pods: readonly Pod[],
  { seconds, slow }: { readonly seconds: number; readonly slow: boolean },
  signal: AbortSignal,
  unseen: string[],
): Promise<readonly PodErrors[]> {
  const read = await Promise.all(
    pods.slice(0, maxLogs).map(async (pod): Promise<PodErrors> => {
      const options = { signal, previous: false, sinceSeconds: Math.ceil(seconds) };
      const lines = errorLines(await readLog(cluster, pod, options, unseen), { slow });
      return { pod: pod.name, previous: false, lines, kind: "trouble" };
    }),
  );
  return read.filter(({ lines }) => lines.length > 0);
}

async function readLog(
  cluster: Cluster,
  pod: Pod,
  { previous, ...options }: {
    readonly signal: AbortSignal;
    readonly previous: boolean;
    readonly sinceSeconds?: number;
  },
  unseen: string[],
): Promise<readonly LogLine[]> {
  try {
    const { lines, refused } = await readWindow(cluster, pod.namespace, pod.name, {
      lines: logTail,
      bytes: logBytes,
      options: {
        ...options,
        timeoutMs: logTimeoutMs,
        previous,
        ...(pod.container === undefined ? {} : { container: pod.container }),
      },
    });
    if (refused !== undefined && !previous) unseen.push(`the log of ${pod.name}: ${refused}`);
    return lines;
  } catch (error) {
    if (options.signal.aborted || !(error instanceof CallError)) throw error;
    if (!previous) unseen.push(`the log of ${pod.name}: ${sentenceOf(error)}`);
    return [];
  }
}

/** Whether an init container runs that the others wait for. */
export function isInitialising({ status: { status }, container }: Pod): boolean {
  return /^Init:\d+\/\d+$/.test(status) && container !== undefined;
}

/** Whether its present run has ended, so that its log ends with why. */
export function isOver({ status: { status, phase } }: Pod): boolean {
  return phase === "Failed" ||
    /(^|:)(CrashLoopBackOff|Error|OOMKilled|ExitCode:\d+|Signal:\d+)$/.test(status);
}
