/** Many calls at once over HTTP: calls a second, and how long the slowest of a hundred takes. */
import { summarize, type Summary } from "./statistics.ts";

/** A server, and the call that is made. */
export interface Target {
  readonly name: string;
  /** The URLs of `/mcp`, asked in turn. */
  readonly urls: readonly string[];
  readonly tool: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

/** What came of it. */
export interface ManyResult {
  readonly perSecond: number;
  /** Milliseconds of one call. */
  readonly time: Summary;
  readonly failures: number;
}

/** Calls with so many clients at once for `seconds`; each client makes one call after the other. */
export async function measureMany(target: Target, clients: number, seconds: number): Promise<ManyResult> {
  const times: number[] = [];
  let failures = 0;
  let id = 0;
  const begun = performance.now();
  const end = begun + seconds * 1000;
  await Promise.all(Array.from({ length: clients }, async () => {
    while (performance.now() < end) {
      const started = performance.now();
      const url = target.urls[++id % target.urls.length] ?? "";
      if (await callOnce(url, target, id)) times.push(performance.now() - started);
      else failures++;
    }
  }));
  const elapsed = (performance.now() - begun) / 1000;
  return { perSecond: times.length / elapsed, time: summarize(times), failures };
}

/** One call of the stateless protocol, with a client's own connections where there is one; whether it was answered. */
export async function callOnce(
  url: string,
  { tool, arguments: args }: Pick<Target, "tool" | "arguments">,
  id: number,
  client?: Deno.HttpClient,
): Promise<boolean> {
  try {
    return await ask(url, tool, args, id, client);
  } catch {
    return false;
  }
}

async function ask(
  url: string,
  tool: string,
  args: Readonly<Record<string, unknown>>,
  id: number,
  client?: Deno.HttpClient,
): Promise<boolean> {
  const version = "2026-07-28";
  const response = await fetch(url, {
    method: "POST",
    ...(client === undefined ? {} : { client }),
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-protocol-version": version,
      "mcp-method": "tools/call",
      "mcp-name": tool,
    },
    body: JSON.stringify({
      jsonrpc: "2.0",
      id,
      method: "tools/call",
      params: {
        name: tool,
        arguments: args,
        _meta: {
          "io.modelcontextprotocol/protocolVersion": version,
          "io.modelcontextprotocol/clientInfo": { name: "bench", version: "1" },
          "io.modelcontextprotocol/clientCapabilities": {},
        },
      },
    }),
  });
  const text = await response.text();
  return response.ok && text.includes('"result"') && !text.includes('"isError":true');
}
