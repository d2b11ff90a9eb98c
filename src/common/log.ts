/** The program's own log: one JSON object a line on stderr, as stdout belongs to MCP. */

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

/** Writes a line to stderr. A closed stderr is nobody's error: the line is lost and the program goes on. */
export function writeStderr(line: string): boolean {
  try {
    let bytes = encoder.encode(line + "\n");
    while (bytes.length > 0) bytes = bytes.subarray(Deno.stderr.writeSync(bytes));
    return true;
  } catch {
    return false;
  }
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
