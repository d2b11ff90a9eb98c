/** prometheus-mcp as a client starts it, over stdio: from source, or what `TEST_PROGRAMS` holds. */
import assert from "@std/assert";
import { encode } from "gpt-tokenizer/encoding/o200k_base";
import { utf8Length } from "../../src/common/utf8.ts";
import { RawClient, runProgramToEnd, type ToolAnswer } from "../support/mcp.ts";
import { startProgramPrometheus } from "../support/program_prometheus.ts";
import { prometheusAvailable } from "../support/prometheus.ts";

const program = "prometheus";
/** Of all answers to one question, as text and as structured content, either of which a client may give to its model. */
const mostTokens = 2_000;
/** Of one answer to a name that is none. */
const mostBytes = 8_000;

/** What a caller's text must not become: a query that always has an answer, or a pattern that matches all. */
const injections: readonly (readonly [what: string, text: string])[] = [
  ["an injected query", 'x"} or vector(1) #'],
  ["an injected matcher", 'x",job=~".+'],
  ["an injected alternative", "x'} or vector(1) #"],
  ["a backslash at the end", "x\\"],
  ["a backslash before a quote", 'x\\"} or vector(1) #'],
  ["a line break", 'x"}\nor vector(1)'],
  ["a backtick", "x`} or vector(1) #"],
  ["quotes", `"'"'`],
  ["braces", "{job!=''}"],
  ["an emoji", "🦄"],
  ["a NUL", "x\0y"],
  ["a lone surrogate", "\ud800"],
  ["10 KB", "x".repeat(10_240)],
  ["a pattern for all", ".*"],
  ["another pattern for all", "user-service|.+"],
  ["a comment", "user-service #"],
  ["a template", "${user-service}"],
];

/** Tools with an argument that is a name, and the arguments that take one. */
const named:
  readonly (readonly [tool: string, argument: string, others?: Readonly<Record<string, unknown>>])[] = [
    ["check_service_health", "service"],
    ["get_error_rate", "service"],
    ["get_latency", "service"],
    ["find_metrics", "service", { pattern: "http" }],
    ["list_alerts", "service", { state: "all" }],
    ["list_targets", "service"],
    ["list_targets", "pool"],
  ];

