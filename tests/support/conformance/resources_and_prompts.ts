/** The resources and prompts that the conformance suite asks for by name. */
import { completable, type McpServer, ResourceTemplate } from "@modelcontextprotocol/server";
import * as z from "zod";
import type { Run } from "./through_pipeline.ts";
import { redPixel } from "./tools.ts";

/** Registers the resources. */
export function registerResources(server: McpServer, run: Run): void {
  server.registerResource(
    "static-text",
    "test://static-text",
    { title: "Static text", description: "A text", mimeType: "text/plain" },
    (uri, context) =>
      run("resources/read", { uri: uri.href }, context, () => ({
        contents: [{
          uri: uri.href,
          mimeType: "text/plain",
          text: "This is the content of the static text resource.",
        }],
      })),
  );
  server.registerResource(
    "static-binary",
    "test://static-binary",
    { title: "Static binary", description: "An image", mimeType: "image/png" },
    (uri, context) =>
      run("resources/read", { uri: uri.href }, context, () => ({
        contents: [{ uri: uri.href, mimeType: "image/png", blob: redPixel }],
      })),
  );
  server.registerResource(
    "watched",
    "test://watched-resource",
    { title: "Watched", description: "A text that may be subscribed to", mimeType: "text/plain" },
    (uri) => ({ contents: [{ uri: uri.href, mimeType: "text/plain", text: "watched" }] }),
  );
  server.registerResource(
    "template",
    new ResourceTemplate("test://template/{id}/data", { list: undefined }),
    { title: "Template", description: "A text with a parameter", mimeType: "application/json" },
    (uri, { id }, context) =>
      run("resources/read", { uri: uri.href }, context, () => ({
        contents: [{
          uri: uri.href,
          mimeType: "application/json",
          text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }),
        }],
      })),
  );
  server.server.setRequestHandler("resources/subscribe", () => ({}));
  server.server.setRequestHandler("resources/unsubscribe", () => ({}));
}

/** Registers the prompts. */
export function registerPrompts(server: McpServer): void {
  const user = (text: string) => ({ role: "user" as const, content: { type: "text" as const, text } });
  server.registerPrompt(
    "test_simple_prompt",
    { description: "A prompt without arguments" },
    () => ({ messages: [user("This is a simple prompt for testing.")] }),
  );
  server.registerPrompt(
    "test_prompt_with_arguments",
    {
      description: "A prompt with arguments",
      argsSchema: z.object({
        arg1: completable(
          z.string().describe("First"),
          (typed) => ["paris", "park", "party"].filter((word) => word.startsWith(typed)),
        ),
        arg2: z.string().describe("Second"),
      }),
    },
    ({ arg1, arg2 }) => ({ messages: [user(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)] }),
  );
  server.registerPrompt(
    "test_prompt_with_embedded_resource",
    {
      description: "A prompt with a resource",
      argsSchema: z.object({ resourceUri: z.string().describe("The resource") }),
    },
    ({ resourceUri }) => ({
      messages: [{
        role: "user",
        content: {
          type: "resource",
          resource: {
            uri: resourceUri,
            mimeType: "text/plain",
            text: "Embedded resource content for testing.",
          },
        },
      }, user("Please process the embedded resource above.")],
    }),
  );
  server.registerPrompt(
    "test_prompt_with_image",
    { description: "A prompt with an image" },
    () => ({
      messages: [
        { role: "user", content: { type: "image", data: redPixel, mimeType: "image/png" } },
        user("Please analyze the image above."),
      ],
    }),
  );
}
