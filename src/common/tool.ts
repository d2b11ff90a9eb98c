/** What a tool is: a name, schemas, a function that asks its backend, and a function that renders the answer. */
import type * as z from "zod";

/** What the pipeline gives a running tool. A tool knows neither the transport nor the audit log. */
export interface ToolContext {
  /** Aborts when the client cancels, the deadline passes or the program stops. */
  readonly signal: AbortSignal;
  /** Bytes of UTF-8 that the text of the answer may take. */
  readonly budget: number;
  /** Tells the client how far a long call has come; free to call at any time. */
  readonly progress: (message: string) => void;
}

/** An answer in its two forms, each complete by itself and within the budget. */
export interface Presentation<Structured> {
  readonly text: string;
  readonly structured: Structured;
  /** How many rows (pods, series) it holds, for the audit log. */
  readonly rows: number;
}

/** A read-only tool. `Input` is a strict, flat zod object; `Value` is what the backend said, before any cut. */
export interface Tool<
  Input extends z.ZodObject = z.ZodObject,
  Output extends z.ZodObject = z.ZodObject,
  Value = unknown,
> {
  /** Matches `^[a-z][a-z0-9_]{0,39}$`. */
  readonly name: string;
  readonly title: string;
  /** At most 1,000 characters. */
  readonly description: string;
  readonly input: Input;
  readonly output: Output;
  /** Asks the backend. Throws {@linkcode CallError} when the question can't be answered. */
  run(args: z.output<Input>, context: ToolContext): Promise<Value>;
  /** Puts the value into words; `budget` is bytes of UTF-8 for the text, and for the structured content as JSON. */
  present(value: Value, budget: number): Presentation<z.output<Output>>;
}

/** Keeps a tool's own types while they are written down, and gives them up in a catalogue. */
export function defineTool<Input extends z.ZodObject, Output extends z.ZodObject, Value>(
  tool: Tool<Input, Output, Value>,
): Tool {
  // A catalogue holds tools of different types: the pipeline parses arguments with the tool's own schema before
  // `run`, and gives `present` nothing but what `run` returned, which is what makes this cast sound.
  return tool as unknown as Tool;
}
