/** What Prometheus knows of metrics: their names, and their type, help and unit. Remembered for a while. */
import { Cache } from "../common/cache.ts";
import { CallError } from "../common/errors.ts";
import type { AskOptions, MetricMetadata, PrometheusApi } from "./api.ts";

/** Names that one listing may hold: two megabytes or so. */
export const mostNames = 200_000;
/** Seconds back from now in which a metric must have had a sample to be listed. */
const recently = 3_600;

/** Names of metrics, sorted. */
export interface MetricNames {
  readonly names: readonly string[];
  readonly truncated: boolean;
}

/** One per program. */
export class MetricCatalogue {
  readonly #api: PrometheusApi;
  readonly #metadata: Cache<MetricMetadata | undefined>;
  readonly #names: Cache<MetricNames>;

  constructor(api: PrometheusApi, cacheSeconds: number) {
    this.#api = api;
    this.#metadata = new Cache(cacheSeconds, 2_000);
    this.#names = new Cache(cacheSeconds, 2);
  }

  /**
   * Metadata of metrics by the names that series have: `x_bucket` is found under `x`. Metrics that nobody describes are
   * left out, and so are all of them where the backend has no metadata.
   */
  async describe(
    names: readonly string[],
    options: AskOptions,
  ): Promise<ReadonlyMap<string, MetricMetadata>> {
    const found = new Map<string, MetricMetadata>();
    await Promise.all([...new Set(names)].map(async (name) => {
      for (const family of familiesOf(name)) {
        const metadata = await this.#one(family, options);
        if (metadata === undefined) continue;
        found.set(name, metadata);
        return;
      }
    }));
    return found;
  }

  async #one(family: string, options: AskOptions): Promise<MetricMetadata | undefined> {
    const remembered = this.#metadata.get(family);
    if (remembered !== undefined) return remembered.value;
    let metadata: MetricMetadata | undefined;
    try {
      metadata = (await this.#api.metadata(family, options)).get(family)?.[0];
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
    }
    this.#metadata.set(family, metadata);
    return metadata;
  }

  /** Names of all metrics with samples in the hour before `now`, or of those whose series match one of the selectors. */
  async names(matchers: readonly string[], now: number, options: AskOptions): Promise<MetricNames> {
    const key = matchers.join("\n");
    const remembered = this.#names.get(key);
    if (remembered !== undefined) return remembered.value;
    const { values, truncated } = await this.#api.labelValues(
      "__name__",
      matchers,
      // Without an end: with one, Prometheus leaves out what lies in its out-of-order head alone.
      { start: now - recently },
      { ...options, limit: mostNames },
    );
    const found = { names: values, truncated };
    this.#names.set(key, found);
    return found;
  }
}

/** Where the metadata of a series' name may stand: OpenMetrics describes the family, which has no `_total`. */
function familiesOf(name: string): readonly string[] {
  const family = name.replace(/_(?:bucket|sum|count|total|created|info)$/, "");
  return family === name || family === "" ? [name] : [name, family];
}

/** The type of a metric: as described, or `undefined`; parts of a histogram or a summary are counters. */
export function typeOfSeries(name: string, metadata: MetricMetadata | undefined): string | undefined {
  if (metadata === undefined || metadata.type === "" || metadata.type === "unknown") return undefined;
  const composite = metadata.type === "histogram" || metadata.type === "summary";
  return composite && /_(?:bucket|sum|count)$/.test(name) ? "counter" : metadata.type;
}
