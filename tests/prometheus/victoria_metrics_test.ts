/** What a real VictoriaMetrics was seen to answer (tests/compatible), played by a stand-in. */
import assert from "@std/assert";
import { checkServiceHealth } from "../../src/prometheus/check_service_health.ts";
import { listAlerts } from "../../src/prometheus/list_alerts.ts";
import { listTargets } from "../../src/prometheus/list_targets.ts";
import { MetricCatalogue } from "../../src/prometheus/metric_catalogue.ts";
import { readOverview } from "../../src/prometheus/overview.ts";
import { queryMetrics } from "../../src/prometheus/query_metrics.ts";
import { checkPrometheus } from "../../src/prometheus/self_check.ts";
import { failure, FakePrometheus, type Play, success } from "../support/fake_prometheus.ts";
import { permitted } from "../support/permitted.ts";
import { apiOf } from "../support/prometheus_api.ts";
import { wordsOf } from "../support/service_tools.ts";
import { callTool } from "../support/tools.ts";

const now = 1_795_894_929.343;
const longestQuery = 16_384;

type Series = Readonly<Record<string, string>>;

/** A server that holds these series at 1, whose `time()` is half a minute behind the time of its samples. */
function victoria(...held: readonly Series[]): Play {
  return ({ path, parameters }) => {
    const query = parameters.get("query") ?? "";
    if (query.length > longestQuery) {
      const words =
        `too long query; got ${query.length} bytes; mustn't exceed \`-search.maxQueryLen=16384\` bytes`;
      return failure(422, "422", words);
    }
    if (path.endsWith("/status/buildinfo")) return success({ version: "2.24.0" });
    if (path.endsWith("/status/runtimeinfo")) {
      return new Response("unsupported path requested", { status: 400 });
    }
    if (!path.endsWith("/query")) return undefined;
    const vector = (value: string, ...all: readonly Series[]) =>
      success({ resultType: "vector", result: all.map((metric) => ({ metric, value: [now, value] })) });
    if (query === "time()") return vector(String(now - 30), {});
    const found = held.filter(({ __name__ = "" }) => query.startsWith(__name__));
    if (query.endsWith("[1h]")) {
      const result = found.map((metric) => ({ metric, values: [[now - 15, "1"], [now, "1"]] }));
      return success({ resultType: "matrix", result });
    }
    if (!query.startsWith("label_replace(count by")) return vector("1", ...found);
    const asked = /"(\d+)", "", ""\)/.exec(query.slice(query.indexOf('job="shop"')))?.[1] ?? "";
    return asked === "" ? vector("1") : vector("1", { __name__: "up", found_by: asked });
  };
}

const up: Series = { __name__: "up", job: "shop", instance: "a" };

Deno.test({
  name: "a service is found by queries that VictoriaMetrics takes, and its alerts are not judged",
  ignore: !permitted,
  async fn() {
    await using fake = new FakePrometheus({ play: victoria(up) });
    using client = apiOf(fake.url);
    const { text, structured } = await callTool(checkServiceHealth(client.api), { service: "shop" });
    assert.match(text, /1 UP/);
    assert.match(text, /not known: alerts: VictoriaMetrics reports no rules/);
    assert.match(text, /^alerts: not known$/m);
    assert.equal(structured.alert_count, null);
    // Its own clock, and not the half minute before that it evaluates at.
    assert.equal(structured.at, "2026-11-28T19:42:09Z");
  },
});

Deno.test({
  name: "without a rule told, VictoriaMetrics' alerts are those of the series ALERTS",
  ignore: !permitted,
  async fn() {
    await using fake = new FakePrometheus({ play: victoria() });
    using client = apiOf(fake.url);
    const none = await callTool(listAlerts(client.api), {});
    assert.doesNotMatch(none.text, /nothing can fire/);
    assert.match(none.text, /-vmalert\.proxyURL/);
    assert.equal(none.structured.inactive_rules, null);
    const overview = await readOverview(client.api, new AbortController().signal);
    assert.match(
      overview.join("\n"),
      /^VictoriaMetrics of an unknown version\n[^]*\nAlerting rules: not reported\.\nAlerts: not reported/,
    );
    fake.play = victoria({
      __name__: "ALERTS",
      alertname: "Down",
      alertstate: "firing",
      severity: "page",
      job: "shop",
    });
    const one = await callTool(listAlerts(client.api), { service: "shop" });
    assert.match(one.text, /^1 alert firing[^]*FIRING page Down\n {2}- job=shop: since an unknown time/);
  },
});

