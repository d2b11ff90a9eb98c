/** The tools that the conformance suite asks for by name. */
import { fromJsonSchema, type McpServer, type ServerContext } from "@modelcontextprotocol/server";
import * as z from "zod";
import { CallError } from "../../../src/common/errors.ts";
import type { Run } from "./through_pipeline.ts";

/** A PNG of one red pixel. */
export const redPixel =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";
/** A WAV file without a sample. */
const silence = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA=";

type Content =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "image" | "audio"; readonly data: string; readonly mimeType: string }
  | {
    readonly type: "resource";
    readonly resource: { readonly uri: string; readonly mimeType: string; readonly text: string };
  };

const text = (words: string): Content => ({ type: "text", text: words });
const pause = () => new Promise((resolve) => setTimeout(resolve, 50));

const fixed: Readonly<Record<string, readonly Content[]>> = {
  test_simple_text: [text("This is a simple text response for testing.")],
  test_image_content: [{ type: "image", data: redPixel, mimeType: "image/png" }],
  test_audio_content: [{ type: "audio", data: silence, mimeType: "audio/wav" }],
  test_embedded_resource: [{
    type: "resource",
    resource: {
      uri: "test://embedded-resource",
      mimeType: "text/plain",
      text: "This is an embedded resource content.",
    },
  }],
  test_multiple_content_types: [
    text("Multiple content types test:"),
    { type: "image", data: redPixel, mimeType: "image/png" },
    {
      type: "resource",
      resource: {
        uri: "test://mixed-content-resource",
        mimeType: "application/json",
        text: JSON.stringify({ test: "data", value: 123 }),
      },
    },
  ],
};

/** Keywords of JSON Schema 2020-12 that must come through `tools/list` untouched. */
const richSchema = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object" as const,
  $defs: {
    address: {
      $anchor: "addressDef",
      type: "object",
      properties: { street: { type: "string" }, city: { type: "string" } },
    },
  },
  properties: {
    name: { type: "string" },
    address: { $ref: "#/$defs/address" },
    contactMethod: { type: "string", enum: ["phone", "email"] },
    phone: { type: "string" },
    email: { type: "string" },
  },
  allOf: [{ anyOf: [{ required: ["phone"] }, { required: ["email"] }] }],
  if: { properties: { contactMethod: { const: "phone" } }, required: ["contactMethod"] },
  then: { required: ["phone"] },
  else: { required: ["email"] },
  additionalProperties: false,
};

/** An argument that a header repeats; a variable, as the keyword is none that the type of a schema knows. */
const region = { type: "string" as const, "x-mcp-header": "Region" };

/** Registers them. */
export function registerTools(server: McpServer, run: Run): void {
  const tool = (
    name: string,
    produce: (context: ServerContext) => Promise<readonly Content[]> | readonly Content[],
  ) =>
    server.registerTool(
      name,
      { description: `The fixture ${name}`, inputSchema: z.object({}) },
      async (args, context) => ({ content: [...await run(name, args, context, () => produce(context))] }),
    );
  for (const [name, content] of Object.entries(fixed)) tool(name, () => content);
  tool("test_error_handling", () => {
    throw new CallError("failed", "This tool intentionally returns an error for testing");
  });
  tool("test_tool_with_logging", async ({ mcpReq }) => {
    for (const words of ["Tool execution started", "Tool processing data", "Tool execution completed"]) {
      await mcpReq.notify({ method: "notifications/message", params: { level: "info", data: words } });
      await pause();
    }
    return [text("Tool with logging executed")];
  });
  tool("test_tool_with_progress", async ({ mcpReq }) => {
    const progressToken = mcpReq._meta?.progressToken;
    for (const progress of [0, 50, 100]) {
      if (progressToken !== undefined) {
        await mcpReq.notify({
          method: "notifications/progress",
          params: { progressToken, progress, total: 100 },
        });
      }
      await pause();
    }
    return [text("Tool with progress executed")];
  });
  server.registerTool(
    "json_schema_2020_12_tool",
    { description: "Tool with JSON Schema 2020-12 features", inputSchema: fromJsonSchema(richSchema) },
    async (args, context) => ({
      content: [...await run("json_schema_2020_12_tool", args, context, () => [text("called")])],
    }),
  );
  server.registerTool(
    "test_custom_header",
    {
      description: "The fixture of an argument that a header repeats",
      inputSchema: fromJsonSchema({
        type: "object",
        properties: { region },
        required: ["region"],
      }),
    },
    async (args, context) => ({
      content: [...await run("test_custom_header", args, context, () => [text("called")])],
    }),
  );
}
