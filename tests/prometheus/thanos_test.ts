/** What a real Thanos was seen to answer (tests/compatible), played by a stand-in. */
import assert from "@std/assert";
import { CallError } from "../../src/common/errors.ts";
import { findMetrics } from "../../src/prometheus/find_metrics.ts";
import { getErrorRate } from "../../src/prometheus/get_error_rate.ts";
import { listAlerts } from "../../src/prometheus/list_alerts.ts";
import { listTargets } from "../../src/prometheus/list_targets.ts";
import { MetricCatalogue } from "../../src/prometheus/metric_catalogue.ts";
import { queryMetrics } from "../../src/prometheus/query_metrics.ts";
import { checkPrometheus } from "../../src/prometheus/self_check.ts";
import { FakePrometheus, type Play, success } from "../support/fake_prometheus.ts";
import { permitted } from "../support/permitted.ts";
import { apiOf } from "../support/prometheus_api.ts";
import { callTool } from "../support/tools.ts";

const refused = "connection refused";
const lost = {
  sidecar: [{ name: "10.0.0.1:10901", lastError: refused }, { name: "10.0.0.2:10901", lastError: null }],
};

const withStores = (stores: unknown): Play => ({ path }) =>
  path.endsWith("/stores") ? success(stores) : undefined;

Deno.test({
  name: "nothing from a Thanos that has lost a store is not taken for nothing",
  ignore: !permitted,
  async fn() {
    for (
      const [stores, sentence] of [[lost, /10\.0\.0\.1:10901: connection refused/], [
        {},
        /has no store/,
      ]] as const
    ) {
      await using fake = new FakePrometheus({ play: withStores(stores) });
      using client = apiOf(fake.url);
      const catalogue = new MetricCatalogue(client.api, 0);
      const answers = [
        await callTool(queryMetrics(client.api, catalogue), { query: "up" }),
        await callTool(findMetrics(client.api, catalogue), { pattern: "up" }),
        await callTool(listAlerts(client.api), {}),
        await callTool(listTargets(client.api), {}),
      ];
      for (const { text } of answers) {
        assert.match(text, sentence);
        assert.doesNotMatch(text, /There is no metric|nothing can fire|scrapes no target/);
      }
      await assert.rejects(callTool(getErrorRate(client.api), { service: "shop" }), (error: unknown) => {
        if (!(error instanceof CallError)) throw error;
        assert.equal(error.kind, "unavailable");
        assert.match(error.message, sentence);
        return true;
      });
      const lines: string[] = [];
      assert.ok(await checkPrometheus(client.api, client.settings, (line) => void lines.push(line)));
      assert.match(lines.join("\n"), /, Thanos 3\.16\.0,/);
      assert.match(lines.join("\n"), sentence);
    }
  },
});

Deno.test({
  name: "nothing from a Thanos that reaches its stores is nothing",
  ignore: !permitted,
  async fn() {
    await using fake = new FakePrometheus({ play: withStores({ sidecar: [lost.sidecar[1]] }) });
    using client = apiOf(fake.url);
    const { text } = await callTool(queryMetrics(client.api, new MetricCatalogue(client.api, 0)), {
      query: "up",
    });
    assert.match(text, /There is no metric up/);
    assert.match((await callTool(listAlerts(client.api), {})).text, /nothing can fire/);
  },
});

Deno.test({
  name: "an alert that two replicas raise is one alert",
  ignore: !permitted,
  async fn() {
    const alert = (job: string, activeAt: string, state = "firing") => (
      { labels: { alertname: "Down", job }, annotations: {}, state, activeAt, value: "0e+00" }
    );
    const group = (...alerts: readonly unknown[]) => ({
      name: "g",
      file: `/${alerts.length}.yml`,
      rules: [{ type: "alerting", name: "Down", query: "up == 0", state: "firing", health: "ok", alerts }],
    });
    const [early, late] = ["2026-11-28T20:28:51Z", "2026-11-28T20:28:54Z"];
    const groups = [
      group(alert("a", late), alert("b", early, "pending")),
      group(alert("a", early), alert("b", late), alert("c", late)),
    ];
    await using fake = new FakePrometheus({
      play: ({ path }) => path.endsWith("/rules") ? success({ groups }) : undefined,
    });
    using client = apiOf(fake.url);
    const { structured } = await callTool(listAlerts(client.api), {});
    assert.equal(structured.firing, 3);
    assert.equal(structured.rules.length, 1);
    const since = (structured.rules[0].alerts as { labels: string; since: string }[]).map((
      { labels, since },
    ) => `${labels} ${since}`).sort();
    assert.deepEqual(since, [`job=a ${early}`, `job=b ${late}`, `job=c ${late}`]);
  },
});
