import assert from "@std/assert";
import { rankNames } from "../../src/prometheus/metric_ranking.ts";

const names = [
  "http_requests_total",
  "prometheus_http_requests_total",
  "http_requests_total_sum",
  "myhttp_requestsize",
  "http_request_duration_seconds_bucket",
  "job:http_requests:rate5m",
  "up",
  "upload_bytes",
];

Deno.test.each([
  ["http_requests_total", [
    "http_requests_total exact",
    "http_requests_total_sum prefix",
    "prometheus_http_requests_total word",
  ]],
  ["HTTP_Requests_Total", [
    "http_requests_total exact",
    "http_requests_total_sum prefix",
    "prometheus_http_requests_total word",
  ]],
  ["requests", [
    "http_requests_total word",
    "http_requests_total_sum word",
    "job:http_requests:rate5m word",
    "prometheus_http_requests_total word",
    "myhttp_requestsize part",
  ]],
  ["up", ["up exact", "upload_bytes prefix"]],
  ["duration http", ["http_request_duration_seconds_bucket word"]],
  ["http*bucket", ["http_request_duration_seconds_bucket prefix"]],
  ["*_bytes", ["upload_bytes part"]],
  ["htpp_requests_totl", ["http_requests_total similar"]],
  ["nothing_like_it_at_all", []],
])("%s finds", (pattern, expected) => {
  assert.deepEqual(rankNames(pattern, names).map(({ name, reason }) => `${name} ${reason}`), expected);
});

Deno.test("no pattern, and a star, find everything by name", () => {
  for (const pattern of ["", "*", " "]) assert.equal(rankNames(pattern, names).length, names.length);
});

Deno.test("a pattern with many stars is no trap", () => {
  const long = "a".repeat(250);
  assert.deepEqual(rankNames(`${"*a".repeat(90)}*b`, [long]), []);
});
