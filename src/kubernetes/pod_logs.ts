/** Reads the logs of several containers at once, chooses lines, merges them by time, and follows them. */
import { couldNotAnswer } from "../common/errors.ts";
import type { Cluster, LogOptions } from "./api.ts";
import { TooLargeError } from "./door.ts";
import type { LineTest } from "./log_pattern.ts";
import type { LogSource } from "./log_sources.ts";
import { byTime, type LogLine, type LogWindow, readLogLine, readWindow } from "./log_window.ts";
import { StatusError } from "./status_error.ts";

/** Which part of the logs is wanted. */
export interface LogsWanted {
  readonly tail: number;
  readonly test: LineTest | undefined;
  readonly previous: boolean;
  readonly sinceSeconds: number | undefined;
  readonly sinceTime: string | undefined;
  /** Seconds to wait for new lines. */
  readonly followSeconds: number;
  readonly signal: AbortSignal;
  /** Hears of new lines. */
  readonly progress: (message: string) => void;
}

/** A line and the index of its source. */
export interface SourceLine {
  readonly line: LogLine;
  readonly source: number;
}

/** What was found in the logs. */
export interface Logs {
  /** In the order of their times, the last `tail` and whatever came while they were followed. */
  readonly lines: readonly SourceLine[];
  /** Lines that were wanted, those before the last `tail` included. */
  readonly matched: number;
  /** Lines read, and their bytes. */
  readonly read: number;
  readonly bytes: number;
  /** Nothing stands before what was read. */
  readonly whole: boolean;
  /** The same, lines included that were wanted and are more than `tail`. */
  readonly searchedWhole: boolean;
  readonly cut: boolean;
  /** Lines that were searched only as far as the test looks. */
  readonly searchedInPart: number;
  /** By source: why it has no log. */
  readonly refused: readonly (string | undefined)[];
  /** Lines that came while they were followed. */
  readonly followed: number;
  /** By source: why it was followed no longer; undefined where nothing went wrong. */
  readonly lost: readonly (string | undefined)[];
}

/** Bytes that are read for one call, over all containers. */
const windowBytes = 4 * 1024 * 1024;
/** Lines that are looked at where a pattern chooses, over all containers. */
const windowLines = 20_000;
/** New lines that one call takes. */
const followedLines = 2_000;
/** Milliseconds after which other work gets its turn. */
const turnMs = 20;

/** Reads, and follows. Cancelled by the signal at once. */
export async function readLogs(
  cluster: Cluster,
  namespace: string,
  sources: readonly LogSource[],
  wanted: LogsWanted,
): Promise<Logs> {
  const parts = Math.max(1, sources.length);
  const windows = await withoutFailures(
    sources.map(({ pod, container }) =>
      readWindow(cluster, namespace, pod, {
        lines: wanted.test === undefined
          ? wanted.tail
          : Math.max(wanted.tail, Math.floor(windowLines / parts)),
        bytes: Math.floor(windowBytes / parts),
        options: logOptions(container, wanted),
      })
    ),
  );
  wanted.signal.throwIfAborted();
  const { test } = wanted;
  let searchedInPart = 0;
  const isWanted = ({ text }: LogLine): boolean => {
    if (test !== undefined && text.length > test.longest) searchedInPart++;
    return test?.(text) ?? true;
  };
  const chosen: SourceLine[] = [];
  let begun = performance.now();
  for (const [source, { lines }] of windows.entries()) {
    for (const line of lines) {
      if (isWanted(line)) chosen.push({ line, source });
      if (performance.now() - begun < turnMs) continue;
      await turn(wanted.signal);
      begun = performance.now();
    }
  }
  if (sources.length > 1) chosen.sort((a, b) => byTime(a.line, b.line));
  const lines = chosen.slice(-wanted.tail);
  const followed = wanted.followSeconds > 0
    ? await follow(
      cluster,
      namespace,
      sources,
      windows.map((window) => window.lines.at(-1)),
      isWanted,
      wanted,
    )
    : { lines: [], lost: [] };
  return {
    lines: [...lines, ...followed.lines],
    matched: chosen.length + followed.lines.length,
    read: windows.reduce((sum, window) => sum + window.lines.length, followed.lines.length),
    bytes: windows.reduce((sum, window) => sum + window.bytes, 0),
    whole: windows.every((window) => window.whole) && chosen.length <= wanted.tail,
    searchedWhole: windows.every((window) => window.whole),
    cut: windows.some((window) => window.cut),
    searchedInPart,
    refused: windows.map((window) => window.refused),
    followed: followed.lines.length,
    lost: followed.lost,
  };
}

