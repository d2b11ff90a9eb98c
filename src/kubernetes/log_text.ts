/** Logs in an answer. */
import * as z from "zod";
import { cutText } from "../common/cell.ts";
import { filled } from "../common/structured.ts";
import { count, plural, size } from "../common/units.ts";
import { visible } from "../common/visible.ts";
import { humanDuration } from "./kubernetes_age.ts";
import { type FoldedLine, foldLines } from "./log_fold.ts";
import { agoText, type LogSource } from "./log_sources.ts";
import { endingText } from "./pod_summary.ts";
import type { Logs } from "./pod_logs.ts";

/** What the tool found out. */
export interface FoundLogs {
  readonly context: string;
  readonly namespace: string;
  readonly sources: readonly LogSource[];
  readonly logs: Logs;
  /** Containers of the one pod whose logs were not asked for. */
  readonly others: readonly string[];
  readonly notes: readonly string[];
  /** What the pods have in common, when they were not named. */
  readonly about: string | undefined;
  readonly previous: boolean;
  readonly timestamps: boolean;
  readonly filtered: boolean;
  readonly followSeconds: number | undefined;
  readonly narrowedInTime: boolean;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** The structured content. */
export const logOutput = z.object({
  context: z.string(),
  namespace: z.string(),
  of: z.string().optional().describe("What the pods have in common"),
  previous: z.boolean().optional().describe("Of the run before the last restart"),
  sources: z.array(z.object({
    pod: z.string(),
    container: z.string(),
    state: z.string(),
    restarts: z.number(),
    last_ended: z.string().optional().describe("How the run before this one ended"),
    has_previous: z.boolean().optional(),
    problem: z.string().optional().describe("Why it has no log"),
  })),
  notes: z.array(z.string()).optional(),
  read: z.number().describe("Log lines read"),
  matched: z.number().describe("Log lines wanted within what was read"),
  shown: z.number().describe("Entries of lines"),
  whole: z.boolean().describe("No older lines are left out"),
  followed: z.number().optional().describe("Lines that came while following"),
  lines: z.array(z.string()).describe("Oldest first; (xN) after one that came N times in a row"),
});

/** Bytes of one line, and of one that is no text. */
const lineBytes = 2_000;
const binaryBytes = 160;

const folds = new WeakMap<FoundLogs, readonly FoldedLine[]>();

function folded(found: FoundLogs): readonly FoldedLine[] {
  let lines = folds.get(found);
  if (lines === undefined) folds.set(found, lines = foldLines(found.logs.lines));
  return lines;
}

/** Builds the structured content. */
export const logAnswer = {
  /** Entries that can be shown. */
  items: (found: FoundLogs): number => folded(found).length,

  /** The last `shown` of them. */
  structured(found: FoundLogs, shown: number): z.output<typeof logOutput> {
    const lines = folded(found);
    const { logs, sources } = found;
    const told = [
      ...(sources.length === 0 ? [`${noneText(found)}.`] : []),
      ...notes(found, lines.length, shown, { restarts: false }),
      ...(!found.previous && sources.some(({ restarts }) => restarts > 0)
        ? ["previous: true shows the run before a restart."]
        : []),
    ];
    return {
      context: found.context,
      namespace: found.namespace,
      ...filled({ of: found.about }),
      ...(found.previous ? { previous: true } : {}),
      sources: sources.map((source, index) => {
        const problem = logs.refused[index];
        return {
          pod: source.pod,
          container: source.container,
          state: source.state,
          restarts: source.restarts,
          ...(source.previous === undefined ? {} : {
            last_ended: endingText(source.previous) + agoText(source.previous.finished, found.now),
            has_previous: true,
          }),
          ...filled({ problem }),
        };
      }),
      ...filled({ notes: told }),
      read: logs.read,
      matched: logs.matched,
      shown,
      whole: isWhole(found) && shown === lines.length,
      ...(found.followSeconds === undefined ? {} : { followed: logs.followed }),
      lines: lastLines(found, shown),
    };
  },
};

/** The same as text. */
export function logText(found: FoundLogs, shown: number): string {
  const lines = lastLines(found, shown);
  return [
    ...[headingText(found), ...notes(found, folded(found).length, shown, { restarts: true })]
      .map((line) => visible(line)),
    ...(lines.length === 0 ? [] : ["", ...lines]),
  ].join("\n");
}

function lastLines(found: FoundLogs, shown: number): string[] {
  return shown === 0 ? [] : folded(found).slice(-shown).map((line) => lineText(found, line));
}

/** Why there is no container whose log could be read. */
function noneText({ about }: FoundLogs): string {
  return about === undefined ? "No such containers" : `No pods: nothing matches ${visible(about)}`;
}

/** Nothing older is left out, by the time that was asked for either. */
function isWhole({ logs, narrowedInTime }: FoundLogs): boolean {
  return logs.whole && !narrowedInTime;
}

function headingText(found: FoundLogs): string {
  const { sources, logs, namespace, context } = found;
  const pods = new Set(sources.map(({ pod }) => pod));
  const [first] = sources;
  const run = found.previous ? ", the run before the last restart" : "";
  const where = `namespace ${namespace}, context ${context}`;
  if (first === undefined) return `${noneText(found)} in ${where}.`;
  const what = sources.length === 1
    ? `pod ${first.pod}, container ${first.container} (${visible(first.state)})`
    : pods.size === 1
    ? `pod ${first.pod}, containers ${sources.map(({ container }) => container).join(", ")}`
    : found.about === undefined
    ? plural(pods.size, "pod")
    : `${visible(found.about)}, ${plural(pods.size, "pod")}`;
  return `${extent(found, logs)} of ${what}, ${where}${run}.`;
}

function extent(found: FoundLogs, logs: Logs): string {
  const given = logs.lines.length;
  const noun = found.filtered ? "matching line" : "line";
  if (given === 0) return found.filtered && logs.read > 0 ? "No matching lines" : "No lines";
  if (isWhole(found)) return `${plural(given, noun)} (all)`;
  return `Last ${plural(given, noun)}`;
}

/** The structured form has the restarts in its `sources`. */
function* notes(
  found: FoundLogs,
  lines: number,
  shown: number,
  { restarts }: { readonly restarts: boolean },
): Generator<string> {
  const { logs, sources } = found;
  yield* found.notes;
  for (const [index, source] of sources.entries()) {
    const name = sources.length === 1 ? `Container ${source.container}` : `${source.pod}/${source.container}`;
    const refused = logs.refused[index];
    const message = source.message === undefined ? "" : ` (${visible(source.message.trim().slice(0, 300))})`;
    if (found.previous && source.restarts === 0) {
      yield `${name} has not restarted: it has no run before this one.`;
    } else if (refused !== undefined) {
      yield `${name} has no log: ${visible(refused)}. It is ${visible(source.state)}${message}.`;
    } else if (logs.lines.length === 0 && sources.length === 1) {
      yield `It is ${visible(source.state)}${message}.`;
    }
    if (restarts && source.restarts > 0 && !found.previous) {
      const ended = source.previous === undefined
        ? ""
        : `, last ended: ${visible(endingText(source.previous))}${
          agoText(source.previous.finished, found.now)
        }`;
      yield `${name} restarted ${
        source.restarts === 1 ? "once" : `${count(source.restarts)} times`
      }${ended}; ` +
        "previous: true shows the run before.";
    }
  }
  if (found.others.length > 0) {
    yield `Other containers: ${found.others.map((name) => visible(name)).join(", ")}.`;
  }
  if (found.filtered) {
    yield `Searched ${plural(logs.read, "line")} (${size(logs.bytes)})${
      logs.searchedWhole ? "" : ", the end of the log"
    }.`;
  }
  if (logs.searchedInPart > 0) {
    yield `Only the beginning of ${
      plural(logs.searchedInPart, "very long line")
    } was searched: a shorter pattern searches more.`;
  }
  if (logs.cut) yield "Very long lines: the log was read up to 4 MB only, and its last lines may be missing.";
  if (found.followSeconds !== undefined) {
    yield `${plural(logs.followed, "new line")} came within ${found.followSeconds} s.`;
    for (const why of new Set(logs.lost)) {
      if (why !== undefined) yield `Following ended early: ${visible(why)}. Ask again for what came since.`;
    }
  }
  if (shown < lines) {
    yield `[Cut: the last ${count(shown)} of ${
      count(lines)
    } lines shown. Ask for a lower tail, or use include or since.]`;
  }
}

function lineText(found: FoundLogs, { line, source, count: times, first }: FoldedLine): string {
  const { sources } = found;
  const from = sources[source];
  const samePod = sources.every(({ pod }) => pod === from?.pod);
  const sameContainer = sources.every(({ container }) => container === from?.container);
  const prefix = from === undefined || sources.length === 1
    ? ""
    : `[${samePod ? from.container : sameContainer ? from.pod : `${from.pod}/${from.container}`}] `;
  const stamp = found.timestamps && line.stamp !== "" ? `${line.stamp} ` : "";
  const limit = isBinary(line.text) ? binaryBytes : lineBytes;
  const { text, mark } = cutText(line.text, { limit, keepLines: true });
  const span = line.seconds === undefined || first.seconds === undefined || line.seconds - first.seconds < 1
    ? ""
    : ` over ${humanDuration((line.seconds - first.seconds) * 1000)}`;
  return `${prefix}${stamp}${text}${mark}${times === 1 ? "" : ` (x${count(times)}${span})`}`;
}

/** Whether most of a line's start is no text. */
function isBinary(text: string): boolean {
  const start = text.slice(0, 400);
  // deno-lint-ignore no-control-regex -- these are what binary text is made of
  const strange = start.match(/[\x00-\x08\x0e-\x1a\x1c-\x1f\ufffd]/g)?.length ?? 0;
  return strange > start.length / 8;
}
