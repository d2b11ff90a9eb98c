import assert from "@std/assert";
import { asClient } from "../../src/common/asking_client.ts";
import { Environment } from "../../src/common/env.ts";
import { PrometheusApi } from "../../src/prometheus/api.ts";
import { escapeLabelName, readings, readingUrl } from "../../src/prometheus/reading_paths.ts";
import { readPrometheusSettings } from "../../src/prometheus/settings.ts";
import { makeCertificates, opensslAvailable } from "../support/certificates.ts";
import { failure, FakePrometheus, faults, success } from "../support/fake_prometheus.ts";
import { OpenMetrics } from "../support/openmetrics.ts";
import { permitted } from "../support/permitted.ts";
import {
  prometheusAvailable,
  prometheusMajor,
  sharedPrometheus,
  startPrometheus,
} from "../support/prometheus.ts";
import { rejection } from "../support/rejection.ts";
import { until } from "../support/until.ts";

type Variables = Readonly<Record<string, string>>;

function openApi(url: string, variables: Variables = {}): PrometheusApi & Disposable {
  const given: Variables = { ...variables, PROMETHEUS_URL: url };
  const environment = new Environment({ get: (name) => given[name], readFile: Deno.readTextFileSync });
  const api = new PrometheusApi(readPrometheusSettings(environment));
  return Object.assign(api, { [Symbol.dispose]: () => api.close() });
}

const never = { signal: new AbortController().signal };

Deno.test("only calls that read exist, and forms where the API takes them", () => {
  assert.deepEqual(Object.values(readings).map(({ method, path }) => `${method} ${path}`), [
    "POST api/v1/query",
    "POST api/v1/query_range",
    "POST api/v1/series",
    "POST api/v1/labels",
    "GET api/v1/label/{label}/values",
    "GET api/v1/metadata",
    "GET api/v1/targets",
    "GET api/v1/rules",
    "GET api/v1/alerts",
    "GET api/v1/status/buildinfo",
    "GET api/v1/stores",
    "GET api/v1/status/runtimeinfo",
  ]);
});

const base = new URL("http://host/a/prefix/");
for (
  const [label, path] of [
    ["job", "job"],
    [
      "../../admin/tsdb/delete_series?match[]=up#",
      "U___2e__2e__2f__2e__2e__2f_admin_2f_tsdb_2f_delete__series_3f_match_5b__5d__3d_up_23_",
    ],
    ["k8s.name", "U__k8s_2e_name"],
    ["U__x", "U__U____x"],
    ["$&", "U___24__26_"],
  ] as const
) {
  Deno.test(`a label's name in a path stays a name: ${label}`, () => {
    assert.equal(escapeLabelName(label), path);
    assert.equal(
      readingUrl(base, "labelValues", label).href,
      `http://host/a/prefix/api/v1/label/${path}/values`,
    );
  });
}

