/** prometheus-mcp in front of a real server whose connection fails in mid-answer. */
import { sufferAll } from "../support/fault_cases.ts";
import { prometheusAvailable, startPrometheus } from "../support/prometheus.ts";
import { keepRows } from "../support/reliability.ts";

/** Digits that do not compress to nothing: the answer is to be longer than its header. */
const long = Array.from({ length: 3_000 }, (_, index) => (index * index * 7_919 % 65_521).toString(36)).join(
  "",
);

Deno.test({
  name: "prometheus-mcp: a connection that fails in mid-answer is told, audited, and not used again",
  ignore: !prometheusAvailable,
  async fn(t) {
    await using server = await startPrometheus({ settle: false });
    const rows = await sufferAll(t, {
      program: "prometheus",
      target: { host: "127.0.0.1", port: server.port },
      variables: (port) =>
        Promise.resolve({
          PROMETHEUS_URL: `http://127.0.0.1:${port}`,
          PROMETHEUS_TIMEOUT_MS: "2000",
          CACHE_TTL_SECONDS: "0",
        }),
      tool: "query_metrics",
      arguments: { query: `label_replace(vector(1), "long", "${long}", "", "")` },
      afterBytes: 1_000,
    }, [
      ["refuse", "the server ends each connection at once", /the connection broke/],
      ["reset", "a reset in mid-answer", /the connection broke/],
      ["half-close", "the server's side is closed in mid-answer", /the connection broke/],
      ["stall", "the connection goes silent in mid-answer", /within 2 s/],
      ["drip", "one byte a second", /within 2 s/],
      ["garbage", "other bytes in mid-answer", /./],
      ["lost", "all connections go silent while they are idle", /within 2 s/],
    ]);
    await t.step("docs/reliability.md says so", () => keepRows("prometheus", rows));
  },
});
