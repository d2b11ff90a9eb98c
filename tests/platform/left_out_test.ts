/** What can't be asked beside the rest is named, and nobody is called healthy as if it had been looked at. */
import assert from "@std/assert";
import { createLogger } from "../../src/common/log.ts";
import type { Tool } from "../../src/common/tool.ts";
import type { Sources } from "../../src/platform/gather.ts";
import { rankServicesByErrorRate } from "../../src/platform/rank_services_by_error_rate.ts";
import { serviceHealthReport } from "../../src/platform/service_health_report.ts";
import { checkServiceHealth } from "../../src/prometheus/check_service_health.ts";
import { FakeApiserver } from "../kubernetes/fake_apiserver.ts";
import { container, running } from "../kubernetes/pod_states.ts";
import { beforeServer, FakePrometheus, faults, type Play, success } from "../support/fake_prometheus.ts";
import { permitted } from "../support/permitted.ts";
import { prometheusAvailable } from "../support/prometheus.ts";
import { apiOf } from "../support/prometheus_api.ts";
import { servicePrometheus } from "../support/service_prometheus.ts";
import { callTool } from "../support/tools.ts";
import { until } from "../support/until.ts";

/** What the tools say where `play` answers the queries that `pattern` matches, and the real server all others. */
async function told(
  service: string,
  pattern: RegExp,
  play: Play,
  more: Partial<Sources> = {},
): Promise<{ readonly report: string; readonly check: string; readonly ranking: string }> {
  const { url } = await servicePrometheus();
  await using front = new FakePrometheus({ play: beforeServer(url, pattern, play) });
  using prometheus = apiOf(front.url);
  const log = createLogger("off");
  const sources = { clusters: undefined, prometheus: prometheus.api, database: undefined, log, ...more };
  const text = async (tool: Tool, args = {}) => (await callTool(tool, args)).text.replace(/\n {3,}/g, " ");
  const [report, check, ranking] = await Promise.all([
    text(serviceHealthReport(sources, new Set()), { service }),
    text(checkServiceHealth(prometheus.api), { service }),
    text(rankServicesByErrorRate(sources)),
  ]);
  return { report, check, ranking };
}

