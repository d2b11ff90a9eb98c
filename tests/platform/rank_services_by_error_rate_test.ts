import assert from "@std/assert";
import { CallError } from "../../src/common/errors.ts";
import { createLogger } from "../../src/common/log.ts";
import type { Sources } from "../../src/platform/gather.ts";
import { significant } from "../../src/common/units.ts";
import { rankServicesByErrorRate } from "../../src/platform/rank_services_by_error_rate.ts";
import { FakePrometheus, faults } from "../support/fake_prometheus.ts";
import { clustersAt } from "../support/kubernetes/fake_apiserver.ts";
import { alignedSeconds, OpenMetrics } from "../support/openmetrics.ts";
import { permitted } from "../support/permitted.ts";
import { prometheusAvailable, startPrometheus } from "../support/prometheus.ts";
import { apiOf } from "../support/prometheus_api.ts";
import { callTool, type Structured } from "../support/tools.ts";

/** Nothing but what is given. */
const sources = (more: Partial<Sources>): Sources => ({
  clusters: undefined,
  prometheus: undefined,
  database: undefined,
  log: createLogger("off"),
  ...more,
});

/** `cart` fails in 20% in shop and in 50% in lab, `pay` in none; what `queue` counts does not tell errors. */
function series(): OpenMetrics {
  const now = alignedSeconds(Date.now(), 15);
  const span = { from: now - 3_600, to: now + 1_200, step: 15 };
  const metrics = new OpenMetrics();
  const requests = (job: string, namespace: string, status: string, perSecond: number) =>
    metrics.counter(
      "http_requests_total",
      { job, namespace, status, instance: `${job}:80` },
      span,
      perSecond,
    );
  requests("cart", "shop", "200", 8);
  requests("cart", "shop", "503", 2);
  requests("cart", "lab", "200", 1);
  requests("cart", "lab", "500", 1);
  requests("pay", "shop", "200", 5);
  requests("queue", "shop", "done", 3);
  return metrics;
}

