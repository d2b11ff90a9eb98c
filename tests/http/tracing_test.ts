import assert from "@std/assert";
import { HttpProgram, patientProgram } from "../support/http_program.ts";
import { permitted } from "../support/permitted.ts";
import { until } from "../support/until.ts";

/** What a collector learns of a span, https://opentelemetry.io/docs/specs/otlp/ (JSON). */
interface Span {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly status: { readonly code: number; readonly message: string };
  readonly attributes: readonly { readonly key: string; readonly value: { readonly stringValue?: string } }[];
}

const traceId = "0af7651916cd43dd8448eb211c80319c";
const outerSpan = "b7ad6b7169203331";
const traceparent = `00-${traceId}-${outerSpan}-01`;

Deno.test({
  name: "with OTEL_DENO=true each call is a span under its tool's name, part of the caller's trace",
  ignore: !permitted,
  async fn(t) {
    const spans: Span[] = [];
    const collector = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
      const { resourceSpans = [] } = await request.json();
      for (const { scopeSpans } of resourceSpans) {
        for (const scope of scopeSpans) spans.push(...scope.spans);
      }
      return Response.json({});
    });
    {
      await using program = await HttpProgram.start({
        command: patientProgram,
        variables: {
          OTEL_DENO: "true",
          OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
          OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collector.addr.port}`,
          OTEL_BSP_SCHEDULE_DELAY: "100",
        },
      });
      const call = (
        name: string,
        args: Record<string, unknown>,
        rest: Record<string, unknown>,
        header?: string,
      ) =>
        program.ask("tools/call", { name, arguments: args, ...rest }, {
          headers: header === undefined ? {} : { traceparent: header },
        });
      await call("echo", { value: "a secret argument" }, {}, traceparent);
      await call("fail", { kind: "refused" }, { _meta: { traceparent } });
      await call("made_up", {}, {});
      await until("two spans of tools", () => spans.some(({ name }) => name === "fail"));
    }
    const named = (name: string) => spans.find((span) => span.name === name);
    await t.step("the trace goes on from the request's header, by way of the request's own span", () => {
      const echo = named("echo");
      assert.equal(echo?.traceId, traceId);
      const request = spans.find(({ spanId }) => spanId === echo?.parentSpanId);
      assert.equal(request?.parentSpanId, outerSpan);
    });
    await t.step("or from the message", () => {
      const fail = named("fail");
      assert.equal(fail?.traceId, traceId);
      assert.equal(fail?.parentSpanId, outerSpan);
      assert.equal(fail?.status.code, 2);
      assert.equal(fail?.attributes.find(({ key }) => key === "mcp.outcome")?.value.stringValue, "refused");
    });
    await t.step("no argument is in a span, and a name that is no tool is none's", () => {
      assert.ok(!JSON.stringify(spans).includes("secret"));
      assert.ok(!JSON.stringify(spans).includes("made_up"));
    });
    await collector.shutdown();
  },
});
