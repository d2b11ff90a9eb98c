/**
 * Claude Code itself (`CLAUDE_CODE_BIN`), in a home of its own, in front of a model that calls the tools it is told to
 * call: what the client does with a server shows in what it then asks of the model.
 */
import { join } from "node:path";
import { permitted } from "./permitted.ts";
import { findProgram } from "./real_program.ts";

/** The program, and undefined where it is not here. */
export const claudeCode = findProgram("CLAUDE_CODE_BIN", "CLAUDE_CODE_BIN is not set");

const ownHome = permitted ? Deno.env.get("HOME") ?? "" : "";

/** A tool as Claude Code names it, and its arguments. */
export interface ModelCall {
  readonly name: string;
  readonly input: Readonly<Record<string, unknown>>;
}

/** What the model is shown of one call. */
export interface ShownResult {
  readonly text: string;
  readonly isError: boolean;
}

interface ToolResult {
  readonly type: string;
  readonly tool_use_id: string;
  readonly content: string | readonly { readonly text?: string }[];
  readonly is_error?: boolean;
}

interface ModelRequest {
  readonly model: string;
  readonly tools?: readonly { readonly name: string }[];
  readonly messages: readonly { readonly content: string | readonly ToolResult[] }[];
}

/** An installation without settings, servers or history; gone when disposed. */
export class ClaudeCode implements AsyncDisposable {
  readonly #home: string = Deno.makeTempDirSync({ prefix: "claude-code-" });

  /** Runs a line of a shell in which `claude` is the program; returns what it printed. */
  async shell(line: string, variables: Readonly<Record<string, string>> = {}): Promise<string> {
    const { stdout, stderr } = await new Deno.Command("sh", {
      args: ["-c", `claude() { "$CLAUDE_CODE_BIN" "$@"; }\n${line}`],
      cwd: this.#home,
      clearEnv: true,
      env: {
        PATH: Deno.env.get("PATH") ?? "",
        HOME: this.#home,
        CLAUDE_CODE_BIN: claudeCode ?? "",
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
        ANTHROPIC_API_KEY: "none",
        // What has been downloaded before, so that a server from source starts as it does for its developer.
        DENO_DIR: Deno.env.get("DENO_DIR") ?? join(ownHome, ".cache/deno"),
        npm_config_cache: Deno.env.get("npm_config_cache") ?? join(ownHome, ".npm"),
        ...variables,
      },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).output();
    const decoder = new TextDecoder();
    return decoder.decode(stdout) + decoder.decode(stderr);
  }

  /** Lets a model make these calls, one after the other, with the servers of this configuration and none else. */
  async converse(configuration: unknown, calls: readonly ModelCall[]): Promise<readonly ShownResult[]> {
    const path = join(this.#home, "mcp.json");
    await Deno.writeTextFile(path, JSON.stringify(configuration));
    await using model = new ScriptedModel(calls);
    const allowed = [...new Set(calls.map(({ name }) => name))].join(",");
    const printed = await this.shell(
      `claude -p question --mcp-config ${path} --strict-mcp-config --allowedTools ${allowed}`,
      // The client begins without a server that takes long to start; then the model would have to wait for it.
      { ANTHROPIC_BASE_URL: model.url, MCP_CONNECTION_NONBLOCKING: "0" },
    );
    if (model.results.length < calls.length) {
      throw new Error(`Claude Code ended after ${model.results.length} of ${calls.length} calls: ${printed}`);
    }
    return model.results;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#home, { recursive: true });
  }
}

/** The least of the Messages API, https://docs.claude.com/en/api/messages: each request that has tools gets the next call. */
class ScriptedModel implements AsyncDisposable {
  readonly results: ShownResult[] = [];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #calls: readonly ModelCall[];
  #next = 0;

  constructor(calls: readonly ModelCall[]) {
    this.#calls = calls;
    this.#server = Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen() {} },
      (request) => this.#answer(request),
    );
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  async #answer(request: Request): Promise<Response> {
    if (!new URL(request.url).pathname.endsWith("/v1/messages")) return Response.json({});
    const { model, tools = [], messages }: ModelRequest = await request.json();
    // Not the last message alone: after some ten calls, a reminder of Claude Code follows the result.
    const parts = messages.flatMap(({ content }) => typeof content === "string" ? [] : content);
    const results = parts.filter(({ type }) => type === "tool_result");
    this.results.push(...results.slice(this.results.length).map(shownResult));
    const call = tools.length > 0 ? this.#calls[this.#next] : undefined;
    if (call !== undefined) this.#next++;
    const id = `toolu_${this.#next}`;
    const events: readonly Readonly<Record<string, unknown>>[] = [
      {
        type: "message_start",
        message: {
          id: `msg_${this.#next}`,
          type: "message",
          role: "assistant",
          model,
          content: [],
          stop_reason: null,
          stop_sequence: null,
          usage: { input_tokens: 1, output_tokens: 1 },
        },
      },
      {
        type: "content_block_start",
        index: 0,
        content_block: call === undefined
          ? { type: "text", text: "" }
          : { type: "tool_use", id, name: call.name, input: {} },
      },
      {
        type: "content_block_delta",
        index: 0,
        delta: call === undefined
          ? { type: "text_delta", text: "done" }
          : { type: "input_json_delta", partial_json: JSON.stringify(call.input) },
      },
      { type: "content_block_stop", index: 0 },
      {
        type: "message_delta",
        delta: { stop_reason: call === undefined ? "end_turn" : "tool_use", stop_sequence: null },
        usage: { output_tokens: 1 },
      },
      { type: "message_stop" },
    ];
    return new Response(
      events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join(""),
      { headers: { "content-type": "text/event-stream" } },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

function shownResult({ content, is_error }: ToolResult): ShownResult {
  const text = typeof content === "string" ? content : content.map((part) => part.text ?? "").join("");
  return { text: text.replace(/\n\n<system-reminder>[\s\S]*$/, ""), isError: is_error === true };
}
