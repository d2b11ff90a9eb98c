/**
 * One HTTP request to a backend, bounded in time and in bytes, and never redirected. What goes wrong on the way
 * is told in words of our own: the runtime's repeat the address, and with it what may be a secret.
 */

import { size } from "./units.ts";
import { anySignal } from "./waiting.ts";

/** What can go wrong between this program and a backend. */
export type TransportFaultKind =
  | "refused" // nobody listens there
  | "unknown_host"
  | "unreachable" // no route, network down
  | "tls" // a certificate that is not trusted, expired, or for another name
  | "timeout"
  | "redirect" // redirects are not followed: credentials would travel with them
  | "permission" // this build, or the runtime, may not reach that host or port
  | "exhausted" // this process may open no more files
  | "broken" // reset, closed in mid-answer, not HTTP
  | "too_large";

/** A request without a whole answer. `message` is a clause that says why, such as "the connection was refused". */
export class TransportFault extends Error {
  override readonly name = "TransportFault";
  readonly kind: TransportFaultKind;

  constructor(kind: TransportFaultKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

/** A request to a backend. */
export interface BoundedRequest {
  readonly method: "GET" | "POST";
  /** As pairs, a name that comes twice is sent twice; `Headers` joins its values into one. */
  readonly headers: Headers | [name: string, value: string][];
  /** A form, or JSON. */
  readonly body?: string;
  /** Certificates and proxies; the runtime's own client unless given. */
  readonly client: Deno.HttpClient | undefined;
  /** Aborts when nobody wants the answer any more: its reason is thrown as it is. */
  readonly signal: AbortSignal;
  /** Milliseconds until the last byte of the body. */
  readonly timeoutMs: number;
  /** Bytes of the body, after decompression. */
  readonly maxBytes: number;
  /** Called when the time is up: the connection may lead nowhere. */
  readonly onTimeout?: () => void;
}

/** What helps where this process may open no more files; its calls share what it has. */
export const exhaustedHint =
  "ask again in a moment; an operator can raise this program's limit of open files (ulimit -n)";

/** An answer whose body is still under way. Exactly one of its methods has to be called. */
export interface BoundedResponse {
  readonly status: number;
  readonly headers: Headers;
  /** The body as it comes, at most `maxBytes` of it; then {@linkcode TransportFault} `too_large`. */
  chunks(): AsyncGenerator<Uint8Array, void, undefined>;
  /** The whole body. Invalid UTF-8 becomes U+FFFD. */
  text(): Promise<string>;
  /** Gives up the body and frees the connection. */
  discard(): Promise<void>;
}

/** Asks. Throws {@linkcode TransportFault}, or the reason of the caller's signal. */
export async function boundedFetch(url: URL, request: BoundedRequest): Promise<BoundedResponse> {
  const { method, headers, body, client, timeoutMs, maxBytes } = request;
  const cut = anySignal(request.signal);
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    cut.abort();
  }, timeoutMs);
  const ended = () => {
    clearTimeout(timer);
    cut[Symbol.dispose]();
  };
  const explain = (error: unknown): unknown => {
    ended();
    if (request.signal.aborted) return request.signal.reason;
    if (error instanceof TransportFault) return error;
    if (isLate) {
      request.onTimeout?.();
      return new TransportFault("timeout", `there was no complete answer within ${timeoutMs / 1000} s`);
    }
    return explainFailure(error);
  };

  let response: Response;
  try {
    response = await fetch(url, {
      method,
      headers,
      signal: cut.signal,
      redirect: "manual",
      ...(body === undefined ? {} : { body }),
      ...(client === undefined ? {} : { client }),
    });
  } catch (error) {
    throw explain(error);
  }
  if (response.status >= 300 && response.status < 400) {
    ended();
    await response.body?.cancel().catch(() => {});
    throw new TransportFault("redirect", "it answers with a redirect, which is not followed");
  }

  async function* chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    // An iterator of the stream would let go of it at the end, which takes longer than reading a small body.
    const reader = response.body?.getReader();
    let received = 0;
    let isWhole = false;
    try {
      for (;;) {
        const part = await reader?.read();
        if (part === undefined || part.done) break;
        received += part.value.length;
        if (received > maxBytes) {
          throw new TransportFault("too_large", `the answer is larger than ${size(maxBytes)}`);
        }
        yield part.value;
      }
      isWhole = true;
    } catch (error) {
      throw explain(error);
    } finally {
      ended();
      if (!isWhole) await reader?.cancel().catch(() => {});
    }
  }

  return {
    status: response.status,
    headers: response.headers,
    chunks,
    async text() {
      const decoder = new TextDecoder();
      let text = "";
      for await (const chunk of chunks()) text += decoder.decode(chunk, { stream: true });
      return text + decoder.decode();
    },
    async discard() {
      ended();
      await response.body?.cancel().catch(() => {});
    },
  };
}

/** The runtime's error as a fault, by the words of Deno 2.7 and 2.9, of hyper's and of rustls's. */
function explainFailure(error: unknown): TransportFault {
  // They repeat the address: `/api/v1/alerts` is no TLS alert, and `dns.example` no failed look-up.
  const text = messages(error).replace(/https?:\/\/\S+/gi, "").toLowerCase();
  const fault = (kind: TransportFaultKind, message: string) =>
    new TransportFault(kind, message, { cause: error });
  if (error instanceof Deno.errors.NotCapable) {
    return fault("permission", "this program was built without permission to reach that host");
  }
  // https://fetch.spec.whatwg.org/#port-blocking
  if (/requests to port \d+ are blocked/.test(text)) {
    return fault("permission", "the port is one that HTTP clients refuse to use");
  }
  if (text.includes("too many open files")) {
    return fault("exhausted", "this program cannot open any more connections or files");
  }
  if (/certificate|\btls\b|fatal alert|corrupt message|handshake/.test(text)) {
    return fault("tls", certificateProblem(text));
  }
  if (text.includes("connection refused")) return fault("refused", "the connection was refused");
  if (text.includes("lookup address") || text.includes("dns error")) {
    return fault("unknown_host", "its name is not known");
  }
  if (text.includes("unreachable") || text.includes("no route")) {
    return fault("unreachable", "there is no route to it");
  }
  if (text.includes("timed out")) return fault("timeout", "the connection timed out");
  if (/invalid http|parse/.test(text)) {
    return fault("broken", "what answers there does not speak HTTP; it may need https");
  }
  return fault("broken", "the connection broke before the answer was complete");
}

/** rustls's words for what is wrong with a certificate, in ours. */
function certificateProblem(text: string): string {
  if (text.includes("expired")) return "its certificate has expired";
  if (text.includes("notvalidyet") || text.includes("not valid yet")) {
    return "its certificate is not valid yet";
  }
  if (text.includes("notvalidforname") || text.includes("not valid for name")) {
    return "its certificate is for another name";
  }
  if (text.includes("unknownissuer") || text.includes("unknown issuer")) {
    return "its certificate is from an authority that is not trusted";
  }
  if (text.includes("certificaterequired") || text.includes("certificate required")) {
    return "it requires a client certificate";
  }
  if (text.includes("corrupt message") || text.includes("invalidcontenttype")) {
    return "it does not speak TLS there";
  }
  if (text.includes("peer certificate")) return "its certificate can't be accepted";
  return "the TLS handshake failed";
}

function messages(error: unknown): string {
  const parts: string[] = [];
  for (let at = error; at instanceof Error && parts.length < 5; at = at.cause) parts.push(at.message);
  return parts.join(" ");
}
