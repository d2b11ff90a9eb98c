/** What every program does around its tools: arguments, settings, start, serving over stdio, shutdown. */
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { parseCommand } from "./arguments.ts";
import { openAuditLog } from "./audit.ts";
import { printConfiguration } from "./client_configuration.ts";
import { Environment } from "./env.ts";
import { StartError } from "./errors.ts";
import { createLogger, describeError, flushStderr, type Logger, logLevels, writeStderr } from "./log.ts";
import { giveUpPermissions } from "./permissions.ts";
import { Pipeline } from "./pipeline.ts";
import { RateLimiter } from "./rate_limit.ts";
import { refuseLine, refuseMalformedRequest, serverFactory, type ServerIdentity } from "./server.ts";
import type { Resources } from "./resources.ts";
import { StdioTransport } from "./stdio.ts";
import type { Tool } from "./tool.ts";
import { version } from "./version.ts";
import { visible } from "./visible.ts";

/** One program: what it is called, and how it opens what its tools stand on. */
export interface Program {
  /** The executable's name, such as `postgres-mcp`. */
  readonly name: string;
  /** The short name in a client's configuration, such as `postgres`. */
  readonly shortName: string;
  readonly title: string;
  readonly summary: string;
  readonly instructions: string;
  /** The variables that only this program reads, for `--help` and `--print-config`. */
  readonly variables: readonly Variable[];
  /** Reads the program's own variables, and makes its tools; connects to nothing. */
  readonly open: (environment: Environment, log: Logger) => Promise<Backend>;
}

/** A variable as `--help` shows it. */
export interface Variable {
  readonly name: string;
  readonly default: string;
  readonly purpose: string;
  /** Its value never leaves the environment. */
  readonly secret?: boolean;
  /** It names a file. */
  readonly path?: boolean;
}

/** What the tools stand on, while the program runs. */
export interface Backend {
  readonly tools: readonly Tool[];
  readonly resources?: Resources;
  /** Milliseconds after which a call is given up. */
  readonly deadlineMs: number;
  /** It is behind a Unix socket, so that every new connection takes permission to read and write. */
  readonly usesUnixSocket?: boolean;
  /** It may have to start a credential plugin, one of those that the run permission names. */
  readonly startsPlugins?: boolean;
  /** Connects and reports; true when all is well. */
  readonly check: (say: (line: string) => void) => Promise<boolean>;
  /** What a user should hear once, with the first answer. */
  readonly notice?: (signal: AbortSignal) => Promise<string | undefined>;
  readonly close: () => Promise<void>;
}

/** The variables that all programs read. */
export const commonVariables: readonly Variable[] = [
  { name: "MAX_OUTPUT_BYTES", default: "32768", purpose: "bytes of the text of one answer" },
  {
    name: "RATE_LIMIT_PER_MINUTE",
    default: "60",
    purpose: "calls of one tool a minute; 0 turns the limit off",
  },
  {
    name: "CACHE_TTL_SECONDS",
    default: "60",
    purpose: "how long a backend's metadata is remembered; postgres-mcp remembers none that can change",
  },
  {
    name: "QUERY_CACHE_TTL_SECONDS",
    default: "0",
    purpose: "how long an answer may be given again; 0 for never",
  },
  {
    name: "AUDIT_LOG",
    default: "stderr",
    purpose: "stderr, or the file that a line per call is appended to",
    path: true,
  },
  { name: "LOG_LEVEL", default: "warn", purpose: logLevels.join(", ") },
];

/** Milliseconds that calls in flight get after the end of input. */
const stdioGraceMs = 3_000;
/** Milliseconds that the last lines of the log get. */
const flushGraceMs = 500;
/** Milliseconds that cancellations get to reach the backend. */
const closeGraceMs = 5_000;

/** Runs a program to its end and exits: 0, 1 when a check found something, 2 when it can't start. */
export async function runProgram(program: Program, args: readonly string[] = Deno.args): Promise<never> {
  let code = 2;
  try {
    code = await run(program, args);
  } catch (error) {
    if (error instanceof StartError) writeStderr(`${program.name}: ${error.message}`);
    else writeStderr(`${program.name}: cannot start: ${describeError(error)}`);
  }
  await flushStderr(flushGraceMs);
  Deno.exit(code);
}

