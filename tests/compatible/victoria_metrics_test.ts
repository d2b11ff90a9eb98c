/** prometheus-mcp in front of a real VictoriaMetrics. */
import assert from "@std/assert";
import { programs, startVictoriaMetrics } from "../support/compatible.ts";
import { RawClient, runProgramToEnd } from "../support/mcp.ts";
import { askTheShop } from "../support/shop_questions.ts";

const program = "prometheus";
const ignore = programs.victoriaMetrics === undefined;

Deno.test({
  name: "VictoriaMetrics",
  ignore,
  async fn(context) {
    await using server = await startVictoriaMetrics();
    const variables = { PROMETHEUS_URL: `${server.url}/prometheus`, RATE_LIMIT_PER_MINUTE: "0" };
    await using client = await RawClient.connect({ program, variables });

    await context.step("answers about the shop", () => askTheShop(client));

    await context.step("is called by its name, and not by the version that it stands in for", async () => {
      const { code, stdout } = await runProgramToEnd({ program, args: ["--check"], variables, plain: true });
      assert.equal(code, 0, stdout);
      assert.match(stdout, /VictoriaMetrics/);
      assert.doesNotMatch(stdout, /2\.24/);
      const { result } = await client.request("resources/read", { uri: "prometheus://overview" });
      assert.match(JSON.stringify(result), /VictoriaMetrics/);
      assert.doesNotMatch(JSON.stringify(result), /2\.24|rules: 0/);
    });

    await context.step("tells no rules, which does not mean that there are none", async () => {
      const { text } = await client.call("list_alerts", {});
      assert.doesNotMatch(text, /nothing can fire/);
      assert.match(text, /vmalert/);
      const health = await client.call("check_service_health", { service: "catalog" });
      assert.match(health.text, /alerts not judged/);
    });

    await context.step("tells the time of a result, not that of its latest sample", async () => {
      const { structured } = await client.call("query_metrics", { query: "no_such_metric" });
      assert.ok(
        Math.abs(Date.parse(String(structured?.time)) - Date.now()) < 20_000,
        String(structured?.time),
      );
    });
  },
});
