import assert from "@std/assert";
import { humanValue, metricUnit, unitOf, unitText } from "../../src/prometheus/metric_unit.ts";
import { loadPromql, readPromql } from "../../src/prometheus/promql.ts";

const loaded = await loadPromql().then(() => true, (error) => {
  if (error instanceof Deno.errors.NotCapable) return false;
  throw error;
});

const units: readonly (readonly [query: string, unit: string])[] = [
  ["process_resident_memory_bytes", "bytes"],
  ["rate(network_receive_bytes_total[5m])", "bytes per second"],
  ["increase(network_receive_bytes_total[5m])", "bytes"],
  ["sum by (job) (max_over_time(x_bytes[1h]))", "bytes"],
  ["x_bytes / y_bytes", "ratio"],
  ["1 - x_bytes / y_bytes", "ratio"],
  ["x_bytes - y_bytes", "bytes"],
  ["x_bytes - y_seconds", ""],
  ["x_bytes > 1e9", "bytes"],
  ["x_bytes > bool 1e9", ""],
  ["x_bytes * 8", ""],
  ["x_bytes / 1024", ""],
  ["process_start_time_seconds", "timestamp"],
  ["time() - process_start_time_seconds", "seconds"],
  ["http_request_duration_seconds_bucket", ""],
  ["histogram_quantile(0.9, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))", "seconds"],
  ["rate(http_request_duration_seconds_sum[5m]) / rate(http_request_duration_seconds_count[5m])", "seconds"],
  ["rate(node_cpu_seconds_total[5m])", "seconds per second"],
  ["rate(http_requests_total[5m])", "per second"],
  ['sum(rate(x_total{a="b"}[5m])) / sum(rate(x_total[5m]))', "ratio"],
  ["sum(rate(x_total[5m])) / sum(rate(y_total[5m]))", ""],
  ["rate(x_total[5m]) / increase(x_total[5m])", ""],
  ["x_total / x_total offset 1d", "ratio"],
  ["count(x_bytes)", ""],
  ["cache_hit_ratio", "ratio"],
  ["up", ""],
  ["label_replace(x_bytes, 'a', '$1', 'b', '(.*)')", "bytes"],
  ["quantile(0.9, x_seconds)", "seconds"],
  ["described", "joules"],
];
for (const [query, unit] of units) {
  Deno.test({
    name: `the unit of ${query}`,
    ignore: !loaded,
    fn() {
      const metric = (name: string) => metricUnit(name, name === "described" ? "joules" : "");
      assert.equal(unitText(unitOf(readPromql(query).expression, metric)), unit);
    },
  });
}

Deno.test.each([
  ["57933824", "bytes", false, "55 MB"],
  ["1.5e9", "bytes", true, "1431 MB/s"],
  ["512", "bytes", false, undefined],
  ["0.034", "seconds", false, "34 ms"],
  ["90000", "seconds", false, "1 d 1 h"],
  ["0.123", "ratio", false, "12.3%"],
  ["1795305900", "timestamp", false, "2026-11-22T00:05:00Z"],
  ["0", "timestamp", false, undefined],
  ["NaN", "bytes", false, undefined],
  ["+Inf", "seconds", false, undefined],
  ["5", "", true, undefined],
])("%s %s, per second: %s, reads %s", (value, name, rate, text) => {
  assert.equal(humanValue(value, { name, rate }), text);
});