async function run(program: Program, args: readonly string[]): Promise<number> {
  const command = parseCommand(args);
  if (command.name === "help") return print(helpText(program));
  if (command.name === "version") return print(`${program.name} ${version}`);
  const environment = new Environment();
  if (command.name === "print-config") {
    return print(printConfiguration(program, command.form, environment));
  }

  // What a check has to say, it says itself.
  const usualLevel = command.name === "check" ? "off" : "warn";
  const log = createLogger(environment.choice("LOG_LEVEL", logLevels, usualLevel));
  surviveDefects(log);
  const maxOutputBytes = environment.integer("MAX_OUTPUT_BYTES", {
    fallback: 32_768,
    min: 2_048,
    max: 10_485_760,
  });
  const perMinute = environment.integer("RATE_LIMIT_PER_MINUTE", { fallback: 60, min: 0, max: 1_000_000 });
  const answerCacheSeconds = environment.integer("QUERY_CACHE_TTL_SECONDS", {
    fallback: 0,
    min: 0,
    max: 86_400,
  });
  // Checked here for every program; one that has nothing to remember does not ask for it.
  environment.integer("CACHE_TTL_SECONDS", { fallback: 60, min: 0, max: 86_400 });
  const auditDestination = environment.text("AUDIT_LOG") ?? "stderr";

  // A check opens no audit log, as it answers nobody's call; otherwise it runs as the server will.
  const audit = command.name === "check" ? undefined : openAuditLog(auditDestination);
  const backend = await program.open(environment, log);
  const { usesUnixSocket = false, startsPlugins = false } = backend;
  giveUpPermissions(
    { files: environment.usesFiles, socket: usesUnixSocket, plugins: startsPlugins },
    log,
  );
  if (audit === undefined) {
    const well = await backend.check((line) => writeLine(Deno.stdout, visible(line)));
    await backend.close();
    return well ? 0 : 1;
  }
  const pipeline = new Pipeline({
    tools: backend.tools,
    audit,
    log,
    rateLimiter: new RateLimiter(perMinute),
    answerCacheSeconds,
    maxOutputBytes,
    deadlineMs: backend.deadlineMs,
    ...(backend.notice === undefined ? {} : { notice: backend.notice }),
  });
  await serveOverStdio(program, backend, pipeline, log);
  audit.close();
  return 0;
}

async function serveOverStdio(
  program: Program,
  backend: Backend,
  pipeline: Pipeline,
  log: Logger,
): Promise<void> {
  const client = "stdio";
  const identity: ServerIdentity = { ...program, version };
  const output = Deno.stdout.writable.getWriter();
  const transport = new StdioTransport({
    input: Deno.stdin.readable,
    write: (bytes) => output.write(bytes),
    log,
    graceMs: stdioGraceMs,
    refuse: (message) => refuseMalformedRequest(message, pipeline, client),
    refuseLine: (reason) => refuseLine(reason, pipeline, client),
  });
  const stop = () => void transport.close();
  for (const signal of stopSignals()) Deno.addSignalListener(signal, stop);
  serveStdio(serverFactory(identity, backend, pipeline, client), {
    transport,
    onerror: (error) => log.info("the protocol layer reports an error", { error: describeError(error) }),
  });
  if (Deno.stdin.isTerminal()) {
    writeStderr(
      `${program.name} serves MCP on standard input, for a client to start. ` +
        "--check tries the connection, --print-config prints what a client needs, Ctrl+C ends it.",
    );
  }
  log.info("serving over stdio", { program: program.name, version });
  await transport.closed;
  await settleWithin(backend.close(), closeGraceMs);
}

function stopSignals(): readonly Deno.Signal[] {
  return Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];
}

/** A defect in a callback is logged; the other calls go on. */
function surviveDefects(log: Logger): void {
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    log.error("an unhandled rejection", { error: describeError(event.reason, true) });
  });
  globalThis.addEventListener("error", (event) => {
    event.preventDefault();
    log.error("an uncaught error", { error: describeError(event.error, true) });
  });
}

/** Waits for work, but not for ever: what is not done then ends with the process. */
async function settleWithin(work: Promise<unknown>, ms: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  await Promise.race([work.catch(() => {}), promise]);
  clearTimeout(timer);
}

function print(text: string): number {
  writeLine(Deno.stdout, text);
  return 0;
}

function writeLine(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  let bytes = new TextEncoder().encode(`${text}\n`);
  while (bytes.length > 0) bytes = bytes.subarray(stream.writeSync(bytes));
}

function helpText(program: Program): string {
  const variables = [...program.variables, ...commonVariables].map((variable) => {
    const name = variable.secret === true ? `${variable.name}, or ${variable.name}_FILE` : variable.name;
    const shown = variable.default === "" ? "" : ` [${variable.default}]`;
    return `  ${name.padEnd(34)} ${variable.purpose}${shown}`;
  });
  return `${program.name} ${version}
${program.summary}

Usage: ${program.name} [argument]

  (none)                             serve MCP over stdio, for a client such as Claude Code to start
  --check                            connect, and say what was found and which rights the role has
  --print-config claude-code|mcp-json
                                     print the configuration for a client, with this program's path
  --help, --version

Environment:
${variables.join("\n")}`;
}
