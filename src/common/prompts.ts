/**
 * What a program offers to begin with: MCP's prompts, short texts that name the tools for a task. Rendering one asks no
 * backend; completing an argument may, and is therefore a {@linkcode Tool} that the pipeline limits and audits.
 *
 * Source: https://modelcontextprotocol.io/specification (server features, prompts)
 */
import * as z from "zod";
import type { Tool } from "./tool.ts";

/** One argument of a prompt. */
export interface PromptArgument {
  readonly name: string;
  readonly description: string;
  readonly required: boolean;
}

/** One prompt. */
export interface Prompt {
  /** Matches `^[a-z][a-z0-9_]{0,39}$`. */
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly arguments: readonly PromptArgument[];
  /** The text of its one message; required arguments are there, empty ones are not. */
  readonly render: (values: Readonly<Record<string, string>>) => string;
}

/** The prompts of one program. */
export interface Prompts {
  readonly prompts: readonly Prompt[];
  /** Takes {@linkcode completePromptInput}; its structured content is `completions` of resources.ts. */
  readonly complete: Tool;
}

/** What `complete` takes: a prompt's argument, what has been typed of it, and the arguments that are known. */
export const completePromptInput = z.strictObject({
  prompt: z.string().max(100),
  argument: z.string().max(100),
  value: z.string().max(200),
  known: z.record(z.string(), z.string()),
});

/** Characters that the value of an argument may have: a name, not an essay. */
export const maxArgumentLength = 200;