Deno.test({
  name: "values keep their text, on a real Prometheus",
  ignore: !prometheusAvailable,
  async fn(context) {
    const server = await sharedPrometheus();
    using api = openApi(server.url);
    const value = async (query: string) => (await api.query(query, server.now, never)).series[0]?.value;
    for (
      const [query, text] of [
        ["vector(0/0)", "NaN"],
        ["vector(1/0)", "+Inf"],
        ["vector(-1/0)", "-Inf"],
        ["vector(0.1+0.2)", "0.30000000000000004"],
        ["vector(1e-300)", "1e-300"],
        ["scalar(vector(9007199254740993))", "9007199254740992"],
        ['"a text"', "a text"],
      ] as const
    ) {
      await context.step(query, async () => assert.deepEqual(await value(query), [server.now, text]));
    }
    await context.step("a matrix", async () => {
      const { type, ranges } = await api.query('queue_length{job="batch"}[1m]', server.now, never);
      assert.equal(type, "matrix");
      assert.deepEqual(ranges[0]?.values.at(-1), [server.now, "220"]);
    });
    await context.step({
      name: "a native histogram",
      ignore: prometheusMajor < 3,
      async fn() {
        const query = "prometheus_http_request_duration_seconds{handler=~'/api/v1/.*'}";
        await server.untilAnswered(query);
        const { series } = await api.query(query, undefined, never);
        const histogram = series[0]?.histogram?.[1];
        assert.match(histogram?.count ?? "", /^\d+$/);
        assert.equal(histogram?.buckets?.[0]?.length, 4);
      },
    });
    await context.step("the limit goes upstream, and what was cut is said", async () => {
      const { series, truncated, warnings } = await api.query("up", server.now, { ...never, limit: 2 });
      assert.equal(series.length, 2);
      assert.ok(truncated);
      if (prometheusMajor >= 3) assert.match(warnings.join(), /truncated due to limit/);
      assert.equal((await api.query("up", server.now, { ...never, limit: 100 })).truncated, false);
      const values = await api.labelValues("job", [], {}, { ...never, limit: 1 });
      assert.deepEqual([values.values.length, values.truncated], [1, true]);
    });
    await context.step("Prometheus's own error, verbatim", async () => {
      const error = await rejection(api.query("sum(", undefined, never));
      assert.equal(error.kind, "invalid");
      assert.match(
        error.message,
        /: bad_data: invalid parameter "query": 1:5: parse error: unclosed left parenthesis$/,
      );
      const matching = await rejection(api.query("up + on() up", server.now, never));
      assert.equal(matching.kind, "failed");
      assert.match(matching.message, /: execution: found duplicate series for the match group/);
    });
    await context.step("its infos, verbatim", async () => {
      const { infos } = await api.query("rate(queue_length[5m])", server.now, never);
      assert.match(infos.join(), /metric might not be a counter/);
    });
    await context.step("what else there is to read", async () => {
      assert.match((await api.buildInfo(never)).version, /^\d+\.\d+\.\d+/);
      assert.match((await api.runtimeInfo(never)).storageRetention, /2y/);
      assert.ok((await api.labelNames(["up"], {}, never)).names.includes("instance"));
      assert.equal((await api.series(['up{job="checkout"}'], {}, never)).series.length, 2);
      assert.equal((await api.targets("active", never)).active[0]?.health, "up");
    });
  },
});

Deno.test({
  name: "UTF-8 names of labels and metrics, on a real Prometheus",
  ignore: !prometheusAvailable || prometheusMajor < 3,
  async fn() {
    const now = Math.floor(Date.now() / 1000);
    const span = { from: now - 60, to: now, step: 15 };
    const backfill = new OpenMetrics().gauge("a.metric/🦄", { "a label.ü": "v", "U__x": "w" }, span, 1).lines;
    await using server = await startPrometheus({ backfill });
    using api = openApi(server.url);
    assert.deepEqual((await api.labelValues("a label.ü", [], {}, never)).values, ["v"]);
    assert.deepEqual((await api.labelValues("U__x", [], {}, never)).values, ["w"]);
    assert.deepEqual((await api.labelValues("__name__", [], {}, never)).values, ["a.metric/🦄"]);
  },
});

Deno.test({
  name: "every call goes below the prefix, as whom the settings say, and POST carries no query in its URL",
  ignore: !permitted,
  async fn() {
    await using fake = new FakePrometheus();
    using api = openApi(`${fake.url}/a/prefix`, { PROMETHEUS_TOKEN: "the-token", PROMETHEUS_ORG_ID: "team" });
    await api.query("up", 1, never);
    await api.queryRange("up", { start: 1, end: 2, step: 1 }, never);
    await api.series(["up", "down"], { start: 1, end: 2 }, { ...never, limit: 7 });
    await api.labelNames([], {}, never);
    await api.labelValues("job", ["up"], {}, never);
    await api.metadata("up", never);
    await api.targets("active", never);
    await api.rules(never);
    await api.alerts(never);
    await api.buildInfo(never);
    assert.deepEqual(
      fake.requests.map(({ method, path }) => `${method} ${path.replace("/a/prefix/api/v1/", "")}`),
      [
        "POST query",
        "POST query_range",
        "POST series",
        "POST labels",
        "GET label/job/values",
        "GET metadata",
        "GET targets",
        "GET rules",
        "GET alerts",
        "GET status/buildinfo",
      ],
    );
    for (const { headers } of fake.requests) {
      assert.equal(headers.get("authorization"), "Bearer the-token");
      assert.equal(headers.get("x-scope-orgid"), "team");
    }
    const series = fake.requests[2]?.parameters;
    assert.deepEqual([series?.getAll("match[]"), series?.get("limit")], [["up", "down"], "7"]);
  },
});

