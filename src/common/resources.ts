/**
 * What a program offers to read by URI: MCP's resources, their templates and the completion of their variables.
 * Each way of asking is a {@linkcode Tool} of its own, so that the pipeline limits and audits it like any call.
 */
import { z } from "zod";
import type { Tool } from "./tool.ts";

/** A template, https://modelcontextprotocol.io/specification (resource templates, RFC 6570). */
export interface ResourceTemplate {
  readonly uriTemplate: string;
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly mimeType: string;
}

/** The resources of one program. */
export interface Resources {
  readonly templates: readonly ResourceTemplate[];
  /** Structured content: {@linkcode listedResources}. */
  readonly list: Tool;
  /** The text is the resource's; a URI that names none is `not_found`. */
  readonly read: Tool;
  /** Structured content: {@linkcode completions}. */
  readonly complete: Tool;
}

/** What `list` takes: the cursor that the page before gave. */
export const listInput = z.strictObject({ cursor: z.string().max(20).optional() });

/** What `list` answers. */
export const listedResources = z.object({
  resources: z.array(z.object({
    uri: z.string(),
    name: z.string(),
    title: z.string(),
    description: z.string().optional(),
    mimeType: z.string(),
  })),
  nextCursor: z.string().optional(),
});

/** What `read` takes. */
export const readInput = z.strictObject({ uri: z.string().max(2_000) });

/** What `read` answers beside the text. */
export const readResource = z.object({ uri: z.string(), mimeType: z.string() });

/** What `complete` takes: a template's variable, what has been typed of it, and the variables that are known. */
export const completeInput = z.strictObject({
  uriTemplate: z.string().max(2_000),
  argument: z.string().max(100),
  value: z.string().max(200),
  known: z.record(z.string(), z.string()),
});

/** What `complete` answers: at most 100 values. */
export const completions = z.object({
  values: z.array(z.string()).max(100),
  total: z.number(),
  hasMore: z.boolean(),
});