Deno.test({
  name: "rank_services_by_error_rate",
  ignore: !prometheusAvailable,
  async fn(t) {
    await using server = await startPrometheus({ backfill: series().lines });
    using prometheus = apiOf(server.url);
    const tool = rankServicesByErrorRate(sources({ prometheus: prometheus.api }));
    const ranked = async (args: Readonly<Record<string, unknown>>) => {
      const { text, structured } = await callTool(tool, args);
      const rows: readonly Record<string, unknown>[] = structured.services;
      return { text, structured, names: rows.map(({ service, namespace }) => `${namespace}/${service}`) };
    };

    await t.step("worst first, a namespace's service by itself, what tells no errors last", async () => {
      const { text, structured, names } = await ranked({});
      assert.deepEqual(names, ["lab/cart", "shop/cart", "shop/pay", "shop/queue"]);
      const { errors_per_second: errors, error_ratio: ratio } = structured.services[3];
      assert.deepEqual([errors, ratio], [null, null]);
      assert.match(structured.notes[0], /are null where no label of the counter tells errors$/);
      assert.match(text, /^cart \(lab\) has the highest error rate: 50% \(the last 5m until /);
      assert.match(text, /^cart +\| shop +\| +20% \| +- \| +2 \| +10$/m);
      assert.match(text, /^queue +\| shop +\| +unknown \| +- \| +- \| +3$/m);
      assert.match(text, /^counted by http_requests_total$/m);
    });
    await t.step("of one namespace", async () => {
      const { text, names } = await ranked({ namespace: "shop" });
      assert.deepEqual(names, ["shop/cart", "shop/pay", "shop/queue"]);
      assert.match(text, /^cart has the highest error rate: 20%/);
    });
    await t.step("of a namespace without any: no data, which is not 0 errors", async () => {
      const { text, structured, names } = await ranked({ namespace: "nowhere" });
      assert.deepEqual(names, []);
      assert.match(structured.summary, /^No service of namespace nowhere .* no data, not 0 errors\.$/);
      assert.match(text, /^No service of namespace nowhere has a counter .* no data, not 0 errors\.$/m);
    });
    await t.step("cut: how many there are, and how to ask for others", async () => {
      const { text, structured, names } = await ranked({ limit: 1 });
      assert.deepEqual(names, ["lab/cart"]);
      assert.equal(structured.total, 4);
      assert.match(structured.notes[0], /^Cut: the first 1 of 4 services shown\. Name a namespace/);
      assert.match(text, /\[Cut: the first 1 of 4 services shown\. Name a namespace, or change limit\.\]/);
    });
    await t.step("a cluster that does not answer is told, and the ranking stands", async () => {
      const clusters = clustersAt("http://127.0.0.1:2");
      const { text } = await callTool(
        rankServicesByErrorRate(sources({ prometheus: prometheus.api, clusters })),
        {},
      );
      clusters.close();
      assert.match(text, /^cart \(lab\) has the highest error rate/);
      assert.match(text, /^at the same time, cart \(lab\): pods not seen: Cannot reach the apiserver/m);
    });
  },
});

Deno.test({
  name: "a counter that tells no errors, or counts nothing, hides none of another that does",
  ignore: !prometheusAvailable,
  async fn() {
    const now = alignedSeconds(Date.now(), 15);
    const span = { from: now - 3_600, to: now + 1_200, step: 15 };
    const labels = { job: "mixed", namespace: "shop" };
    const moved = { job: "moved", namespace: "shop" };
    const metrics = new OpenMetrics().counter("http_requests_total", { ...labels, status: "done" }, span, 9)
      .counter("http_requests_total", { ...moved, status: "200" }, span, 0)
      .counter("http_server_requests_seconds_count", { ...moved, status: "200" }, span, 4)
      .counter("http_server_requests_seconds_count", { ...labels, status: "200" }, span, 6)
      .counter("http_server_requests_seconds_count", { ...labels, status: "500" }, span, 2);
    await using server = await startPrometheus({ backfill: metrics.lines });
    using prometheus = apiOf(server.url);
    const tool = rankServicesByErrorRate(sources({ prometheus: prometheus.api }));
    const { text } = await callTool(tool, {});
    assert.match(text, /^mixed has the highest error rate: 25%/);
    assert.match(text, /^moved +\| shop +\| +0% \| +- \| +0 \| +4$/m);
  },
});

/** All but the first have stopped to count by a counter that they had, a minute or more ago. */
function goneSeries(): OpenMetrics {
  const now = alignedSeconds(Date.now(), 15);
  const span = { from: now - 7_200, to: now + 1_200, step: 15 };
  const metrics = new OpenMetrics();
  const requests = "http_requests_total";
  const until = (minutes: number) => ({ ...span, to: now - 60 * minutes });
  metrics.counter(requests, { job: "here", namespace: "shop", status: "200" }, span, 5);
  metrics.counter(requests, { job: "lost", namespace: "shop", status: "200" }, until(8), 10);
  // Of a counter that nobody has any more; of one that another has taken the place of.
  metrics.counter("grpc_server_handled_total", { job: "rpc", grpc_code: "OK" }, until(30), 4);
  metrics.counter(requests, { job: "renamed", status: "200" }, until(25), 3);
  metrics.counter("http_server_requests_seconds_count", { job: "renamed", status: "200" }, span, 2);
  metrics.counter(requests, { job: "older", status: "200" }, until(90), 7);
  // A counter that is scraped, and counts no more.
  metrics.gauge(
    requests,
    { job: "frozen", status: "200" },
    span,
    (time) => 5 * Math.min(time, now - 480),
  );
  // Not missed: what counted nothing, or too little, and what goes on under other labels, or another namespace.
  metrics.gauge(
    requests,
    { job: "seldom", status: "200" },
    span,
    (time) => Math.floor(Math.min(time, now - 480) / 60),
  );
  metrics.counter(requests, { job: "labelled", status: "200" }, until(20), 6);
  metrics.counter(
    requests,
    { job: "labelled", namespace: "shop", status: "200" },
    { ...span, from: now - 1_140 },
    6,
    1e5,
  );
  metrics.gauge(requests, { job: "idle", status: "200" }, until(8), 42);
  metrics.counter(requests, { job: "moved", app: "one", status: "200" }, until(8), 6);
  return metrics.counter(requests, { job: "moved", app: "two", status: "200" }, span, 6);
}

Deno.test({
  name: "rank_services_by_error_rate: a service that counts its requests no more is not ranked away",
  ignore: !prometheusAvailable,
  async fn(t) {
    await using server = await startPrometheus({ backfill: goneSeries().lines });
    using prometheus = apiOf(server.url);
    const tool = rankServicesByErrorRate(sources({ prometheus: prometheus.api }));
    await t.step("it is said in the first line, and which they are", async () => {
      const { text, structured } = await callTool(tool, {});
      assert.match(
        text,
        /^No request fails where errors can be told; 4 counters of requests count no more \(/,
      );
      assert.match(text, /^gone, lost: http_requests_total counted 10\/s 15m ago, and has no samples now$/m);
      assert.match(
        text,
        /^gone, rpc: grpc_server_handled_total counted 4\/s 1h ago, and has no samples now$/m,
      );
      assert.match(text, /^gone, renamed: http_requests_total counted 3\/s 1h ago, and has no samples now$/m);
      assert.match(text, /^stopped, frozen: http_requests_total counted 5\/s 15m ago, and nothing in 5m$/m);
      assert.match(text, /^What has stopped or is gone is down, .*: service_health_report says which\.$/m);
      assert.deepEqual(
        structured.gone.map((one: Structured) => [one.service, one.stands_still]),
        [["lost", false], ["frozen", true], ["rpc", false], ["renamed", false]],
      );
    });
    await t.step("of a long window what it still holds is told as gone, too", async () => {
      const { text, structured } = await callTool(tool, { window: "2h" });
      assert.match(structured.summary, /; 5 counters of requests count no more$/);
      assert.match(structured.notes[0], /^What has stopped or is gone is down, .* says which\.$/);
      const rates: readonly number[] = structured.services.map((one: { requests_per_second: number }) =>
        one.requests_per_second
      );
      assert.ok(rates.every((rate) => rate === significant(rate)), String(rates));
      assert.match(
        text,
        /^gone, older: http_requests_total counted [\d.]+\/s in 2h, and has no samples now$/m,
      );
    });
    await t.step("of one namespace", async () => {
      const { structured } = await callTool(tool, { namespace: "shop" });
      assert.deepEqual(structured.gone.map(({ service }: { service: string }) => service), ["lost"]);
      const { text } = await callTool(tool, { namespace: "nowhere" });
      assert.match(text, /^No service of namespace nowhere has a counter .* no data, not 0 errors\.$/m);
    });
  },
});

/** What stands before services counts for each of them, and what scrapes all of them is none; errors of now, and of a day before. */
function servedSeries(): OpenMetrics {
  const now = alignedSeconds(Date.now(), 60);
  const span = { from: now - 26 * 3_600, to: now + 1_200, step: 60 };
  const metrics = new OpenMetrics();
  const mesh = { job: "envoy-stats", reporter: "destination", namespace: "mesh" };
  for (const [service, failed] of [["bad", 5], ["good", 0]] as const) {
    const labels = { ...mesh, destination_service_name: service, destination_service_namespace: "shop" };
    metrics.counter("istio_requests_total", { ...labels, response_code: "200" }, span, 10 - failed)
      .counter("istio_requests_total", { ...labels, response_code: "503" }, span, failed);
  }
  const left = { ...mesh, destination_service_name: "left", destination_service_namespace: "shop" };
  metrics.counter("istio_requests_total", { ...left, response_code: "200" }, { ...span, to: now - 1_200 }, 8);
  const ingress = { job: "ingress-nginx", namespace: "ingress", exported_namespace: "shop" };
  metrics.counter(
    "nginx_ingress_controller_requests",
    { ...ingress, exported_service: "web", status: "200" },
    span,
    3,
  );
  const requests = "http_requests_total";
  for (const app of ["one", "two"]) {
    metrics.counter(requests, { job: "kubernetes-pods", app, namespace: "shop", status: "200" }, span, 2);
  }
  metrics.counter(requests, { job: "otel-collector", exported_job: "shop/three", status: "200" }, span, 2);
  // 10% now, 1% a day before; and a single request that failed.
  metrics.gauge(requests, { job: "worse", status: "200" }, span, (time, since) => {
    const late = Math.max(0, time - (now - 3_600));
    return 9.9 * (since - late) + 9 * late;
  }).gauge(requests, { job: "worse", status: "500" }, span, (time, since) => {
    const late = Math.max(0, time - (now - 3_600));
    return 0.1 * (since - late) + late;
  });
  // Scraped every five minutes: no rate over five minutes.
  metrics.counter(requests, { job: "rare", status: "500" }, { ...span, step: 300 }, 1);
  return metrics.gauge(requests, { job: "few", status: "500" }, span, (time) => time > now - 120 ? 1 : 0);
}

Deno.test({
  name: "rank_services_by_error_rate: the services that others count for, and what was a day before",
  ignore: !prometheusAvailable,
  async fn(t) {
    await using server = await startPrometheus({ backfill: servedSeries().lines });
    using prometheus = apiOf(server.url);
    const tool = rankServicesByErrorRate(sources({ prometheus: prometheus.api }));
    const { text, structured } = await callTool(tool, {});
    await t.step("of few requests it is said, and who has the highest rate of many", () => {
      assert.match(
        text,
        /^few has the highest error rate: 100% of about 1 request; of those with 20 or more, bad: 50%; 1 counter of requests counts no more \(/,
      );
    });
    await t.step("a mesh, an ingress and a collector are no services, nor is a job of all pods", () => {
      assert.deepEqual(
        structured.services.map(({ service, namespace }: Structured) => `${namespace}/${service}`).sort(),
        ["/few", "/shop/three", "/worse", "shop/bad", "shop/good", "shop/one", "shop/two", "shop/web"],
      );
    });
    await t.step("of one namespace those that are in it, whatever counts for them", async () => {
      const { structured } = await callTool(tool, { namespace: "shop" });
      assert.deepEqual(
        structured.services.map(({ service }: Structured) => service).sort(),
        ["bad", "good", "one", "two", "web"],
      );
      assert.deepEqual(structured.gone.map(({ service }: Structured) => service), ["left"]);
      for (const namespace of ["ingress", "mesh"]) {
        const { structured } = await callTool(tool, { namespace });
        assert.deepEqual([structured.services, structured.gone, structured.notes], [
          [],
          undefined,
          undefined,
        ]);
      }
    });
    await t.step("what has no rate in so short a time is named, and ranked in a longer one", async () => {
      assert.match(
        text,
        /^note: rare: not ranked, as 5m hold fewer than two samples: a longer window may$/m,
      );
      const longer = await callTool(tool, { window: "20m" });
      assert.match(longer.text, /^rare +\| +\| +100% \|/m);
      assert.doesNotMatch(longer.text, /not ranked/);
    });
    await t.step("a day before", () => {
      assert.match(text, /^worse +\| +\| +10% \| +1% \| +1 \| +10$/m);
      assert.match(text, /^bad +\| shop +\| +50% \| +50% \| +5 \| +10$/m);
    });
  },
});

const refused: readonly (readonly [string, RegExp])[] = [
  ["yesterday", /window/],
  ["0s", /window/],
];
for (const [window, says] of refused) {
  Deno.test({
    name: `rank_services_by_error_rate: a window of ${window} is refused`,
    ignore: !permitted,
    async fn() {
      await using server = new FakePrometheus();
      using prometheus = apiOf(server.url);
      const tool = rankServicesByErrorRate(sources({ prometheus: prometheus.api }));
      await assert.rejects(callTool(tool, { window }), says);
    },
  });
}

Deno.test({
  name: "rank_services_by_error_rate: no Prometheus, and one that is down, are errors and no empty ranking",
  ignore: !permitted,
  async fn() {
    await assert.rejects(callTool(rankServicesByErrorRate(sources({})), {}), /no Prometheus is configured/);
    await using server = new FakePrometheus({ play: faults.unavailable });
    using prometheus = apiOf(server.url);
    const tool = rankServicesByErrorRate(sources({ prometheus: prometheus.api }));
    await assert.rejects(callTool(tool, {}), (error: Error) => error instanceof CallError);
  },
});
