import assert from "@std/assert";
import { CallError } from "../../src/common/errors.ts";
import { createLogger } from "../../src/common/log.ts";
import { readEventsTable } from "../../src/platform/activity.ts";
import type { Sources } from "../../src/platform/gather.ts";
import { serviceHealthReport } from "../../src/platform/service_health_report.ts";
import { Environment } from "../../src/common/env.ts";
import { Database } from "../../src/postgres/database.ts";
import type { PrometheusApi } from "../../src/prometheus/api.ts";
import { FakePrometheus, faults, success } from "../support/fake_prometheus.ts";
import { FakeApiserver } from "../kubernetes/fake_apiserver.ts";
import { container, running } from "../kubernetes/pod_states.ts";
import { clustersAt } from "../support/kubernetes/fake_apiserver.ts";
import { permitted } from "../support/permitted.ts";
import { postgresAvailable } from "../support/postgres.ts";
import { prometheusAvailable } from "../support/prometheus.ts";
import { apiOf } from "../support/prometheus_api.ts";
import { rejection } from "../support/rejection.ts";
import { servicePrometheus } from "../support/service_prometheus.ts";
import { createDatabase, type TestDatabase } from "../support/test_database.ts";
import { callTool } from "../support/tools.ts";

const events = (text?: string) =>
  readEventsTable(
    new Environment({ get: (name) => name === "DB_EVENTS" ? text : undefined, readFile: () => "" }),
  );

const recorded = `
create table events (service text, "timestamp" timestamptz);
-- Minutes from where a window of 15 minutes ends, whenever it is asked for.
insert into events select 'api', now() - i * interval '30 seconds' from generate_series(1, 14) i;
insert into events select 'api', now() - interval '20 minutes' - i * interval '10 seconds' from generate_series(1, 6) i;
create table "My ""Events" ("The Service" varchar(20), "At" timestamp);
insert into "My ""Events" values ('api', localtimestamp - interval '1 minute')`;

/** Everything absent, and what is logged is kept. */
function sources(more: Partial<Sources>): Sources & { readonly logged: string[] } {
  const logged: string[] = [];
  const log = createLogger("error", (line) => logged.push(line));
  return { clusters: undefined, prometheus: undefined, database: undefined, log, logged, ...more };
}

const every = new Set(["list_tables", "database_health", "get_error_rate", "service_health_report"]);
const report = (given: Sources, service = "api", tools: ReadonlySet<string> = every) =>
  callTool(serviceHealthReport(given, tools), { service });

/** What a report that is none says. */
async function refusal(work: Promise<unknown>): Promise<string> {
  const error = await rejection(work);
  return `${error.kind}: ${error.message} | ${error.hint}`;
}

const withEvents = ({ database }: TestDatabase, table?: string) =>
  sources({ database: { database, events: events(table) } });

Deno.test({
  name: "service_health_report: one backend hangs, one refuses, one is well: a partial report, part by part",
  ignore: !postgresAvailable,
  async fn() {
    await using test = await createDatabase(recorded);
    await using hanging = new FakePrometheus({ play: faults.slow });
    using prometheus = apiOf(hanging.url, { PROMETHEUS_TIMEOUT_MS: "200" });
    const clusters = clustersAt("http://127.0.0.1:2");
    const given = sources({
      clusters,
      prometheus: prometheus.api,
      database: { database: test.database, events: events() },
    });
    const tool = serviceHealthReport(given, every);
    const progress: string[] = [];
    const context = {
      signal: new AbortController().signal,
      budget: 32_768,
      progress: (line: string) => void progress.push(line),
    };
    const value = await tool.run(tool.input.parse({ service: "api" }), context);
    const { text } = tool.present(value, context.budget);
    clusters.close();
    assert.match(
      text,
      /^api: UNKNOWN, nothing bad was seen, but not everything was looked at: no answer from cluster, metrics/,
    );
    assert.match(text, /^activity: events: 14 events in 15m, 6 in the 15m before, the last \w+ ago$/m);
    assert.match(text, /^not seen, cluster: .*127\.0\.0\.1:2 .*nothing|^not seen, cluster: .*refused/m);
    assert.match(text, /^not seen, metrics: .*\n.*within 0\.2 s/m);
    assert.deepEqual(progress.map((line) => line.split(",").length), [1, 2, 3]);
    assert.match(progress[2] ?? "", /^read: .*activity/);
  },
});

