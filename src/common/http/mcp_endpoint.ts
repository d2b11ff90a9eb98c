/** `/mcp`: streamable HTTP for both eras of the protocol, without sessions, so that any replica answers any request. */
import {
  createMcpHandler,
  type JSONRPCMessage,
  type McpHttpHandler,
  type McpServer,
  parseJSONRPCMessage,
  type Server,
} from "@modelcontextprotocol/server";
import { describeError, type Logger } from "../log.ts";
import type { Pipeline } from "../pipeline.ts";
import { refuseLine, refuseMalformedRequest, refuseMessage } from "../server.ts";
import { visible } from "../visible.ts";
import { anySignal } from "../waiting.ts";
import type { Admitted } from "./admission.ts";
import { idOf, rpcCodes, rpcError } from "./answers.ts";
import { type Exchange, Exchanges, watched } from "./exchanges.ts";
import type { HttpFields, HttpRequest } from "./http_request.ts";
import { streamedWhenLate } from "./late_answer.ts";
import { BodyError, readMessage } from "./message_body.ts";

/** What the endpoint is made of. */
export interface EndpointOptions {
  /** A server object for one request, for a client of that name; `heard` is called when its pipeline gets it. */
  readonly makeServer: (client: string, heard?: () => void) => McpServer | Server;
  readonly pipeline: Pipeline;
  readonly log: Logger;
  /** Milliseconds after which an exchange is cut, whatever it waits for. */
  readonly longestMs: number;
  /** The calls that may be under way at once. */
  readonly exchanges: Exchanges;
  readonly bodyTimeoutMs?: number;
  readonly keepAliveMs?: number;
}

const maxBodyBytes = 1024 * 1024;
const retrySeconds = 2;
/** Shorter than the idle timeout of the usual proxies, which is 60 s. */
const usualKeepAliveMs = 15_000;
/** Milliseconds after which an answer becomes a stream. */
const patienceMs = 100;
/** Streams on which nothing is ever sent, as no list of ours changes: a client may want a few all the same. */
const maxSubscriptions = 128;
const longestTimerMs = 2 ** 31 - 1;
const subscribe = "subscriptions/listen";
/** With these the SDK refuses what it takes for no request: its headers, its envelope or its version are wrong. */
const refusingStatuses = [400, 406, 415];

/** Serves `/mcp`. */
export class McpEndpoint {
  readonly #options: EndpointOptions;
  readonly #handler: McpHttpHandler;
  readonly #subscriptions = new Exchanges(maxSubscriptions);
  readonly #bodyLimits: { readonly maxBytes: number; readonly timeoutMs: number };

