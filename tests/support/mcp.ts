/**
 * Launches a program as a client would, and speaks MCP to it by hand.
 *
 * Without more it is the source, by the very command of `deno task serve:*`; `TEST_PROGRAMS` names the folder of
 * the executables that take its place, so that the same session tests run against both.
 */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import manifest from "../../deno.json" with { type: "json" };
import { permitted } from "./permitted.ts";

/** The top of the project; the program is started there. */
export const project: string = fileURLToPath(new URL("../..", import.meta.url));

/** The programs by the names of their tasks and permission sets; the executables are `NAME-mcp`. */
export const programNames = ["postgres", "prometheus", "kubernetes", "platform"] as const;

/** One of them. */
export type ProgramName = typeof programNames[number];

const programsFolder = permitted ? Deno.env.get("TEST_PROGRAMS") : undefined;

/** Whether executables are tested, not the source. */
export const compiled: boolean = programsFolder !== undefined && programsFolder !== "";

/** What starts a process. */
export interface CommandLine {
  readonly command: string;
  readonly args: readonly string[];
}

/** The program under test. */
export function programCommand(
  args: readonly string[] = [],
  program: ProgramName = "postgres",
): CommandLine {
  if (compiled) {
    return { command: Deno.realPathSync(resolve(project, programsFolder ?? "", `${program}-mcp`)), args };
  }
  const [deno, ...words] = manifest.tasks[`serve:${program}`].split(" ");
  if (deno !== "deno") throw new Error(`serve:${program} is not a plain deno command any more`);
  return { command: Deno.execPath(), args: [...words, ...args] };
}

/** The variables of a program: those given, and what Deno needs to find its cache. Nothing else is inherited. */
export function programEnvironment(variables: Readonly<Record<string, string>>): Record<string, string> {
  const kept = ["HOME", "DENO_DIR", "PATH", "SystemRoot", "USERPROFILE", "LOCALAPPDATA"].flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value] as const];
  });
  return { ...Object.fromEntries(kept), NO_COLOR: "1", ...variables };
}

/** How a process ended, and all that it wrote. */
export interface Ended {
  readonly code: number;
  readonly signal: Deno.Signal | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** How to start a {@linkcode RawClient}. */
export interface LaunchOptions {
  readonly args?: readonly string[];
  readonly variables?: Readonly<Record<string, string>>;
  /** `postgres` unless given. */
  readonly program?: ProgramName;
  /** In place of the program under test. */
  readonly command?: CommandLine;
  /** stdout may be something else than MCP, as with `--help`. */
  readonly plain?: boolean;
  /** The folder it is started in; the project's unless given. */
  readonly cwd?: string;
  /** Times as long as usual that answers are waited for, and that the process may live. */
  readonly patience?: number;
}

/** Runs the program with an input that is at its end, and waits for it. */
export async function runProgramToEnd(options: LaunchOptions & { readonly input?: string }): Promise<Ended> {
  await using client = RawClient.launch(options);
  if (options.input !== undefined) client.write(options.input);
  await client.endInput();
  return await client.ended;
}

/** A JSON-RPC message as it came. */
export interface Message {
  readonly id?: number | string | null;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly code: number; readonly message: string };
}

/** The answer of `tools/call`. */
export interface ToolAnswer {
  readonly text: string;
  readonly structured: Readonly<Record<string, unknown>> | undefined;
  readonly isError: boolean;
}

/** A line of stderr: the audit's or the log's. */
export type ErrorLine = Readonly<Record<string, unknown>>;

/** The milliseconds after which a test gives up waiting. */
const patienceMs = 60_000;
/** The milliseconds after which a process is killed. */
const longestLifeMs = 300_000;

