/** Folds repeated lines of a log. */
import type { LogLine } from "./log_window.ts";

/** A line that came `count` times in a row, the last time as it stands here. */
export interface FoldedLine {
  readonly line: LogLine;
  /** Index of its source. */
  readonly source: number;
  readonly count: number;
  /** Of the first of them. */
  readonly first: LogLine;
}

/** Times that programs write into their own lines: they make equal lines look different. */
const OWN_TIME =
  /^\[?\d{4}[-\/]\d\d[-\/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?\]?\s?|^[IWEF]\d{4} \d\d:\d\d:\d\d\.\d{1,9}\s{1,8}\d{1,8} |\b(?:ts|time|timestamp)="?[\w:.+-]{1,40}"?|"(?:@?timestamp|ts|time)":\s?(?:"[^"]{1,40}"|[\d.]{1,24})/g;
const longestCompared = 4_096;

/** Lines that say the same, one after the other and from the same source, become one with a count. */
export function foldLines(
  lines: Iterable<{ readonly line: LogLine; readonly source: number }>,
): readonly FoldedLine[] {
  const folded: FoldedLine[] = [];
  let lastKey: string | undefined;
  for (const { line, source } of lines) {
    const key = `${source} ${
      line.text.length > longestCompared ? line.text : line.text.replace(OWN_TIME, "")
    }`;
    const last = folded.at(-1);
    if (last !== undefined && key === lastKey) {
      folded[folded.length - 1] = { ...last, line, count: last.count + 1 };
    } else folded.push({ line, source, count: 1, first: line });
    lastKey = key;
  }
  return folded;
}