/** Words that claim to have found something. */
const claims =
  /\bUP\b|\bhealthy\b(?! on)|vector\(1\)\s*[=:]|10\.0\.0\.\d:8080|\b[1-9][\d,]* targets?: |FIRING|^\{/m;

Deno.test({
  name: "prometheus-mcp over stdio",
  ignore: !prometheusAvailable,
  async fn(context) {
    await using shop = await startProgramPrometheus();
    await using client = await RawClient.connect({ program, variables: shop.variables });
    const asked: ToolAnswer[] = [];
    const answered = async (
      name: string,
      args: Readonly<Record<string, unknown>> = {},
    ): Promise<ToolAnswer> => {
      const answer = await client.call(name, args);
      assert.equal(answer.isError, false, answer.text);
      asked.push(answer);
      return answer;
    };
    const question = (what: string, ask: () => Promise<void>) =>
      context.step(what, async () => {
        asked.length = 0;
        await ask();
        assert.ok(asked.length <= 2, `${asked.length} calls`);
        const tokens = (of: (answer: ToolAnswer) => string) =>
          asked.reduce((sum, answer) => sum + encode(of(answer)).length, 0);
        const asText = tokens(({ text }) => text);
        const asJson = tokens(({ structured }) => JSON.stringify(structured));
        assert.ok(asText < mostTokens, `${asText} tokens of text`);
        assert.ok(asJson < mostTokens, `${asJson} tokens of structured content`);
      });

    await question("which service has the highest error rate?", async () => {
      const errors = 'sum by (job) (rate(http_requests_total{status=~"5.."}[5m]))';
      const all = "sum by (job) (rate(http_requests_total[5m]))";
      const { text } = await answered("query_metrics", { query: `topk(3, ${errors} / ${all})` });
      assert.match(text, /payment[\s\S]*user-service/);
      assert.match(text, /0\.25\b/);
      const rate = await answered("get_error_rate", { service: "payment" });
      assert.match(rate.text, /25\s?%/);
    });

    await question("how much has traffic grown in 24 hours?", async () => {
      const { text, structured } = await answered("query_metrics_range", {
        query: 'sum(rate(http_requests_total{job="user-service"}[5m]))',
        duration: "24h",
      });
      // Ten a second a day ago, twenty now; the end is floored to the step, a quarter of an hour at most.
      assert.match(text, /\(\+(99|10[0-2])(\.\d+)?%\)/, text);
      assert.ok(structured !== undefined);
    });

    await question("how did all services' traffic and errors go over the day?", async () => {
      const { structured } = await answered("query_metrics_range", {
        query: "sum by (job, status) (rate(http_requests_total[15m]))",
        duration: "1d",
      });
      assert.equal(structured?.total, 6);
    });

    await question("why is user-service slow?", async () => {
      const health = await answered("check_service_health", { service: "user-service" });
      assert.match(health.text, /degraded/i);
      const latency = await answered("get_latency", { service: "user-service" });
      // 95% of what is half below 0.1 s and half between 0.5 and 1 s: 0.95 s.
      assert.match(latency.text, /\b0?\.95|950\s?ms/);
    });

    await question("is anything down?", async () => {
      const targets = await answered("list_targets");
      assert.match(targets.text, /^2 targets: 1 down, 1 up\./);
      assert.match(targets.text, /DOWN mailer .*\n {2}.*connection refused/);
      const alerts = await answered("list_alerts", { state: "firing" });
      assert.match(alerts.text, /^2 alerts firing/);
      assert.match(alerts.text, /summary: invoices can't be scraped/);
      assert.match(alerts.text, /summary: mailer can't be scraped/);
    });

    await question("is catalog well, and invoices?", async () => {
      assert.match((await answered("check_service_health", { service: "catalog" })).text, /healthy/i);
      assert.match((await answered("check_service_health", { service: "invoices" })).text, /\bdown\b/i);
    });

    await question("which metrics are there about requests?", async () => {
      const { text } = await answered("find_metrics", { pattern: "http_request" });
      assert.match(text, /http_requests_total/);
      assert.match(text, /http_request_duration_seconds/);
    });

    await context.step("the overview and a metric can be read, and names completed", async () => {
      const overview = await client.request("resources/read", { uri: "prometheus://overview" });
      assert.match(JSON.stringify(overview.result), /Targets: 1 of 2 up/);
      const templates = await client.request("resources/templates/list");
      assert.match(JSON.stringify(templates.result), /prometheus:\/\/metrics\/\{metric\}/);
      const completion = await client.request("completion/complete", {
        ref: { type: "ref/resource", uri: "prometheus://metrics/{metric}" },
        argument: { name: "metric", value: "http_requests_t" },
      });
      assert.match(JSON.stringify(completion.result), /"values":\["http_requests_total"\]/);
    });

    for (const [what, text] of injections) {
      await context.step(`as a name: ${what}`, async () => {
        for (const [tool, argument, others] of named) {
          const answer = await client.call(tool, { ...others, [argument]: text });
          const about = `${tool} ${argument}: ${answer.text}`;
          // What was asked for is repeated in the answer; only the rest can be a claim.
          const rest = withoutEcho(answer.text, text);
          assert.doesNotMatch(rest, claims, about);
          assert.doesNotMatch(answer.text, /parse error|panic|internal error|unexpected/i, about);
          assert.ok(utf8Length(answer.text) <= mostBytes, about);
        }
      });
      await context.step(`as a pattern: ${what}`, async () => {
        const answer = await client.call("find_metrics", { pattern: text });
        assert.doesNotMatch(answer.text, /parse error|panic|internal error/i);
        assert.ok(utf8Length(answer.text) <= 32_768);
      });
      await context.step(`as a query, a time, a window, a step: ${what}`, async () => {
        const calls: readonly (readonly [string, Readonly<Record<string, unknown>>])[] = [
          ["query_metrics", { query: "up", time: text }],
          ["query_metrics_range", { query: "up", duration: text }],
          ["query_metrics_range", { query: "up", start: text, end: "now" }],
          ["query_metrics_range", { query: "up", start: "now-1h", end: text }],
          ["query_metrics_range", { query: "up", step: text }],
          ["get_error_rate", { service: "payment", window: text }],
          ["get_latency", { service: "user-service", window: text }],
        ];
        for (const [tool, args] of calls) {
          const answer = await client.call(tool, args);
          assert.ok(answer.isError, `${tool} ${JSON.stringify(args).slice(0, 200)}: ${answer.text}`);
          assert.ok(utf8Length(answer.text) <= mostBytes);
        }
        // A query is the caller's own; whatever it is, the program lives and says what is wrong with it.
        const answer = await client.call("query_metrics", { query: text });
        assert.ok(utf8Length(answer.text) <= 32_768);
      });
    }

    await context.step("after all that it answers as before", async () => {
      assert.equal((await client.call("query_metrics", { query: "vector(42)" })).isError, false);
      assert.ok(client.auditLines.every(({ outcome }) => outcome !== "defect" && outcome !== "error"));
    });

    await context.step("it checks the connection and says what it found", async () => {
      const { code, stdout } = await runProgramToEnd({
        program,
        args: ["--check"],
        variables: shop.variables,
        plain: true,
      });
      assert.equal(code, 0, stdout);
      assert.match(stdout, /Prometheus [23]\.\d+\.\d+/);
    });
  },
});

/** The answer without the caller's own text in it, as JSON or visible text has it. */
function withoutEcho(answer: string, text: string): string {
  const forms = [text, JSON.stringify(text).slice(1, -1), text.slice(0, 100)];
  return forms.reduce((rest, form) => form === "" ? rest : rest.replaceAll(form, "…"), answer);
}
