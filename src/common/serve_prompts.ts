/** MCP's methods for prompts. */
import { ProtocolError, ProtocolErrorCode, type Server } from "@modelcontextprotocol/server";
import { nearest } from "./nearest.ts";
import { maxArgumentLength, type Prompt, type Prompts } from "./prompts.ts";
import { visible } from "./visible.ts";

/** Registers the methods on one server object; completion is the resources' business too, and stands there. */
export function servePrompts(server: Server, { prompts }: Prompts): void {
  server.setRequestHandler("prompts/list", () => ({
    prompts: prompts.map(({ name, title, description, arguments: args }) => ({
      name,
      title,
      description,
      arguments: args.map((argument) => ({ ...argument })),
    })),
  }));
  server.setRequestHandler("prompts/get", ({ params }) => {
    const prompt = prompts.find(({ name }) => name === params.name);
    if (prompt === undefined) {
      const [close] = nearest(params.name.slice(0, 100), prompts.map(({ name }) => name), 1);
      throw invalid(
        `Unknown prompt ${JSON.stringify(visible(params.name.slice(0, 100)))}: ${
          close === undefined
            ? `the prompts are ${prompts.map(({ name }) => name).join(", ")}`
            : `did you mean ${close}?`
        }`,
      );
    }
    const text = prompt.render(readArguments(prompt, params.arguments ?? {}));
    return {
      description: prompt.description,
      messages: [{ role: "user" as const, content: { type: "text" as const, text } }],
    };
  });
}

/** Names on one line: what a caller puts in must not look like an instruction of ours. */
function readArguments(prompt: Prompt, given: Readonly<Record<string, string>>): Record<string, string> {
  const values: Record<string, string> = {};
  for (const name of Object.keys(given)) {
    if (!prompt.arguments.some((argument) => argument.name === name)) {
      const known = prompt.arguments.map((argument) => argument.name).join(", ") || "none";
      throw invalid(
        `Unknown argument ${JSON.stringify(visible(name.slice(0, 64)))}; the arguments are ${known}`,
      );
    }
  }
  for (const { name, required } of prompt.arguments) {
    const value = given[name]?.trim() ?? "";
    if (value === "" && required) throw invalid(`${name} is missing: ${prompt.name} needs it`);
    if (value.length > maxArgumentLength) {
      throw invalid(`${name} is longer than ${maxArgumentLength} characters`);
    }
    if (value !== "") values[name] = visible(value);
  }
  return values;
}

function invalid(message: string): ProtocolError {
  return new ProtocolError(ProtocolErrorCode.InvalidParams, message);
}
