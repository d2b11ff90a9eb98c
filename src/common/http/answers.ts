/** The answers that this server gives before MCP begins: refusals as JSON-RPC, plain text for probes. */

/** JSON-RPC's codes, https://www.jsonrpc.org/specification; -32000 and below are the server's own. */
export const rpcCodes = {
  parseError: -32700,
  invalidRequest: -32600,
  invalidParams: -32602,
  server: -32000,
} as const;

/** The id of a request, or null where it can't be known. */
export type RpcId = string | number | null;

/** A JSON-RPC error as an HTTP response. */
export function rpcError(
  status: number,
  code: number,
  message: string,
  options: { readonly id?: RpcId; readonly headers?: Readonly<Record<string, string>> } = {},
): Response {
  return Response.json(
    { jsonrpc: "2.0", id: options.id ?? null, error: { code, message } },
    { status, headers: { "cache-control": "no-store", ...options.headers } },
  );
}

/** A line of text. */
export function plain(
  status: number,
  line: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(`${line}\n`, {
    status,
    headers: { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store", ...headers },
  });
}

/** The id that a message asks to be answered under. */
export function idOf(message: unknown): RpcId {
  if (message === null || typeof message !== "object" || !("id" in message)) return null;
  return typeof message.id === "string" || typeof message.id === "number" ? message.id : null;
}
