import assert from "@std/assert";
import { listTargets } from "../../src/prometheus/list_targets.ts";
import { utf8Length } from "../../src/common/utf8.ts";
import { FakePrometheus, faults, success } from "../support/fake_prometheus.ts";
import { permitted } from "../support/permitted.ts";
import { prometheusAvailable, startPrometheus } from "../support/prometheus.ts";
import { apiOf } from "../support/prometheus_api.ts";
import { SampleService } from "../support/sample_service.ts";
import { callTool } from "../support/tools.ts";

Deno.test({
  name: "list_targets",
  ignore: !prometheusAvailable,
  async fn(context) {
    await using shop = new SampleService();
    await using failing = new SampleService();
    failing.status = 500;
    await using garbled = new SampleService();
    garbled.body = "this is { no metric\n";
    await using server = await startPrometheus({
      scrape: [
        {
          job_name: "serviceMonitor/shop/checkout/0",
          targets: [shop.address],
          labels: { app: "checkout", tier: "web front" },
        },
        { job_name: "failing", targets: [failing.address] },
        { job_name: "garbled", targets: [garbled.address] },
        {
          job_name: "dropping",
          targets: ["127.0.0.1:2", "127.0.0.1:3"],
          relabel_configs: [{ action: "drop", source_labels: ["__address__"], regex: ".*" }],
        },
        {
          job_name: "refused",
          targets: ["127.0.0.1:1"],
          params: { token: ["a-secret-of-the-scrape"] },
        },
      ],
    });
    using client = apiOf(server.url);
    const tool = listTargets(client.api);
    const health = (structured: { targets: readonly { pool: string; health: string }[] }) =>
      structured.targets.map(({ pool, health }) => `${pool} ${health}`);

    await context.step("what is down comes first, with its error in Prometheus's words", async () => {
      const { structured, text, rows } = await callTool(tool, {});
      assert.deepEqual(health(structured), [
        "failing down",
        "garbled down",
        "refused down",
        "serviceMonitor/shop/checkout/0 up",
      ]);
      assert.deepEqual(
        [structured.up, structured.down, structured.unknown, structured.dropped, structured.total, rows],
        [1, 3, undefined, 2, 4, 4],
      );
      assert.ok(structured.pools.length > 0);
      assert.equal(structured.pools_total, undefined, "all of them are there");
      assert.match(text, /^4 targets: 3 down, 1 up\. Dropped by relabelling: 2\.\n/);
      assert.match(text, /\npool +\| up \| down \| unknown \| dropped\n/);
      assert.match(text, /\ndropping +\| +0 \| +0 \| +0 \| +2\n/);
      assert.match(
        text,
        /DOWN failing 127\.0\.0\.1:\d+: scraped .* in [\d.]+ m?s, every 1s\n {2}server returned HTTP status 500/,
      );
      assert.match(
        text,
        /DOWN refused 127\.0\.0\.1:1: .*\n {2}Get ".*": dial tcp 127\.0\.0\.1:1: connect: connection refused/,
      );
      assert.match(
        text,
        /up serviceMonitor\/shop\/checkout\/0 \S+ \(app=checkout tier="web front"\): scraped/,
      );
    });

    await context.step("a secret in the address of a scrape stays there", async () => {
      const { structured, text } = await callTool(tool, {});
      assert.ok(!text.includes("a-secret-of-the-scrape"), text);
      assert.ok(!JSON.stringify(structured).includes("a-secret-of-the-scrape"));
    });

    const filters: readonly (readonly [Record<string, unknown>, readonly string[]])[] = [
      [{ state: "up" }, ["serviceMonitor/shop/checkout/0 up"]],
      [{ state: "down", service: "failing" }, ["failing down"]],
      [{ state: "up", service: "failing" }, []],
      [{ state: "unknown" }, []],
      [{ service: "checkout" }, ["serviceMonitor/shop/checkout/0 up"]],
      [{ service: "Checkout" }, ["serviceMonitor/shop/checkout/0 up"]],
      [{ service: "app=checkout" }, ["serviceMonitor/shop/checkout/0 up"]],
      [{ service: "app=checkout,tier=front" }, []],
      [{ pool: "garbled" }, ["garbled down"]],
      [{ pool: "garbl" }, []],
      [{ service: ".*" }, []],
      [{ service: 'x"} or vector(1) #' }, []],
    ];
    for (const [args, expected] of filters) {
      await context.step(`filters: ${JSON.stringify(args)}`, async () => {
        assert.deepEqual(health((await callTool(tool, args)).structured), expected);
      });
    }

    await context.step("nothing found says so, with the nearest names", async () => {
      const { structured, text } = await callTool(tool, { service: "chekout" });
      assert.match(
        text,
        /^0 targets: 0 down, 0 up\.\nNo target of service "chekout"\.\n4 targets of other services/,
      );
      assert.match(text, /Nearest names: checkout\.$/);
      assert.deepEqual(structured.nearest, ["checkout"]);
      assert.match(
        (await callTool(tool, { state: "up", service: "failing" })).text,
        /1 down, 0 up\.\nNo target that is up of/,
      );
      assert.match(
        (await callTool(tool, { pool: "garble" })).text,
        /in pool "garble"\.\n.*\nNearest names: garbled/,
      );
    });

    await context.step("recovery is seen", async () => {
      failing.status = 200;
      failing.set("works", {}, 1);
      await server.untilAnswered('up{job="failing"} == 1');
      assert.equal((await callTool(tool, { service: "failing" })).structured.up, 1);
    });
  },
});