Deno.test({
  name: "a backend that ignores the limit is cut here",
  ignore: !permitted,
  async fn() {
    const result = ["a", "b", "c"].map((job) => ({ metric: { job }, value: [1, "1"] }));
    await using fake = new FakePrometheus({ play: () => success({ resultType: "vector", result }) });
    using api = openApi(fake.url);
    const { series, truncated } = await api.query("up", 1, { ...never, limit: 2 });
    assert.deepEqual([series.length, truncated], [2, true]);
  },
});

const shapes: readonly (readonly [what: string, answer: unknown])[] = [
  ["a text", "text"],
  ["null", null],
  ["no status", {}],
  ["no data", { status: "success" }],
  ["a result of another type", { status: "success", data: { resultType: "tensor", result: [] } }],
  ["a result that is no array", { status: "success", data: { resultType: "vector", result: {} } }],
  ["a sample that is none", {
    status: "success",
    data: { resultType: "vector", result: [{ metric: {}, value: 1 }] },
  }],
  ["a label that is a number", {
    status: "success",
    data: { resultType: "vector", result: [{ metric: { a: 1 }, value: [1, "1"] }] },
  }],
];
for (const [what, answer] of shapes) {
  Deno.test({
    name: `JSON of another shape is a sentence: ${what}`,
    ignore: !permitted,
    async fn() {
      await using fake = new FakePrometheus({ play: () => Response.json(answer) });
      using api = openApi(fake.url);
      const error = await rejection(api.query("up", 1, never));
      assert.equal(error.kind, "unavailable");
      assert.match(error.message, /answers (differently from Prometheus|with something else)/);
    },
  });
}

Deno.test({
  name: "an answer without an end is refused when it is 32 MB",
  ignore: !permitted,
  async fn() {
    await using fake = new FakePrometheus({ play: faults.endless });
    using api = openApi(fake.url, { PROMETHEUS_TIMEOUT_MS: "600000" });
    const error = await rejection(api.query("up", 1, never));
    assert.match(error.message, /larger than 32 MB/);
  },
});

Deno.test({
  name: "no call has more time than PROMETHEUS_TIMEOUT_MS, whatever it asks for",
  ignore: !permitted,
  async fn() {
    await using fake = new FakePrometheus({ play: faults.slow });
    using api = openApi(fake.url, { PROMETHEUS_TIMEOUT_MS: "50" });
    const error = await rejection(api.query("up", 1, { ...never, timeoutMs: 5_000 }));
    assert.match(error.message, /within 0\.05 s/);
  },
});

Deno.test({
  name: "an answer of a million values is refused while it comes",
  ignore: !permitted,
  async fn() {
    const body = `{"status":"success","data":{"resultType":"vector","result":[${
      "{},".repeat(1_000_000)
    }{}]}}`;
    const play = () => new Response(body, { headers: { "content-type": "application/json" } });
    await using fake = new FakePrometheus({ play });
    using api = openApi(fake.url);
    const error = await rejection(api.query("up", 1, never));
    assert.equal(error.kind, "refused");
    assert.match(error.message, /holds more than 600000 values/);
    assert.match(error.hint ?? "", /topk/);
  },
});

Deno.test({
  name:
    "no more than eight requests of one client at once, a ninth of another, and a place is free again after a failure or a cancellation",
  ignore: !permitted,
  async fn() {
    let under = 0;
    let most = 0;
    let answer = Promise.withResolvers<void>();
    const play = async () => {
      most = Math.max(most, ++under);
      await answer.promise;
      under--;
      return failure(422, "execution", "no");
    };
    await using fake = new FakePrometheus({ play });
    using api = openApi(fake.url);
    const cancelled = new AbortController();
    let over = 0;
    const waiting = Array.from(
      { length: 20 },
      () => rejection(api.query("up", 1, never)).finally(() => over++),
    );
    const reason = new Error("gone");
    const gone = api.query("up", 1, { signal: cancelled.signal }).catch((error: unknown) => error);
    await until("eight are under way", () => under === 8);
    const another = asClient("bob", () => rejection(api.query("up", 1, never)));
    await until("another client's is as well", () => under >= 9);
    assert.equal(over, 0, "it waits for the end of none of them");
    cancelled.abort(reason);
    assert.equal(await gone, reason);
    answer.resolve();
    await Promise.all([...waiting, another]);
    assert.equal(most, 9);
    assert.equal(fake.requests.length, 21, "who gave up was not asked for");
    answer = Promise.withResolvers();
    const again = Array.from({ length: 8 }, () => rejection(api.query("up", 1, never)));
    await until("eight are under way", () => under === 8);
    answer.resolve();
    await Promise.all(again);
    assert.equal(fake.requests.length, 29);
  },
});