  constructor(options: EndpointOptions) {
    this.#options = options;
    this.#bodyLimits = {
      maxBytes: maxBodyBytes,
      timeoutMs: options.bodyTimeoutMs ?? 10_000,
    };
    this.#handler = createMcpHandler(
      ({ authInfo }) => {
        const heard = authInfo?.extra?.heard;
        return options.makeServer(
          authInfo?.clientId ?? "unknown",
          typeof heard === "function" ? () => void heard() : undefined,
        );
      },
      {
        responseMode: "auto",
        keepAliveMs: options.keepAliveMs ?? usualKeepAliveMs,
        maxSubscriptions,
        onerror: (error) =>
          options.log.info("the protocol layer reports an error", { error: describeError(error) }),
      },
    );
  }

  /** Answers one request of an admitted caller. */
  async serve(request: HttpRequest, caller: Admitted): Promise<Response> {
    if (request.method !== "POST") {
      return rpcError(405, rpcCodes.server, "Only POST is answered here: there are no sessions", {
        headers: { allow: "POST" },
      });
    }
    const exchange = this.#options.exchanges.begin(caller.client);
    // The rest of its body is not waited for.
    if (exchange === undefined) return tooMany("calls", { connection: "close" });
    try {
      return await this.#answer(request, caller, exchange);
    } catch (error) {
      exchange.end();
      throw error;
    }
  }

  /** Ends the streams that would otherwise stay open for ever. */
  endSubscriptions(): void {
    this.#subscriptions.abort();
  }

  async #answer(request: HttpRequest, caller: Admitted, exchange: Exchange): Promise<Response> {
    const { pipeline, longestMs } = this.#options;
    const refuse = async (status: number, code: number, reason: string, message?: unknown) => {
      exchange.end();
      await pipeline.settled();
      this.#options.log.info("a message was refused", { client: caller.client, reason });
      // A body that was not read whole leaves a connection that nothing more can come over.
      const headers = {
        ...([408, 413, 503].includes(status) ? { connection: "close" } : {}),
        ...(status === 503 ? { "retry-after": String(retrySeconds) } : {}),
      };
      return rpcError(status, code, reason, { id: idOf(message), headers });
    };

    let value: unknown;
    let message: JSONRPCMessage;
    try {
      value = await readMessage(request, { ...this.#bodyLimits, hold: exchange.hold });
    } catch (error) {
      if (!(error instanceof BodyError)) throw error;
      return await refuse(error.status, error.code, refuseLine(error.message, pipeline, caller.client));
    }
    try {
      message = parseJSONRPCMessage(value);
    } catch {
      const reason = "The message is not a JSON-RPC 2.0 message";
      return await refuse(400, rpcCodes.invalidRequest, refuseLine(reason, pipeline, caller.client), value);
    }
    const refusal = refuseMalformedRequest(message, pipeline, caller.client);
    // In the band, as the protocol layer answers parameters that are wrong.
    if (refusal !== undefined) return await refuse(200, rpcCodes.invalidParams, refusal, value);

    const isSubscription = "method" in message && message.method === subscribe;
    // It waits for nothing of ours: it takes no place from a call, and a stop does not wait for it.
    const place = isSubscription ? this.#subscriptions.begin(caller.client) : exchange;
    if (isSubscription) exchange.end();
    if (place === undefined) return tooMany("subscriptions");
    const cut = anySignal(place.signal, ...(caller.revoked === undefined ? [] : [caller.revoked]));
    const { signal } = cut;
    // A call ends by itself soon enough; a subscription must not outlive what let its caller in.
    const timeMs = isSubscription ? timeLeft(caller) : longestMs;
    const timer = timeMs === undefined ? undefined : setTimeout(() => cut.abort(), timeMs);
    const ended = () => {
      clearTimeout(timer);
      // A client that goes away now is still told of.
      cut[Symbol.dispose]();
      place.end();
    };
    let isHeard = false;
    const heard = () => isHeard = true;
    try {
      const answering = this.#handler.fetch(
        new Request(request.url, { method: "POST", headers: withoutCredentials(request.headers), signal }),
        // The caller's token ends here: what lies behind learns a name and nothing else.
        { parsedBody: value, authInfo: { token: "", clientId: caller.client, scopes: [], extra: { heard } } },
      ).then(async (response) =>
        isHeard || !refusingStatuses.includes(response.status)
          ? response
          : await this.#recorded(response, message, caller.client)
      );
      const response = await streamedWhenLate(answering, {
        patienceMs,
        keepAliveMs: this.#options.keepAliveMs ?? usualKeepAliveMs,
        gone: () => cut.abort(),
      });
      return watched(response, signal, ended);
    } catch (error) {
      ended();
      throw error;
    }
  }

  /** What the SDK has refused, once that is limited and audited: its own answer, or the word that stands in its place. */
  async #recorded(response: Response, message: JSONRPCMessage, client: string): Promise<Response> {
    const text = await response.text();
    const { status, headers } = response;
    const reason = reasonIn(text);
    const { pipeline } = this.#options;
    const said = refuseMessage(message, reason, pipeline, client);
    await pipeline.settled();
    if (said === reason) return new Response(text, { status, headers });
    return rpcError(status, rpcCodes.invalidRequest, said, { id: idOf(message) });
  }
}

/** The sentence of a JSON-RPC error. */
function reasonIn(text: string): string {
  const { error } = JSON.parse(text || "{}") as { readonly error?: { readonly message?: unknown } };
  return visible(String(error?.message ?? "The request was refused"));
}

function tooMany(what: string, headers: Readonly<Record<string, string>> = {}): Response {
  return rpcError(503, rpcCodes.server, `Too many ${what} are under way: try again in a moment`, {
    headers: { "retry-after": String(retrySeconds), ...headers },
  });
}

/** Milliseconds until the caller's token expires; no longer than a timer can wait. */
function timeLeft({ expiresAt }: Admitted): number | undefined {
  return expiresAt === undefined ? undefined : Math.min(Math.max(0, expiresAt - Date.now()), longestTimerMs);
}

const credentials = ["authorization", "proxy-authorization", "cookie"];

/** As a record, which `Request` takes in a third of the time that it takes to go through a `Headers`. */
function withoutCredentials(headers: HttpFields): Record<string, string> {
  return Object.fromEntries([...headers].filter(([name]) => !credentials.includes(name)));
}
