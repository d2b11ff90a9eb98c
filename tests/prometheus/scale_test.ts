/** A Prometheus with very much in it: answers and memory stay bounded. Nothing here looks at a clock. */
import assert from "@std/assert";
import { utf8Length } from "../../src/common/utf8.ts";
import { RawClient } from "../support/mcp.ts";
import { alignedSeconds } from "../support/openmetrics.ts";
import { prometheusAvailable, startPrometheus } from "../support/prometheus.ts";

const names = 100_000;
const series = 50_000;
/** Of each series: a million in all. */
const points = 20;
/** Seconds between two of them. */
const step = 30;
/** Bytes of one answer, by default. */
const budget = 32_768;
/** Milliseconds for one request, and for a call, which may make several: eight such calls at once share a machine. */
const timeout = 60_000;
const deadline = timeout + 15_000;

/**
 * `names` metrics of one series, and `series` series of one metric with labels of high cardinality: five minutes before
 * `now` and five after it.
 */
function* lines(now: number): Generator<string> {
  for (let name = 0; name < names; name++) {
    yield `scale_metric_${String(name).padStart(6, "0")}{job="names"} 1 ${now - 60}\n`;
  }
  for (let index = 0; index < series; index++) {
    const status = index % 10 === 0 ? "500" : "200";
    const labels = `job="big",instance="10.0.${index % 500}:80",path="/p/${
      Math.floor(index / 500)
    }",status="${status}"`;
    for (let point = 0; point < points; point++) {
      yield `http_requests_total{${labels}} ${point * step} ${now + (point - points / 2) * step}\n`;
    }
  }
  for (let instance = 0; instance < 500; instance++) {
    for (let point = 0; point < points; point++) {
      yield `up{job="big",instance="10.0.${instance}:80"} 1 ${now + (point - points / 2) * step}\n`;
    }
  }
  yield "# EOF\n";
}

