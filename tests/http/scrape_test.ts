import assert from "@std/assert";
import { HttpProgram } from "../support/http_program.ts";
import { programCommand } from "../support/mcp.ts";
import { permitted } from "../support/permitted.ts";
import { prometheusAvailable, startPrometheus } from "../support/prometheus.ts";
import { freePort } from "../support/real_program.ts";

Deno.test({
  name: "a real Prometheus scrapes prometheus-mcp, and prometheus-mcp is asked about prometheus-mcp",
  ignore: !permitted || !prometheusAvailable,
  async fn(t) {
    const port = freePort();
    await using prometheus = await startPrometheus({
      scrape: [{ job_name: "prometheus-mcp", targets: [`127.0.0.1:${port}`] }],
      settle: false,
    });
    await using program = await HttpProgram.start({
      command: programCommand([], "prometheus"),
      address: `127.0.0.1:${port}`,
      variables: { PROMETHEUS_URL: prometheus.url },
    });
    const call = async (name: string, args: Record<string, unknown>) => {
      const { result } = await program.ask("tools/call", { name, arguments: args });
      return JSON.stringify(result);
    };
    await call("query_metrics", { query: "1" });
    await t.step("the scrape is whole, with the types that OpenMetrics gives", async () => {
      await prometheus.untilAnswered('mcp_calls_total{tool="query_metrics",outcome="ok"} > 0');
      await prometheus.untilAnswered('up{job="prometheus-mcp"} == 1');
      const metadata = await prometheus.ask("metadata");
      assert.equal(metadata.mcp_call_duration_seconds[0].type, "histogram");
      assert.equal(metadata.mcp_calls_running[0].type, "gauge");
    });
    await t.step("and the tool tells what it counted of itself", async () => {
      const answer = await call("query_metrics", {
        query: 'sum by (outcome) (mcp_calls_total{job="prometheus-mcp",tool="query_metrics"})',
      });
      assert.match(answer, /outcome.{1,6}ok/);
      assert.match(await call("check_service_health", { service: "prometheus-mcp" }), /UP|up/);
    });
  },
});
