/** MCP's `completion/complete`, for the variables of resource templates and the arguments of prompts. */
import type { Server } from "@modelcontextprotocol/server";
import type { Perform } from "./performer.ts";
import type { Prompts } from "./prompts.ts";
import { completions, noCompletions, type Resources } from "./resources.ts";

/** What has something to complete, as far as it is there. */
export interface Completed {
  readonly resources?: Resources | undefined;
  readonly prompts?: Prompts | undefined;
}

/** Whether there is anything to complete. */
export function hasCompletions({ resources, prompts }: Completed): boolean {
  return resources?.complete !== undefined || prompts !== undefined;
}

/** Registers the method on one server object. */
export function serveCompletions(server: Server, { resources, prompts }: Completed, perform: Perform): void {
  server.setRequestHandler("completion/complete", async (request, context) => {
    const { ref, argument, context: known } = request.params;
    const common = { argument: argument.name, value: argument.value, known: known?.arguments ?? {} };
    const [operation, args] = ref.type === "ref/resource"
      ? [resources?.complete, { ...common, uriTemplate: ref.uri }]
      : [prompts?.complete, { ...common, prompt: ref.name }];
    if (operation === undefined) return { completion: noCompletions };
    const answer = await perform(operation, args, context);
    return { completion: completions.parse(answer.structured) };
  });
}