/** Answers each connection's first request; what comes after it on the same connection closes that connection. */
function forgetfulServer(answersFirst: boolean) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const body = JSON.stringify({ status: "success", data: { resultType: "vector", result: [] } });
  const bytes = new TextEncoder().encode(
    `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  let requests = 0;
  const serve = async (connection: Deno.Conn) => {
    using _closing = connection;
    const buffer = new Uint8Array(65_536);
    if (await connection.read(buffer) === null) return;
    requests++;
    if (!answersFirst) return;
    await connection.write(bytes);
    if (await connection.read(buffer) !== null) requests++;
  };
  const running: Promise<void>[] = [];
  const accepting = (async () => {
    for await (const connection of listener) running.push(serve(connection));
  })();
  return {
    url: `http://127.0.0.1:${listener.addr.port}`,
    requests: () => requests,
    async [Symbol.asyncDispose]() {
      listener.close();
      await accepting;
      await Promise.allSettled(running);
    },
  };
}

Deno.test({
  name: "a kept connection that the other end closes is no failure",
  ignore: !permitted,
  async fn() {
    await using server = forgetfulServer(true);
    using api = openApi(server.url);
    await api.query("up", 1, never);
    await api.query("up", 1, never);
    assert.equal(server.requests(), 3, "the second was sent twice");
    api.close();
  },
});

Deno.test({
  name: "nothing else is asked twice",
  ignore: !permitted,
  async fn() {
    await using server = forgetfulServer(false);
    using api = openApi(server.url);
    const error = await rejection(api.query("up", 1, never));
    assert.match(error.message, /did not finish its answer/);
    assert.equal(server.requests(), 1);
    await using fake = new FakePrometheus({ play: () => failure(503, "unavailable", "starting") });
    using other = openApi(fake.url);
    for (let time = 0; time < 2; time++) {
      assert.match((await rejection(other.query("up", 1, never))).message, /unavailable: starting/);
    }
    assert.equal(fake.requests.length, 2);
  },
});

Deno.test({
  name: "client certificates, and files that are replaced while it runs, on a real Prometheus",
  ignore: !prometheusAvailable || !opensslAvailable,
  async fn() {
    const { authority, server: pair, client, otherName } = await makeCertificates();
    const folder = await Deno.makeTempDir();
    try {
      const write = (name: string, text: string) => Deno.writeTextFile(`${folder}/${name}`, text);
      await Promise.all([
        write("ca", authority),
        write("server.crt", pair.cert),
        write("server.key", pair.key),
        // A certificate of the same authority that is not for clients.
        write("cert", otherName.cert),
        write("key", otherName.key),
      ]);
      const webConfig = JSON.stringify({
        tls_server_config: {
          cert_file: `${folder}/server.crt`,
          key_file: `${folder}/server.key`,
          client_auth_type: "RequireAndVerifyClientCert",
          client_ca_file: `${folder}/ca`,
        },
      });
      await using server = await startPrometheus({ webConfig });
      const trusting = { PROMETHEUS_CA_FILE: `${folder}/ca` };
      using without = openApi(server.url, trusting);
      assert.match(
        (await rejection(without.query("1", undefined, never))).message,
        /requires a client certificate|did not finish its answer/,
      );
      using api = openApi(server.url, {
        ...trusting,
        PROMETHEUS_CERT_FILE: `${folder}/cert`,
        PROMETHEUS_KEY_FILE: `${folder}/key`,
      });
      assert.match(
        (await rejection(api.query("1", undefined, never))).message,
        /handshake failed|certificate|did not finish its answer/,
      );
      await write("cert", client.cert);
      await write("key", client.key);
      assert.equal((await api.query("1", undefined, never)).series[0]?.value?.[1], "1");
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "a success that lacks what was asked for is none: nothing is not the same as an empty list",
  ignore: !permitted,
  async fn() {
    await using fake = new FakePrometheus({ play: () => success({ resultType: "vector" }) });
    using api = openApi(fake.url);
    const questions = [
      api.rules(never),
      api.alerts(never),
      api.targets("active", never),
      api.query("up", undefined, never),
    ];
    for (const question of questions) {
      assert.match((await rejection(question)).message, /answers differently from Prometheus: .* missing$/);
    }
  },
});
