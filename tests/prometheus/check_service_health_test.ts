import assert from "@std/assert";
import { checkServiceHealth } from "../../src/prometheus/check_service_health.ts";
import { FakePrometheus, faults, type Play, success } from "../support/fake_prometheus.ts";
import { alignedSeconds, OpenMetrics } from "../support/openmetrics.ts";
import { prometheusAvailable, startPrometheus } from "../support/prometheus.ts";
import { injections, servicePrometheus } from "../support/service_prometheus.ts";
import { askAbout, assertFigure, openApi, wordsOf } from "../support/service_tools.ts";
import { callTool } from "../support/tools.ts";

const ask = (service: string, options: { readonly budget?: number; readonly url?: string } = {}) =>
  askAbout((api, now) => checkServiceHealth(api, now), { service }, options);

/** What each service is, and why. */
const verdicts: readonly (readonly [service: string, headline: RegExp, line: RegExp])[] = [
  [
    "steady",
    /^steady: HEALTHY, latency not judged$/,
    /^errors: 0\.1%: 500 0\.01\/s \(http_requests_total by code\); a day before 0\.1%$/m,
  ],
  ["shop", /^shop: DEGRADED$/, /^- alert ShopBurns fires \(critical\)$/m],
  [
    "shop",
    /^shop: DEGRADED$/,
    /^- 20% of requests fail \(2 of 10\/s\), a day before 1%; .* of the last 1h$/m,
  ],
  ["shop", /^shop: DEGRADED$/, /^- p95 latency is 910 ms, a day before 95 ms; .* of the last 1h$/m],
  ["lost", /^lost: DEGRADED$/, /^- traffic fell from 10\/s a day before to 0\/s$/m],
  ["grpc", /^grpc: DEGRADED$/, /^- 5% of requests fail/m],
  ["pods", /^pods: DEGRADED$/, /^- 1 of 2 instances DOWN: b:80$/m],
  [
    "gone",
    /^gone: DOWN$/,
    /^- 1 instance no longer scraped: gone:80$|^- it has no samples any more: the last was at /m,
  ],
  [
    "idle",
    /^idle: UNKNOWN: nothing bad was seen/,
    /^- not known: errors: there were no requests, which says nothing$/m,
  ],
  ["tail", /^tail: UNKNOWN/, /^- not known: latency: p95 is beyond the last bucket, above 100 ms$/m],
  ["opaque", /^opaque: UNKNOWN/, /^- not known: errors: nothing that counts its requests by status/m],
];

for (const [service, headline, line] of verdicts) {
  Deno.test({
    name: `${service}: ${line.source}`,
    ignore: !prometheusAvailable,
    async fn() {
      const { text, structured } = await ask(service);
      assert.match(text.split("\n")[0] ?? "", headline);
      assert.match(text, line);
      assert.equal(
        structured.verdict,
        headline.source.match(/HEALTHY|DEGRADED|DOWN|UNKNOWN/)?.[0].toLowerCase(),
      );
    },
  });
}

