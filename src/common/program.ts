/** What every program does around its tools: arguments, settings, start, serving, shutdown. */
import type { Command } from "./arguments.ts";
import { openAuditLog } from "./audit.ts";
import { Environment } from "./env.ts";
import { StartError } from "./errors.ts";
import { readHttpSettings } from "./http/settings.ts";
import type { HttpFront, HttpLimits, HttpOptions } from "./http/serve.ts";
import { surviveDefects } from "./defects.ts";
import { collectGarbage } from "./garbage.ts";
import { createLogger, describeError, flushStderr, type Logger, logLevels, writeStderr } from "./log.ts";
import { type Limit, limitsText, pluginsOf, withLimits } from "./limits_resource.ts";
import { giveUpPermissions } from "./permissions.ts";
import { Pipeline } from "./pipeline.ts";
import { RateLimiter } from "./rate_limit.ts";
import { serverFactory } from "./server.ts";
import { serveOverStdio } from "./serve_stdio.ts";
import type { Prompts } from "./prompts.ts";
import type { Resources } from "./resources.ts";
import type { CheckResult, Say } from "./check_result.ts";
import type { Tool } from "./tool.ts";
import { version } from "./version.ts";
import { visible } from "./visible.ts";
import { settledWithin } from "./waiting.ts";

/** One program: what it is called, and how it opens what its tools stand on. */
export interface Program {
  /** The executable's name, such as `postgres-mcp`. */
  readonly name: string;
  /** The short name in a client's configuration, such as `postgres`. */
  readonly shortName: string;
  readonly title: string;
  readonly summary: string;
  /** How a model should use the tools; absent where the backend says it, as it depends on what is configured. */
  readonly instructions?: string;
  /** What to set first, for `--print-config` where nothing is set. */
  readonly firstSettings?: string;
  /** Whether `--demo` gives it a sample database, from source. */
  readonly hasSample?: true;
  /** What `--demo` has put in the place of the environment. */
  readonly sample?: Sample;
  /** The variables that only this program reads, for `--help` and `--print-config`. */
  readonly variables: readonly Variable[];
  /** Reads the program's own variables, and makes its tools; connects to nothing. */
  readonly open: (environment: Environment, log: Logger) => Promise<Backend> | Backend;
}

/** The sample database of `--demo`. */
export interface Sample {
  /** The variables that lead to it. */
  readonly variables: readonly string[];
  /** Those that were set to something else, and are not read. */
  readonly replaced: readonly string[];
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
  /** In place of the program's own. */
  readonly instructions?: string;
  /** One of ours, the limits, joins those that there are. */
  readonly resources?: Resources;
  readonly prompts?: Prompts;
  /** Which groups of tools there are, and why; a line each. */
  readonly groups?: readonly string[];
  /** Loads what a call takes and a start does not; the same promise each time. */
  readonly prepare?: () => Promise<void>;
  /** Milliseconds after which a call is given up. */
  readonly deadlineMs: number;
  /** It is behind a Unix socket, so that every new connection takes permission to read and write. */
  readonly usesUnixSocket?: boolean;
  /** It may have to start a credential plugin, one of those that the run permission names. */
  readonly startsPlugins?: boolean;
  /** Connects and reports. */
  readonly check: (say: Say) => Promise<CheckResult>;
  /**
   * Resolves when the backend answers the cheapest question there is, for `/readyz`; a pool whose connections are all
   * busy answers. `check` takes its place where it is absent.
   */
  readonly ready?: (signal: AbortSignal) => Promise<void>;
  /** What there is to see of pools and the like, for `/metrics`: the same names each time. */
  readonly gauges?: () => readonly BackendGauge[];
  /** What a user should hear once, with the first answer. */
  readonly notice?: (signal: AbortSignal) => Promise<string | undefined>;
  readonly close: () => Promise<void>;
}

/** A number that goes up and down. */
export interface BackendGauge {
  /** Matches `^[a-z][a-z0-9_]*$`, unit last, such as `mcp_pool_connections_busy`. */
  readonly name: string;
  readonly help: string;
  readonly value: number;
}

