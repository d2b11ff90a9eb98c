/** An HTTP server in Prometheus's place, for the faults that the real one can't be made to show. */
import type { CertificatePair } from "./certificates.ts";

/** A request as it came. */
export interface SeenRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** The query and the form, together. */
  readonly parameters: URLSearchParams;
  readonly headers: Headers;
}

/** What it does with a request; `undefined` is an answer as from a healthy, empty server. */
export type Play = (request: SeenRequest) => Response | undefined | Promise<Response | undefined>;

const json = { "content-type": "application/json" };

/** A success as Prometheus words it. */
export function success(data: unknown, more: Readonly<Record<string, unknown>> = {}): Response {
  return Response.json({ status: "success", data, ...more });
}

/** An error as Prometheus words it. */
export function failure(status: number, errorType: string, error: string): Response {
  return Response.json({ status: "error", errorType, error }, { status });
}

/** The faults, by name. */
export const faults = {
  /** Never answers; ends when the server is disposed. */
  slow: () => new Promise<Response>(() => {}),
  /** What a proxy says whose Prometheus is starting. */
  unavailable: () => new Response("no healthy upstream", { status: 503, headers: { "retry-after": "7" } }),
  /** A login page, where an API was expected. */
  html: () =>
    new Response("<!DOCTYPE html><html><head><title>Sign in</title></head><body>hello</body></html>", {
      headers: { "content-type": "text/html; charset=utf-8" },
    }),
  truncated: () => new Response('{"status":"success","data":{"resultType":"vector","resu', { headers: json }),
  /** Valid JSON so far, and ever more of it. */
  endless: () => {
    const part = new TextEncoder().encode(`"${"x".repeat(65_533)}",`);
    let first = true;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.enqueue(first ? new TextEncoder().encode('{"status":"success","data":[') : part);
        first = false;
      },
    });
    return new Response(body, { headers: json });
  },
  /** A wrong token or password. */
  unauthorized: () =>
    new Response("Unauthorized\n", { status: 401, headers: { "www-authenticate": "Bearer" } }),
  forbidden: () => new Response("RBAC: access denied", { status: 403 }),
  tooManyRequests: () => new Response("slow down", { status: 429, headers: { "retry-after": "3" } }),
  notFound: () => new Response("404 page not found\n", { status: 404 }),
  badData: () =>
    failure(400, "bad_data", 'invalid parameter "query": 1:5: parse error: unexpected end of input'),
  timeout: () => failure(503, "timeout", "query timed out in expression evaluation"),
  tooManySamples: () =>
    failure(422, "execution", "query processing would load too many samples into memory in query execution"),
} satisfies Readonly<Record<string, Play>>;

/** Sends everybody elsewhere. */
export function redirectTo(url: string): Play {
  return ({ path }) => new Response(null, { status: 302, headers: { location: new URL(path, url).href } });
}

/** Plays where `pattern` matches a request's path and query, as `/api/v1/query up`; else the server at `url` answers. */
export function beforeServer(url: string, pattern: RegExp, play: Play): Play {
  return async (request) => {
    const { method, path, parameters } = request;
    if (pattern.test(`${path} ${parameters.get("query") ?? ""}`)) return await play(request);
    return method === "GET"
      ? await fetch(`${url}${path}?${parameters}`)
      : await fetch(`${url}${path}`, { method, body: parameters });
  };
}

/** A server that does what it is told, and remembers what it was asked. */
export class FakePrometheus implements AsyncDisposable {
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #over = new AbortController();
  readonly #tls: boolean;
  /** All requests so far. */
  readonly requests: SeenRequest[] = [];
  /** How it answers from now on. */
  play: Play | undefined;

  /** `port`: of one that was there before. */
  constructor(
    options: { readonly play?: Play; readonly certificate?: CertificatePair; readonly port?: number } = {},
  ) {
    this.play = options.play;
    this.#tls = options.certificate !== undefined;
    this.#server = Deno.serve({
      hostname: "127.0.0.1",
      port: options.port ?? 0,
      onListen: () => {},
      onError: () => new Response(null, { status: 500 }),
      signal: this.#over.signal,
      ...options.certificate,
    }, (request) => this.#answer(request));
  }

  /** `http(s)://127.0.0.1:PORT`. */
  get url(): string {
    return `${this.#tls ? "https" : "http"}://127.0.0.1:${this.#server.addr.port}`;
  }

  /** The secrets that came, in whatever header. */
  get credentials(): readonly string[] {
    return this.requests.flatMap(({ headers }) =>
      ["authorization", "cookie", "x-scope-orgid", "proxy-authorization"].flatMap((name) =>
        headers.get(name) ?? []
      )
    );
  }

  async #answer(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const parameters = new URLSearchParams(url.search);
    const form = request.headers.get("content-type")?.startsWith("application/x-www-form-urlencoded");
    if (form) {
      for (const [name, value] of new URLSearchParams(await request.text())) parameters.append(name, value);
    }
    const seen = { method: request.method, path: url.pathname, parameters, headers: request.headers };
    this.requests.push(seen);
    const over = new Promise<Response>((resolve) => {
      this.#over.signal.addEventListener("abort", () => resolve(new Response(null, { status: 500 })));
    });
    return await Promise.race([
      over,
      Promise.resolve(this.play?.(seen)).then((answer) => answer ?? healthy(seen)),
    ]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort();
    await this.#server.finished;
  }
}

/** As an empty Prometheus answers. */
function healthy({ path }: SeenRequest): Response {
  const call = path.replace(/^.*\/api\/v1\//, "");
  switch (call) {
    case "query":
      return success({ resultType: "vector", result: [] });
    case "query_range":
      return success({ resultType: "matrix", result: [] });
    case "targets":
      return success({ activeTargets: [], droppedTargets: [], droppedTargetCounts: {} });
    case "rules":
      return success({ groups: [] });
    case "alerts":
      return success({ alerts: [] });
    case "metadata":
      return success({});
    case "status/buildinfo":
      return success({
        version: "3.16.0",
        revision: "",
        branch: "",
        buildUser: "",
        buildDate: "",
        goVersion: "",
      });
    case "series":
    case "labels":
      return success([]);
    default:
      return /^label\/[^/]+\/values$/.test(call) ? success([]) : faults.notFound();
  }
}
