/** The SDK's server object for one connection or request: cheap to make, as all that costs is made once per process. */
import {
  CLIENT_INFO_META_KEY,
  type JSONRPCMessage,
  ProtocolError,
  ProtocolErrorCode,
  Server,
  type ServerContext,
} from "@modelcontextprotocol/server";
import { type Caller, type Pipeline, toolSchemas, UnknownToolError } from "./pipeline.ts";
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
  tools: readonly Tool[],
  pipeline: Pipeline,
  client: string,
): () => Server {
  let listed: ListedTool[] | undefined;
  return () => {
    const server = new Server(
      { name: identity.name, title: identity.title, version: identity.version },
      { capabilities: { tools: {} }, instructions: identity.instructions },
    );
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
          ...(answer.isError ? { isError: true } : {}),
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

function callerOf(server: Server, context: ServerContext, client: string): Caller {
  const { mcpReq } = context;
  // The SDK types the envelope as empty; what the client says of itself stands in it under this key.
  const envelope: Readonly<Record<string, unknown>> | undefined = mcpReq.envelope;
  const info = clientName(envelope?.[CLIENT_INFO_META_KEY]) ?? clientName(server.getClientVersion());
  const token = mcpReq._meta?.progressToken;
  return {
    client,
    clientInfo: info,
    signal: mcpReq.signal,
    progress: token === undefined ? undefined : (message, elapsedMs) => {
      const params = { progressToken: token, progress: Math.round(elapsedMs), message };
      // A client that has gone away can't be told: its cancellation is on the way.
      mcpReq.notify({ method: "notifications/progress", params }).catch(() => {});
    },
  };
}

function clientName(info: unknown): string | undefined {
  if (info === null || typeof info !== "object" || !("name" in info)) return undefined;
  const { name, version = "" } = info as { name: unknown; version?: unknown };
  return `${String(name)}/${String(version)}`.slice(0, 128);
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