/** The variables that all programs read. */
export const commonVariables: readonly Variable[] = [
  { name: "MAX_OUTPUT_BYTES", default: "32768", purpose: "maximum bytes of an answer's text" },
  {
    name: "RATE_LIMIT_PER_MINUTE",
    default: "60",
    purpose: "calls of one tool per minute; 0 turns the limit off",
  },
  {
    name: "CACHE_TTL_SECONDS",
    default: "60",
    purpose: "how long metric names, API discovery and the like are cached",
  },
  {
    name: "QUERY_CACHE_TTL_SECONDS",
    default: "0",
    purpose: "how long an answer may be reused; 0 for never",
  },
  {
    name: "AUDIT_LOG",
    default: "stderr",
    purpose: "stderr, or a file to append one line per call to",
    path: true,
  },
  { name: "LOG_LEVEL", default: "warn", purpose: logLevels.join(", ") },
];

/** Milliseconds that the last lines of the log get. */
const flushGraceMs = 500;
/** Milliseconds that cancellations get to reach the backend. */
const closeGraceMs = 5_000;
const stopSignals: readonly Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];

/**
 * Runs a program to its end and exits: 0, 1 when a check found something or when it had to end by itself, 2 when it
 * can't start.
 */
export async function runProgram(
  program: Program,
  args: readonly string[] = Deno.args,
  limits: HttpLimits = {},
): Promise<never> {
  let code = 2;
  try {
    code = await run(program, args, limits);
  } catch (error) {
    if (error instanceof StartError) writeStderr(`${program.name}: ${error.message}`);
    else writeStderr(`${program.name}: cannot start: ${describeError(error)}`);
  }
  await flushStderr(flushGraceMs);
  Deno.exit(code);
}

/** Most starts have no argument, and reading some takes a module of Node's that a client would wait for. */
async function commandOf(args: readonly string[]): Promise<Command> {
  if (args.length === 0) return { name: "serve", http: undefined };
  return (await import("./arguments.ts")).parseCommand(args);
}

