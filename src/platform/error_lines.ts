/** The lines of a log that tell of trouble, repeated ones folded. */
import { shortened } from "../common/shortened.ts";
import { count } from "../common/units.ts";
import { age } from "./age.ts";
import type { LogLine } from "../kubernetes/log_window.ts";

/** A line, and how often it came but for numbers and times. */
export interface ErrorLine {
  /** As it came last. */
  readonly text: string;
  readonly count: number;
  /** When it came last, milliseconds since 1970; undefined where the log has no times. */
  readonly last: number | undefined;
}

/** Words that a line of trouble has. */
const trouble =
  /\b(error|err|fatal|panic|critical|exception|traceback|fail|failed|failure|cannot|timeout|timed out|refused|exhausted|too many|out of memory|oom|killed|denied|unavailable|deadlock|unhealthy)\b|remaining connection slots/i;
/** Words that a line of a slow service has, besides. */
const slowness =
  /\b(warn|warning|slow|slowly|took|retry|retrying|retries|retried|delayed|latency|deadline|throttl\w+)\b/i;
/** What is not: a count of errors that is zero, a field without a value. */
const noTrouble = /\berrors?["']?\s*[:=]\s*(0|null|""|''|none|false)\b/i;
/** Characters of a line that are compared and kept. */
const longest = 300;

type Line = Pick<LogLine, "text" | "seconds">;

/** The last `limit` different lines of trouble, the latest last; `slow`: those that tell of slowness as well. */
export function errorLines(
  lines: readonly Line[],
  { limit = 5, slow = false }: { readonly limit?: number; readonly slow?: boolean } = {},
): readonly ErrorLine[] {
  const found = new Map<string, ErrorLine>();
  for (const { text: line, seconds } of lines) {
    const text = shortened(line.trim(), longest);
    if (!(trouble.test(text) || (slow && slowness.test(text))) || noTrouble.test(text)) continue;
    const key = withoutNumbers(text);
    const count = (found.get(key)?.count ?? 0) + 1;
    // Deleted first, so that the latest stands last.
    found.delete(key);
    found.set(key, { text, count, last: seconds === undefined ? undefined : seconds * 1000 });
  }
  return [...found.values()].slice(-limit);
}

/** What lines have in common that differ in numbers, times and ids alone. */
export function withoutNumbers(text: string): string {
  return text.replace(/[0-9a-f]{8,}|\d+/gi, "#");
}

/** The last two lines of a run that failed: where none of them speaks of trouble, they are all there is. */
export function lastWords(lines: readonly Line[]): readonly ErrorLine[] {
  return lines.filter(({ text }) => text.trim() !== "").slice(-2).map(({ text, seconds }) => ({
    text: shortened(text.trim(), longest),
    count: 1,
    last: seconds === undefined ? undefined : seconds * 1000,
  }));
}

/**
 * ` (6 times, last 2m ago)`, behind a line that came `times` times, or empty where there is nothing to tell. `now` is
 * milliseconds since 1970; a node's clock that is ahead of ours makes no age below zero.
 */
export function timesText(times: number, last: number | undefined, now: number): string {
  const since = last === undefined ? undefined : `${age(now - last)} ago`;
  if (times <= 1) return since === undefined ? "" : ` (${since})`;
  return ` (${count(times)} times${since === undefined ? "" : `, last ${since}`})`;
}