Deno.test({
  name: "a Prometheus without rules has none",
  ignore: !permitted,
  async fn() {
    await using fake = new FakePrometheus();
    using client = apiOf(fake.url);
    assert.match((await callTool(listAlerts(client.api), {})).text, /nothing can fire/);
  },
});

Deno.test({
  name: "--check calls VictoriaMetrics by its name",
  ignore: !permitted,
  async fn() {
    await using fake = new FakePrometheus({ play: victoria() });
    using client = apiOf(fake.url);
    const lines: string[] = [];
    assert.ok(await checkPrometheus(client.api, client.settings, (line) => void lines.push(line)));
    assert.match(lines.join("\n"), /, VictoriaMetrics of an unknown version,/);
  },
});

Deno.test({
  name: "--check of a server that does not tell its targets, such as Mimir",
  ignore: !permitted,
  async fn() {
    await using fake = new FakePrometheus({
      play: ({ path }) =>
        path.endsWith("/targets") ? new Response("404 page not found", { status: 404 }) : undefined,
    });
    using client = apiOf(fake.url);
    const lines: string[] = [];
    assert.ok(await checkPrometheus(client.api, client.settings, (line) => void lines.push(line)));
    assert.match(lines.join("\n"), /does not report its targets: list_targets shows what the metric up says/);
  },
});

Deno.test({
  name: "targets that another scrapes are those of the metric up",
  ignore: !permitted,
  async fn() {
    await using fake = new FakePrometheus({ play: victoria(up) });
    using client = apiOf(fake.url);
    const { text } = await callTool(listTargets(client.api), {});
    assert.match(text, /^1 target: 0 down, 1 up/);
    assert.match(text, /itself scrapes no target/);
  },
});

Deno.test({
  name: "VictoriaMetrics' objections to a query are explained, and don't repeat it",
  ignore: !permitted,
  async fn(context) {
    const cases: readonly (readonly [query: string, error: string, said: RegExp])[] = [
      [
        "sum(up",
        'argList: unexpected token ""; want ",", ")"; unparsed data: ""',
        /^invalid: .*look at ▸ in: sum\(up▸/,
      ],
      ["up on(", 'unparsed data left: "on("', /^invalid: .*look at ▸ in: up ▸on\(/],
      ["rat(up)", 'unsupported function "rat"', /^invalid: .*did you mean rate/],
      [
        "up{job=x}",
        'cannot expand WITH expressions: missing "x" value inside StringExpr',
        /^invalid: .*label values are quoted/,
      ],
      [
        "up",
        "too many points; the maximum number of points is 30000",
        /^failed: .*fewer series, a shorter time/,
      ],
    ];
    for (const [query, error, said] of cases) {
      await context.step(query, async () => {
        const whole = `error when executing query=${
          JSON.stringify(query)
        } for (time=1795894928245, step=300000): ${error}`;
        await using fake = new FakePrometheus({ play: () => failure(422, "422", whole) });
        using client = apiOf(fake.url);
        const words = await wordsOf(
          callTool(queryMetrics(client.api, new MetricCatalogue(client.api, 0)), { query }),
        );
        assert.match(words, said);
        assert.ok(words.includes(`refuses it: ${error}`), words);
      });
    }
  },
});

Deno.test({
  name: "a build info that Prometheus 2.24.0 itself tells is Prometheus's",
  ignore: !permitted,
  async fn() {
    await using fake = new FakePrometheus({
      play: ({ path }) =>
        path.endsWith("/buildinfo") ? success({ version: "2.24.0", goVersion: "go1.15.6" }) : undefined,
    });
    using client = apiOf(fake.url);
    const { version, application } = await client.api.buildInfo({ signal: new AbortController().signal });
    assert.deepEqual([version, application], ["2.24.0", ""]);
  },
});