Deno.test({
  name: "what could not be asked beside the rest is told",
  ignore: !prometheusAvailable || !permitted,
  async fn(t) {
    await t.step("probes that are not answered in time are not judged", async () => {
      const { report, check } = await told("steady", /probe_success/, faults.slow);
      assert.match(report, /^steady: HEALTHY, .* succeed; not looked at: probes from outside \(15m/);
      assert.match(report, /^not seen, metrics: probes from outside: no answer within 2\.5 s$/m);
      assert.match(check, /^steady: HEALTHY, latency and probes from outside not judged$/m);
      assert.match(check, /^- not known: probes from outside: no answer within 2\.5 s$/m);
    });

    await t.step("a call that is given up leaves nothing that fails later", async () => {
      const { url } = await servicePrometheus();
      await using front = new FakePrometheus({
        play: beforeServer(url, /^\/api\/v1\/(?:rules|query up\{.*\[1h\]$)/, faults.slow),
      });
      using prometheus = apiOf(front.url);
      const tool = checkServiceHealth(prometheus.api);
      const end = new AbortController();
      const context = { signal: end.signal, budget: 32_768, progress: () => {} };
      const call = tool.run(tool.input.parse({ service: "steady" }), context);
      const isAsked = (part: RegExp) =>
        front.requests.some(({ path, parameters }) => part.test(`${path} ${parameters.get("query") ?? ""}`));
      await until("both", () => Promise.resolve(isAsked(/\/rules/) && isAsked(/\[1h\]$/)));
      end.abort();
      await assert.rejects(call, { name: "AbortError" });
    });

    await t.step("what is wrong is told without what would explain it", async () => {
      const explaining = /query_range|sum by \(instance|topk|client/;
      const { report, check } = await told("shop", explaining, faults.tooManySamples);
      assert.match(report, /^shop: DEGRADED/);
      const [, names = "", why] = /^not seen, metrics: (.*?): (.*)$/m.exec(report) ?? [];
      assert.deepEqual(names.split(/, | and /).sort(), [
        "failing routes",
        "its database pool",
        "since when it is so",
        "slow routes",
        "what it calls",
        "whether one instance is to blame",
      ]);
      assert.match(why ?? "", /too many samples/);
      assert.match(check, /^- not known: .*slow routes.*: Cannot run this query .*too many samples/m);
    });

    await t.step("whether there is usually no traffic, and what is down", async () => {
      const { report, check } = await told("lost", /avg_over_time/, faults.tooManySamples);
      assert.match(report, /^not seen, metrics: how often it has no traffic: /m);
      assert.match(check, /^- not known: how often it has no traffic: /m);
      const { check: gone } = await told("gone", /probe_success/, faults.tooManySamples);
      assert.match(gone, /^gone: DOWN\n.*\n- not known: probes from outside: /);
    });

    await t.step("what containers use of their limits", async () => {
      const list = (...items: readonly object[]) => ({ kind: "List", metadata: {}, items });
      const metadata = { name: "steady", namespace: "shop" };
      const selector = { matchLabels: { app: "steady" } };
      const pod = {
        metadata: { ...metadata, labels: selector.matchLabels },
        spec: { containers: [{ name: "app" }] },
        status: { phase: "Running", containerStatuses: [container("app", running, { ready: true })] },
      };
      const set = { metadata, spec: { replicas: 1, selector }, status: { replicas: 1, readyReplicas: 1 } };
      await using api = FakeApiserver.start({
        "/apis/apps/v1/deployments": list(),
        "/apis/apps/v1/statefulsets": list(set),
        "/apis/apps/v1/daemonsets": list(),
        "/api/v1/services": list(),
        "/api/v1/namespaces/shop/pods": list(pod),
      });
      const more = { clusters: api.clusters };
      const { report } = await told("steady", /container_(?:cpu|memory)/, faults.tooManySamples, more);
      assert.match(report, /^steady: HEALTHY, 99\.9% of its requests succeed and its pods are ready \(/);
      assert.match(report, /^not seen, metrics: CPU and memory in use: Cannot run this query/m);
    });

    await t.step("services that are gone from a ranking", async () => {
      const { ranking } = await told("steady", /sum by .*\) > 0$/, faults.tooManySamples);
      assert.match(ranking, /^note: not looked at, services that are gone: Cannot run this query/m);
      // All of them would be.
      const { ranking: cut } = await told(
        "steady",
        /sum by \(.*\) \(count by/,
        () => success({ resultType: "vector", result: [] }, { warnings: ["results truncated due to limit"] }),
      );
      assert.match(cut, /^note: not looked at, services that are gone: \w+ has more series than are read/m);
      assert.doesNotMatch(cut, /^gone, /m);
    });

    await t.step("five things, and how many more there are", async () => {
      const { report } = await told("shop", /(?:rate|over_time)\(.*job="shop"/, faults.tooManySamples);
      const lines = report.match(/^not seen, metrics: .*$/gm) ?? [];
      assert.equal(lines.length, 6, report);
      assert.match(lines.at(-1) ?? "", /^not seen, metrics: \d more things$/);
    });

    await t.step("nothing is said where all was looked at", async () => {
      const { report, check, ranking } = await told("steady", /^$/, faults.slow);
      assert.doesNotMatch(ranking, /not looked at/);
      assert.match(report, /^steady: HEALTHY, 99\.9% of its requests succeed \(/);
      assert.doesNotMatch(report, /not seen, metrics/);
      assert.match(check, /^steady: HEALTHY, latency not judged\n- not known: latency: .*\ninstances/);
    });
  },
});