Deno.test({
  name: "the figures are those it was made with, and the queries give them",
  ignore: !prometheusAvailable,
  async fn() {
    const { text, structured } = await ask("shop");
    assertFigure(structured.requests_per_second, 10);
    assertFigure(structured.requests_per_second_day_before, 5);
    assertFigure(structured.error_ratio, 0.2);
    assertFigure(structured.error_ratio_day_before, 0.01);
    assertFigure(structured.p95, 0.91);
    assertFigure(structured.p95_day_before, 0.095);
    const server = await servicePrometheus();
    const [instances, errors, latency] = structured.queries;
    assert.equal(instances, 'up{job="shop"}[1h]');
    assertFigure(await server.value(errors, server.now), 0.2);
    assertFigure(await server.value(latency, server.now), 0.91);
    assert.equal(structured.alert_count, 1);
    assert.match(text, /^ {2}ShopBurns \(critical\), since .*: instance=shop:80 job=shop: shop shop burns$/m);
    assert.ok(text.length < 2_000, `${text.length} characters`);
    assert.deepEqual(structured.errors_by_code, [
      { code: "503", per_second: 1.5 },
      { code: "500", per_second: 0.5 },
    ]);
    assert.equal(structured.code_label, "status");
    assert.deepEqual([structured.p95_bucket, structured.latency_unit], [[0.1, 1], "s"]);
    const [{ name, severity, since, age, summary }] = structured.alerts;
    assert.deepEqual([name, severity, summary], ["ShopBurns", "critical", "shop shop burns"]);
    assert.match(since, /^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.match(age, / ago$|^just now$|^in /);
    const keys = Object.keys(structured);
    assert.deepEqual(keys.slice(0, 3), ["service", "verdict", "reasons"]);
    assert.deepEqual(keys.slice(-2), ["found_by", "queries"]);
  },
});

Deno.test({
  name: "a bucket that has no lower end is not given as one with two",
  ignore: !prometheusAvailable,
  async fn() {
    const now = alignedSeconds(Date.now(), 15);
    const span = { from: now - 3_600, to: now + 1_200, step: 15 };
    const labels = { job: "instant", instance: "instant:80" };
    const series = new OpenMetrics().gauge("up", labels, span, 1)
      .histogram("http_request_duration_seconds", labels, span, { "0": 10, "0.1": 0, "+Inf": 0 }, 0);
    await using server = await startPrometheus({ backfill: series.lines });
    const { structured } = await ask("instant", { url: server.url });
    assert.deepEqual([structured.p95, structured.p95_bucket], [0, undefined]);
  },
});

Deno.test({
  name: "instances by state, since when, the bad ones first",
  ignore: !prometheusAvailable,
  async fn() {
    const { text, structured } = await ask("pods");
    assert.deepEqual([structured.up, structured.down, structured.stale], [1, 1, 1]);
    const { now } = await servicePrometheus();
    const iso = (seconds: number) => new Date(seconds * 1000).toISOString().replace(".000Z", "Z");
    assert.deepEqual(structured.instances, [
      // Down from the first scrape after ten minutes before.
      { name: "b:80", state: "DOWN", since: iso(now - 585), age: "9 min ago", failures: 1 },
      { name: "c:80", state: "STALE", since: iso(now - 900), age: "15 min ago" },
      { name: "a:80", state: "UP" },
    ]);
    assert.match(
      text,
      /^instances in 1h: 1 UP, 1 DOWN, 1 stale \(b:80 DOWN since 9 min; c:80 stale 15 min ago; a:80\)$/m,
    );
    const gone = await ask("gone");
    assert.match(gone.text, new RegExp(`stale 30 min ago|the last was at ${iso(now - 1_800)}`));
  },
});

Deno.test({
  name: "of an instance that is up again is told how often it went down, and no time since",
  ignore: !prometheusAvailable,
  async fn() {
    const now = alignedSeconds(Date.now(), 15);
    const span = { from: now - 3_600, to: now + 1_200, step: 15 };
    const labels = { job: "shaky", instance: "shaky:80" };
    const wasDown = (time: number) => time > now - 900 && time < now - 600;
    const series = new OpenMetrics().gauge("up", labels, span, (time) => wasDown(time) ? 0 : 1);
    await using server = await startPrometheus({ backfill: series.lines });
    const { text, structured } = await ask("shaky", { url: server.url });
    assert.deepEqual(structured.instances, [{ name: "shaky:80", state: "UP", failures: 1 }]);
    assert.match(text, /^instances in 1h: 1 UP \(shaky:80, went down 1 time\)$/m);
  },
});

Deno.test({
  name: "what always fires, or only informs, speaks against nobody",
  ignore: !prometheusAvailable,
  async fn() {
    const { text, structured } = await ask("steady");
    assert.equal(structured.verdict, "healthy", text);
    assert.match(text, /^alerts: 1 fires\n {2}Watchdog \(none\)/m);
  },
});

/** That others fire, where the rules' own series are older than the time that is asked about. */
const someAlerts = () => success({ resultType: "vector", result: [{ metric: {}, value: [1, "2"] }] });

/** Passes on to the real one what `play` does not answer. */
async function inFront(play: Play): Promise<FakePrometheus> {
  const { url } = await servicePrometheus();
  return new FakePrometheus({
    async play(request) {
      const answer = await play(request);
      if (answer !== undefined) return answer;
      const { method, path, parameters } = request;
      const target = `${url}${path}`;
      return method === "GET"
        ? await fetch(`${target}?${parameters}`)
        : await fetch(target, { method, body: parameters });
    },
  });
}

const gaps: readonly (readonly [what: string, play: Play, missing: RegExp])[] = [
  [
    "alerts",
    ({ path, parameters }) =>
      /rules|alerts/.test(path) || parameters.get("query")?.startsWith("ALERTS")
        ? faults.forbidden()
        : undefined,
    /not known: alerts: Cannot/,
  ],
  [
    "errors",
    ({ parameters }) =>
      /^sum by .*rate/.test(parameters.get("query") ?? "") ? faults.tooManySamples() : undefined,
    /not known: requests: Cannot .* execution: query processing would load too many samples/,
  ],
  [
    "instances",
    ({ parameters }) => /^up.*\[1h\]$/.test(parameters.get("query") ?? "") ? faults.timeout() : undefined,
    /not known: instances: Cannot/,
  ],
];

for (const [what, play, missing] of gaps) {
  Deno.test({
    name: `never healthy where something could not be asked: ${what}`,
    ignore: !prometheusAvailable,
    async fn() {
      await using front = await inFront(play);
      const { text, structured } = await ask("steady", { url: front.url });
      assert.equal(structured.verdict, "unknown", text);
      assert.match(text, missing);
    },
  });
}

Deno.test({
  name: "never healthy where Prometheus warns that parts may be missing",
  ignore: !prometheusAvailable,
  async fn() {
    const { url } = await servicePrometheus();
    await using front = await inFront(async ({ path, parameters }) => {
      if (!/^sum by .*rate/.test(parameters.get("query") ?? "")) return undefined;
      const answer = await (await fetch(`${url}${path}`, { method: "POST", body: parameters })).json();
      return Response.json({ ...answer, warnings: ["store 3 did not answer"] });
    });
    const { text, structured } = await ask("steady", { url: front.url });
    assert.equal(structured.verdict, "unknown");
    assert.match(text, /Prometheus warns: store 3 did not answer/);
  },
});

Deno.test({
  name: "a backend without rules tells its alerts by their series",
  ignore: !prometheusAvailable,
  async fn() {
    // The real rule leaves its series at the real time, which may be before the time that is asked about.
    const firing = { alertname: "ShopBurns", alertstate: "firing", severity: "critical", job: "shop" };
    await using front = await inFront(({ path, parameters }) => {
      if (/rules|alerts/.test(path)) return faults.notFound();
      const query = parameters.get("query") ?? "";
      if (query === "count(ALERTS)") return someAlerts();
      if (!query.startsWith("ALERTS{")) return undefined;
      const result = query.includes('job="shop"') ? [{ metric: firing, value: [1, "1"] }] : [];
      return success({ resultType: "vector", result });
    });
    const shop = await ask("shop", { url: front.url });
    assert.match(shop.text, /^- alert ShopBurns fires \(critical\)$/m);
    assert.match(shop.text, /^alerts: 1 fires\n {2}ShopBurns \(critical\): job=shop$/m);
    assert.match(
      shop.text,
      /^note: alerts are read from the ALERTS series: .* has no \/api\/v1\/rules \(404\)/m,
    );
    const steady = await ask("steady", { url: front.url });
    assert.equal(steady.structured.verdict, "healthy");
    assert.match(steady.text, /^alerts: none fires$/m);
  },
});

Deno.test({
  name: "rules that can't be read for another reason are told by that reason",
  ignore: !prometheusAvailable,
  async fn() {
    await using front = await inFront(({ path, parameters }) =>
      /rules/.test(path)
        ? faults.forbidden()
        : parameters.get("query") === "count(ALERTS)"
        ? someAlerts()
        : undefined
    );
    const { text } = await ask("steady", { url: front.url });
    assert.match(text, /^note: alerts are read from the ALERTS series: .*\(403\)/m);
  },
});

Deno.test({
  name: "never healthy by what others count in the name of what is down",
  ignore: !prometheusAvailable,
  async fn() {
    const { text, structured } = await ask("masked");
    assert.equal(structured.verdict, "unknown", text);
    assert.match(
      text,
      /^- not known: instances: all of job="masked" are down, which may be the service itself$/m,
    );
    assert.match(text, /^found by service="masked"; passed over job="masked"$/m);
  },
});

Deno.test({
  name: "alerts of a backend that has neither rules nor a series of any alert are not judged",
  ignore: !prometheusAvailable,
  async fn() {
    await using front = await inFront(({ path, parameters }) => {
      if (/rules/.test(path)) return faults.unavailable();
      const isAboutAlerts = (parameters.get("query") ?? "").includes("ALERTS");
      return isAboutAlerts ? success({ resultType: "vector", result: [] }) : undefined;
    });
    const { text, structured } = await ask("steady", { url: front.url });
    assert.match(text, /^steady: HEALTHY, .*alerts not judged$/m);
    assert.match(text, /^- not known: alerts: no alert has left a series, and cannot list rules .*503/m);
    assert.doesNotMatch(text, /none fires/);
    assert.equal(structured.alert_count, null);
  },
});

Deno.test({
  name: "an alert of the same name in another place is another's",
  ignore: !prometheusAvailable,
  async fn() {
    const others = Array.from({ length: 6 }, (_, number) => `other:${number}`);
    const alerts = ["shop:80", ...others].map((instance) => ({
      labels: { alertname: `At ${instance}`, job: "shop", instance },
      annotations: { description: "It is there" },
      state: "firing",
      activeAt: "",
      value: "1",
    }));
    const rule = { type: "alerting", name: "At", query: "up", state: "firing", labels: {}, alerts };
    await using front = await inFront(({ path }) =>
      path.endsWith("/rules") ? success({ groups: [{ name: "g", file: "f", rules: [rule] }] }) : undefined
    );
    const { structured } = await ask("instance=shop:80,job=shop", { url: front.url });
    assert.equal(structured.alert_count, 1);
    const all = await ask("shop", { url: front.url });
    assert.deepEqual([all.structured.alert_count, all.structured.alerts.length], [7, 5]);
    assert.equal(all.structured.alerts[0].summary, "It is there", "what has no summary has a description");
    assert.match(all.text, /^ {2}\[Cut: 2 more; list_alerts has all\]$/m);
    assert.ok(all.structured.notes.includes("Cut: 2 more alerts; list_alerts has all"));
  },
});

Deno.test({
  name: "requests that could not be asked for have not fallen",
  ignore: !prometheusAvailable,
  async fn() {
    const { now } = await servicePrometheus();
    await using front = await inFront(({ parameters }) =>
      /^sum by .*rate/.test(parameters.get("query") ?? "") && Number(parameters.get("time")) === now
        ? faults.timeout()
        : undefined
    );
    const { text, structured } = await ask("steady", { url: front.url });
    assert.equal(structured.verdict, "unknown", text);
    assertFigure(structured.requests_per_second_day_before, 10);
    assert.match(text, /^- not known: requests: Cannot/m);
    assert.doesNotMatch(text, /fell/);
  },
});

Deno.test({
  name: "whatever our clock says, instances are as old as Prometheus's clock says",
  ignore: !prometheusAvailable,
  async fn() {
    const { url } = await servicePrometheus();
    const api = openApi(url);
    const clock = Date.now;
    try {
      for (const ahead of [3_600_000, -3_600_000]) {
        Date.now = () => clock() + ahead;
        const { structured } = await callTool(checkServiceHealth(api), { service: "prometheus" });
        assert.deepEqual([structured.up, structured.down, structured.stale], [1, 0, 0], `${ahead} ms`);
      }
    } finally {
      Date.now = clock;
      api.close();
    }
  },
});

Deno.test({
  name: "what Prometheus says beside any of the answers is told, warnings as what is missing",
  ignore: !prometheusAvailable,
  async fn() {
    const { url } = await servicePrometheus();
    const kinds = [/label_replace\(count by/, /^up\{.*\[1h\]$/, /^sum by .*rate/, /\/rules$/] as const;
    for (const kind of kinds) {
      await using front = await inFront(async ({ method, path, parameters }) => {
        if (!kind.test(parameters.get("query") ?? "") && !kind.test(path)) return undefined;
        const response = method === "GET"
          ? await fetch(`${url}${path}?${parameters}`)
          : await fetch(`${url}${path}`, { method, body: parameters });
        return Response.json({
          ...await response.json(),
          warnings: ["half of it (1:2)"],
          infos: ["by the way"],
        });
      });
      const { text, structured } = await ask("steady", { url: front.url });
      assert.equal(structured.verdict, "unknown", `${kind}: ${text}`);
      assert.match(text, /not known: parts of answers: Prometheus warns: half of it \(1:2\)$/m, `${kind}`);
      assert.match(text, /^note: Prometheus notes: by the way$/m, `${kind}`);
    }
  },
});

Deno.test({
  name: "a name stays a name, and an unknown one is not found",
  ignore: !prometheusAvailable,
  async fn() {
    for (const [what, name] of injections) {
      assert.match(await wordsOf(ask(name)), /^not_found: /, what);
    }
    assert.match(await wordsOf(ask("steadi")), /^not_found: .*did you mean steady \(job\)\?/);
  },
});

Deno.test({
  name: "small budgets are kept",
  ignore: !prometheusAvailable,
  async fn() {
    assert.match((await ask("shop", { budget: 2_048 })).text, /^shop: DEGRADED/);
    const whole = JSON.stringify((await ask("pods")).structured);
    const { structured } = await ask("pods", { budget: whole.length - 1 });
    const { instances = [], notes } = structured;
    assert.ok(instances.length < 3, JSON.stringify(structured));
    assert.ok(
      notes.includes(`Cut: ${3 - instances.length} more instances; list_targets has all`),
      `${notes}`,
    );
  },
});
