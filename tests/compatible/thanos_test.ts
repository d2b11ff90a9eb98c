/** prometheus-mcp in front of a real Thanos Query over two replicas. */
import assert from "@std/assert";
import { programs, startThanos } from "../support/compatible.ts";
import { RawClient, runProgramToEnd } from "../support/mcp.ts";
import { prometheusAvailable } from "../support/prometheus.ts";
import { askTheShop } from "../support/shop_questions.ts";
import { until } from "../support/until.ts";

const program = "prometheus";

Deno.test({
  name: "Thanos",
  ignore: programs.thanos === undefined || !prometheusAvailable,
  async fn(context) {
    await using server = await startThanos();
    const variables = { PROMETHEUS_URL: server.url, RATE_LIMIT_PER_MINUTE: "0", CACHE_TTL_SECONDS: "0" };
    await using client = await RawClient.connect({ program, variables });
    const check = async () =>
      (await runProgramToEnd({ program, args: ["--check"], variables, plain: true })).stdout;

    await context.step("answers about the shop", () => askTheShop(client));

    await context.step("is called by its name", async () => assert.match(await check(), /, Thanos \d+\.\d+/));

    await context.step("has each alert of its replicas once", async () => {
      const { text } = await client.call("list_alerts", {});
      assert.match(text, /^2 alerts firing/);
    });

    await context.step("one replica down: the answer is whole, and what was not asked is told", async () => {
      await server.replicas[0]?.stop();
      const { text } = await client.call("query_metrics", { query: "sum(up)" });
      assert.match(text, /^3(?: |$)/m);
      assert.match(text, /Prometheus warns: .*connection refused/);
      assert.match(await check(), /connection refused/);
      const health = await client.call("check_service_health", { service: "catalog" });
      assert.match(health.text, /UNKNOWN/);
    });

    await context.step("all stores gone: nothing that comes is taken for nothing", async () => {
      await server.loseStores();
      // It warns at first, and forgets the store after its next check, 5 s later.
      await until(
        "it forgets them",
        async () => !/Prometheus warns/.test((await client.call("query_metrics", { query: "up" })).text),
      );
      for (
        const [tool, args] of [["query_metrics", { query: "up" }], ["list_alerts", {}], [
          "list_targets",
          {},
        ]] as const
      ) {
        const { text } = await client.call(tool, args);
        assert.match(text, /Thanos does not reach its store/, tool);
        assert.doesNotMatch(text, /There is no metric|nothing can fire|scrapes no target/);
      }
      const { text, isError } = await client.call("check_service_health", { service: "catalog" });
      assert.ok(isError);
      assert.match(text, /not all may have come/);
    });
  },
});