async function run(program: Program, args: readonly string[], limits: HttpLimits): Promise<number> {
  const command = await commandOf(args);
  if (command.name === "help") return print((await import("./help.ts")).helpText(program));
  if (command.name === "version") return print(`${program.name} ${version}`);
  if (command.name === "new-token") return await printNewToken(command.client);
  const environment = new Environment();
  if (command.name === "print-config") {
    const { configurationNotes, printConfiguration } = await import("./client_configuration.ts");
    for (const note of configurationNotes(program, environment)) writeStderr(note);
    return print(printConfiguration(program, command.form, environment));
  }

  // What a check has to say, it says itself.
  const usualLevel = command.name === "check" ? "off" : "warn";
  const logLevel = environment.choice("LOG_LEVEL", logLevels, usualLevel);
  const log = createLogger(logLevel);
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
  const httpSettings = readHttpSettings(environment, command.http);

  const audit = openAuditLog(auditDestination, program.shortName);
  // A check answers nobody's call, but an audit log that can't be opened would end the start.
  if (command.name === "check") audit.close();
  const backend = await program.open(environment, log);
  // From source, what is loaded later could not be read any more; over HTTP nobody waits for a start.
  if (!Deno.build.standalone || command.name === "check" || command.http !== undefined) {
    await backend.prepare?.();
  }
  const checking = command.name === "check" ? await import("./check.ts") : undefined;
  const known = checking?.knownSettings(program, environment);
  const tokens = checking === undefined || command.http !== undefined
    ? undefined
    : await countTokens(httpSettings.tokensFile, log);
  const issuerIsIdle = command.http === undefined && httpSettings.oauth !== undefined;
  const { usesUnixSocket = false, startsPlugins = false } = backend;
  const http = command.http === undefined ? undefined : await openHttp({
    program: program.name,
    address: command.http,
    settings: httpSettings,
    backend,
    log,
    isSilent: logLevel === "off",
    limits,
  });
  const files = environment.usesFiles || http?.usesFiles === true;
  const givenUp = giveUpPermissions({ files, socket: usesUnixSocket, plugins: startsPlugins }, log);
  if (checking !== undefined && known !== undefined) {
    const say = (line: string) => writeLine(Deno.stdout, visible(line));
    const result = await checking.check({ backend, http, tokens, issuerIsIdle, audit, known }, say);
    await backend.close();
    return result === "down" ? 1 : 0;
  }
  const pipeline = new Pipeline({
    tools: backend.tools,
    audit,
    log,
    rateLimiter: new RateLimiter(perMinute),
    answerCacheSeconds,
    maxOutputBytes,
    deadlineMs: backend.deadlineMs,
    ...(backend.prepare === undefined ? {} : { prepare: backend.prepare }),
    ...(backend.notice === undefined ? {} : { notice: backend.notice }),
    ...(http === undefined ? {} : { observer: http.observer }),
  });
  const instructions = backend.instructions ?? program.instructions ?? "";
  const describeLimits = () =>
    limitsText({
      server: `${program.name} ${version}`,
      limits: limitsOf(program, environment),
      deadlineMs: backend.deadlineMs,
      givenUp,
      plugins: pluginsOf(program.shortName),
      groups: backend.groups ?? [],
    });
  const uri = `${program.shortName}://limits`;
  const offered = backend.resources === undefined
    ? backend
    : { ...backend, resources: withLimits(backend.resources, uri, describeLimits) };
  const makeServer = serverFactory({ ...program, instructions, version }, offered, pipeline);
  let endedInOrder = true;
  if (http === undefined) {
    // A failure is told by the call that waits for it.
    const { prepare } = backend;
    const idle = async () => {
      await prepare?.().catch(() => {});
      collectGarbage();
    };
    await serveOverStdio({
      program: program.name,
      makeServer,
      pipeline,
      log,
      stopSignals,
      idle,
      prepare,
    });
  } else {
    endedInOrder = await http.serve({ makeServer, pipeline, stopSignals });
  }
  await settledWithin(backend.close(), closeGraceMs);
  audit.close();
  return endedInOrder ? 0 : 1;
}

/** The whole numbers among a program's variables; a port bounds nothing. */
function limitsOf(program: Program, { numbers }: Environment): readonly Limit[] {
  return [...program.variables, ...commonVariables].flatMap(({ name, purpose }) => {
    const value = name.endsWith("_PORT") ? undefined : numbers.get(name);
    return value === undefined ? [] : [{ name, value, purpose }];
  });
}

/** Loads what serving over HTTP takes only then: a client that starts this program waits for every module. */
async function openHttp(options: HttpOptions): Promise<HttpFront> {
  const { HttpFront } = await import("./http/serve.ts");
  return await HttpFront.open(options);
}

/** Throws {@linkcode StartError} where serving over HTTP with that file would. */
async function countTokens(path: string | undefined, log: Logger): Promise<number | undefined> {
  if (path === undefined) return undefined;
  const { TokenFile } = await import("./http/tokens.ts");
  const file = await TokenFile.open(path, log);
  file.close();
  return file.size;
}

async function printNewToken(client: string): Promise<number> {
  const { newToken } = await import("./http/tokens.ts");
  const { token, line } = newToken(client);
  writeStderr(
    `The first line is the token for ${client}, shown only once: the client sends it as "Authorization: Bearer TOKEN". ` +
      "The second goes into the file that MCP_TOKENS_FILE names:",
  );
  return print(`${token}\n${line}`);
}

function print(text: string): number {
  writeLine(Deno.stdout, text);
  return 0;
}

/** A reader that has enough, such as `head`, is nobody's error. */
function writeLine(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  let bytes = new TextEncoder().encode(`${text}\n`);
  try {
    while (bytes.length > 0) bytes = bytes.subarray(stream.writeSync(bytes));
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}
