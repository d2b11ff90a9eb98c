/** What is remembered of metrics, and what is asked again. */
import assert from "@std/assert";
import { findMetrics } from "../../src/prometheus/find_metrics.ts";
import { MetricCatalogue } from "../../src/prometheus/metric_catalogue.ts";
import { FakePrometheus, faults, type Play, success } from "../support/fake_prometheus.ts";
import { permitted } from "../support/permitted.ts";
import { prometheusAvailable, sharedPrometheus } from "../support/prometheus.ts";
import { apiOf } from "../support/prometheus_api.ts";
import { callTool } from "../support/tools.ts";

const never = { signal: new AbortController().signal };
const gauge = [{ type: "gauge", help: "", unit: "" }];
const known: Play = ({ path, parameters }) =>
  path.endsWith("/metadata") ? success({ [parameters.get("metric") ?? "x0"]: gauge }) : undefined;
const metadataRequests = (fake: FakePrometheus) =>
  fake.requests.filter(({ path }) => path.endsWith("/metadata")).length;

Deno.test({
  name: "what failed is asked again, what was told is not",
  ignore: !permitted,
  async fn() {
    await using fake = new FakePrometheus({ play: faults.unavailable });
    using client = apiOf(fake.url);
    const catalogue = new MetricCatalogue(client.api, 60);
    const failed = await catalogue.describe(["x"], never);
    assert.equal(failed.metadata.size, 0);
    assert.match(failed.missing ?? "", /not available \(503\)/);
    fake.play = known;
    for (let again = 0; again < 2; again++) {
      const { metadata, missing } = await catalogue.describe(["x"], never);
      assert.equal(metadata.get("x")?.type, "gauge");
      assert.equal(missing, undefined);
    }
    assert.equal(metadataRequests(fake), 2);
  },
});

Deno.test({
  name: "that nobody describes a metric is remembered, and so is that the call is absent",
  ignore: !permitted,
  async fn() {
    await using fake = new FakePrometheus();
    using client = apiOf(fake.url);
    const catalogue = new MetricCatalogue(client.api, 60);
    for (let again = 0; again < 2; again++) {
      assert.deepEqual(await catalogue.describe(["x_total"], never), {
        metadata: new Map(),
        missing: undefined,
      });
    }
    assert.equal(metadataRequests(fake), 2, "its name and its family's");
    fake.play = faults.notFound;
    for (let again = 0; again < 2; again++) {
      const { missing } = await catalogue.describe([`other${again}`], never);
      assert.match(missing ?? "", /has no \/api\/v1\/metadata \(404\)/);
    }
    assert.equal(metadataRequests(fake), 3);
  },
});

Deno.test({
  name: "many metrics are described in one request",
  ignore: !permitted,
  async fn() {
    await using fake = new FakePrometheus({ play: known });
    using client = apiOf(fake.url);
    const catalogue = new MetricCatalogue(client.api, 60);
    const names = Array.from({ length: 100 }, (_, index) => `x${index}`);
    assert.deepEqual([...(await catalogue.describe(names, never)).metadata.keys()], ["x0"]);
    await catalogue.describe(names.slice(50), never);
    assert.equal(metadataRequests(fake), 1);
    assert.equal(fake.requests[0]?.parameters.get("limit_per_metric"), "1");
  },
});

Deno.test({
  name: "many metrics have the types that they have one by one, on a real Prometheus",
  ignore: !prometheusAvailable,
  async fn() {
    const server = await sharedPrometheus();
    using client = apiOf(server.url);
    const { names } = await new MetricCatalogue(client.api, 0).names([], server.now, never);
    const scraped = names.filter((name) => name.startsWith("prometheus_")).slice(0, 60);
    assert.equal(scraped.length, 60);
    const together = await new MetricCatalogue(client.api, 60).describe(scraped, never);
    const singly = new MetricCatalogue(client.api, 60);
    for (const name of scraped) {
      const { metadata } = await singly.describe([name], never);
      assert.deepEqual(together.metadata.get(name), metadata.get(name), name);
    }
    assert.ok(together.metadata.size > 50, `${together.metadata.size}`);
  },
});

Deno.test({
  name: "find_metrics says what it could not tell, whose labels it tells, and what Prometheus said beside",
  ignore: !permitted,
  async fn() {
    const names = Array.from({ length: 7 }, (_, index) => `x${index}`);
    await using fake = new FakePrometheus({
      play: ({ path }) => {
        if (path.endsWith("/metadata")) return faults.unavailable();
        if (path.endsWith("/values")) return success(names, { warnings: ["store 3 did not answer"] });
        return undefined;
      },
    });
    using client = apiOf(fake.url);
    const tool = findMetrics(client.api, new MetricCatalogue(client.api, 60));
    for (let again = 0; again < 2; again++) {
      const { text } = await callTool(tool, { pattern: "*" });
      assert.match(text, /^note: types, units and help are missing: .*not available \(503\)/m);
      assert.match(text, /^note: labels are those of the first 5; give a name for others'$/m);
      assert.match(text, /^note: Prometheus warns: store 3 did not answer$/m);
    }
    const few = await callTool(tool, { pattern: "x1" });
    assert.doesNotMatch(few.text, /labels are those/);
  },
});
