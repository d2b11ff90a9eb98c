/** How the protocol's other methods than `tools/call` go through the pipeline. */
import {
  ProtocolError,
  ProtocolErrorCode,
  type RequestId,
  type Server,
  type ServerContext,
} from "@modelcontextprotocol/server";
import type { Answer } from "./answer.ts";
import { callerOf } from "./caller.ts";
import type { Pipeline } from "./pipeline.ts";
import type { Tool } from "./tool.ts";

/** Performs an operation for one request. Throws {@linkcode ProtocolError}: these methods know no `isError`. */
export type Perform = (operation: Tool, args: unknown, context: ServerContext) => Promise<Answer>;

/** For one server object; `heard` is called for each request that comes so far. */
export function performer(
  server: Server,
  pipeline: Pipeline,
  client: string,
  heard: (id: RequestId) => void,
): Perform {
  return async (operation, args, context) => {
    heard(context.mcpReq.id);
    const answer = await pipeline.perform(operation, args, callerOf(server, context, client));
    if (answer.kind === undefined) return answer;
    const isCallers = answer.kind === "invalid" || answer.kind === "not_found";
    throw new ProtocolError(
      isCallers ? ProtocolErrorCode.InvalidParams : ProtocolErrorCode.InternalError,
      answer.text,
    );
  };
}
