/** What is asked of every server that holds the shop of program_prometheus.ts, and what is true of it. */
import assert from "@std/assert";
import type { RawClient } from "./mcp.ts";

/** Asks all tools but `list_alerts`; the caller's server scrapes `mailer`, which is down. */
export async function askTheShop(client: RawClient): Promise<void> {
  const told = async (
    tool: string,
    args: Readonly<Record<string, unknown>>,
    ...patterns: readonly RegExp[]
  ) => {
    const { text, isError } = await client.call(tool, args);
    assert.equal(isError, false, `${tool}: ${text}`);
    for (const pattern of patterns) assert.match(text, pattern, `${tool}: ${text}`);
  };
  const refused = async (tool: string, args: Readonly<Record<string, unknown>>, pattern: RegExp) => {
    const { text, isError } = await client.call(tool, args);
    assert.equal(isError, true, `${tool}: ${text}`);
    assert.match(text, pattern, `${tool}: ${text}`);
  };
  const traffic = 'sum(rate(http_requests_total{job="user-service"}[5m]))';
  await told(
    "query_metrics",
    { query: 'sum by (job) (rate(http_requests_total{job="payment"}[5m]))' },
    /job="payment"} 4$/m,
  );
  await told("query_metrics_range", { query: traffic, duration: "24h" }, /\(\+(?:99|10[0-2])(?:\.\d+)?%\)/);
  await told("get_error_rate", { service: "payment" }, /25\s?%/);
  await told("get_error_rate", { service: "catalog" }, /0%: no request fails/);
  await told("get_latency", { service: "user-service" }, /\b0?\.95|950\s?ms/);
  await told("check_service_health", { service: "user-service" }, /DEGRADED/, /p95 latency is/);
  await told("check_service_health", { service: "invoices" }, /DOWN/);
  await told("check_service_health", { service: "catalog" }, /HEALTHY/);
  await told("find_metrics", { pattern: "http_request" }, /^http_requests_total/m);
  await told("find_metrics", { service: "shp" }, /No series has shp/, /catalog/);
  await told("list_targets", { service: "mailer" }, /1 down/);
  await told("query_metrics", { query: "htp_requests_total" }, /There is no metric/, /http_requests_total/);
  await told("query_metrics", { query: 'up{job="paymnt"}' }, /none with job="paymnt"/, /payment/);
  await refused("get_error_rate", { service: "paymnt" }, /did you mean payment/i);
  await refused("query_metrics", { query: "rat(up[5m])" }, /did you mean rate/i);
  await refused("query_metrics", { query: "sum(rate(up[5m])" }, /look at ▸ in: /i);
  await refused("query_metrics_range", { query: "up", duration: "1y", step: "1s" }, /points per series/);
}
