/** What Prometheus knows of metrics: their names, and their type, help and unit. Remembered for a while. */
import { Cache } from "../common/cache.ts";
import { couldNotAnswer } from "../common/errors.ts";
import type { AskOptions, PrometheusApi } from "./api.ts";
import type { MetricMetadata, Told } from "./result.ts";

/** Names that one listing may hold: two megabytes or so. */
const mostNames = 200_000;
/** Seconds back from now in which a metric must have had a sample to be listed. */
const recently = 3_600;

/** Above so many metrics their descriptions are asked for with all others', in one request. */
const mostSingly = 10;
/** Descriptions in such an answer: ten megabytes or so. */
const mostDescribed = 50_000;

/** What is known of some metrics. */
export interface Described {
  /** By the names that were asked for; metrics that nobody describes are left out. */
  readonly metadata: ReadonlyMap<string, MetricMetadata>;
  /** Why some could not be told, as a sentence without a full stop. */
  readonly missing: string | undefined;
}

/** Names of metrics, sorted, and what Prometheus said beside them. */
export interface MetricNames extends Told {
  readonly names: readonly string[];
  readonly truncated: boolean;
}

/** One per program. */
export class MetricCatalogue {
  readonly #api: PrometheusApi;
  readonly #metadata: Cache<MetricMetadata | undefined>;
  readonly #names: Cache<MetricNames>;
  /** Why the backend describes nothing. */
  readonly #absent: Cache<string>;

  constructor(api: PrometheusApi, cacheSeconds: number) {
    this.#api = api;
    this.#metadata = new Cache(cacheSeconds, { maxEntries: 2_000 });
    this.#names = new Cache(cacheSeconds, { maxEntries: 2 });
    this.#absent = new Cache(cacheSeconds, { maxEntries: 1 });
  }

  /** Metadata of metrics by the names that series have: `x_bucket` is found under `x`. */
  async describe(names: readonly string[], options: AskOptions): Promise<Described> {
    const families = new Map([...new Set(names)].map((name) => [name, familiesOf(name)]));
    const unknown = [...families].filter(([, them]) =>
      !them.some((family) => this.#metadata.get(family)?.value !== undefined) &&
      them.some((family) => this.#metadata.get(family) === undefined)
    );
    const read = new Map<string, MetricMetadata | undefined>();
    let missing = unknown.length === 0 ? undefined : this.#absent.get("")?.value;
    if (missing === undefined && unknown.length > 0) {
      try {
        const all = unknown.length > mostSingly ? await this.#all(options) : undefined;
        if ((all?.size ?? 0) >= mostDescribed) missing = "there are more metrics than are described at once";
        await Promise.all(unknown.map(async ([, them]) => {
          for (const family of them) {
            const metadata = all === undefined ? await this.#one(family, options) : all.get(family)?.[0];
            read.set(family, metadata);
            this.#metadata.set(family, metadata);
            if (metadata !== undefined) return;
          }
        }));
      } catch (error) {
        if (!couldNotAnswer(error)) throw error;
        missing = error.message;
        // What failed may work the next time; a call that is not there will not.
        if (error.message.includes(" has no /api/")) this.#absent.set("", missing);
      }
    }
    const metadata = new Map<string, MetricMetadata>();
    for (const [name, them] of families) {
      const found = them.map((family) => read.get(family) ?? this.#metadata.get(family)?.value)
        .find((each) => each !== undefined);
      if (found !== undefined) metadata.set(name, found);
    }
    return { metadata, missing };
  }

  async #one(family: string, options: AskOptions): Promise<MetricMetadata | undefined> {
    return (await this.#api.metadata(family, options)).get(family)?.[0];
  }

  async #all(options: AskOptions): Promise<ReadonlyMap<string, readonly MetricMetadata[]>> {
    return await this.#api.metadata(undefined, { ...options, limit: mostDescribed });
  }

  /** Names of all metrics with samples in the hour before `now`, or of those whose series match one of the selectors. */
  async names(matchers: readonly string[], now: number, options: AskOptions): Promise<MetricNames> {
    const key = matchers.join("\n");
    const remembered = this.#names.get(key);
    if (remembered !== undefined) return remembered.value;
    const { values, ...rest } = await this.#api.labelValues(
      "__name__",
      matchers,
      // Without an end: with one, Prometheus leaves out what lies in its out-of-order head alone.
      { start: now - recently },
      { ...options, limit: mostNames },
    );
    const found = { names: values, ...rest };
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
