import assert from "@std/assert";
import { CallError } from "../../src/common/errors.ts";
import { prometheusResources } from "../../src/prometheus/resources.ts";
import { FakePrometheus, faults, success } from "../support/fake_prometheus.ts";
import { permitted } from "../support/permitted.ts";
import { prometheusAvailable, prometheusMajor, startPrometheus } from "../support/prometheus.ts";
import { apiOf } from "../support/prometheus_api.ts";
import { SampleService } from "../support/sample_service.ts";
import { callTool } from "../support/tools.ts";
import { until } from "../support/until.ts";

const uriTemplate = "prometheus://metrics/{metric}";

Deno.test({
  name: "resources",
  // Its service has UTF-8 names.
  ignore: !prometheusAvailable || prometheusMajor < 3,
  async fn(context) {
    await using shop = new SampleService();
    shop.describe("orders_total", "counter", "Orders\nthat came in");
    for (const city of ["Bern", "Genf", "Zug", "Uri", "Chur", "Visp"]) {
      shop.add("orders_total", { city, "the kind": "ü" });
    }
    shop.set("metric.with dots", { "label name": 'a"b' }, 1).observe("wait_seconds", {}, [0.1], 0.05);
    await using server = await startPrometheus({
      scrape: [{ job_name: "shop", targets: [shop.address] }, { job_name: "dead", targets: ["127.0.0.1:1"] }],
      scrapeItself: ["prometheus"],
      rules: [{ name: "g", rules: [{ alert: "Down", expr: "up == 0" }, { record: "a:b", expr: "1" }] }],
    });
    await until("the alert fires", async () => (await server.ask("alerts")).alerts.length === 1);
    await server.untilAnswered("orders_total");
    using client = apiOf(server.url);
    const { list, read, complete } = prometheusResources(client.api);

    await context.step("the list has the overview", async () => {
      const { structured } = await callTool(list, {});
      assert.deepEqual(structured.resources.map(({ uri }: { uri: string }) => uri), [
        "prometheus://overview",
      ]);
      await assert.rejects(callTool(list, { cursor: "1" }), CallError);
    });

    await context.step(
      "the overview has the version, targets by pool, rules, alerts and how much there is",
      async () => {
        const { text } = await callTool(read, { uri: "prometheus://overview" });
        assert.match(text, /^Prometheus \d+\.\d+\.\d+\nStarted .*\nRetention: 2y\.\n/);
        assert.match(
          text,
          /Targets: 2 of 3 up, in 3 scrape pools:\n {2}dead: 0 up, 1 down\n {2}prometheus: 1 up\n/,
        );
        assert.match(text, /Alerting rules: 1 in 1 group\.\nAlerts: 1 firing \(Down\), 0 pending\./);
        assert.match(text, /Metric names: \d+\.\nSeries in memory: [\d,]+\.$/);
        assert.ok(!text.includes("/tmp"), "the server's folders are its own business");
      },
    );

    await context.step("a metric has its metadata and its labels with their values", async () => {
      const { text } = await callTool(read, { uri: "prometheus://metrics/orders_total" });
      assert.match(
        text,
        /^orders_total\ncounter: Orders ⏎ that came in\n6 series in the last hour\.\n\nLabels:\n/,
      );
      assert.match(text, /\n {2}city: 6 values, such as "Bern", "Chur", "Genf"/);
      assert.match(text, /\n {2}the kind: 1 value: "ü"$/);
    });

    await context.step("names of every kind can be read", async () => {
      const uri = `prometheus://metrics/${encodeURIComponent("metric.with dots")}`;
      assert.match((await callTool(read, { uri })).text, /^metric\.with dots\n.*\n?1 series/);
      const bucket = await callTool(read, { uri: "prometheus://metrics/wait_seconds_bucket" });
      assert.match(bucket.text, /^wait_seconds_bucket\nhistogram: /);
    });

    for (
      const uri of [
        "prometheus://metrics/nothing",
        "prometheus://metrics/",
        "prometheus://metrics/%",
        "prometheus://metrics/a/b",
        "file:///etc/passwd",
        "http://127.0.0.1/",
        `prometheus://metrics/${encodeURIComponent('x"} or vector(1) #')}`,
      ]
    ) {
      await context.step(`there is no resource ${uri}`, async () => {
        await assert.rejects(
          callTool(read, { uri }),
          (error: unknown) => error instanceof CallError && error.kind === "not_found",
        );
      });
    }

    await context.step("a metric that is not there has its nearest names", async () => {
      await assert.rejects(
        callTool(read, { uri: "prometheus://metrics/order_total" }),
        (error: unknown) => error instanceof CallError && /orders_total/.test(error.hint ?? ""),
      );
    });

    const completed = async (value: string, argument = "metric") =>
      (await callTool(complete, { uriTemplate, argument, value, known: {} })).structured;
    await context.step("names of metrics are completed, whatever was typed", async () => {
      assert.deepEqual((await completed("ORD")).values, ["orders_total"]);
      assert.deepEqual((await completed("metric.")).values, ["metric.with dots"]);
      for (const value of [".*", 'x"} or vector(1) #', "\\", "\n", "`", "(", "😀", "[a-"]) {
        assert.deepEqual((await completed(value)).values, [], JSON.stringify(value));
      }
      assert.deepEqual((await completed("o", "other")).values, []);
      const all = await completed("");
      assert.deepEqual([all.values.length, all.hasMore], [100, true]);
    });
  },
});

Deno.test({
  name: "the overview says what a backend does not tell",
  ignore: !permitted,
  async fn() {
    await using fake = new FakePrometheus({
      play: ({ path }) =>
        /targets|rules|alerts|buildinfo|runtimeinfo/.test(path)
          ? faults.notFound()
          : path.endsWith("/__name__/values")
          ? success(["up", "x"])
          : undefined,
    });
    using client = apiOf(fake.url);
    const { read } = prometheusResources(client.api);
    const { text } = await callTool(read, { uri: "prometheus://overview" });
    assert.match(text, /Targets: not reported\. .* has no \/api\/v1\/targets \(404\)\.\n/);
    assert.match(text, /Metric names: 2\.$/);
    fake.play = faults.html;
    await assert.rejects(callTool(read, { uri: "prometheus://overview" }), CallError);
  },
});