Deno.test({
  name: "list_targets fits 5,000 targets, down or up",
  ignore: !permitted,
  async fn(context) {
    let down = (_index: number) => false;
    const targets = () =>
      Array.from({ length: 5_000 }, (_, index) => ({
        discoveredLabels: { __address__: `10.0.0.${index % 250}:8080` },
        labels: {
          job: `job-${index % 120}`,
          instance: `10.1.${index % 250}.${index % 199}:8080`,
          zone: "eu-west-1a",
        },
        scrapePool: `job-${index % 120}`,
        scrapeUrl: "http://x/metrics",
        lastError: down(index)
          ? `Get "http://10.1.2.${index % 250}:8080/metrics": dial tcp 10.1.2.${
            index % 250
          }:8080: connect: connection refused`
          : "",
        lastScrape: index === 4_999 ? "0001-01-01T00:00:00Z" : "2026-01-02T03:04:05.678Z",
        lastScrapeDuration: 0.0123,
        health: index === 4_999 ? "unknown" : down(index) ? "down" : "up",
        scrapeInterval: "15s",
        scrapeTimeout: "10s",
      }));
    await using fake = new FakePrometheus({
      // A backend that ignores the state.
      play: ({ path }) => path.endsWith("/targets") ? success({ activeTargets: targets() }) : undefined,
    });
    using client = apiOf(fake.url);
    const tool = listTargets(client.api, () => Date.parse("2026-01-02T03:04:15.700Z"));

    await context.step("in little room there are fewer pools", async () => {
      const { structured, text } = await callTool(tool, {}, 1_536);
      assert.equal(structured.pools_total, 120);
      assert.ok(structured.pools.length > 5);
      assert.match(text, new RegExp(`^${120 - structured.pools.length} more pools$`, "m"));
    });

    await context.step("all up: counts by pool, and only what is not up is listed", async () => {
      const { structured, text } = await callTool(tool, {});
      assert.deepEqual([structured.up, structured.unknown, structured.shown, structured.total], [
        4_999,
        1,
        1,
        5_000,
      ]);
      assert.match(text, /^5,000 targets: 0 down, 4,999 up, 1 not scraped yet\./);
      assert.match(text, /80 more pools/);
      assert.match(
        text,
        /UNKNOWN job-79 .*never scraped, every 15s\n4,999 targets up, not listed: state=up/,
      );
      assert.ok(utf8Length(text) < 6_000, `${utf8Length(text)} bytes`);
      assert.deepEqual(structured.notes, ["4,999 targets up, not listed: state=up or pool lists them."]);
      assert.deepEqual([structured.pools.length, structured.pools_total], [40, 120]);
      assert.deepEqual(structured.targets, [{
        health: "unknown",
        pool: "job-79",
        instance: structured.targets[0].instance,
        labels: "zone=eu-west-1a",
        interval: "15s",
      }]);
    });

    await context.step("those that are up, when they are asked for", async () => {
      const { structured, text } = await callTool(tool, { state: "up", pool: "job-7", limit: 2 });
      assert.deepEqual([structured.shown, structured.total], [2, 42]);
      assert.match(text, /\nup job-7 .*\(zone=eu-west-1a\): scraped 10 s ago in 12 ms, every 15s\n/);
      const [{ scraped, scrape_seconds: took }] = structured.targets;
      assert.deepEqual([scraped, took], ["10 s ago", 0.0123]);
      assert.equal(
        structured.notes[0],
        "Cut: the first 2 of 42 shown. Ask for more with limit, or for one pool or service.",
      );
    });

    await context.step("nearly all down: the kinds of error, and the first targets", async () => {
      down = (index) => index % 100 !== 0;
      const { structured, text } = await callTool(tool, {});
      assert.deepEqual(structured.errors, [
        { error: "dial tcp …: connect: connection refused", targets: 4_950 },
      ]);
      assert.match(text, /\n4,950 × dial tcp …: connect: connection refused\n/);
      assert.match(text, /\[Cut: the first 20 of 4,950 shown/);
      const keys = Object.keys(structured);
      assert.deepEqual(keys.slice(-4), ["errors", "pools_total", "pools", "targets"]);
      assert.ok(keys.indexOf("notes") < keys.indexOf("errors"), `${keys}`);
      assert.ok(utf8Length(text) < 8_000, `${utf8Length(text)} bytes`);
      assert.equal((await callTool(tool, { limit: 1000 })).structured.total, 5_000);
      assert.ok((await callTool(tool, { limit: 1000 }, 3_000)).structured.shown < 20);
    });

    await context.step("what was dropped is not known where the answer fails, and the rest is", async () => {
      fake.play = (seen) =>
        seen.parameters.get("state") === "dropped"
          ? faults.unavailable()
          : success({ activeTargets: targets().slice(0, 3) });
      const { structured } = await callTool(tool, {});
      assert.deepEqual([structured.dropped, structured.total], [null, 3]);
    });

    await context.step("a backend without the call is asked for the metric up", async () => {
      const up = [["a", "1"], ["b", "0"]].map(([job, value]) => ({
        metric: { __name__: "up", job, instance: "x:1" },
        value: [1_767_323_055, value],
      }));
      fake.play = ({ path }) =>
        path.endsWith("/query") ? success({ resultType: "vector", result: up }) : faults.notFound();
      const { structured, text } = await callTool(tool, {});
      assert.deepEqual([structured.up, structured.down, structured.targets[0].pool], [1, 1, "b"]);
      assert.match(text, /has no \/api\/v1\/targets \(404\)\.\nSo this is what the metric up says/);
      assert.match(text, /\nDOWN b x:1\nup a x:1$/);
    });

    await context.step("a backend with neither says which call it lacks", async () => {
      fake.play = faults.notFound;
      await assert.rejects(callTool(tool, {}), /has no \/api\/v1\/targets/);
    });
  },
});
