/** The SDK's server object for one connection or request: cheap to make, as all that costs is made once per process. */
import { type JSONRPCMessage, ProtocolError, ProtocolErrorCode, Server } from "@modelcontextprotocol/server";
import { callerOf } from "./caller.ts";
import { type Caller, type Pipeline, toolSchemas, UnknownToolError } from "./pipeline.ts";
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
  readonly annotations: {
    readonly title: string;
    readonly readOnlyHint: true;
    readonly destructiveHint: false;
    readonly idempotentHint: true;
    readonly openWorldHint: true;
  };
}

/** Makes server objects that share one pipeline. */
export function serverFactory(
  identity: ServerIdentity,
  { tools, resources }: { readonly tools: readonly Tool[]; readonly resources?: Resources },
  pipeline: Pipeline,
  client: string,
): () => Server {
  let listed: ListedTool[] | undefined;
  return () => {
    const server = new Server(
      { name: identity.name, title: identity.title, version: identity.version },
      {
        capabilities: { tools: {}, ...(resources === undefined ? {} : { resources: {}, completions: {} }) },
        instructions: identity.instructions,
      },
    );
    if (resources !== undefined) serveResources(server, resources, pipeline, client);
    server.setRequestHandler("tools/list", () => ({ tools: listed ??= tools.map(listTool) }));
    server.setRequestHandler("tools/call", async (request, context) => {
      try {
        const answer = await pipeline.call(
          request.params.name,
          request.params.arguments,
          callerOf(server, context, client),
        );
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
    inputSchema: { ...schemas.input, type: "object" },
    outputSchema: { ...schemas.output, type: "object" },
    annotations: {
      title: tool.title,
      readOnlyHint: true,
      destructiveHint: false,
      idempotentHint: true,
      openWorldHint: true,
    },
  };
}

/**
 * A `tools/call` whose parameters have the wrong shape: the SDK would refuse it before any handler sees it, and
 * neither the rate limit nor the audit log would know. Returns the reason, after both have been told.
 */
export function refuseMalformedCall(
  message: JSONRPCMessage,
  pipeline: Pipeline,
  client: string,
): string | undefined {
  if (!("method" in message) || message.method !== "tools/call" || !("id" in message)) return undefined;
  const params: Readonly<Record<string, unknown>> = message.params ?? {};
  const { name, arguments: args } = params;
  const wrongArguments = args !== undefined &&
    (typeof args !== "object" || args === null || Array.isArray(args));
  if (typeof name === "string" && !wrongArguments) return undefined;
  const reason = typeof name === "string"
    ? "Invalid tools/call: arguments must be an object"
    : "Invalid tools/call: name must be a string";
  const caller: Caller = {
    client,
    clientInfo: undefined,
    signal: new AbortController().signal,
    progress: undefined,
  };
  return pipeline.refuse(typeof name === "string" ? name : "(no name)", args, caller, reason).text;
}
