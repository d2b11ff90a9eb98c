/**
 * A span per call, by the OpenTelemetry that is part of Deno: on where `OTEL_DENO=true` is set as the program starts,
 * https://docs.deno.com/runtime/fundamentals/open_telemetry/. Otherwise nothing here does a thing.
 */

/** What this module needs of an OpenTelemetry span. */
interface Span {
  setAttribute(name: string, value: string): unknown;
  setStatus(status: { readonly code: number; readonly message?: string }): unknown;
  end(): void;
}

/** Immutable values along a chain of calls. */
interface Context {
  setValue(key: symbol, value: unknown): Context;
}

/** The part of OpenTelemetry's interfaces that Deno promises and does not type. */
interface Telemetry {
  readonly tracerProvider: {
    getTracer(name: string): {
      startActiveSpan<Result>(
        name: string,
        options: { readonly kind: number },
        context: Context,
        work: (span: Span) => Result,
      ): Result;
    };
  };
  readonly contextManager: {
    active(): Context;
    with<Result>(context: Context, work: () => Result): Result;
  };
}

/** The runtime registers itself under this name, for every copy of `@opentelemetry/api`, when it is switched on. */
const isOn = Symbol.for("opentelemetry.js.api.1") in globalThis;
/** Under this key `@opentelemetry/api` keeps the span that is another's parent. */
const parentKey = Symbol.for("OpenTelemetry Context Key SPAN");
const serverKind = 1;
const errorStatus = 2;

/** Why a call did not end well, or undefined when it did. */
export type SpanOutcome = string | undefined;

/**
 * Does the work within a span of that name. Its parent is the caller's, `traceparent` as
 * https://www.w3.org/TR/trace-context/ has it; else the HTTP request's, which the runtime takes from its header.
 */
export async function inSpan<Value>(
  name: string,
  traceparent: string | undefined,
  work: () => Promise<Value>,
  outcome: (value: Value) => SpanOutcome,
): Promise<Value> {
  if (!isOn) return await work();
  const { tracerProvider, contextManager }: Telemetry = Deno.telemetry;
  const parent = withParent(contextManager.active(), traceparent);
  return await tracerProvider.getTracer("mcp").startActiveSpan(
    name,
    { kind: serverKind },
    parent,
    async (span) => {
      try {
        const value = await work();
        const problem = outcome(value);
        span.setAttribute("mcp.outcome", problem ?? "ok");
        if (problem !== undefined) span.setStatus({ code: errorStatus, message: problem });
        return value;
      } finally {
        span.end();
      }
    },
  );
}

/**
 * Does the work as a part of the HTTP request's span: the runtime keeps it with the response, under a symbol of its own,
 * and makes it nobody's parent.
 */
export function inRequestSpan<Result>(response: object, work: () => Result): Result {
  if (!isOn) return work();
  const key = Object.getOwnPropertySymbols(response).find(({ description }) => description === "kOtelSpan");
  const span: unknown = key === undefined ? undefined : Reflect.get(response, key);
  const { contextManager }: Telemetry = Deno.telemetry;
  return contextManager.with(contextManager.active().setValue(parentKey, span), work);
}

function withParent(context: Context, traceparent: string | undefined): Context {
  const [, traceId, spanId, flags] =
    /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(traceparent ?? "") ?? [];
  if (traceId === undefined || /^0+$/.test(traceId) || spanId === undefined || /^0+$/.test(spanId)) {
    return context;
  }
  const remote = { traceId, spanId, traceFlags: Number.parseInt(flags ?? "0", 16), isRemote: true };
  return context.setValue(parentKey, { spanContext: () => remote });
}
