/** Reading PromQL; the grammar needs a permission to look for an environment variable. */
import assert from "@std/assert";
import { excerpt, loadPromql, readPromql } from "../../src/prometheus/promql.ts";
import { mistakes } from "../../src/prometheus/promql_mistakes.ts";
import { refusal } from "../support/rejection.ts";

/** Without that permission these tests are skipped by name. */
const loaded = await loadPromql().then(() => true, (error) => {
  if (error instanceof Deno.errors.NotCapable) return false;
  throw error;
});

function test(name: string, fn: () => void): void {
  Deno.test({ name: name.replaceAll("\n", "⏎"), ignore: !loaded, fn });
}

const broken: readonly (readonly [query: string, from: string])[] = [
  ["foo bar", "bar"],
  ["sum(rate(x[5m])", "(rate(x[5m])"],
  ["up{job='a'", "{job='a'"],
  ['up{job="a}', '"a}'],
  ["up{job='a\n'}", "'a\n'}"],
  ["up{job=api}", "api}"],
  ['up{job=="api"}', '="api"}'],
  ["sum(up))", ")"],
  ["1 + ", " "],
  ["sum(\n  rate(x[5m]),\n  oops oops\n)", "oops\n)"],
  ["rate(x[$__rate_interval])", "$__rate_interval])"],
  ['{a="😀"} up', "up"],
];
for (const [query, from] of broken) {
  test(`finds where a query stumbles: ${query}`, () => {
    assert.equal(query.slice(readPromql(query).stumblesAt), from);
  });
}

for (const query of ["", "  \n", "# nothing but a comment"]) {
  test(`an empty query is refused: ${query}`, () => {
    assert.match(refusal(() => readPromql(query)).message, /the query is empty$/);
  });
}

test("a query longer than anybody writes is refused before it is parsed", () => {
  assert.match(
    refusal(() => readPromql(`up{job="${"x".repeat(10_000)}"}`)).message,
    /longer than 10000 characters$/,
  );
});

test("a query as deep as it is long is read as far as people look", () => {
  for (
    const query of [
      "1+".repeat(4_900) + "up",
      "(".repeat(4_500) + "up" + ")".repeat(4_500),
      "-".repeat(9_000) + "1",
    ]
  ) {
    assert.deepEqual(mistakes(readPromql(query), typeOf), []);
  }
});

test("an excerpt is one line around the place", () => {
  assert.equal(excerpt("sum(\nup", 5), "sum(\\n▸up");
  const long = `${"a".repeat(100)} + ${"b".repeat(100)}`;
  assert.equal(excerpt(long, 103), `…${"a".repeat(37)} + ▸${"b".repeat(30)}…`);
});

test("a problem of the grammar here is noted, not refused: the server has the last word", () => {
  assert.equal(readPromql("brand_new_function(up)").stumblesAt, "brand_new_function".length);
  assert.equal(readPromql("up").stumblesAt, undefined);
});

test("a literal in a comment opens nothing, nor does a bracket in a literal", () => {
  assert.equal(readPromql(`up # don't ( {`).stumblesAt, undefined);
  assert.equal(readPromql("up{a=\"(\",b='{',c=`[`}").stumblesAt, undefined);
});

test("selectors are found with their metric and their matchers", () => {
  const query = `sum(rate(a{b="c\\n",d!~'e'}[5m] offset 1h)) / on(x) {"m.n","l l"=~"v",__name__!="y"} ` +
    `+ {__name__="z"} - {job="x"}`;
  const { selectors, stumblesAt } = readPromql(query);
  assert.equal(stumblesAt, undefined);
  assert.deepEqual(
    selectors.map(({ metric, matchers, from, to }) => [metric, matchers, query.slice(from, to)]),
    [
      ["a", [["b", "=", "c\n"], ["d", "!~", "e"]], `a{b="c\\n",d!~'e'}`],
      ["m.n", [["l l", "=~", "v"], ["__name__", "!=", "y"]], '{"m.n","l l"=~"v",__name__!="y"}'],
      ["z", [], '{__name__="z"}'],
      [undefined, [["job", "=", "x"]], '{job="x"}'],
    ],
  );
});

