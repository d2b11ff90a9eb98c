/** MCP's methods for resources and completions, by way of the pipeline. */
import {
  ProtocolError,
  ProtocolErrorCode,
  ResourceNotFoundError,
  type Server,
  type ServerContext,
} from "@modelcontextprotocol/server";
import type { Answer } from "./answer.ts";
import type { Pipeline } from "./pipeline.ts";
import { listedResources, readResource, type Resources } from "./resources.ts";
import { callerOf } from "./caller.ts";
import type { Tool } from "./tool.ts";
import { visible } from "./visible.ts";

/** Registers the methods on one server object. */
export function serveResources(
  server: Server,
  resources: Resources,
  pipeline: Pipeline,
  client: string,
): void {
  const perform = async (operation: Tool, args: unknown, context: ServerContext): Promise<Answer> => {
    const answer = await pipeline.perform(operation, args, callerOf(server, context, client));
    if (answer.kind === undefined) return answer;
    const isCallers = answer.kind === "invalid" || answer.kind === "not_found";
    throw new ProtocolError(
      isCallers ? ProtocolErrorCode.InvalidParams : ProtocolErrorCode.InternalError,
      answer.text,
    );
  };
  server.setRequestHandler("resources/list", async (request, context) => {
    const cursor = request.params?.cursor;
    const answer = await perform(resources.list, cursor === undefined ? {} : { cursor }, context);
    const { nextCursor, resources: listed } = listedResources.parse(answer.structured);
    return {
      resources: listed.map(({ description, ...item }) =>
        description === undefined ? item : { ...item, description }
      ),
      ...(nextCursor === undefined ? {} : { nextCursor }),
    };
  });
  server.setRequestHandler("resources/templates/list", () => ({
    resourceTemplates: resources.templates.map((template) => ({ ...template })),
  }));
  server.setRequestHandler("resources/read", async (request, context) => {
    const { uri } = request.params;
    let answer: Answer;
    try {
      answer = await perform(resources.read, { uri }, context);
    } catch (error) {
      if (error instanceof ProtocolError && error.code === ProtocolErrorCode.InvalidParams) {
        throw new ResourceNotFoundError(visible(uri), error.message);
      }
      throw error;
    }
    const { mimeType } = readResource.parse(answer.structured);
    return { contents: [{ uri, mimeType, text: answer.text }] };
  });
}
