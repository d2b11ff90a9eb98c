/** The least that a client has to do over stdio, so that what is measured is the server. */

/** What is started. */
export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

interface Answer {
  readonly id?: number;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly message: string };
}

/** What a tool says. */
interface ToolAnswer {
  readonly text: string;
  /** The structured content as JSON; undefined where there is none, as in an error. */
  readonly structured: string | undefined;
  readonly isError: boolean;
}

/** One process and its pending requests. */
export class StdioClient {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #pending = new Map<number, (answer: Answer) => void>();
  readonly #reading: Promise<void>;
  #next = 1;

  constructor({ command, args, env }: Launch) {
    const kept = ["PATH", "HOME", "DENO_DIR", "TMPDIR"].flatMap((name) => {
      const value = Deno.env.get(name);
      return value === undefined ? [] : [[name, value] as const];
    });
    this.#child = new Deno.Command(command, {
      args: [...args],
      env: { ...Object.fromEntries(kept), ...env },
      clearEnv: true,
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#reading = this.#read();
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Sends a request; rejects when the process ends before its answer, or after a minute. */
  request(
    method: string,
    params: Readonly<Record<string, unknown>> = {},
  ): Promise<Readonly<Record<string, unknown>>> {
    const id = this.#next++;
    const { promise, resolve, reject } = Promise.withResolvers<Readonly<Record<string, unknown>>>();
    const timer = setTimeout(() => reject(new Error(`${method}: no answer within a minute`)), 60_000);
    this.#pending.set(id, ({ result, error }) => {
      clearTimeout(timer);
      if (result === undefined) reject(new Error(error?.message ?? "no result"));
      else resolve(result);
    });
    this.#send({ id, method, params });
    return promise;
  }

  /** Opens a session. */
  async initialize(): Promise<void> {
    await this.request("initialize", {
      protocolVersion: "2025-06-18",
      capabilities: {},
      clientInfo: { name: "bench", version: "1" },
    });
    this.#send({ method: "notifications/initialized" });
  }

  /** Calls a tool and returns its text. Throws when the answer is an error. */
  async call(name: string, args: Readonly<Record<string, unknown>>): Promise<string> {
    const { text, isError } = await this.answer(name, args);
    if (isError) throw new Error(`${name}: ${text.slice(0, 300)}`);
    return text;
  }

  /** Calls a tool and returns what it says, be it an answer or why there is none. */
  async told(name: string, args: Readonly<Record<string, unknown>>): Promise<string> {
    return (await this.answer(name, args)).text;
  }

  /** Calls a tool and returns both forms of what it says, be it an answer or why there is none. */
  async answer(name: string, args: Readonly<Record<string, unknown>>): Promise<ToolAnswer> {
    const { content, structuredContent, isError } = await this.request("tools/call", {
      name,
      arguments: args,
    });
    const text = Array.isArray(content)
      ? content.map((part: { text?: string }) => part.text ?? "").join("\n")
      : "";
    return {
      text,
      structured: structuredContent === undefined ? undefined : JSON.stringify(structuredContent),
      isError: isError === true,
    };
  }

  /** Kills it. */
  async close(): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
    await this.#input.abort().catch(() => {});
    await this.#reading;
    await this.#child.status;
  }

  #send(message: Readonly<Record<string, unknown>>): void {
    const line = `${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`;
    this.#input.write(new TextEncoder().encode(line)).catch(() => {});
  }

  async #read(): Promise<void> {
    let rest = "";
    try {
      for await (const chunk of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
        const lines = (rest + chunk).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) {
          if (!line.startsWith("{")) continue;
          const answer: Answer = JSON.parse(line);
          if (answer.id !== undefined) this.#settle(answer.id, answer);
        }
      }
    } catch {
      // A killed process closes its pipes in its own way.
    }
    for (const id of [...this.#pending.keys()]) this.#settle(id, { error: { message: "the process ended" } });
  }

  #settle(id: number, answer: Answer): void {
    this.#pending.get(id)?.(answer);
    this.#pending.delete(id);
  }
}