Deno.test({
  name: "a million points, 50,000 series, 100,000 metric names",
  ignore: !prometheusAvailable,
  async fn(context) {
    const now = alignedSeconds(Date.now(), 60);
    await using server = await startPrometheus({ backfill: lines(now) });
    assert.equal(await server.value('count({__name__=~"scale_metric_.+"})', now), names);
    assert.equal(
      await server.value("sum(count_over_time(http_requests_total[10m]))", now + 299),
      series * points,
    );
    await using client = await RawClient.connect({
      program: "prometheus",
      variables: {
        PROMETHEUS_URL: server.url,
        RATE_LIMIT_PER_MINUTE: "0",
        PROMETHEUS_TIMEOUT_MS: String(timeout),
      },
      patience: 4,
    });

    const time = String(now);
    const range = { start: String(now - 300), end: String(now + 270) };
    const calls: readonly (readonly [string, Readonly<Record<string, unknown>>, RegExp])[] = [
      [
        "query_metrics",
        { query: "http_requests_total", time },
        /^50,000 series at .*\n.*http_requests_total/,
      ],
      ["query_metrics", { query: '{__name__=~".+"}', time }, /^150,500 series at /],
      ["query_metrics", { query: "http_requests_total[10m]", time }, /^more than [12],\d{3} series at /],
      [
        "query_metrics_range",
        { query: "http_requests_total", ...range, step: "30s" },
        /^50,000 series, [\s\S]*\[Cut: 10 of 50,000 series shown, by average\./,
      ],
      [
        "query_metrics_range",
        { query: "sum by (path) (rate(http_requests_total[2m]))", ...range },
        /^100 series, [\s\S]*path="\/p\//,
      ],
      ["find_metrics", { pattern: "scale_metric" }, /^100,000 of 100,002 metrics match\nscale_metric_\d{6}/],
      ["find_metrics", { pattern: "http_requests" }, /\nhttp_requests_total \(50,000 series\)/],
      ["find_metrics", { pattern: "099999" }, /^1 of 100,002 metrics match\nscale_metric_099999/],
      ["check_service_health", { service: "big" }, /^instances in 15m: 500 UP/m],
      ["get_error_rate", { service: "big", window: "2m" }, /\b10% of requests fail/],
      ["get_latency", { service: "big" }, /^big: no data on latency: nothing that measures its requests/],
      ["list_targets", {}, /^500 targets: 0 down, 500 up\.\nThe server itself scrapes no target/],
      ["list_alerts", {}, /^0 alerts firing/],
    ];
    for (const [tool, args, expected] of calls) {
      await context.step(`${tool} ${JSON.stringify(args)}`, async () => {
        const answer = await client.call(tool, args);
        assert.equal(answer.isError, false, answer.text);
        assert.match(answer.text, expected);
        assert.ok(utf8Length(answer.text) <= budget, `${utf8Length(answer.text)} bytes`);
        assert.ok(utf8Length(JSON.stringify(answer.structured ?? {})) <= budget);
      });
    }

    await context.step("resources and completion", async () => {
      const overview = await client.request("resources/read", { uri: "prometheus://overview" });
      assert.match(JSON.stringify(overview.result), /Metric names: more than 20,000/);
      const metric = await client.request("resources/read", {
        uri: "prometheus://metrics/http_requests_total",
      });
      assert.match(JSON.stringify(metric.result), /1,000 series looked at; there are more/);
      const completion = await client.request("completion/complete", {
        ref: { type: "ref/resource", uri: "prometheus://metrics/{metric}" },
        argument: { name: "metric", value: "scale_metric_0999" },
      });
      assert.match(JSON.stringify(completion.result), /"values":\["scale_metric_099900",/);
    });

    await context.step("several at once", async () => {
      const answers = await Promise.all(
        Array.from({ length: 8 }, (_, index) => {
          const [tool, args] = calls[index % 4] ?? ["query_metrics", {}];
          return client.call(tool, args);
        }),
      );
      for (const { text, isError } of answers) {
        assert.equal(isError, false, text);
        assert.ok(utf8Length(text) <= budget);
      }
    });

    await context.step("and every call within its deadline, by the audit log", () => {
      const calls = client.auditLines.filter(({ outcome }) => outcome === "ok");
      assert.ok(calls.length >= 21, `${calls.length} calls`);
      for (const { tool, duration_ms: duration } of calls) {
        assert.ok(Number(duration) < deadline, `${tool} took ${duration} ms`);
      }
    });

    await context.step({
      name: "and at no time more than 300 MB of memory",
      ignore: Deno.build.os !== "linux",
      async fn() {
        const peak = await peakMemory(client.pid);
        assert.ok(peak > 10 && peak < 300, `${peak} MB at most`);
      },
    });
  },
});

Deno.test({
  name: "5,000 targets, all of them down",
  ignore: !prometheusAvailable,
  async fn() {
    // The whole of 127/8 is this machine; nobody listens on the discard port.
    const targets = Array.from({ length: 5_000 }, (_, index) => `127.1.${index >> 8}.${index & 255}:9`);
    await using server = await startPrometheus({
      scrape: [{ job_name: "many", targets, scrape_interval: "12s", scrape_timeout: "12s" }],
    });
    await using client = await RawClient.connect({
      program: "prometheus",
      variables: { PROMETHEUS_URL: server.url },
    });
    const { text, structured } = await client.call("list_targets");
    assert.match(text, /^5,000 targets: 5,000 down, 0 up\./);
    assert.match(text, /\n[45],\d{3} × dial tcp/);
    assert.ok(utf8Length(text) < 8_000, `${utf8Length(text)} bytes`);
    assert.equal(structured?.total, 5_000);
  },
});

/** The most memory that a process ever had, in MB. */
async function peakMemory(pid: number): Promise<number> {
  // Deno itself reads nothing of other processes.
  const { stdout } = await new Deno.Command("cat", { args: [`/proc/${pid}/status`], stdout: "piped" })
    .output();
  const [, kilobytes = "0"] = /^VmHWM:\s+(\d+) kB$/m.exec(new TextDecoder().decode(stdout)) ?? [];
  return Number(kilobytes) / 1024;
}
