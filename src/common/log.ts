/** The program's own log: one JSON object a line on stderr, as stdout belongs to MCP. */
import { writeAll } from "./write_all.ts";

/** From the most to the least talkative. */
export const logLevels = ["debug", "info", "warn", "error", "off"] as const;

/** A value of `LOG_LEVEL`. */
export type LogLevel = (typeof logLevels)[number];

/** Writes one line; `fields` must not hold a secret. */
type LogLine = (message: string, fields?: Readonly<Record<string, unknown>>) => void;

/** Where a program says what happens to itself. */
export interface Logger {
  readonly debug: LogLine;
  readonly info: LogLine;
  readonly warn: LogLine;
  readonly error: LogLine;
}

const encoder = new TextEncoder();

/** Characters that may wait for a reader of stderr who is slow; what comes on top of that is lost, and counted. */
const maxWaiting = 1024 * 1024;
/** Characters of lines that go in one write, where they wait for the write before them to end. */
const maxTogether = 32 * 1024;
let waiting = 0;
let lost = 0;
let last: { text: string } | undefined;
let written: Promise<void> = Promise.resolve();

/**
 * Writes a line to stderr without waiting for whoever reads it: a reader who does not must not stop the program.
 * A closed stderr is nobody's error: the line is lost and the program goes on.
 */
export function writeStderr(line: string): void {
  const note = lost === 0
    ? ""
    : `${JSON.stringify({ type: "log", level: "warn", message: "lines were lost", lost })}\n`;
  const text = `${note}${line}\n`;
  if (waiting + text.length > maxWaiting) {
    lost++;
    return;
  }
  lost = 0;
  waiting += text.length;
  if (last !== undefined && last.text.length + text.length <= maxTogether) {
    last.text += text;
    return;
  }
  const together = last = { text };
  written = written.then(async () => {
    if (last === together) last = undefined;
    await writeAll(Deno.stderr, encoder.encode(together.text));
  }).catch(() => {}).finally(() => {
    waiting -= together.text.length;
  });
}

/** Waits until the lines so far are written, `ms` at most. */
export async function flushStderr(ms: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  await Promise.race([written, promise]);
  clearTimeout(timer);
}

/** An error as a log field: its own words and those of what caused it, without the stack unless asked. */
export function describeError(error: unknown, withStack = false): string {
  if (!(error instanceof Error)) return String(error);
  const own = withStack && error.stack !== undefined ? error.stack : `${error.name}: ${error.message}`;
  return error.cause === undefined ? own : `${own}; caused by ${describeError(error.cause, withStack)}`;
}

/** A logger that writes lines of `level` and above. */
export function createLogger(level: LogLevel, write: (line: string) => unknown = writeStderr): Logger {
  const lowest = logLevels.indexOf(level);
  const at = (name: LogLevel): LogLine =>
    logLevels.indexOf(name) < lowest ? () => {} : (message, fields) => {
      write(JSON.stringify({ type: "log", time: new Date().toISOString(), level: name, message, ...fields }));
    };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}
