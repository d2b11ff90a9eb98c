/**
 * The one way a call takes: rate limit, validation, cache, run with a deadline and the client's cancellation,
 * cut to the budget, audit. The transports call it for whatever a client asks of a tool, well-formed or not.
 */
import process from "node:process";
import * as z from "zod";
import { addNotice, type Answer, errorAnswer, fitAnswer, visibleStrings } from "./answer.ts";
import { asClient } from "./asking_client.ts";
import { explainIssues } from "./argument_issues.ts";
import type { AuditLog, AuditRecord } from "./audit.ts";
import { Cache } from "./cache.ts";
import { CallError } from "./errors.ts";
import { describeError, type Logger } from "./log.ts";
import { nearest } from "./nearest.ts";
import { ProgressClock } from "./progress_clock.ts";
import type { RateLimiter } from "./rate_limit.ts";
import { ended, sentence } from "./sentence.ts";
import type { Tool, ToolContext } from "./tool.ts";
import { inSpan } from "./tracing.ts";
import { duration } from "./units.ts";
import { utf8Length } from "./utf8.ts";
import { visible } from "./visible.ts";
import { abortable, anySignal } from "./waiting.ts";

/** Who calls, and how to reach them while the call runs. */
export interface Caller {
  /** The name in the audit log and the rate limit. */
  readonly client: string;
  /** What the client says of itself. */
  readonly clientInfo: string | undefined;
  /** Aborts when the client cancels or goes away. */
  readonly signal: AbortSignal;
  /** The trace that the call is part of, as the client says. */
  readonly traceparent?: string | undefined;
  /** Sends one progress notification, if the client asked for them. */
  readonly progress: ((message: string, elapsedMs: number) => void) | undefined;
}

/** One call that has ended, as it is counted: by its tool, never by its arguments. */
export interface EndedCall {
  /** A tool's name, or one name for all that are none. */
  readonly tool: string;
  readonly outcome: AuditRecord["outcome"];
  /** Bytes of the answer's text. */
  readonly bytes: number;
  readonly durationMs: number;
  /** It was answered without asking the backend. */
  readonly fromCache: boolean;
  /** It was announced by `began`. */
  readonly hadBegun: boolean;
}

/** Counts calls. */
export interface CallObserver {
  began(tool: string): void;
  ended(call: EndedCall): void;
}

/** What a pipeline is made of. */
export interface PipelineOptions {
  readonly tools: readonly Tool[];
  readonly audit: AuditLog;
  readonly log: Logger;
  readonly rateLimiter: RateLimiter;
  /** Seconds an answer may be given again; 0 asks the backend each time. */
  readonly answerCacheSeconds: number;
  /** Bytes of UTF-8 of one answer's text. */
  readonly maxOutputBytes: number;
  /** Milliseconds after which a call is given up, whatever its backend does. */
  readonly deadlineMs: number;
  /** Loads what every call takes. */
  readonly prepare?: () => Promise<void>;
  /** What each client should hear once, with its first answer. */
  readonly notice?: (signal: AbortSignal) => Promise<string | undefined>;
  readonly observer?: CallObserver;
}

/** Under this name calls of tools that don't exist are limited and audited. */
const unknownTool = "(unknown tool)";
/** Bytes kept free for the notices that the pipeline adds below an answer. */
const noticeReserve = 512;
/** Characters of the answers that are kept to be given again, as JSON. */
const maxKeptAnswers = 8 * 1024 * 1024;
/** Clients that are remembered to have heard the notice. */
const mostNoticed = 1_000;

/** Raised for a tool that does not exist: a protocol error, not a tool's answer. */
export class UnknownToolError extends Error {
  override readonly name = "UnknownToolError";
}

/** An answer that may be given again. */
interface KeptAnswer {
  readonly answer: Answer;
  readonly rows: number;
}

interface Outcome {
  readonly answer: Answer;
  readonly outcome: AuditRecord["outcome"];
  readonly rows: number;
  readonly fromCache?: true;
}

/** Runs calls. One per process, shared by all connections. */
export class Pipeline {
  readonly #options: PipelineOptions;
  readonly #tools: ReadonlyMap<string, Tool>;
  /** As JSON, so that it is known what they take, by a digest of the call, which may be as long as a message. */
  readonly #answers: Cache<string>;
  /** The clients that have heard the notice, the last of them. */
  readonly #noticed = new Set<string>();

