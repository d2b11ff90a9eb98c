/** prometheus-mcp in front of a real Mimir, below its prefix and as a tenant. */
import assert from "@std/assert";
import { programs, startMimir, tenant } from "../support/compatible.ts";
import { RawClient, runProgramToEnd } from "../support/mcp.ts";
import { askTheShop } from "../support/shop_questions.ts";

const program = "prometheus";

Deno.test({
  name: "Mimir",
  ignore: programs.mimir === undefined,
  async fn(context) {
    await using server = await startMimir();
    const url = `${server.url}/prometheus`;
    const variables = { PROMETHEUS_URL: url, PROMETHEUS_ORG_ID: tenant, RATE_LIMIT_PER_MINUTE: "0" };
    const check = (others: Readonly<Record<string, string>>) =>
      runProgramToEnd({ program, args: ["--check"], variables: others, plain: true });
    await using client = await RawClient.connect({ program, variables });

    await context.step("answers about the shop", () => askTheShop(client));

    await context.step("is called by its name, and its targets are those of the metric up", async () => {
      const { code, stdout } = await check(variables);
      assert.equal(code, 0, stdout);
      assert.match(stdout, /Grafana Mimir/);
      assert.match(stdout, /list_targets says what the metric up says/);
      assert.match(
        (await client.call("list_targets", {})).text,
        /^5 targets: 2 down, 3 up[^]*has no \/api\/v1\/targets/,
      );
    });

    await context.step("has alerts", async () => {
      assert.match((await client.call("list_alerts", {})).text, /^2 alerts firing/);
    });

    await context.step("without a tenant, with another one, or without the prefix", async () => {
      const none = await check({ PROMETHEUS_URL: url });
      assert.equal(none.code, 1, none.stdout);
      assert.match(none.stdout, /name the tenant in PROMETHEUS_ORG_ID/i);
      const other = await check({ PROMETHEUS_URL: url, PROMETHEUS_ORG_ID: "other" });
      assert.match(other.stdout, /the right tenant\?/);
      const bare = await check({ PROMETHEUS_URL: server.url, PROMETHEUS_ORG_ID: tenant });
      assert.equal(bare.code, 1, bare.stdout);
      assert.match(bare.stdout, /\/prometheus for Mimir/);
    });
  },
});