const honest: readonly string[] = [
  "up",
  "up == 0",
  "time() - process_start_time_seconds",
  "sum by (job) (rate(http_requests_total[5m]))",
  'sum(rate(http_requests_total{status=~"5.."}[5m])) / sum(rate(http_requests_total[5m]))',
  "sum by (job) (rate(a_total[5m])) / sum by (job) (rate(b_total[5m]))",
  "sum by (a, b) (rate(x_total[5m])) / sum by (b, a) (rate(y_total[5m]))",
  "sum by (a, b) (x) / on (a) group_left sum by (a) (y)",
  "sum by (a) (x) / scalar(sum(y))",
  "sum by (a) (x) or sum by (b) (y)",
  "sum by (a) (x) / 2",
  "histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))",
  "histogram_quantile(0.99, sum by (job, le) (rate(http_request_duration_seconds_bucket[5m])))",
  "histogram_quantile(0.99, sum without (instance) (rate(x_bucket[5m])))",
  "histogram_quantile(0.99, rate(x_bucket[5m]))",
  "histogram_quantile(0.99, sum(rate(native_seconds[5m])))",
  "histogram_quantile(0.99, sum by (le) (job:x_seconds_bucket:rate5m))",
  "histogram_quantile(0.9, topk(5, rate(x_bucket[5m])))",
  "rate(http_requests_total[5m:1m])",
  "max_over_time(sum(rate(http_requests_total[5m]))[1h:])",
  "deriv(queue_length[10m])",
  "delta(queue_length[10m])",
  "predict_linear(node_filesystem_free_bytes[6h], 86400)",
  "irate(http_requests_total[5m])",
  "increase(http_requests_total[24h])",
  "avg(node_load1)",
  'max(rpc_duration_seconds{quantile="0.99"})',
  'avg by (quantile) (rpc_duration_seconds{quantile!=""})',
  'up{job=~"api"}',
  "avg_over_time(up[1d])",
  "absent(up{job='x'})",
  "count by (version) (build_info)",
  "rate(some_gauge_nobody_describes[5m])",
  "topk(5, rate(http_requests_total[5m]))",
  "label_replace(up, 'a', '$1', 'b', '(.*)')",
  "-up ^ 2 > bool 1",
  "up @ end() offset 5m",
  '{"metric.name","label name"="v"}',
];
const types: Readonly<Record<string, string>> = {
  queue_length: "gauge",
  node_load1: "gauge",
  http_requests_total: "counter",
  odd_counter: "counter",
  odd_total: "gauge",
};
const typeOf = (metric: string) => types[metric];

for (const query of honest) {
  test(`an honest query is neither refused nor warned about: ${query}`, () => {
    assert.deepEqual(mistakes(readPromql(query), typeOf), []);
  });
}

const mistaken: readonly (readonly [query: string, warning: RegExp])[] = [
  ["rate(queue_length[5m])", /^queue_length is a gauge: rate\(\) takes each fall .* use deriv\(\)/],
  ["sum(increase(queue_length[5m] offset 1h))", /is a gauge: increase\(\).* use delta\(\)/],
  ["irate(odd_total[5m])", /^odd_total is a gauge/],
  ["deriv(http_requests_total[5m])", /is a counter: deriv\(\) goes wrong at restarts; use rate\(\)/],
  ["delta(undescribed_total[5m])", /is a counter: delta\(\).* use increase\(\)/],
  ["idelta(odd_counter[5m])", /use irate\(\)/],
  ["rate(sum(http_requests_total)[5m:])", /aggregate last: sum\(rate\(…\[5m\]\)\)/],
  ["increase((sum by (job) (x_total))[1h:1m])", /increase\(\) of sum\(\) sees a fall/],
  ["rate(rate(x_total[5m])[5m:])", /rate of a rate/],
  [
    "histogram_quantile(0.99, sum(rate(x_bucket[5m])))",
    /needs the label le, which sum\(\) drops here.* write sum by \(le\) \(…\)/,
  ],
  ["histogram_quantile(0.99, sum by (job) (rate(x_bucket[5m])))", /write sum by \(le, job\)/],
  ["histogram_quantile(0.99, sum without (le) (rate(x_bucket[5m])))", /take le out of sum without/],
  ["histogram_quantile(0.99, x_bucket)", /bare buckets.*write rate\(x_bucket\[5m\]\)/],
  ["histogram_quantile(0.99, sum by (le) (x_bucket))", /bare buckets/],
  ["avg(histogram_quantile(0.99, rate(x_bucket[5m])))", /avg\(\) of quantiles is not a quantile/],
  ['avg by (job) (rpc_seconds{quantile="0.99"})', /avg\(\) of a summary's quantiles is not a quantile/],
  ["irate(x_total[1h])", /last two samples only, whatever its range of 1h; use rate\(\)/],
  ["sum by (job) (x) / sum(y)", /\(job\) and \(\).*write \/ on \(\) group_left$/],
  ["sum(x) / sum by (job) (y)", /write \/ on \(\) group_right$/],
  ["sum by (a) (x) > sum by (b) (y)", /keep different labels, \(a\) and \(b\)/],
  ["sum by (a) (x) and sum by (a, b) (y)", /write and on \(a\)$/],
  ["100 * sum by (a) (x) / sum(y)", /keep different labels/],
];
for (const [query, warning] of mistaken) {
  test(`a mistake is told: ${query}`, () => {
    const found = mistakes(readPromql(query), typeOf);
    assert.equal(found.length, 1, found.join("\n"));
    assert.match(found[0] ?? "", warning);
    assert.doesNotMatch(found[0] ?? "", /\.$/);
  });
}
