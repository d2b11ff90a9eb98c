import assert from "@std/assert";
import fc from "fast-check";
import {
  escapeRegex,
  quoteLabelName,
  quoteLabelValue,
  selector,
  unquote,
} from "../../src/prometheus/promql_literal.ts";
import { prometheusAvailable, prometheusMajor, startPrometheus } from "../support/prometheus.ts";
import { apiOf } from "../support/prometheus_api.ts";
import { SampleService } from "../support/sample_service.ts";

/** What a caller may write where a label's value is wanted; the name says what is strange about it. */
const values: readonly (readonly [name: string, value: string])[] = [
  ["an injection", 'x"} or vector(1) #'],
  ["an injection over lines", 'x"}\n or vector(1)\n#'],
  ["a backslash", "a\\b"],
  ["a backslash at the end", "a\\"],
  ["an escape", "\\n\\x41\\u00e9"],
  ["a line break", "a\nb"],
  ["a carriage return", "a\r\nb"],
  ["a tab", "a\tb"],
  ["a backtick", "a`b`"],
  ["quotes", `"a" 'b'`],
  ["an emoji", "😀 é 漢"],
  ["a replacement character", "a\ufffdb"],
  ["a byte order mark", "\ufeffa"],
  ["a line separator", "a\u2028b"],
  ["a right-to-left override", "a\u202eb"],
  ["NUL", "a\0b"],
  ["control characters", "\x01\x1b[31m\x7f\x80"],
  ["a pattern", ".*"],
  ["braces", "{job=~'.+'}"],
  ["a variable", "${job}$1"],
  ["a comment", "a # b"],
  ["10 kB", "x".repeat(10_240)],
  ["10 kB of what grows", '"\\\n'.repeat(3_414)],
];

Deno.test("a literal has the value that was written", () => {
  for (const [name, value] of values) assert.equal(unquote(quoteLabelValue(value)), value, name);
});

Deno.test("a literal stays on its line, and its only bare quotation marks are its ends", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (value) => {
    const literal = quoteLabelValue(value);
    assert.match(literal, /^"(?:[^"\\\n\ufffd]|\\["\\n]|\\x[0-9a-f]{2}|\\ufffd)*"$/u);
    assert.equal(unquote(literal), value);
  }));
});

Deno.test("a lone surrogate is what would be sent for it", () => {
  assert.equal(quoteLabelValue("a\ud800b"), '"a\\ufffdb"');
});

Deno.test.each(
  [
    ["up", [], "up"],
    ["job:x:rate5m", [["job", "=", "a"]], 'job:x:rate5m{job="a"}'],
    [undefined, [["job", "=~", "a|b"], ["instance", "!=", ""]], '{job=~"a|b",instance!=""}'],
    ["metric.name", [["label name", "=", "v"]], '{"metric.name","label name"="v"}'],
    ['quo"te', [], '{"quo\\"te"}'],
    ["sum", [], '{__name__="sum"}'],
    ["NaN", [["a", "!~", "b"]], '{__name__="NaN",a!~"b"}'],
    ["", [], '{""}'],
    ["1up", [], '{"1up"}'],
  ] as const,
)("the selector of %s", (metric, matchers, text) => {
  assert.equal(selector(metric, matchers), text);
});

Deno.test("names of labels are quoted where they must be", () => {
  assert.equal(quoteLabelName("job"), "job");
  assert.equal(quoteLabelName("a:b"), '"a:b"');
  assert.equal(quoteLabelName('a") or vector(1)'), '"a\\") or vector(1)"');
});

Deno.test.each([
  ['"a\\x41\\101\\u00e9\\U0001F600\\t"', "aAAé😀\t"],
  ["'a\"b'", 'a"b'],
  ["`a\\n`", "a\\n"],
  ['"\\xc3\\xa9"', "é"],
  ['"a', undefined],
  ["a", undefined],
  ['"', undefined],
  ['"\\q"', undefined],
  ['"a\nb"', undefined],
  ['"\\U00110000"', undefined],
])("the value of the literal %s", (literal, value) => {
  assert.equal(unquote(literal), value);
});

Deno.test({
  name: "on a real Prometheus, a value stays a value, and finds its series",
  ignore: !prometheusAvailable,
  async fn(context) {
    await using service = new SampleService();
    for (const [, value] of values) service.set("odd", { value }, 1);
    service.set("odd", { value: "plain" }, 1).set("sum", {}, 3).set("nan", {}, 4);
    const utf8 = prometheusMajor >= 3;
    if (utf8) service.set("metric.name", { "label name": 'x"} or vector(1) #' }, 2);
    await using server = await startPrometheus({ scrape: [{ job_name: "odd", targets: [service.address] }] });
    using client = apiOf(server.url);
    const ask = (query: string) =>
      client.api.query(query, undefined, { signal: AbortSignal.timeout(20_000) });
    await server.untilAnswered("odd");
    assert.equal((await ask("odd")).series.length, values.length + 1);

    for (const [name, value] of values) {
      await context.step(name, async () => {
        const { series } = await ask(selector("odd", [["value", "=", value]]));
        assert.deepEqual(series.map(({ metric }) => metric.value), [value]);
        const pattern = await ask(selector("odd", [["value", "=~", escapeRegex(value)]]));
        assert.deepEqual(pattern.series.map(({ metric }) => metric.value), [value]);
        const others = await ask(selector("odd", [["value", "!=", value]]));
        assert.equal(others.series.length, values.length);
      });
    }

    await context.step(
      "names beyond the classic characters, and names that are words of PromQL",
      async () => {
        const found = async (query: string) => (await ask(query)).series.map(({ value }) => value?.[1]);
        assert.deepEqual(await found(selector("sum", [])), ["3"]);
        assert.deepEqual(await found(selector("nan", [])), ["4"]);
        if (!utf8) return;
        const label = ["label name", "=", 'x"} or vector(1) #'] as const;
        assert.deepEqual(await found(selector("metric.name", [label])), ["2"]);
        assert.deepEqual(await found(selector("metric.name", [["label name", "=", "other"]])), []);
        const by = `sum by (${quoteLabelName("label name")}) (${selector("metric.name", [])})`;
        assert.deepEqual((await ask(by)).series[0]?.metric, { "label name": 'x"} or vector(1) #' });
      },
    );

    await context.step("every word of the grammar can be a metric's name", async () => {
      const words =
        "and or unless by without on ignoring group_left group_right offset bool inf nan sum avg min max " +
        "count topk bottomk quantile group stddev stdvar count_values limitk limit_ratio atan2 start end fill smoothed " +
        "anchored step range fill_left min_of max_of rate time vector INF Infinity SUM";
      for (const word of words.split(" ")) {
        await server.ask("query", { query: `count(${selector(word, [["a", "=", "b"]])})` });
        await server.ask("query", { query: `count(${selector(word, [])})` });
      }
    });

    await context.step("whatever the value, the server reads one selector", async () => {
      await fc.assert(
        fc.asyncProperty(fc.string({ unit: "binary", maxLength: 60 }), async (value) => {
          const { series } = await ask(selector("odd", [["value", "=", `${value}\u{10fffd}`]]));
          assert.deepEqual(series, []);
          const escaped = await ask(selector("odd", [["value", "=~", `${escapeRegex(value)}\u{10fffd}`]]));
          assert.deepEqual(escaped.series, []);
        }),
        { numRuns: 60 },
      );
    });
  },
});
