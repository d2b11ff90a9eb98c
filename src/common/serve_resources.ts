/** MCP's methods for resources, by way of the pipeline. */
import {
  ProtocolError,
  ProtocolErrorCode,
  ResourceNotFoundError,
  type Server,
} from "@modelcontextprotocol/server";
import type { Answer } from "./answer.ts";
import type { Perform } from "./performer.ts";
import { listedResources, readResource, type Resources } from "./resources.ts";
import { visible } from "./visible.ts";

/** Registers the methods on one server object. */
export function serveResources(server: Server, resources: Resources, perform: Perform): void {
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
