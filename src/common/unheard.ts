/** Requests that no handler has got yet: the protocol layer may refuse one by itself, which nobody would know of. */
import type {
  JSONRPCErrorResponse,
  JSONRPCMessage,
  JSONRPCRequest,
  JSONRPCResultResponse,
  RequestId,
} from "@modelcontextprotocol/server";
import type { Pipeline } from "./pipeline.ts";
import { asksBackend, refuseMessage } from "./server.ts";

/** Those of one client. */
export class Unheard {
  readonly #requests = new Map<RequestId, JSONRPCRequest>();
  readonly #pipeline: Pipeline;
  readonly #client: string;

  constructor(pipeline: Pipeline, client: string) {
    this.#pipeline = pipeline;
    this.#client = client;
  }

  /** A message goes to the protocol layer. */
  add(message: JSONRPCMessage): void {
    if (asksBackend(message)) this.#requests.set(message.id, message);
  }

  /** A handler has got it, and its call goes its way. */
  heard(id: RequestId): void {
    this.#requests.delete(id);
  }

  /** What to answer: where the protocol layer has refused a request by itself, that is limited and audited. */
  answering<Answer extends JSONRPCResultResponse | JSONRPCErrorResponse>(answer: Answer): Answer {
    const request = answer.id === undefined ? undefined : this.#requests.get(answer.id);
    if (request === undefined) return answer;
    this.#requests.delete(request.id);
    if (!("error" in answer)) return answer;
    const message = refuseMessage(request, answer.error.message, this.#pipeline, this.#client);
    return { ...answer, error: { ...answer.error, message } };
  }
}
