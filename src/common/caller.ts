/** Who sent a request, as the SDK's server object and the request tell. */
import {
  CLIENT_INFO_META_KEY,
  type Server,
  type ServerContext,
  TRACEPARENT_META_KEY,
} from "@modelcontextprotocol/server";
import type { Caller } from "./pipeline.ts";

/** The caller, for the pipeline; `client` is the name that the transport vouches for. */
export function callerOf(server: Server, context: ServerContext, client: string): Caller {
  const { mcpReq } = context;
  // The SDK types the envelope as empty; what the client says of itself stands in it under this key.
  const envelope: Readonly<Record<string, unknown>> | undefined = mcpReq.envelope;
  const info = clientName(envelope?.[CLIENT_INFO_META_KEY]) ?? clientName(server.getClientVersion()) ??
    context.http?.req?.headers.get("user-agent")?.slice(0, 128);
  const token = mcpReq._meta?.progressToken;
  const traceparent: unknown = mcpReq._meta?.[TRACEPARENT_META_KEY];
  return {
    client,
    clientInfo: info,
    signal: mcpReq.signal,
    traceparent: typeof traceparent === "string" ? traceparent : undefined,
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