/** A process, and the lines to and from it. Ended when disposed. */
export class RawClient implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #messages: Message[] = [];
  readonly #arrivals = new Set<() => void>();
  /** Settles when the process has ended and both of its streams have. */
  readonly ended: Promise<Ended>;
  readonly #output: Promise<string>;
  readonly #errors: Promise<string>;
  /** The beginning of a line that has not come whole. */
  #partial = "";
  #errorText = "";
  #hasEnded = false;
  #outputReader: ReadableStreamDefaultReader<Uint8Array>;
  #nextId = 1;

  /** No process outlives its test, whatever it waits for. */
  readonly #watchdog: ReturnType<typeof setTimeout>;
  readonly #patienceMs: number;

  private constructor(child: Deno.ChildProcess, plain: boolean, patience: number) {
    this.#watchdog = setTimeout(() => child.kill("SIGKILL"), patience * longestLifeMs);
    this.#patienceMs = patience * patienceMs;
    this.#child = child;
    this.#input = child.stdin.getWriter();
    this.#outputReader = child.stdout.getReader();
    this.#output = this.#collect(this.#outputReader, plain ? () => {} : (text) => this.#receive(text));
    this.#errors = this.#collect(child.stderr.getReader(), (text) => this.#errorText += text);
    this.ended = this.#end();
    // Whoever waits hears of it; a test that has failed already does not.
    this.ended.catch(() => {});
  }

  /** Starts a process and says nothing to it. */
  static launch(options: LaunchOptions = {}): RawClient {
    const { command, args } = options.command ?? programCommand(options.args, options.program);
    return new RawClient(
      new Deno.Command(command, {
        args: [...args],
        cwd: options.cwd ?? project,
        clearEnv: true,
        env: programEnvironment(options.variables ?? {}),
        stdin: "piped",
        stdout: "piped",
        stderr: "piped",
      }).spawn(),
      options.plain === true,
      options.patience ?? 1,
    );
  }

  /** Starts a process and opens a session with it. */
  static async connect(options: LaunchOptions = {}): Promise<RawClient> {
    const client = RawClient.launch(options);
    try {
      await client.initialize();
      return client;
    } catch (error) {
      await client[Symbol.asyncDispose]();
      throw new Error(`The program did not open a session: ${client.#errorText}`, { cause: error });
    }
  }

  /** Opens a session as Claude Code does over stdio. */
  async initialize(): Promise<Message> {
    const answer = await this.request("initialize", {
      protocolVersion: "2025-11-25",
      capabilities: {},
      clientInfo: { name: "raw", version: "1" },
    });
    this.notify("notifications/initialized");
    return answer;
  }

  /** All messages so far. */
  get messages(): readonly Message[] {
    return this.#messages;
  }

  /** All that was written to stderr so far. */
  get stderr(): string {
    return this.#errorText;
  }

  /** The lines of stderr, which have to be JSON. */
  get errorLines(): readonly ErrorLine[] {
    const whole = this.#errorText.slice(0, this.#errorText.lastIndexOf("\n") + 1);
    return whole.split("\n").filter((line) => line !== "").map((line): ErrorLine => JSON.parse(line));
  }

  /** The audit's lines on stderr. */
  get auditLines(): readonly ErrorLine[] {
    return this.errorLines.filter((line) => line.type === "audit");
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Writes text or bytes as they are; a program that has ended does not mind. */
  write(text: string | Uint8Array): void {
    const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
    this.#input.write(bytes).catch(() => {});
  }

  /** Writes a message as a line. */
  send(message: Readonly<Record<string, unknown>>): void {
    this.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
  }

  notify(method: string, params: Readonly<Record<string, unknown>> = {}): void {
    this.send({ method, params });
  }

  /** The id of a request that is sent here and not waited for. */
  post(method: string, params: Readonly<Record<string, unknown>> = {}): number {
    const id = this.#nextId++;
    this.send({ id, method, params });
    return id;
  }

  /** Asks, and waits for the answer, a result or an error. */
  request(method: string, params: Readonly<Record<string, unknown>> = {}): Promise<Message> {
    return this.answer(this.post(method, params));
  }

  /** The answer to the request of that id. */
  answer(id: number | string | null): Promise<Message> {
    return this.message((message) => message.method === undefined && message.id === id, `an answer to ${id}`);
  }

  /** Calls a tool. Throws when the answer is a protocol error. */
  async call(name: string, args: Readonly<Record<string, unknown>> = {}): Promise<ToolAnswer> {
    return toolAnswer(await this.request("tools/call", { name, arguments: args }));
  }

  /** Runs one statement through `query_database`. */
  query(sql: string): Promise<ToolAnswer> {
    return this.call("query_database", { sql });
  }

  /** The first message, past or to come, that is wanted. */
  async message(wanted: (message: Message) => boolean, what = "a message"): Promise<Message> {
    const limit = performance.now() + this.#patienceMs;
    for (;;) {
      const found = this.#messages.find(wanted);
      if (found !== undefined) return found;
      if (this.#hasEnded) {
        throw new Error(`The program ended without ${what}: ${this.#errorText.slice(-1000)}`);
      }
      const left = limit - performance.now();
      if (left <= 0) throw new Error(`No ${what} in ${this.#patienceMs} ms: ${this.#errorText.slice(-1000)}`);
      await this.#arrival(left);
    }
  }

  /** Closes the program's stdin. */
  async endInput(): Promise<void> {
    await this.#input.close().catch(() => {});
  }

  /** Stops reading the program's stdout and closes it. */
  async closeOutput(): Promise<void> {
    await this.#outputReader.cancel();
  }

  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const backstop = setTimeout(() => {
      if (!this.#hasEnded) this.#child.kill("SIGKILL");
    }, 30_000);
    try {
      await this.endInput();
      await this.ended;
    } finally {
      clearTimeout(backstop);
    }
  }

  async #collect(
    reader: ReadableStreamDefaultReader<Uint8Array>,
    add: (text: string) => void,
  ): Promise<string> {
    const decoder = new TextDecoder("utf-8", { fatal: true });
    let whole = "";
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      const text = decoder.decode(part.value, { stream: true });
      whole += text;
      add(text);
      this.#wake();
    }
    return whole;
  }

  /** Each line of stdout must be a message: what is not is a defect that ends the test. */
  #receive(text: string): void {
    const lines = (this.#partial + text).split("\n");
    this.#partial = lines.pop() ?? "";
    for (const line of lines) {
      const message: unknown = JSON.parse(line);
      if (message === null || typeof message !== "object" || !("jsonrpc" in message)) {
        throw new Error(`stdout carries something else than MCP: ${line.slice(0, 200)}`);
      }
      // It is an object with `jsonrpc`; the members of a message are all optional in `Message`.
      this.#messages.push(message as Message);
    }
  }

  async #end(): Promise<Ended> {
    const [status, stdout, stderr] = await Promise.all([this.#child.status, this.#output, this.#errors])
      .finally(async () => {
        this.#hasEnded = true;
        clearTimeout(this.#watchdog);
        this.#wake();
        await this.endInput();
      });
    return { code: status.code, signal: status.signal, stdout, stderr };
  }

  #wake(): void {
    for (const arrived of this.#arrivals) arrived();
    this.#arrivals.clear();
  }

  async #arrival(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#arrivals.add(resolve);
    const timer = setTimeout(resolve, ms);
    await promise;
    clearTimeout(timer);
  }
}

/** The answer of `tools/call`, out of the message that carries it. */
export function toolAnswer(message: Message): ToolAnswer {
  if (message.error !== undefined) throw new Error(`A protocol error: ${message.error.message}`);
  const { content, structuredContent, isError } = message.result ?? {};
  if (!Array.isArray(content)) throw new Error("tools/call answers without content");
  return {
    text: content.map((part: { text?: string }) => part.text ?? "").join("\n"),
    // JSON's objects have string keys.
    structured: structuredContent as ToolAnswer["structured"],
    isError: isError === true,
  };
}
