/** Starts a program with `--http` on a port of the system's choice, and speaks HTTP to it by hand. */
import { join } from "node:path";
import type { HttpLimits } from "../../src/common/http/serve.ts";
import {
  type CommandLine,
  type ErrorLine,
  type Message,
  programCommand,
  programEnvironment,
  project,
} from "./mcp.ts";
import { until } from "./until.ts";

/** How to start an {@linkcode HttpProgram}. */
export interface HttpLaunch {
  readonly variables?: Readonly<Record<string, string>>;
  /** In place of `127.0.0.1:0`. */
  readonly address?: string;
  /** In place of the program under test; `--http` follows. */
  readonly command?: CommandLine;
  /** Milliseconds after which it is killed, whatever its test waits for. */
  readonly longestLifeMs?: number;
}

/** What starts `patient_program.ts`, with the permissions of a real program. */
export const patientProgram = {
  command: Deno.execPath(),
  args: ["run", "--quiet", "--no-prompt", "-P=postgres", join(project, "tests/support/patient_program.ts")],
} as const;

/** The same with other times than the usual ones. */
export function patientProgramWith(limits: HttpLimits): CommandLine {
  return { ...patientProgram, args: [...patientProgram.args, JSON.stringify(limits)] };
}

/** The revision of the requests made by hand. */
export type Era = "2025-11-25" | "2026-07-28";

/** What has to go with each request of the newer era. */
function envelope(): Record<string, unknown> {
  return {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": { name: "raw", version: "1" },
    "io.modelcontextprotocol/clientCapabilities": {},
  };
}

/** A request as `fetch` takes it. */
export function mcpRequest(
  method: string,
  params: Readonly<Record<string, unknown>> = {},
  options: { id?: number | string; era?: Era; headers?: Readonly<Record<string, string>> } = {},
): RequestInit & { headers: Record<string, string>; body: string } {
  const { id = 1, era = "2025-11-25", headers = {} } = options;
  const name = params.name ?? params.uri;
  const isNewer = era === "2026-07-28";
  return {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-protocol-version": era,
      ...(isNewer ? { "mcp-method": method } : {}),
      ...(isNewer && typeof name === "string" ? { "mcp-name": name } : {}),
      ...headers,
    },
    body: JSON.stringify({
      jsonrpc: "2.0",
      id,
      method,
      params: isNewer
        ? { ...params, _meta: { ...envelope(), ...(params._meta as object | undefined) } }
        : params,
    }),
  };
}

/** The messages in a response, whether it is a stream of events or one JSON value. */
export async function messagesOf(response: Response): Promise<Message[]> {
  const text = await response.text();
  if (response.headers.get("content-type")?.startsWith("text/event-stream") !== true) {
    return [JSON.parse(text)];
  }
  return text.split("\n").filter((line) => line.startsWith("data: ")).map((line) =>
    JSON.parse(line.slice(6))
  );
}

/** A program that serves over HTTP; stopped when disposed. */
export class HttpProgram implements AsyncDisposable {
  /** Such as `http://127.0.0.1:40123`. */
  readonly origin: string;
  readonly #child: Deno.ChildProcess;
  readonly #log: { text: string };
  readonly #watchdog: ReturnType<typeof setTimeout>;
  readonly #whole: Promise<unknown>;

  private constructor(
    child: Deno.ChildProcess,
    log: { text: string },
    watchdog: ReturnType<typeof setTimeout>,
    whole: Promise<unknown>,
    origin: string,
  ) {
    this.#child = child;
    this.#log = log;
    this.#watchdog = watchdog;
    this.#whole = whole;
    this.origin = origin;
  }