Deno.test({
  name:
    "service_health_report: a table of events that is missing is said, and is no error and no reason to doubt",
  ignore: !postgresAvailable || !prometheusAvailable,
  async fn() {
    await using test = await createDatabase("");
    using prometheus = apiOf((await servicePrometheus()).url);
    const given = { ...withEvents(test), prometheus: prometheus.api };
    const { text, structured } = await report(given, "steady");
    assert.match(text, /^steady: HEALTHY, 99\.9% of its requests succeed/);
    assert.match(
      text,
      /^activity: not known: there is no table events\(service, timestamp\), and DB_EVENTS names no other$/m,
    );
    // What nothing called for is not judged, and that is said.
    assert.doesNotMatch(text, /^database: |symptom/m);
    assert.match(text, /^not seen, database: nothing pointed to it, so its health was not checked/m);
    assert.deepEqual(structured.not_seen.map(({ part }: { part: string }) => part), ["cluster", "database"]);
    assert.ok(text.split("\n").length <= 40);
  },
});

Deno.test({
  name:
    "service_health_report: how alerts were read where rules could not be is said, and so is what is not known",
  ignore: !prometheusAvailable,
  async fn(t) {
    const { url } = await servicePrometheus();
    for (
      const [series, says] of [
        [true, /^ {2}no alert about it fires\n {2}alerts are read from the ALERTS series: .*\s+.*503/m],
        [false, /^ {2}alerts: not known: no alert has left a series, and cannot list rules/m],
      ] as const
    ) {
      await t.step(series ? "the series" : "nothing", async () => {
        await using front = new FakePrometheus({
          async play({ method, path, parameters }) {
            if (path.endsWith("/rules")) return faults.unavailable();
            const query = parameters.get("query") ?? "";
            if (query.includes("ALERTS")) {
              const others = query === "count(ALERTS)" && series;
              return success({
                resultType: "vector",
                result: others ? [{ metric: {}, value: [1, "2"] }] : [],
              });
            }
            return method === "GET"
              ? await fetch(`${url}${path}?${parameters}`)
              : await fetch(`${url}${path}`, { method, body: parameters });
          },
        });
        using prometheus = apiOf(front.url);
        assert.match((await report(sources({ prometheus: prometheus.api }), "steady")).text, says);
      });
    }
  },
});

Deno.test({
  name: "service_health_report: what misleads is said at the top, and what is known of what is not there",
  ignore: !prometheusAvailable,
  async fn(t) {
    using prometheus = apiOf((await servicePrometheus()).url);
    const given = sources({ prometheus: prometheus.api });
    const cases: readonly (readonly [string, readonly RegExp[]])[] = [
      ["lost", [/^lost: DEGRADED, nearly all of its traffic is gone/, /^1\. Traffic fell from 10\/s/m]],
      ["gone", [/^gone: DOWN, Prometheus can scrape none of its instances/, /which has no samples now$/m]],
      ["pods", [
        /^pods: DEGRADED, Prometheus can't scrape it properly/,
        /^1\. .* 1 of 2 instances: b:80 down$/m,
      ]],
      ["idle", [/^idle: UNKNOWN, nothing bad was seen, but no requests arrive/]],
      ["opaque", [/^opaque: UNKNOWN, nothing bad was seen, but nothing tells/]],
      ["shop", [/^shop: DEGRADED, it serves, but not well/, /^1\. 20% of requests fail/m, /ShopBurns/]],
      // Two things have that name, and the one that is not judged here fails.
      ["dual", [
        /^dual: UNKNOWN, 100% of the requests of job="dual" succeed, but something else of that name was not\s+judged/,
        /^note: .*service="dual"/m,
      ]],
      // What is down counts no requests any more; what calls it still does, by its name.
      ["masked", [
        /^masked: UNKNOWN, .*service="masked" succeed, but something else of that name was not\s+judged/,
        /^note: .*job="masked" \(1 series, all down\)/m,
      ]],
      ["job=dual", [/^job=dual: HEALTHY, 100% of its requests succeed/]],
    ];
    for (const [service, says] of cases) {
      await t.step(service, async () => {
        const { text } = await report(given, service);
        for (const expected of says) assert.match(text, expected);
      });
    }
    await t.step("an unknown name stands once in the sentence", async () => {
      assert.match(
        await refusal(report(given, "nothing")),
        /^not_found: Cannot find a service named "nothing": Prometheus: no job, .* \| there are \d+ jobs/,
      );
    });
  },
});

