/** An instrumented HTTP service of the tests' own, whose metrics are what a test sets them to. */
import { type SeriesLabels, seriesText } from "./openmetrics.ts";

/** What `# TYPE` says. */
export type MetricType = "counter" | "gauge" | "histogram" | "untyped";

interface Family {
  readonly type: MetricType;
  readonly help: string;
  readonly series: Map<string, number>;
}

/** Serves `/metrics` in Prometheus's text format; stops when disposed. */
export class SampleService implements AsyncDisposable {
  readonly #families = new Map<string, Family>();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  /** The status it answers with. */
  status = 200;
  /** What it answers in place of its metrics. */
  body: string | undefined;

  constructor() {
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => {
      return new Response(this.body ?? this.text(), {
        status: this.status,
        headers: { "content-type": "text/plain; version=1.0.0; escaping=allow-utf-8" },
      });
    });
  }

  /** `127.0.0.1:port`, as a scrape configuration wants it. */
  get address(): string {
    return `127.0.0.1:${this.#server.addr.port}`;
  }

  /** Says what a family is; a second time changes nothing. */
  describe(name: string, type: MetricType, help: string): this {
    if (!this.#families.has(name)) this.#families.set(name, { type, help, series: new Map() });
    return this;
  }

  /** Sets one series of a family, which is a gauge where nobody described it. */
  set(name: string, labels: SeriesLabels, value: number): this {
    this.describe(name, "gauge", "");
    this.#families.get(name)?.series.set(seriesText(name, labels), value);
    return this;
  }

  /** Adds to a counter. */
  add(name: string, labels: SeriesLabels, by = 1): this {
    this.describe(name, "counter", "");
    const series = this.#families.get(name)?.series;
    const key = seriesText(name, labels);
    series?.set(key, (series.get(key) ?? 0) + by);
    return this;
  }

  /** Observes `times` times `value` in a classic histogram with those upper bounds. */
  observe(name: string, labels: SeriesLabels, bounds: readonly number[], value: number, times = 1): this {
    this.describe(name, "histogram", "");
    const series = this.#families.get(name)?.series;
    const grow = (key: string, by: number) => series?.set(key, (series.get(key) ?? 0) + by);
    for (const bound of [...bounds, Infinity]) {
      const le = bound === Infinity ? "+Inf" : String(bound);
      grow(seriesText(`${name}_bucket`, { ...labels, le }), value <= bound ? times : 0);
    }
    grow(seriesText(`${name}_sum`, labels), value * times);
    grow(seriesText(`${name}_count`, labels), times);
    return this;
  }

  /** All that it exposes. */
  text(): string {
    const lines: string[] = [];
    for (const [name, { type, help, series }] of this.#families) {
      const shown = seriesText(name, {}).replace(/^\{|\}$/g, "");
      if (help !== "") lines.push(`# HELP ${shown} ${help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}`);
      lines.push(`# TYPE ${shown} ${type}`);
      for (const [key, value] of series) lines.push(`${key} ${value}`);
    }
    return `${lines.join("\n")}\n`;
  }

  /** Stops listening, as a service does that is down; what was set is lost with it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}
