/** What operators see at `/metrics`: OpenMetrics, per tool and never per argument. */
import { Counter, Gauge, Histogram, type OpenMetricsContentType, Registry } from "prom-client";
import { callErrorKinds } from "../errors.ts";
import type { CallObserver } from "../pipeline.ts";
import type { BackendGauge } from "../program.ts";
import { version } from "../version.ts";

const httpRefusals = [
  "host",
  "origin",
  "unauthorized",
  "unverified",
  "overload",
  "draining",
  "framing",
  /** A connection, not a request: all that there may be are open and in use. */
  "connections",
] as const;

/** Why a request got no further. */
export type HttpRefusal = typeof httpRefusals[number];

/** What the metrics are told of besides the calls. */
export interface MetricsOptions {
  readonly program: string;
  /** Their series are there from the start, at 0: a rate needs a value before the first call, and the first error. */
  readonly tools: readonly string[];
  /** Requests to `/mcp` that are being answered now. */
  readonly exchanges: () => number;
  /** Connections of clients that are open. */
  readonly connections: () => number;
  readonly gauges: () => readonly BackendGauge[];
}

const outcomes = ["ok", ...callErrorKinds, "defect"] as const;
const durationBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Counts, and shows what was counted. */
export class HttpMetrics implements CallObserver {
  // A registry of its own: no other part of the process adds to it.
  readonly #registry = new Registry<OpenMetricsContentType>();
  readonly #calls: Counter<"tool" | "outcome">;
  readonly #durations: Histogram<"tool">;
  readonly #bytes: Counter<"tool">;
  readonly #cacheHits: Counter<"tool">;
  readonly #running: Gauge<"tool">;
  readonly #requests: Counter<"route" | "code">;
  readonly #refusals: Counter<"reason">;

  constructor(options: MetricsOptions) {
    const registers = [this.#registry];
    this.#registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
    this.#calls = new Counter({
      name: "mcp_calls_total",
      help: "Calls by tool and outcome: ok, or the kind of error",
      labelNames: ["tool", "outcome"],
      registers,
    });
    this.#durations = new Histogram({
      name: "mcp_call_duration_seconds",
      help: "Seconds from the arrival of a call to its answer",
      labelNames: ["tool"],
      buckets: durationBuckets,
      registers,
    });
    this.#bytes = new Counter({
      name: "mcp_answer_bytes_total",
      help: "Bytes of the texts of answers",
      labelNames: ["tool"],
      registers,
    });
    this.#cacheHits = new Counter({
      name: "mcp_cache_hits_total",
      help: "Calls answered without asking the backend",
      labelNames: ["tool"],
      registers,
    });
    this.#running = new Gauge({
      name: "mcp_calls_running",
      help: "Calls that are being answered",
      labelNames: ["tool"],
      registers,
    });
    this.#requests = new Counter({
      name: "mcp_http_requests_total",
      help: "HTTP requests by route and status",
      labelNames: ["route", "code"],
      registers,
    });
    this.#refusals = new Counter({
      name: "mcp_http_refusals_total",
      help: "HTTP requests that got no further, by reason",
      labelNames: ["reason"],
      registers,
    });
    for (const tool of options.tools) {
      for (const outcome of outcomes) this.#calls.inc({ tool, outcome }, 0);
      this.#durations.zero({ tool });
      this.#bytes.inc({ tool }, 0);
      this.#cacheHits.inc({ tool }, 0);
      this.#running.set({ tool }, 0);
    }
    for (const reason of httpRefusals) this.#refusals.inc({ reason }, 0);
    gaugeOf("mcp_http_exchanges", "Requests to /mcp that are being answered", options.exchanges, registers);
    gaugeOf("mcp_http_connections", "Connections that are open", options.connections, registers);
    gaugeOf(
      "process_resident_memory_bytes",
      "Resident memory size in bytes",
      () => Deno.memoryUsage().rss,
      registers,
    );
    const started = Date.now() / 1000;
    gaugeOf(
      "process_start_time_seconds",
      "Start time of the process since the epoch",
      () => started,
      registers,
    );
    new Gauge({
      name: "mcp_build_info",
      help: "The program and its version",
      labelNames: ["program", "version"],
      registers,
    }).set({ program: options.program, version }, 1);
    for (const { name, help } of options.gauges()) {
      const read = () => options.gauges().find((gauge) => gauge.name === name)?.value ?? NaN;
      gaugeOf(name, help, read, registers);
    }
  }

  began(tool: string): void {
    this.#running.inc({ tool });
  }

  ended(
    { tool, outcome, bytes, durationMs, fromCache, hadBegun }: Parameters<CallObserver["ended"]>[0],
  ): void {
    if (hadBegun) this.#running.dec({ tool });
    this.#calls.inc({ tool, outcome });
    this.#durations.observe({ tool }, durationMs / 1000);
    this.#bytes.inc({ tool }, bytes);
    if (fromCache) this.#cacheHits.inc({ tool });
  }

  /** One HTTP request was answered; `route` must be one of a few. */
  answered(route: string, code: number): void {
    this.#requests.inc({ route, code });
  }

  /** One HTTP request got no further. */
  refused(reason: HttpRefusal): void {
    this.#refusals.inc({ reason });
  }

  /** The page that Prometheus scrapes. */
  async page(): Promise<Response> {
    return new Response(await this.#registry.metrics(), {
      headers: { "content-type": this.#registry.contentType, "cache-control": "no-store" },
    });
  }
}

function gaugeOf(
  name: string,
  help: string,
  read: () => number,
  registers: Registry<OpenMetricsContentType>[],
): void {
  new Gauge({
    name,
    help,
    registers,
    collect() {
      this.set(read());
    },
  });
}
