/** Prometheus's HTTP API, as far as it reads. https://prometheus.io/docs/prometheus/latest/querying/api/ */
import {
  asAlert,
  asArray,
  asBuildInfo,
  asCounts,
  asDroppedTarget,
  asInstantSeries,
  asLabels,
  asList,
  asMetadata,
  asObject,
  asRangeSeries,
  asRuleGroup,
  asSample,
  asTarget,
  asTexts,
  asTold,
  UnexpectedShape,
} from "./answer_reader.ts";
import { cut, matching } from "./bounded_listing.ts";
import { type AskOptions, Connection, type Question } from "./connection.ts";
import { shapeError, statedError } from "./faults.ts";
import type { ReadingName } from "./reading_paths.ts";
import type {
  Alert,
  BuildInfo,
  InstantResult,
  Labels,
  MetricMetadata,
  RangeResult,
  RuleGroup,
  RuntimeInfo,
  Store,
  TargetsResult,
  TimeRange,
  Told,
} from "./result.ts";
import type { PrometheusSettings } from "./settings.ts";

export type { AskOptions } from "./connection.ts";

type Envelope = Told & { readonly data: unknown };

/** The client. Every method throws `CallError`, or the reason of the signal. */
export class PrometheusApi {
  readonly #connection: Connection;
  readonly #settings: PrometheusSettings;
  readonly #hear: (told: Told) => void;

  /** Throws `StartError` for certificates that can't be used. */
  constructor(
    settings: PrometheusSettings,
    connection: Connection = new Connection(settings),
    hear: (told: Told) => void = () => {},
  ) {
    this.#connection = connection;
    this.#settings = settings;
    this.#hear = hear;
  }