  constructor(options: PipelineOptions) {
    this.#options = options;
    this.#tools = new Map(options.tools.map((tool) => [tool.name, tool]));
    this.#answers = new Cache(options.answerCacheSeconds, {
      maxSize: maxKeptAnswers,
      sizeOf: (kept) => kept.length,
    });
  }

  /** Calls one tool. Throws {@linkcode UnknownToolError}; every other failure is an answer with a `kind`. */
  async call(name: string, args: unknown, caller: Caller): Promise<Answer> {
    const tool = this.#tools.get(name);
    if (tool !== undefined) return await this.#traced(tool, args, caller, true);
    const answer = this.refuse(name, args, caller, this.#unknownToolSentence(name));
    await this.settled();
    if (answer.kind === "invalid") throw new UnknownToolError(answer.text);
    return answer;
  }

  /** Does what a client asks for by another method than `tools/call`, such as a resource read. */
  perform(operation: Tool, args: unknown, caller: Caller): Promise<Answer> {
    return this.#traced(operation, args, caller, false);
  }

  #traced(tool: Tool, args: unknown, caller: Caller, withNotice: boolean): Promise<Answer> {
    const work = () => this.#limited(tool, args, caller, withNotice);
    return inSpan(tool.name, caller.traceparent, work, ({ kind }) => kind);
  }

  async #limited(tool: Tool, args: unknown, caller: Caller, withNotice: boolean): Promise<Answer> {
    const started = performance.now();
    this.#options.observer?.began(tool.name);
    let result: Outcome;
    try {
      this.#options.rateLimiter.admit(caller.client, tool.name);
      result = await this.#run(tool, args, caller, withNotice);
    } catch (error) {
      result = this.#failed(tool.name, error);
    }
    const answer = fitAnswer(result.answer, this.#options.maxOutputBytes);
    const replaced = this.#audit(caller, tool.name, args, { ...result, answer }, started);
    this.#count(tool.name, replaced, { ...result, answer }, started, true);
    await this.settled();
    return replaced ?? answer;
  }

  /** Audits a request that no handler will see, such as one whose parameters have the wrong shape. */
  refuse(name: string, args: unknown, caller: Caller, reason: string): Answer {
    const started = performance.now();
    let result: Outcome = { answer: errorAnswer("invalid", reason), outcome: "invalid", rows: 0 };
    try {
      this.#options.rateLimiter.admit(caller.client, this.#tools.has(name) ? name : unknownTool);
    } catch (error) {
      result = this.#failed(name, error);
    }
    const replaced = this.#audit(caller, name, args, result, started);
    this.#count(this.#tools.has(name) ? name : unknownTool, replaced, result, started, false);
    return replaced ?? result.answer;
  }

  /** Waits until the records so far are out; after {@linkcode refuse}, before the answer leaves. */
  async settled(): Promise<void> {
    await this.#options.audit.settled?.();
  }

  #count(
    tool: string,
    replaced: Answer | undefined,
    result: Outcome,
    started: number,
    hadBegun: boolean,
  ): void {
    this.#options.observer?.ended({
      tool,
      outcome: replaced?.kind ?? result.outcome,
      bytes: utf8Length((replaced ?? result.answer).text),
      durationMs: performance.now() - started,
      fromCache: result.fromCache === true,
      hadBegun,
    });
  }

  async #run(tool: Tool, args: unknown, caller: Caller, withNotice: boolean): Promise<Outcome> {
    const parsed = tool.input.safeParse(args ?? {});
    if (!parsed.success) throw new CallError("invalid", explainIssues(tool, parsed.error, args ?? {}));
    const key = this.#answerKey(tool, parsed.data);
    const cached = key === undefined ? undefined : this.#answers.get(key);
    if (cached !== undefined) {
      const { answer, rows }: KeptAnswer = JSON.parse(cached.value);
      const aged = addNotice(answer, `This answer is ${duration(cached.ageMs)} old.`);
      return { answer: aged, outcome: "ok", rows, fromCache: true };
    }

    const { maxOutputBytes, deadlineMs } = this.#options;
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), deadlineMs);
    using either = anySignal(caller.signal, deadline.signal);
    const { signal } = either;
    const progress = new ProgressClock(caller);
    const context: ToolContext = {
      signal,
      budget: maxOutputBytes - noticeReserve,
      progress: (message) => progress.say(message),
    };
    try {
      const { prepare } = this.#options;
      if (prepare !== undefined) await abortable(prepare(), signal);
      const running = asClient(caller.client, () => tool.run(parsed.data, context));
      const value = await abortable(running, signal);
      const { text, structured, rows } = tool.present(value, context.budget);
      // The last net: a tool makes the texts of others visible, on one line each, by itself.
      const answer = { text: visible(text, { keepLines: true }), structured: visibleStrings(structured) };
      if (key !== undefined) this.#answers.set(key, JSON.stringify({ answer, rows } satisfies KeptAnswer));
      const notice = withNotice ? await this.#firstNotice(caller.client, signal) : undefined;
      return { answer: notice === undefined ? answer : addNotice(answer, notice), outcome: "ok", rows };
    } catch (error) {
      if (caller.signal.aborted) {
        throw new CallError("cancelled", "Cancelled by the client", { cause: error });
      }
      if (deadline.signal.aborted) {
        throw new CallError("unavailable", `Cannot answer within ${duration(deadlineMs)}`, {
          hint: "Ask for less, or try again later",
          cause: error,
        });
      }
      throw error;
    } finally {
      clearTimeout(timer);
      progress.stop();
    }
  }

  /** Under what an answer may be given again; undefined where none is. */
  #answerKey(tool: Tool, args: unknown): string | undefined {
    if (this.#options.answerCacheSeconds === 0) return undefined;
    // Loaded by whoever needs it: a client that starts this program does not wait for cryptography.
    const { createHash } = process.getBuiltinModule("node:crypto");
    return createHash("sha256").update(JSON.stringify([tool.name, args])).digest("base64");
  }

  async #firstNotice(client: string, signal: AbortSignal): Promise<string | undefined> {
    const { notice, log } = this.#options;
    if (notice === undefined || this.#noticed.has(client)) return undefined;
    this.#noticed.add(client);
    const [first] = this.#noticed;
    if (first !== undefined && this.#noticed.size > mostNoticed) this.#noticed.delete(first);
    try {
      return await notice(signal);
    } catch (error) {
      this.#noticed.delete(client);
      log.info("the notice for the first answer could not be made", { error: describeError(error) });
      return undefined;
    }
  }

  #failed(tool: string, error: unknown): Outcome {
    if (error instanceof CallError) {
      if (error.cause !== undefined) {
        this.#options.log.info("a call failed", {
          tool,
          kind: error.kind,
          cause: describeError(error.cause),
        });
      }
      const text = error.hint === undefined
        ? ended(error.message)
        : `${ended(error.message)} ${ended(sentence(error.hint))}`;
      return { answer: errorAnswer(error.kind, text), outcome: error.kind, rows: 0 };
    }
    this.#options.log.error("a defect in a tool", { tool, error: describeError(error, true) });
    return {
      answer: errorAnswer(
        "defect",
        "This call hit a defect in the server; its log describes it. Try another way.",
      ),
      outcome: "defect",
      rows: 0,
    };
  }

  /** Writes the record; an answer that can't be audited is replaced. */
  #audit(caller: Caller, tool: string, args: unknown, result: Outcome, started: number): Answer | undefined {
    try {
      this.#options.audit.write({
        client: caller.client,
        clientInfo: caller.clientInfo,
        tool: tool.slice(0, 128),
        arguments: args ?? {},
        outcome: result.outcome,
        rows: result.rows,
        bytes: utf8Length(result.answer.text),
        durationMs: performance.now() - started,
      });
      return undefined;
    } catch (error) {
      this.#options.log.error("the audit log can't be written", { error: describeError(error) });
      return this.#failed(tool, error).answer;
    }
  }

  #unknownToolSentence(name: string): string {
    const names = [...this.#tools.keys()];
    const close = nearest(name.slice(0, 100), names, 1)[0];
    const shown = visible(name.slice(0, 100));
    return close === undefined
      ? `Unknown tool ${JSON.stringify(shown)}: the tools are ${names.join(", ")}`
      : `Unknown tool ${JSON.stringify(shown)}: did you mean ${close}?`;
  }
}

/** A tool's schemas as `tools/list` shows them. */
export function toolSchemas(tool: Tool): { input: Record<string, unknown>; output: Record<string, unknown> } {
  const output = z.object({
    notices: z.array(z.string()).optional().describe("What the reader should know of this answer"),
    ...tool.output.shape,
  });
  const { $schema: _input, ...input } = z.toJSONSchema(tool.input, { io: "input" });
  const { $schema: _output, ...outputSchema } = z.toJSONSchema(output, { io: "output" });
  return { input, output: outputSchema };
}
