/** A backend of several stores, some of which did not answer: nothing came, and that is not nothing. */
import assert from "@std/assert";
import { CallError } from "../../src/common/errors.ts";
import type { Tool } from "../../src/common/tool.ts";
import { checkServiceHealth } from "../../src/prometheus/check_service_health.ts";
import { findMetrics } from "../../src/prometheus/find_metrics.ts";
import { getErrorRate } from "../../src/prometheus/get_error_rate.ts";
import { getLatency } from "../../src/prometheus/get_latency.ts";
import { MetricCatalogue } from "../../src/prometheus/metric_catalogue.ts";
import { queryMetrics } from "../../src/prometheus/query_metrics.ts";
import { failure, FakePrometheus, type Play, success } from "../support/fake_prometheus.ts";
import { permitted } from "../support/permitted.ts";
import { apiOf } from "../support/prometheus_api.ts";
import { callTool } from "../support/tools.ts";

const partial: Play = ({ path, parameters }) => {
  const warnings = { warnings: ["store 3 did not answer"] };
  if (parameters.get("query") === "time()") return undefined;
  if (path.endsWith("/query")) return success({ resultType: "vector", result: [] }, warnings);
  return path.endsWith("/values") || path.endsWith("/series") ? success([], warnings) : undefined;
};

Deno.test({
  name: "a service that is missing in half an answer may well be there",
  ignore: !permitted,
  async fn() {
    await using fake = new FakePrometheus({ play: partial });
    using client = apiOf(fake.url);
    const tools: readonly Tool[] = [
      checkServiceHealth(client.api),
      getErrorRate(client.api),
      getLatency(client.api),
    ];
    for (const tool of tools) {
      await assert.rejects(callTool(tool, { service: "shop" }), (error: unknown) => {
        if (!(error instanceof CallError)) throw error;
        assert.equal(error.kind, "unavailable", tool.name);
        assert.match(error.message, /Prometheus warns: store 3 did not answer/);
        return true;
      });
    }
  },
});

Deno.test({
  name: "find_metrics says that nothing came from half of the stores",
  ignore: !permitted,
  async fn() {
    await using fake = new FakePrometheus({ play: partial });
    using client = apiOf(fake.url);
    for (const args of [{ pattern: "*" }, { pattern: "*", service: "shop" }]) {
      const { text } = await callTool(findMetrics(client.api, new MetricCatalogue(client.api, 0)), args);
      assert.match(text, /^note: Prometheus warns: store 3 did not answer$/m);
    }
  },
});

Deno.test({
  name: "an error of the backend shows no password that it holds",
  ignore: !permitted,
  async fn() {
    const secret = "hunter2hunter2";
    const said = `remote read: Post "http://reader:${secret}@store/read?token=${secret}": refused`;
    const plays: readonly Play[] = [
      () => failure(422, "execution", said),
      () => failure(500, "internal", said),
      () => failure(200, "internal", said),
      () => new Response(said, { status: 500 }),
      () => new Response(said, { status: 403 }),
      // The end of the password is where the sentence is cut.
      () => new Response(`${"x".repeat(270)} http://reader:${secret}@store`, { status: 500 }),
    ];
    for (const play of plays) {
      await using fake = new FakePrometheus({ play });
      using client = apiOf(fake.url);
      const tool = queryMetrics(client.api, new MetricCatalogue(client.api, 0));
      await assert.rejects(callTool(tool, { query: "up" }), (error: unknown) => {
        if (!(error instanceof CallError)) throw error;
        assert.ok(!`${error.message} ${error.hint}`.includes("hunter"), error.message);
        return true;
      });
    }
  },
});
