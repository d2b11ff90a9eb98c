/**
 * The calls of Prometheus's HTTP API, and one of Thanos', that prometheus-mcp can make, and no others: all of them read. Whatever is sent
 * goes to a path from this table. https://prometheus.io/docs/prometheus/latest/querying/api/
 */

interface Reading {
  /** A form where the API takes one, so that a long query is never in a URL, and in no log of URLs. */
  readonly method: "GET" | "POST";
  /** Below the prefix; `{label}` is filled in. */
  readonly path: string;
  /** What a caller wanted of it, after "Cannot". */
  readonly purpose: string;
}

/** See the module. */
export const readings = {
  query: { method: "POST", path: "api/v1/query", purpose: "run this query" },
  queryRange: { method: "POST", path: "api/v1/query_range", purpose: "run this query" },
  series: { method: "POST", path: "api/v1/series", purpose: "list series" },
  labelNames: { method: "POST", path: "api/v1/labels", purpose: "list label names" },
  labelValues: { method: "GET", path: "api/v1/label/{label}/values", purpose: "list label values" },
  metadata: { method: "GET", path: "api/v1/metadata", purpose: "read the metrics' metadata" },
  targets: { method: "GET", path: "api/v1/targets", purpose: "list targets" },
  rules: { method: "GET", path: "api/v1/rules", purpose: "list rules" },
  alerts: { method: "GET", path: "api/v1/alerts", purpose: "list alerts" },
  buildInfo: { method: "GET", path: "api/v1/status/buildinfo", purpose: "read the version" },
  stores: { method: "GET", path: "api/v1/stores", purpose: "list the stores" },
  runtimeInfo: { method: "GET", path: "api/v1/status/runtimeinfo", purpose: "read the runtime information" },
} as const satisfies Readonly<Record<string, Reading>>;

/** The name of a call. */
export type ReadingName = keyof typeof readings;

/** The address of a call: the prefix kept, and nothing of the caller's in it but an escaped label name. */
export function readingUrl(base: URL, name: ReadingName, label = ""): URL {
  return new URL(readings[name].path.replace("{label}", () => escapeLabelName(label)), base);
}

/**
 * A label's name as a part of a path: as it is, or with what Prometheus 3 calls value encoding, `U__` first, where it
 * is UTF-8. https://prometheus.io/docs/guides/utf8/
 */
export function escapeLabelName(name: string): string {
  if (/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) && !name.startsWith("U__")) return name;
  const escaped = [...name].map((character) => {
    if (character === "_") return "__";
    if (/[a-zA-Z0-9]/.test(character)) return character;
    return `_${(character.codePointAt(0) ?? 0xfffd).toString(16)}_`;
  });
  return `U__${escaped.join("")}`;
}
