/** MCP's `completion/complete`, for the variables of resource templates and the arguments of prompts. */
import { ProtocolError, ProtocolErrorCode, type Server } from "@modelcontextprotocol/server";
import { callerOf } from "./caller.ts";
import type { Pipeline } from "./pipeline.ts";
import type { Prompts } from "./prompts.ts";
import { completions, type Resources } from "./resources.ts";

const nothing = { completion: { values: [], total: 0, hasMore: false } };

/** Registers the method where there is something to complete. */
export function serveCompletions(
  server: Server,
  { resources, prompts }: {
    readonly resources: Resources | undefined;
    readonly prompts: Prompts | undefined;
  },
  pipeline: Pipeline,
  client: string,
): void {
  if (resources === undefined && prompts === undefined) return;
  server.setRequestHandler("completion/complete", async (request, context) => {
    const { ref, argument, context: known } = request.params;
    const common = { argument: argument.name, value: argument.value, known: known?.arguments ?? {} };
    const [operation, args] = ref.type === "ref/resource"
      ? [resources?.complete, { ...common, uriTemplate: ref.uri }]
      : [prompts?.complete, { ...common, prompt: ref.name }];
    if (operation === undefined) return nothing;
    const answer = await pipeline.perform(operation, args, callerOf(server, context, client));
    if (answer.kind !== undefined) {
      const isCallers = answer.kind === "invalid" || answer.kind === "not_found";
      throw new ProtocolError(
        isCallers ? ProtocolErrorCode.InvalidParams : ProtocolErrorCode.InternalError,
        answer.text,
      );
    }
    return { completion: completions.parse(answer.structured) };
  });
}
