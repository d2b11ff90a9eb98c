/** prometheus-mcp over stdio, at a real Prometheus that scrapes a real node_exporter. */
import assert from "@std/assert";
import { RawClient } from "../support/mcp.ts";
import { nodeExporterAvailable, startNodeExporter } from "../support/node_exporter.ts";
import { prometheusAvailable, startPrometheus } from "../support/prometheus.ts";

Deno.test({
  name: "prometheus-mcp about a node_exporter",
  ignore: !prometheusAvailable || !nodeExporterAvailable || Deno.build.os !== "linux",
  async fn(context) {
    await using exporter = await startNodeExporter();
    await using server = await startPrometheus({
      scrape: [{ job_name: "node", targets: [exporter.address] }],
    });
    await server.untilAnswered("count_over_time(node_load1[1m]) >= 2");
    await using client = await RawClient.connect({
      program: "prometheus",
      variables: { PROMETHEUS_URL: server.url },
    });
    const answered = async (tool: string, args: Readonly<Record<string, unknown>>) => {
      const { isError, text } = await client.call(tool, args);
      assert.equal(isError, false, text);
      return text;
    };

    await context.step("its target is up", async () => {
      const text = await answered("list_targets", { service: "node" });
      assert.match(text, /^1 target: 0 down, 1 up\.\n\nup node 127\.0\.0\.1:\d+: scraped/);
    });

    await context.step("a metric is found with its type and help", async () => {
      const text = await answered("find_metrics", { pattern: "node_memory_MemAvailable", service: "node" });
      assert.match(
        text,
        /node_memory_MemAvailable_bytes \(gauge, bytes, 1 series\) Memory information field/,
      );
    });

    await context.step("a value is what Prometheus itself says, with its unit", async () => {
      const total = await server.value("node_memory_MemTotal_bytes");
      const text = await answered("query_metrics", { query: "node_memory_MemTotal_bytes" });
      assert.ok(text.includes(String(total)) || text.includes(total.toLocaleString("en")), text);
      assert.match(text, /bytes|[GM]i?B/);
    });

    await context.step("scraped is not healthy: without requests the verdict is unknown", async () => {
      const text = await answered("check_service_health", { service: "node" });
      assert.match(text, /^node: UNKNOWN/);
      assert.match(text, /1 UP/);
    });
  },
});
