/**
 * What a program offers to read by URI: MCP's resources, their templates and the completion of their variables.
 * Each way of asking is a {@linkcode Tool} of its own, so that the pipeline limits and audits it like any call.
 */
import * as z from "zod";
import { CallError } from "./errors.ts";
import { defineTool, type Tool } from "./tool.ts";
import { count } from "./units.ts";
import { visible } from "./visible.ts";

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
  /** Structured content: {@linkcode completions}; absent where no template has a variable. */
  readonly complete?: Tool;
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
export type Completions = z.output<typeof completions>;

/** At most that many values are completed at once. */
export const maxCompletions = 100;

/** The two ends of an operation that differ from program to program. */
type Ends<Input extends z.ZodObject, Output extends z.ZodObject, Value> = Pick<
  Tool<Input, Output, Value>,
  "run" | "present"
>;

/** `list` of {@linkcode Resources}. */
export function resourceList<Value>(ends: Ends<typeof listInput, typeof listedResources, Value>): Tool {
  return defineTool({
    name: "resources/list",
    title: "List resources",
    description: "",
    input: listInput,
    output: listedResources,
    ...ends,
  });
}

/** `list` where there are always the same few. */
export function fixedResourceList(resources: z.output<typeof listedResources>["resources"]): Tool {
  return resourceList({
    run: ({ cursor }) => cursor === undefined ? Promise.resolve(resources) : Promise.reject(strangeCursor()),
    present: (listed) => ({ text: "", structured: { resources: listed }, rows: listed.length }),
  });
}

/** `read` of {@linkcode Resources}. */
export function resourceRead<Value>(ends: Ends<typeof readInput, typeof readResource, Value>): Tool {
  return defineTool({
    name: "resources/read",
    title: "Read a resource",
    description: "",
    input: readInput,
    output: readResource,
    ...ends,
  });
}

/** An operation that completes what `Input` describes. */
export function completion<Input extends z.ZodObject>(
  input: Input,
  run: Tool<Input, typeof completions, Completions>["run"],
): Tool {
  return defineTool({
    name: "completion/complete",
    title: "Complete a name",
    description: "",
    input,
    output: completions,
    run,
    present: (structured) => ({
      text: count(structured.total),
      structured,
      rows: structured.values.length,
    }),
  });
}

/** Nothing to complete. */
export const noCompletions: Completions = { values: [], total: 0, hasMore: false };

/** A cursor that no page gave. */
export function strangeCursor(): CallError {
  return new CallError("invalid", "Cannot continue from this cursor as this server did not issue it");
}

/** A URI that names no resource. */
export function noSuchResource(uri: string, hint: string): CallError {
  return new CallError("not_found", `There is no resource ${JSON.stringify(visible(uri.slice(0, 200)))}`, {
    hint,
  });
}

/** The variables of a template in a URI, decoded, in their order; undefined for a URI of another form. */
export function templateValues(uriTemplate: string, uri: string): readonly string[] | undefined {
  const pattern = uriTemplate.split(/\{\w+\}/).map((part) => RegExp.escape(part)).join("([^/?#]+)");
  try {
    return new RegExp(`^${pattern}$`).exec(uri)?.slice(1).map((value) => decodeURIComponent(value));
  } catch {
    return undefined;
  }
}
