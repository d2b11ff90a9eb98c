/** Which path is answered by what, after the checks that hold for all of them. */
import { describeError, type Logger } from "../log.ts";
import type { Admission } from "./admission.ts";
import { plain, rpcCodes, rpcError } from "./answers.ts";
import { refuseByFraming } from "./framing.ts";
import { type AllowedNames, refuseByName } from "./guard.ts";
import type { HttpRequest } from "./http_request.ts";
import type { McpEndpoint } from "./mcp_endpoint.ts";
import type { HttpMetrics, HttpRefusal } from "./metrics.ts";
import type { Readiness } from "./readiness.ts";
import type { RefusalLog } from "./refusal_log.ts";

/** What the routes lead to. */
export interface RouteOptions {
  readonly names: AllowedNames;
  readonly admission: Admission;
  readonly endpoint: McpEndpoint;
  readonly readiness: Readiness;
  readonly metrics: HttpMetrics;
  readonly log: Logger;
  readonly refusals: RefusalLog;
  /** Whether the server listens on this machine's own addresses alone. */
  readonly isLoopback: boolean;
  /** Whether the program is stopping; `refusesCalls`: so far that no more calls are taken. */
  readonly drain: { readonly isDraining: boolean; readonly refusesCalls: boolean };
  /** Where clients learn of the authorization server, RFC 9728; by path. */
  readonly documents: ReadonlyMap<string, () => Response>;
}

/** Answers every request; never throws. */
export function routes(options: RouteOptions): (request: HttpRequest) => Promise<Response> {
  const { metrics, drain, log } = options;
  return async (request) => {
    let response: Response;
    let route = "other";
    try {
      const refusal = refuseByName(request, options.names) ?? refuseByFraming(request);
      if (refusal === undefined) {
        const url = new URL(request.url);
        route = known(url.pathname, options.documents);
        response = await answer(route, url, request, options);
      } else {
        metrics.refused(refusal.reason);
        options.refusals.tell(refusal.reason, refusal.message);
        response = rpcError(refusal.status, rpcCodes.server, refusal.message);
      }
    } catch (error) {
      log.error("a defect in serving a request", { route, error: describeError(error, true) });
      response = plain(500, "This request hit a defect in the server; its log describes it");
    }
    metrics.answered(route, response.status);
    // A client with a connection to a program that is stopping must find another. What follows a body in chunks was
    // perhaps part of it to a proxy that reads by another length, https://www.rfc-editor.org/rfc/rfc9112#section-6.1.
    if (drain.isDraining || request.headers.has("transfer-encoding")) {
      response.headers.set("connection", "close");
    }
    response.headers.set("x-content-type-options", "nosniff");
    return response;
  };
}

/** The path, or a name for all that lead nowhere: a metric must not grow by what strangers ask for. */
function known(path: string, documents: ReadonlyMap<string, unknown>): string {
  const routes = ["/mcp", "/healthz", "/readyz", "/metrics"];
  return routes.includes(path) || documents.has(path) ? path : "other";
}

async function answer(
  route: string,
  url: URL,
  request: HttpRequest,
  options: RouteOptions,
): Promise<Response> {
  const { admission, endpoint, metrics, readiness, drain } = options;
  if (route === "/mcp") {
    if (drain.refusesCalls) {
      metrics.refused("draining");
      return rpcError(503, rpcCodes.server, "This server is stopping", { headers: { "retry-after": "1" } });
    }
    const caller = await admission.admit(request);
    if (caller instanceof Response) {
      metrics.refused(whyNotAdmitted(caller));
      return caller;
    }
    const response = await endpoint.serve(request, caller);
    if (response.status === 503) metrics.refused("overload");
    return response;
  }
  if (route === "other") return plain(404, "There is nothing here: MCP is at /mcp");
  if (request.method !== "GET" && request.method !== "HEAD") {
    return plain(405, "Only GET is answered here", { allow: "GET, HEAD" });
  }
  switch (route) {
    case "/healthz":
      return plain(200, "alive");
    case "/readyz": {
      if (drain.isDraining) return plain(503, "not ready: stopping");
      if (url.searchParams.getAll("exclude").includes("backend")) return plain(200, "ready");
      return await readiness.backendAnswers()
        ? plain(200, "ready")
        : plain(503, "not ready: the backend does not answer");
    }
    case "/metrics": {
      // Through a proxy on this machine come strangers, but not under this machine's own names.
      const isOpen = options.isLoopback && isLoopbackName(url.hostname);
      const caller = isOpen ? undefined : await admission.admit(request);
      if (!(caller instanceof Response)) return await metrics.page();
      metrics.refused(whyNotAdmitted(caller));
      return caller;
    }
    default:
      return options.documents.get(route)?.() ?? plain(404, "There is nothing here");
  }
}

/** A caller whom nobody can check now is another trouble than one who is not let in. */
function whyNotAdmitted(answer: Response): HttpRefusal {
  return answer.status === 503 ? "unverified" : "unauthorized";
}

function isLoopbackName(hostname: string): boolean {
  return ["localhost", "127.0.0.1", "[::1]"].includes(hostname);
}
