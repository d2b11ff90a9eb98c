/** A client that sends more calls than can be worked on, and does not wait. */
import assert from "@std/assert";
import { RawClient, toolAnswer } from "../support/mcp.ts";
import { permitted } from "../support/permitted.ts";
import { until } from "../support/until.ts";

Deno.test({
  name:
    "among 400 calls that wait, a ping is answered and a cancellation is heard; later each call is answered",
  ignore: !permitted,
  async fn() {
    // Accepts connections and says nothing.
    using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const variables = {
      DB_HOST: "127.0.0.1",
      DB_PORT: String(silent.addr.port),
      DB_POOL_SIZE: "50",
      STATEMENT_TIMEOUT_MS: "9000",
      RATE_LIMIT_PER_MINUTE: "0",
    };
    await using client = await RawClient.connect({ variables });
    const ask = () => client.post("tools/call", { name: "query_database", arguments: { sql: "SELECT 1" } });
    const asked = Array.from({ length: 400 }, ask);
    const cancelled = ask();
    client.notify("notifications/cancelled", { requestId: cancelled });
    const ping = client.post("ping");
    await client.answer(ping);
    assert.deepEqual(client.messages.filter(({ id }) => id !== 1).map(({ id }) => id), [ping]);
    await until("the cancelled call's line", () => client.auditLines.length > 0);
    assert.equal(client.auditLines[0]?.outcome, "cancelled");
    for (const id of asked) assert.equal(toolAnswer(await client.answer(id)).isError, true);
    await until("a line for each call", () => client.auditLines.length === 401);
  },
});
