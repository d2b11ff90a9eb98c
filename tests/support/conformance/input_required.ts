/** The fixtures that ask the client for something and are called again with it (2026-07-28, several round trips). */
import {
  acceptedContent,
  CLIENT_CAPABILITIES_META_KEY,
  createRequestStateCodec,
  inputRequired,
  inputResponse,
  type McpServer,
  ProtocolError,
  ProtocolErrorCode,
  type ServerContext,
} from "@modelcontextprotocol/server";
import * as z from "zod";
import type { Run } from "./through_pipeline.ts";

/** Seals what goes to the client and comes back. */
export const stateCodec = createRequestStateCodec<{ step: number }>({
  key: crypto.getRandomValues(new Uint8Array(32)),
});

const named = z.object({ name: z.string() });
const confirmed = z.object({ ok: z.boolean() });
const coloured = z.object({ color: z.string() });

const ask = (message: string, requestedSchema: z.ZodObject) =>
  inputRequired.elicit({ message, requestedSchema });
const sample = (text: string) =>
  inputRequired.createMessage({
    messages: [{ role: "user", content: { type: "text", text } }],
    maxTokens: 100,
  });
const done = (text: string) => ({ content: [{ type: "text" as const, text }] });

type Answer = ReturnType<typeof inputRequired> | ReturnType<typeof done>;

function capabilities(context: ServerContext): Readonly<Record<string, unknown>> {
  // The SDK types the envelope as empty; the capabilities stand in it under this key.
  const envelope = context.mcpReq.envelope as Readonly<Record<string, unknown>> | undefined;
  return (envelope?.[CLIENT_CAPABILITIES_META_KEY] ?? {}) as Readonly<Record<string, unknown>>;
}

const tools: Readonly<Record<string, (context: ServerContext) => Answer | Promise<Answer>>> = {
  test_input_required_result_elicitation({ mcpReq }) {
    const answer = acceptedContent(mcpReq.inputResponses, "user_name", named);
    return answer === undefined
      ? inputRequired({ inputRequests: { user_name: ask("What is your name?", named) } })
      : done(`Hello, ${answer.name}!`);
  },
  test_input_required_result_sampling({ mcpReq }) {
    const answer = inputResponse(mcpReq.inputResponses, "capital_question");
    return answer.kind === "sampling"
      ? done(`The model says: ${JSON.stringify(answer.result.content)}`)
      : inputRequired({ inputRequests: { capital_question: sample("What is the capital of France?") } });
  },
  test_input_required_result_list_roots({ mcpReq }) {
    const answer = inputResponse(mcpReq.inputResponses, "client_roots");
    return answer.kind === "roots"
      ? done(`Roots: ${answer.roots.map((root) => root.uri).join(", ")}`)
      : inputRequired({ inputRequests: { client_roots: inputRequired.listRoots() } });
  },
  async test_input_required_result_request_state({ mcpReq }) {
    const answer = acceptedContent(mcpReq.inputResponses, "confirm", confirmed);
    if (answer !== undefined && mcpReq.requestState() !== undefined) return done("state-ok");
    return inputRequired({
      inputRequests: { confirm: ask("Please confirm", confirmed) },
      requestState: await stateCodec.mint({ step: 1 }),
    });
  },
  async test_input_required_result_multiple_inputs({ mcpReq }) {
    const name = acceptedContent(mcpReq.inputResponses, "user_name", named);
    const greeting = inputResponse(mcpReq.inputResponses, "greeting");
    const roots = inputResponse(mcpReq.inputResponses, "client_roots");
    if (name !== undefined && greeting.kind === "sampling" && roots.kind === "roots") {
      return done(`${name.name}, ${JSON.stringify(greeting.result.content)}, ${roots.roots.length} roots`);
    }
    return inputRequired({
      inputRequests: {
        user_name: ask("What is your name?", named),
        greeting: sample("Generate a greeting"),
        client_roots: inputRequired.listRoots(),
      },
      requestState: await stateCodec.mint({ step: 1 }),
    });
  },
  async test_input_required_result_multi_round({ mcpReq }) {
    const step = mcpReq.requestState<{ step: number }>()?.step ?? 0;
    const name = acceptedContent(mcpReq.inputResponses, "step1", named);
    const colour = acceptedContent(mcpReq.inputResponses, "step2", coloured);
    if (step === 2 && colour !== undefined) return done(`Your colour is ${colour.color}`);
    if (step === 1 && name !== undefined) {
      return inputRequired({
        inputRequests: { step2: ask("Step 2: What is your favorite color?", coloured) },
        requestState: await stateCodec.mint({ step: 2 }),
      });
    }
    return inputRequired({
      inputRequests: { step1: ask("Step 1: What is your name?", named) },
      requestState: await stateCodec.mint({ step: 1 }),
    });
  },
  async test_input_required_result_tampered_state({ mcpReq }) {
    const answer = acceptedContent(mcpReq.inputResponses, "confirm", confirmed);
    if (answer !== undefined && mcpReq.requestState() !== undefined) return done("state-ok");
    return inputRequired({
      inputRequests: { confirm: ask("Please confirm", confirmed) },
      requestState: await stateCodec.mint({ step: 1 }),
    });
  },
  test_input_required_result_capabilities(context) {
    const known = capabilities(context);
    return inputRequired({
      inputRequests: {
        ...(known.sampling === undefined ? {} : { greeting: sample("Generate a greeting") }),
        ...(known.elicitation === undefined ? {} : { user_name: ask("What is your name?", named) }),
      },
    });
  },
  test_streaming_elicitation({ mcpReq }) {
    const answer = acceptedContent(mcpReq.inputResponses, "user_name", named);
    return answer === undefined
      ? inputRequired({ inputRequests: { user_name: ask("What is your name?", named) } })
      : done(`Hello, ${answer.name}!`);
  },
  // The protocol layer refuses to ask a client for what it has not said it can do.
  test_missing_capability: () =>
    inputRequired({ inputRequests: { greeting: sample("Generate a greeting") } }),
  test_logging_tool: async ({ mcpReq }) => {
    await mcpReq.log("info", "a line for who asked for lines");
    return done("logged");
  },
};

/** Registers them. */
export function registerInputRequired(server: McpServer, run: Run): void {
  for (const [name, produce] of Object.entries(tools)) {
    server.registerTool(
      name,
      { description: `The fixture ${name}`, inputSchema: z.object({}) },
      (args, context) => run(name, args, context, () => produce(context)),
    );
  }
  const described = z.object({ context: z.string() });
  server.registerPrompt(
    "test_input_required_result_prompt",
    { description: "A prompt that asks first" },
    ({ mcpReq }) => {
      const answer = acceptedContent(mcpReq.inputResponses, "user_context", described);
      if (answer === undefined) {
        return inputRequired({
          inputRequests: { user_context: ask("What context should the prompt use?", described) },
        });
      }
      if (answer.context.length > 10_000) {
        throw new ProtocolError(ProtocolErrorCode.InvalidParams, "The context is too long");
      }
      return { messages: [{ role: "user", content: { type: "text", text: `Context: ${answer.context}` } }] };
    },
  );
}