  /** The same client, with one who hears what Prometheus says beside each of its answers. */
  overheard(hear: (told: Told) => void): PrometheusApi {
    return new PrometheusApi(this.#settings, this.#connection, hear);
  }

  /** Requests under way, and those that wait for a place among them. */
  get load(): Connection["load"] {
    return this.#connection.load;
  }

  /** Epoch seconds by Prometheus's clock; by our own where it does not tell. */
  async time(options: AskOptions): Promise<number> {
    const { series } = await this.query("time()", undefined, options);
    // Not the value, which VictoriaMetrics gives of half a minute before: its time of the latest samples that it shows.
    return series[0]?.value?.[0] ?? Date.now() / 1000;
  }

  /** An instant query, at `time` in epoch seconds; now unless given. */
  async query(query: string, time: number | undefined, options: AskOptions): Promise<InstantResult> {
    const form = new URLSearchParams({ query, ...this.#bounds(options) });
    if (time !== undefined) form.set("time", String(time));
    return await this.#ask("query", { form }, options, ({ data, ...told }) => {
      const { resultType, result } = asObject(data, "the data");
      switch (resultType) {
        case "scalar":
        case "string": {
          const series = [{ metric: {}, value: asSample(result) }];
          return { ...told, type: resultType, series, ranges: [], truncated: false };
        }
        case "vector": {
          const { kept, truncated } = cut(asList(result, "the results"), told, options);
          return { ...told, type: resultType, series: kept.map(asInstantSeries), ranges: [], truncated };
        }
        case "matrix": {
          const { kept, truncated } = cut(asList(result, "the results"), told, options);
          return { ...told, type: resultType, series: [], ranges: kept.map(asRangeSeries), truncated };
        }
        default:
          throw new UnexpectedShape("the result is of an unknown type");
      }
    });
  }

  /** A range query; `start` and `end` in epoch seconds, `step` in seconds. */
  async queryRange(
    query: string,
    { start, end, step }: { readonly start: number; readonly end: number; readonly step: number },
    options: AskOptions,
  ): Promise<RangeResult> {
    const form = new URLSearchParams({
      query,
      start: String(start),
      end: String(end),
      step: String(step),
      ...this.#bounds(options),
    });
    return await this.#ask("queryRange", { form }, options, ({ data, ...told }) => {
      const { result } = asObject(data, "the data");
      const { kept, truncated } = cut(asList(result, "the results"), told, options);
      return { ...told, series: kept.map(asRangeSeries), truncated };
    });
  }

  /** The label sets of series. Prometheus wants at least one matcher. */
  series(
    matchers: readonly string[],
    range: TimeRange,
    options: AskOptions,
  ): Promise<Told & { readonly series: readonly Labels[]; readonly truncated: boolean }> {
    const form = matching(matchers, range, options);
    return this.#ask("series", { form }, options, ({ data, ...told }) => {
      const { kept, truncated } = cut(asArray(data, "the series"), told, options);
      return { ...told, series: kept.map((labels) => asLabels(labels)), truncated };
    });
  }

  /** The names of labels of the series that match; of all without matchers. */
  labelNames(
    matchers: readonly string[],
    range: TimeRange,
    options: AskOptions,
  ): Promise<Told & { readonly names: readonly string[]; readonly truncated: boolean }> {
    const form = matching(matchers, range, options);
    return this.#ask("labelNames", { form }, options, ({ data, ...told }) => {
      const { kept, truncated } = cut(asTexts(data, "the label names"), told, options);
      return { ...told, names: kept, truncated };
    });
  }

  /** The values of a label; of `__name__`, the names of metrics. */
  labelValues(
    label: string,
    matchers: readonly string[],
    range: TimeRange,
    options: AskOptions,
  ): Promise<Told & { readonly values: readonly string[]; readonly truncated: boolean }> {
    const form = matching(matchers, range, options);
    return this.#ask("labelValues", { form, label }, options, ({ data, ...told }) => {
      const { kept, truncated } = cut(asTexts(data, "the label values"), told, options);
      return { ...told, values: kept, truncated };
    });
  }

  /** Type, help and unit of one metric, or of at most `limit` of them. */
  metadata(
    metric: string | undefined,
    options: AskOptions,
  ): Promise<ReadonlyMap<string, readonly MetricMetadata[]>> {
    const form = new URLSearchParams();
    if (metric !== undefined) form.set("metric", metric);
    else form.set("limit_per_metric", "1");
    if (options.limit !== undefined) form.set("limit", String(options.limit));
    return this.#ask("metadata", { form }, options, ({ data }) => {
      const all = asMetadata(data);
      const { limit } = options;
      return limit === undefined || all.size <= limit ? all : new Map([...all].slice(0, limit));
    });
  }

  /** The targets. Some backends ignore the state. */
  targets(state: "active" | "dropped", options: AskOptions): Promise<TargetsResult> {
    const form = new URLSearchParams({ state });
    return this.#ask("targets", { form }, options, ({ data, ...told }) => {
      const { activeTargets, droppedTargets, droppedTargetCounts } = asObject(data, "the data");
      return {
        ...told,
        active: asList(activeTargets, "the active targets").map(asTarget),
        dropped: asArray(droppedTargets, "the dropped targets").map(asDroppedTarget),
        droppedCounts: asCounts(droppedTargetCounts),
      };
    });
  }

  /** The alerting rules by group, with the alerts that they raised. */
  rules(options: AskOptions): Promise<Told & { readonly groups: readonly RuleGroup[] }> {
    const form = new URLSearchParams({ type: "alert" });
    return this.#ask("rules", { form }, options, ({ data, ...told }) => {
      const { groups } = asObject(data, "the data");
      return { ...told, groups: asList(groups, "the groups").map(asRuleGroup) };
    });
  }

  /** The alerts that are pending or firing. */
  alerts(options: AskOptions): Promise<Told & { readonly alerts: readonly Alert[] }> {
    return this.#ask("alerts", {}, options, ({ data, ...told }) => {
      const { alerts } = asObject(data, "the data");
      return { ...told, alerts: asList(alerts, "the alerts").map(asAlert) };
    });
  }

  /** The backend's version. */
  buildInfo(options: AskOptions): Promise<BuildInfo> {
    return this.#ask("buildInfo", {}, options, ({ data }) => {
      return asBuildInfo(asObject(data, "the data"));
    });
  }

  /** The stores of a Thanos Query; other servers have no such call. */
  stores(options: AskOptions): Promise<readonly Store[]> {
    return this.#ask(
      "stores",
      {},
      options,
      ({ data }) =>
        Object.values(asObject(data, "the data")).flatMap((stores) =>
          asArray(stores, "the stores").map((store) => {
            const { name, lastError } = asObject(store, "a store");
            return { name: text(name), lastError: text(lastError) };
          })
        ),
    );
  }

  /** What a running Prometheus says of itself. */
  runtimeInfo(options: AskOptions): Promise<RuntimeInfo> {
    return this.#ask("runtimeInfo", {}, options, ({ data }) => {
      const { startTime, storageRetention, reloadConfigSuccess } = asObject(data, "the data");
      return {
        startTime: text(startTime),
        storageRetention: text(storageRetention),
        reloadConfigSuccess: typeof reloadConfigSuccess === "boolean" ? reloadConfigSuccess : undefined,
      };
    });
  }

  /** Closes the connections. */
  close(): void {
    this.#connection.close();
  }

  /** Upstream's own bounds: its time is a little shorter than ours, so that the sentence is its own. */
  #bounds({ limit, timeoutMs }: AskOptions): Record<string, string> {
    const ms = Math.min(timeoutMs ?? this.#settings.timeoutMs, this.#settings.timeoutMs);
    return {
      timeout: `${Math.max(1, Math.floor(ms * 0.9))}ms`,
      ...(limit === undefined ? {} : { limit: String(limit) }),
    };
  }

  async #ask<T>(
    reading: ReadingName,
    question: Question,
    options: AskOptions,
    read: (envelope: Envelope) => T,
  ): Promise<T> {
    const answer = await this.#connection.ask(reading, question, options);
    try {
      const { status, data, errorType, error, warnings, infos } = asObject(answer, "the answer");
      if (status === "error") throw statedError(reading, text(errorType), text(error));
      if (status !== "success") throw new UnexpectedShape("the answer says neither success nor error");
      const told = asTold(warnings, infos);
      this.#hear(told);
      return read({ data, ...told });
    } catch (error) {
      if (error instanceof UnexpectedShape) throw shapeError(reading, error);
      throw error;
    }
  }
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