/** Of several logs those that could be read, with the reason of the others: a node that is down has one of them. */
async function withoutFailures(reading: readonly Promise<LogWindow>[]): Promise<readonly LogWindow[]> {
  const settled = await Promise.allSettled(reading);
  if (!settled.some(({ status }) => status === "fulfilled")) return await Promise.all(reading);
  return settled.map((one) => {
    if (one.status === "fulfilled") return one.value;
    if (!couldNotAnswer(one.reason)) throw one.reason;
    return { lines: [], bytes: 0, whole: false, cut: false, refused: one.reason.message };
  });
}

function logOptions(container: string, wanted: LogsWanted): LogOptions {
  return {
    container,
    previous: wanted.previous,
    sinceSeconds: wanted.sinceSeconds,
    sinceTime: wanted.sinceTime,
    signal: wanted.signal,
  };
}

/** New lines of all sources, in the order in which they come, until the time is over or every container has ended. */
async function follow(
  cluster: Cluster,
  namespace: string,
  sources: readonly LogSource[],
  last: readonly (LogLine | undefined)[],
  isWanted: (line: LogLine) => boolean,
  wanted: LogsWanted,
): Promise<{ readonly lines: readonly SourceLine[]; readonly lost: readonly (string | undefined)[] }> {
  const end = new AbortController();
  const timer = setTimeout(() => end.abort(), wanted.followSeconds * 1000);
  const signal = AbortSignal.any([wanted.signal, end.signal]);
  const found: SourceLine[] = [];
  const recent: { readonly at: number; readonly text: string }[] = [];
  const take = (source: number, line: LogLine) => {
    found.push({ line, source });
    // What came in the last second: clients are told once a second.
    const now = performance.now();
    recent.push({ at: now, text: line.text.slice(0, 300) });
    while (recent.length > 20 || (recent[0] !== undefined && recent[0].at < now - 1_000)) recent.shift();
    wanted.progress(recent.map(({ text }) => text).join("\n"));
    if (found.length >= followedLines) end.abort();
  };
  const one = async ({ pod, container }: LogSource, source: number): Promise<string | undefined> => {
    const before = last[source];
    try {
      const lines = cluster.logs(namespace, pod, {
        container,
        follow: true,
        timestamps: true,
        ...(before === undefined || before.stamp === "" ? { tailLines: 0 } : { sinceTime: before.stamp }),
        signal,
        timeoutMs: wanted.followSeconds * 1000 + 5_000,
        maxBytes: windowBytes,
      });
      let begun = performance.now();
      for await (const text of lines) {
        if (performance.now() - begun >= turnMs) {
          await turn(wanted.signal);
          begun = performance.now();
        }
        // What is already here does not end with the request.
        if (end.signal.aborted) break;
        const line = readLogLine(text);
        // `sinceTime` is inclusive, and in whole seconds.
        if (before !== undefined && byTime(line, before) <= 0) continue;
        if (isWanted(line)) take(source, line);
      }
    } catch (error) {
      // The time is over, enough was read, or the container has no log yet: what came is the answer.
      const over = end.signal.aborted || error instanceof TooLargeError ||
        (error instanceof StatusError && (error.code === 400 || error.code === 404));
      if (wanted.signal.aborted) throw error;
      if (over) return undefined;
      // The apiserver went away in the middle: what was read is worth more than the failure.
      if (couldNotAnswer(error)) return error.message;
      throw error;
    }
    return undefined;
  };
  try {
    return { lines: found, lost: await Promise.all(sources.map(one)) };
  } finally {
    clearTimeout(timer);
    end.abort();
  }
}

/** Lets other work go on; throws the signal's reason once it is aborted. */
async function turn(signal: AbortSignal): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 0));
  signal.throwIfAborted();
}
