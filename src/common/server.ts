/** The SDK's server object for one connection or request: cheap to make, as all that costs is made once per process. */
import {
  type JSONRPCMessage,
  type JSONRPCRequest,
  ProtocolError,
  ProtocolErrorCode,
  type RequestId,
  Server,
} from "@modelcontextprotocol/server";
import * as z from "zod";
import { issueWords } from "./argument_issues.ts";
import { callerOf } from "./caller.ts";
import { type Caller, type Pipeline, toolSchemas, UnknownToolError } from "./pipeline.ts";
import { performer } from "./performer.ts";
import type { Prompts } from "./prompts.ts";
import { hasCompletions, serveCompletions } from "./serve_completions.ts";
import { servePrompts } from "./serve_prompts.ts";
import { serveResources } from "./serve_resources.ts";
import type { Resources } from "./resources.ts";
import type { Tool } from "./tool.ts";

/** What a program tells of itself to a client. */
export interface ServerIdentity {
  readonly name: string;
  readonly title: string;
  readonly version: string;
  /** How a model should use the tools; at most 2 KB. */
  readonly instructions: string;
}

/** A tool as `tools/list` shows it. */
interface ListedTool {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly inputSchema: { readonly type: "object" };
  readonly outputSchema: { readonly type: "object" };
  readonly annotations: { readonly readOnlyHint: true };
}

/** Lists that change with a new version of the program alone, https://modelcontextprotocol.io/specification (caching). */
const unchanging = { ttlMs: 300_000, cacheScope: "private" } as const;

/**
 * Makes a server object for a client of that name. `heard` is called for each request that the pipeline gets: one that
 * the SDK refuses by itself is neither limited nor audited by then.
 */
export type MakeServer = (client: string, heard?: (id: RequestId) => void) => Server;

/** Makes server objects that share one pipeline. */
export function serverFactory(
  identity: ServerIdentity,
  { tools, resources, prompts }: {
    readonly tools: readonly Tool[];
    readonly resources?: Resources;
    readonly prompts?: Prompts;
  },
  pipeline: Pipeline,
): MakeServer {
  let listed: ListedTool[] | undefined;
  return (client, heard = () => {}) => {
    const server = new Server(
      { name: identity.name, title: identity.title, version: identity.version },
      {
        capabilities: {
          tools: {},
          ...(resources === undefined ? {} : { resources: {} }),
          ...(prompts === undefined ? {} : { prompts: {} }),
          ...(hasCompletions({ resources, prompts }) ? { completions: {} } : {}),
        },
        instructions: identity.instructions,
        cacheHints: {
          "tools/list": unchanging,
          "prompts/list": unchanging,
          "resources/templates/list": unchanging,
        },
      },
    );
    const perform = performer(server, pipeline, client, heard);
    if (resources !== undefined) serveResources(server, resources, perform);
    if (prompts !== undefined) servePrompts(server, prompts);
    if (hasCompletions({ resources, prompts })) serveCompletions(server, { resources, prompts }, perform);
    server.setRequestHandler("tools/list", () => ({ tools: listed ??= tools.map(listTool) }));
    server.setRequestHandler("tools/call", { params: calledTool }, async (params, context) => {
      heard(context.mcpReq.id);
      try {
        const answer = await pipeline.call(params.name, params.arguments, callerOf(server, context, client));
        return {
          content: [{ type: "text", text: answer.text }],
          ...(answer.structured === undefined ? {} : { structuredContent: answer.structured }),
          ...(answer.kind === undefined ? {} : { isError: true }),
        };
      } catch (error) {
        if (error instanceof UnknownToolError) {
          throw new ProtocolError(ProtocolErrorCode.InvalidParams, error.message);
        }
        throw error;
      }
    });
    return server;
  };
}

function listTool(tool: Tool): ListedTool {
  const schemas = toolSchemas(tool);
  return {
    name: tool.name,
    title: tool.title,
    description: tool.description,
    inputSchema: { ...withoutLengths(schemas.input), type: "object" },
    outputSchema: { ...schemas.output, type: "object" },
    // The other hints mean something only where this one is false.
    annotations: { readOnlyHint: true },
  };
}