  /** Starts it, and waits until it listens. */
  static async start(launch: HttpLaunch = {}): Promise<HttpProgram> {
    const address = launch.address ?? "127.0.0.1:0";
    const own = programCommand(["--http", address]);
    const { command, args } = launch.command === undefined
      ? own
      : { command: launch.command.command, args: [...launch.command.args, "--http", address] };
    const child = new Deno.Command(command, {
      args: [...args],
      cwd: project,
      clearEnv: true,
      env: programEnvironment({ RATE_LIMIT_PER_MINUTE: "0", ...launch.variables }),
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const watchdog = setTimeout(() => child.kill("SIGKILL"), launch.longestLifeMs ?? 300_000);
    const log = { text: "" };
    let hasEnded = false;
    const whole = (async () => {
      const decoder = new TextDecoder();
      for await (const bytes of child.stderr) log.text += decoder.decode(bytes, { stream: true });
      hasEnded = true;
    })();
    const address_ = () => /"message":"serving MCP","url":"(http:[^"]+)\/mcp"/.exec(log.text)?.[1];
    try {
      await until("the program listens", () => hasEnded || address_() !== undefined);
    } finally {
      if (address_() === undefined) {
        clearTimeout(watchdog);
        if (!hasEnded) child.kill("SIGKILL");
        await whole;
        await child.status;
      }
    }
    const origin = address_();
    if (origin === undefined) throw new Error(`The program did not start: ${log.text}`);
    return new HttpProgram(child, log, watchdog, whole, origin.replace("//0.0.0.0", "//127.0.0.1"));
  }

  get port(): number {
    return Number(new URL(this.origin).port);
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** All that was written to stderr so far. */
  get stderr(): string {
    return this.#log.text;
  }

  /** The lines of stderr, which have to be JSON. */
  get errorLines(): readonly ErrorLine[] {
    const whole = this.#log.text.slice(0, this.#log.text.lastIndexOf("\n") + 1);
    return whole.split("\n").filter((line) => line !== "").map((line): ErrorLine => JSON.parse(line));
  }

  /** The audit's lines on stderr. */
  get auditLines(): readonly ErrorLine[] {
    return this.errorLines.filter((line) => line.type === "audit");
  }

  /** Asks for a path. */
  get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
    return fetch(`${this.origin}${path}`, { headers });
  }

  /** Sends one MCP request. */
  send(
    method: string,
    params: Readonly<Record<string, unknown>> = {},
    options: Parameters<typeof mcpRequest>[2] & { signal?: AbortSignal } = {},
  ): Promise<Response> {
    const { signal, ...rest } = options;
    return fetch(`${this.origin}/mcp`, {
      ...mcpRequest(method, params, rest),
      ...(signal === undefined ? {} : { signal }),
    });
  }

  /** Sends one MCP request, and returns the message that answers it. */
  async ask(...given: Parameters<HttpProgram["send"]>): Promise<Message> {
    const messages = await messagesOf(await this.send(...given));
    const last = messages.at(-1);
    if (last === undefined) throw new Error("the response holds no message");
    return last;
  }

  /** The value of one sample in `/metrics`, written as there; 0 where it is not. */
  async metric(sample: string): Promise<number> {
    const page = await (await this.get("/metrics")).text();
    const line = page.split("\n").find((candidate) => candidate.startsWith(`${sample} `));
    return line === undefined ? 0 : Number(line.slice(sample.length + 1));
  }

  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** How it ended. */
  async ended(): Promise<Deno.CommandStatus> {
    const status = await this.#child.status;
    await this.#whole;
    clearTimeout(this.#watchdog);
    return status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGTERM");
      // A second one, so that it does not wait for what a failed test has left open.
      this.#child.kill("SIGINT");
    } catch {
      // It has ended already.
    }
    await this.ended();
  }
}

/** Sends bytes as they are, and returns all that comes back until the server closes or `ms` have passed. */
export async function sendRaw(port: number, bytes: string | Uint8Array, ms = 30_000): Promise<string> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const timer = setTimeout(() => connection.close(), ms);
  let text = "";
  try {
    const encoded = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
    for (let rest = encoded; rest.length > 0;) rest = rest.subarray(await connection.write(rest));
    const decoder = new TextDecoder();
    const part = new Uint8Array(16_384);
    for (let size = await connection.read(part); size !== null; size = await connection.read(part)) {
      text += decoder.decode(part.subarray(0, size), { stream: true });
    }
  } catch {
    // Reset by the server, or closed by the timer: what came is what there is.
  } finally {
    clearTimeout(timer);
    try {
      connection.close();
    } catch {
      // Closed by the timer.
    }
  }
  return text;
}