Deno.test({
  name: "service_health_report: the names of a table of events are quoted as PostgreSQL quotes them",
  ignore: !postgresAvailable,
  async fn() {
    await using test = await createDatabase(recorded);
    const { text } = await report(withEvents(test, `"My ""Events"("The Service", "At")`));
    assert.match(text, /^activity: My "Events: 1 event in 15m, 0 in the 15m before/m);
  },
});

Deno.test({
  name:
    "service_health_report: the database alone does not know it: what was asked, and a hint that can be followed",
  ignore: !postgresAvailable,
  async fn() {
    await using test = await createDatabase(recorded);
    assert.equal(
      await refusal(report(withEvents(test), "nobody")),
      'not_found: Cannot find a service named "nobody": the database: events has no event of it in 30m; ' +
        "no cluster is configured; no Prometheus is configured | to list the tables that may tell of it, call list_tables",
    );
    assert.match(await refusal(report(withEvents(test), "nobody", new Set())), /\| undefined$/);
  },
});

Deno.test({
  name:
    "service_health_report: a table of events that can't be asked is told of without the statement, with what to do",
  ignore: !postgresAvailable,
  async fn() {
    await using test = await createDatabase(
      `create table log (who text); create table mine (service text, "timestamp" timestamptz);
       create table texts (service text, "timestamp" text)`,
    );
    const cannot = 'unavailable: Cannot say anything about "api" as nothing could be asked about it: ' +
      "no cluster and no Prometheus is configured, and ";
    const next = " | for the database itself, call database_health; " +
      "an operator can configure the others, or name a table in DB_EVENTS";
    const none = "there is no table events(service, timestamp), and DB_EVENTS names no other";
    assert.equal(await refusal(report(withEvents(test))), cannot + none + next);
    const cases: readonly (readonly [string, RegExp])[] = [
      ["audit.events(who, at)", /there is no table audit\.events\(who, at\), which DB_EVENTS names \|/],
      ["log(who, at)", /there is no table with the columns log\(who, at\), which DB_EVENTS names \|/],
      [
        "texts(service, timestamp)",
        /which DB_EVENTS names, can't be asked: .*operator.* \(SQLSTATE 42883\) \|/,
      ],
    ];
    for (const [table, says] of cases) {
      const told = await refusal(report(withEvents(test, table)));
      assert.match(told, says);
      assert.doesNotMatch(told, /FILTER|FROM/);
    }
  },
});

Deno.test({
  name: "service_health_report: where all that was asked is silent, nothing is called not found",
  ignore: !permitted,
  async fn() {
    await using down = new FakePrometheus({ play: faults.unavailable });
    using prometheus = apiOf(down.url);
    const clusters = clustersAt("http://127.0.0.1:2");
    assert.match(
      await refusal(report(sources({ clusters, prometheus: prometheus.api }))),
      /^unavailable: Cannot say anything about "api": the cluster: .*; Prometheus: .*503.*; no database is configured \| the cluster: \S.*; Prometheus: \S/,
    );
    clusters.close();
  },
});

Deno.test({
  name: "service_health_report: an apiserver that does not find its lists has not been seen",
  ignore: !prometheusAvailable,
  async fn() {
    using prometheus = apiOf((await servicePrometheus()).url);
    await using api = FakeApiserver.start({});
    const { text } = await report(sources({ clusters: api.clusters, prometheus: prometheus.api }), "steady");
    assert.match(text, /^steady: UNKNOWN, .*no answer from cluster/);
    assert.match(text, /^not seen, cluster: Cannot list deployments/m);
    assert.doesNotMatch(text, /no workload of that name/);
  },
});

Deno.test({
  name: "service_health_report: endpoints that can't be read are not told as found",
  ignore: !permitted,
  async fn() {
    const list = (kind: string, ...items: readonly object[]) => ({
      kind: `${kind}List`,
      metadata: {},
      items,
    });
    const named = (name: string) => ({ name, namespace: "shop", labels: { app: "api" } });
    const apps = "/apis/apps/v1";
    const core = "/api/v1/namespaces/shop";
    const pod = {
      metadata: named("api-1"),
      spec: { containers: [{ name: "app" }] },
      status: { phase: "Running", containerStatuses: [container("app", running, { ready: true })] },
    };
    await using api = FakeApiserver.start({
      [`${apps}/deployments`]: list("Deployment", {
        metadata: named("api"),
        spec: { replicas: 1, selector: { matchLabels: { app: "api" } } },
        status: { replicas: 1, readyReplicas: 1 },
      }),
      [`${apps}/statefulsets`]: list("StatefulSet"),
      [`${apps}/daemonsets`]: list("DaemonSet"),
      [`${core}/pods`]: list("Pod", pod),
      "/api/v1/services": list("Service", {
        metadata: named("api"),
        spec: { selector: { app: "api" }, ports: [{ port: 80 }] },
      }),
      "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices": () =>
        Response.json({ kind: "Status", code: 500, message: "no leader" }, { status: 500 }),
    });
    const { text } = await report(sources({ clusters: api.clusters }), "api");
    assert.match(
      text.replace(/\n {3,}/g, " "),
      /^ {2}its Service's endpoints were not seen: .*500: no leader$/m,
    );
  },
});

Deno.test({
  name: "service_health_report: a defect of one part is logged, and the others are told",
  ignore: !postgresAvailable,
  async fn() {
    await using test = await createDatabase(recorded);
    // A client with a defect: nothing that a server does makes one.
    const broken = {
      query: () => Promise.reject(new TypeError("no such property")),
    } as unknown as PrometheusApi;
    const given = { ...withEvents(test), prometheus: broken };
    const { text } = await report(given);
    assert.match(text, /^api: UNKNOWN, .*no answer from metrics/);
    assert.match(text, /^activity: events: 14 events/m);
    assert.match(text, /^not seen, metrics: an internal error/m);
    assert.equal(given.logged.length, 1);
    assert.match(given.logged[0] ?? "", /"part":"metrics".*TypeError/);
  },
});

Deno.test({
  name: "service_health_report: a database that refuses is told once for both of its parts",
  ignore: !prometheusAvailable,
  async fn() {
    using prometheus = apiOf((await servicePrometheus()).url);
    const database = new Database({
      hosts: [{ host: "127.0.0.1", port: 2 }],
      database: "shop",
      user: "reader",
      password: () => undefined,
      sslMode: "disable",
      sslRootCert: undefined,
      targetSessionAttrs: "any",
      poolSize: 1,
      statementTimeoutMs: 1_000,
      maxRows: 1,
      allowFunctions: [],
    }, createLogger("off"));
    const given = sources({ prometheus: prometheus.api, database: { database, events: events() } });
    const { text, structured } = await report(given, "steady");
    await database.close();
    assert.match(text, /^not seen, activity and database: Cannot connect to 127\.0\.0\.1:2 as nothing/m);
    assert.equal(text.match(/Cannot connect/g)?.length, 1);
    assert.equal(structured.not_seen.length, 3);
  },
});

Deno.test({
  name: "service_health_report: cancelled is cancelled, and not a report of what is missing",
  ignore: !postgresAvailable,
  async fn() {
    await using test = await createDatabase(recorded);
    await using hanging = new FakePrometheus({ play: faults.slow });
    using prometheus = apiOf(hanging.url);
    const tool = serviceHealthReport({ ...withEvents(test), prometheus: prometheus.api }, every);
    const controller = new AbortController();
    const work = tool.run(tool.input.parse({ service: "api" }), {
      signal: controller.signal,
      budget: 32_768,
      progress: (line) => {
        if (line.includes("activity")) controller.abort(new CallError("cancelled", "The call was cancelled"));
      },
    });
    await assert.rejects(work);
  },
});