/** How long a text may be is told to whoever oversteps it: a model reads each schema in every session. */
function withoutLengths<Value>(value: Value): Value {
  return JSON.parse(JSON.stringify(value, (key, part) => {
    return (key === "minLength" || key === "maxLength") && typeof part === "number" ? undefined : part;
  }));
}

/** The arguments as they came: the SDK's own schema drops one named `__proto__`, which no tool would then refuse. */
const calledTool = z.looseObject({ name: z.string(), arguments: z.unknown().optional() });

/** The requests that reach the backend, and the parameters that each must have. */
const parameterShapes: Readonly<Record<string, z.ZodType>> = {
  "tools/call": z.looseObject({
    name: z.string(),
    arguments: z.record(z.string(), z.unknown()).optional(),
  }),
  "resources/list": z.looseObject({ cursor: z.string().optional() }).optional(),
  "resources/read": z.looseObject({ uri: z.string().max(2_000) }),
  "completion/complete": z.looseObject({
    ref: z.looseObject({
      type: z.enum(["ref/resource", "ref/prompt"]),
      uri: z.string().optional(),
      name: z.string().optional(),
    })
      .refine(({ type, uri }) => type !== "ref/resource" || uri !== undefined, { path: ["uri"] })
      .refine(({ type, name }) => type !== "ref/prompt" || name !== undefined, { path: ["name"] }),
    argument: z.looseObject({ name: z.string(), value: z.string() }),
    context: z.looseObject({ arguments: z.record(z.string(), z.string()).optional() }).optional(),
  }),
};

const metaShape = z.looseObject({
  _meta: z.looseObject({ progressToken: z.union([z.string(), z.int()]).optional() }).optional(),
  requestState: z.string().optional(),
}).optional();

/**
 * A request whose parameters have the wrong shape: the SDK would refuse it before any handler sees it, and neither the
 * rate limit nor the audit log would know. Returns the reason, after both have been told.
 */
export function refuseMalformedRequest(
  message: JSONRPCMessage,
  pipeline: Pipeline,
  client: string,
): string | undefined {
  if (!asksBackend(message)) return undefined;
  const shape = parameterShapes[message.method];
  if (shape === undefined) return undefined;
  const params: unknown = message.params;
  for (const wanted of [shape, metaShape]) {
    const { error } = wanted.safeParse(params);
    if (error === undefined) continue;
    const reason = `Invalid ${message.method}: ${issueWords(wanted, error, params, "params")}`;
    return refuseLine(reason, pipeline, client, askedBy(message.method, params), params);
  }
  return undefined;
}

/** Whether a message is a request that reaches the backend. */
export function asksBackend(message: JSONRPCMessage): message is JSONRPCRequest {
  return "method" in message && "id" in message && Object.hasOwn(parameterShapes, message.method);
}

/** Limits and audits a message of the right shape that no handler has seen; the sentence to answer. */
export function refuseMessage(
  message: JSONRPCMessage,
  reason: string,
  pipeline: Pipeline,
  client: string,
): string {
  if (!("method" in message)) return refuseLine(reason, pipeline, client);
  const { method, params } = message;
  const args: unknown = method === "tools/call" ? params?.arguments : params;
  return refuseLine(reason, pipeline, client, askedBy(method, params), args);
}

/** Limits and audits what is no request that could be answered; the sentence to answer. */
export function refuseLine(
  reason: string,
  pipeline: Pipeline,
  client: string,
  asked = "(malformed)",
  args: unknown = {},
): string {
  const caller: Caller = {
    client,
    clientInfo: undefined,
    signal: new AbortController().signal,
    progress: undefined,
  };
  return pipeline.refuse(asked, args, caller, reason).text;
}

/** The tool, or the method that is none's. */
function askedBy(method: string, params: unknown): string {
  return method === "tools/call" ? toolName(params) : method;
}

function toolName(params: unknown): string {
  const isNamed = params !== null && typeof params === "object" && "name" in params &&
    typeof params.name === "string";
  return isNamed ? String(params.name) : "(no name)";
}
