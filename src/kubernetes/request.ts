/** The parts of one request to the apiserver. */
import type { Route } from "./connection.ts";

/** Query parameters; those that are undefined are left out. */
export type Query = Readonly<Partial<Record<QueryName, string | number | boolean | undefined>>>;

const queryNames = [
  "limit",
  "continue",
  "labelSelector",
  "fieldSelector",
  "includeObject",
  "container",
  "tailLines",
  "sinceSeconds",
  "sinceTime",
  "previous",
  "timestamps",
  "follow",
  "limitBytes",
] as const;
type QueryName = (typeof queryNames)[number];

/** As pairs: groups that are impersonated are a header each. */
export function requestHeaders(
  headers: Route["headers"],
  accept: string,
  body: string | undefined,
): [name: string, value: string][] {
  return [
    ["accept", accept],
    ["user-agent", "kubernetes-mcp"],
    ...(body === undefined ? [] : [["content-type", "application/json"] as [string, string]]),
    ...headers.map(([name, value]): [string, string] => [name, value]),
  ];
}

/** `?limit=500&…`, or nothing. */
export function queryText(query: Query): string {
  const parameters = new URLSearchParams();
  for (const name of queryNames) {
    const value = query[name];
    if (value !== undefined && value !== "" && value !== false) parameters.set(name, String(value));
  }
  const text = parameters.toString();
  return text === "" ? "" : `?${text}`;
}

/** Seconds; undefined where the header is absent, or is a date. */
export function retryAfter(headers: Headers): number | undefined {
  const text = headers.get("retry-after") ?? "";
  return /^\d{1,6}$/.test(text) ? Number(text) : undefined;
}

/** Waits; throws the reason of a signal that aborts meanwhile. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const stop = () => reject(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  try {
    if (signal.aborted) stop();
    await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }
}
