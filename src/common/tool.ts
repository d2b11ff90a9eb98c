/** What a tool is: a name, schemas, a function that asks its backend, and a function that renders the answer. */
import type { z } from "zod";

/** What the pipeline gives a running tool. A tool knows neither the transport nor the audit log. */
export interface ToolContext {
  /** Aborts when the client cancels, the deadline passes or the program stops. */
  readonly signal: AbortSignal;
  /** Bytes of UTF-8 that the text of the answer may take. */
  readonly budget: number;
  /** Tells the client how far a long call has come; free to call at any time. */
  readonly progress: (message: string) => void;
}

/** A read-only tool. `Input` and `Output` are strict, flat zod objects. */
export interface Tool<
  Input extends z.ZodObject = z.ZodObject,
  Output extends z.ZodObject = z.ZodObject,
> {
  /** Matches `^[a-z][a-z0-9_]{0,39}$`. */
  readonly name: string;
  readonly title: string;
  /** At most 1,000 characters. */
  readonly description: string;
  readonly input: Input;
  readonly output: Output;
  /** Asks the backend. Throws {@linkcode CallError} when the question can't be answered. */
  run(args: z.output<Input>, context: ToolContext): Promise<z.output<Output>>;
  /** The answer as text, complete without the structured content and within `budget` bytes. */
  text(result: z.output<Output>, budget: number): string;
  /** How many rows (pods, series) an answer holds, for the audit log. */
  rows?(result: z.output<Output>): number;
}

/** Keeps a tool's own types while they are written down, and gives them up in a catalogue. */
export function defineTool<Input extends z.ZodObject, Output extends z.ZodObject>(
  tool: Tool<Input, Output>,
): Tool {
  // A catalogue holds tools of different types: the pipeline parses arguments with the tool's own schema
  // before it calls `run`, which is what makes this cast sound.
  return tool as unknown as Tool;
}
