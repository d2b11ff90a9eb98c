/** What Prometheus says beside an answer, in its own words, and what this program adds. */
import { utf8Length, utf8Start } from "../common/utf8.ts";
import { visible } from "../common/visible.ts";
import { oneLine } from "./one_line.ts";
import type { Told } from "./result.ts";

/** Characters of one message of Prometheus's. */
const longest = 600;

/** Messages for an answer, each on a line: verbatim but for line breaks, hidden characters and secrets. */
export function tellable(messages: readonly string[], budget: number): string[] {
  return bounded([...new Set(messages)].map((message) => oneLine(message, longest)), budget);
}

/** As many of the lines as take an eighth of an answer's budget, the last one cut; the number of the others. */
export function bounded(lines: readonly string[], budget: number): string[] {
  let room = Math.floor(budget / 8);
  const kept: string[] = [];
  for (const [index, line] of lines.entries()) {
    const start = utf8Start(line, room);
    if (start.length < line.length) return [...kept, `${start}…`, ...others(lines.length - index - 1)];
    room -= utf8Length(line);
    kept.push(line);
  }
  return kept;
}

function others(number: number): readonly string[] {
  return number === 0 ? [] : [`(and ${number} more)`];
}

/** The same as notes of an answer that has more to say than one query. */
export function saidNotes({ warnings, infos }: Told, budget: number): string[] {
  return [
    ...tellable(warnings, budget).map((text) => `Prometheus warns: ${text}`),
    ...tellable(infos, budget).map((text) => `Prometheus notes: ${text}`),
  ];
}

/** Lines below an answer: Prometheus's warnings and infos, then our own hints. */
export function toldLines(
  { warnings = [], infos = [], hints = [] }: {
    readonly warnings?: readonly string[] | undefined;
    readonly infos?: readonly string[] | undefined;
    readonly hints?: readonly string[] | undefined;
  },
): readonly string[] {
  return [
    ...warnings.map((text) => `Prometheus warns: ${text}`),
    ...infos.map((text) => `Prometheus notes: ${text}`),
    ...hints.map((text) => `Warning: ${visible(text)}.`),
  ];
}
