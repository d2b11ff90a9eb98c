/** Scrape targets: counted, filtered and put in the order in which people want them. */
import { compare } from "../common/compare.ts";
import { CallError } from "../common/errors.ts";
import type { PrometheusApi } from "./api.ts";
import type { Target } from "./result.ts";
import { namesService, sameName } from "./service_labels.ts";
import { unreachedStores } from "./stores.ts";

/** Milliseconds for the count of what was dropped, which some servers answer with megabytes. */
const droppedTimeoutMs = 5_000;

/** Milliseconds for the second best way to learn of targets. */
const upTimeoutMs = 10_000;
/** Series of `up` that are read. */
const maxUpSeries = 10_000;

/** The targets, and what the reader has to know of how they were learnt of. */
export interface ReadTargets {
  readonly active: readonly Target[];
  readonly notes: readonly string[];
}

/** Asks for the active targets, and where the backend has no such call (Mimir, Thanos) for the metric `up`. */
export async function readTargets(api: PrometheusApi, signal: AbortSignal): Promise<ReadTargets> {
  try {
    const { active, warnings, infos } = await api.targets("active", { signal });
    const others = active.length > 0 ? undefined : await readUp(api, signal).catch(() => undefined);
    if (others === undefined || others.active.length === 0) {
      const unreached = active.length > 0 ? [] : await unreachedStores(api, { signal });
      return { active, notes: [...unreached.map((text) => `${text}.`), ...warnings, ...infos] };
    }
    const note = "The server itself scrapes no target: this is what the metric up says.";
    return { active: others.active, notes: [note, ...warnings, ...infos, ...others.notes] };
  } catch (error) {
    // One that is slow or down would not answer the second question either.
    if (!(error instanceof CallError) || !error.message.includes(" has no /api/")) throw error;
    const up = await readUp(api, signal).catch(() => undefined);
    if (up === undefined || up.active.length === 0) throw error;
    const notes = [
      `${error.message}.`,
      "So this is what the metric up says: errors and times of scrapes are not known.",
    ];
    return { active: up.active, notes: [...notes, ...up.notes] };
  }
}

async function readUp(api: PrometheusApi, signal: AbortSignal): Promise<ReadTargets> {
  const options = { signal, timeoutMs: upTimeoutMs, limit: maxUpSeries };
  const { series, warnings, infos } = await api.query("up", undefined, options);
  const active = series.map(({ metric: { __name__: _, ...labels }, value }) => ({
    labels,
    scrapePool: labels.job ?? "",
    health: Number(value?.[1]) > 0 ? "up" : "down",
    lastError: "",
    lastScrape: "",
    lastScrapeSeconds: 0,
    scrapeInterval: "",
  }));
  return { active, notes: [...warnings, ...infos] };
}

/** How many were dropped, by pool; undefined where the backend does not say, or says too much. */
export async function droppedCounts(
  api: PrometheusApi,
  signal: AbortSignal,
): Promise<Readonly<Record<string, number>> | undefined> {
  try {
    const { droppedCounts, dropped } = await api.targets("dropped", { signal, timeoutMs: droppedTimeoutMs });
    if (Object.keys(droppedCounts).length > 0) return droppedCounts;
    const counts: Record<string, number> = {};
    for (const { scrapePool } of dropped) counts[scrapePool] = (counts[scrapePool] ?? 0) + 1;
    return counts;
  } catch (error) {
    if (error instanceof CallError) return undefined;
    throw error;
  }
}

/** Of a target; `unknown` before its first scrape, and for what no other word is known. */
export type Health = "up" | "down" | "unknown";

/** The health as one of three words. */
export function healthOf({ health }: Target): Health {
  return health === "up" || health === "down" ? health : "unknown";
}

/** By its labels, by a part of its pool's name (`serviceMonitor/shop/checkout/0`), or by its host. */
export function isOfService({ labels, scrapePool }: Target, service: string): boolean {
  const [host = ""] = (labels.instance ?? "").split(":");
  return namesService(labels, service) || sameName(scrapePool, service) ||
    scrapePool.split("/").slice(1).some((part) => sameName(part, service)) ||
    (host !== "" && sameName(host, service));
}

const order: readonly Health[] = ["down", "unknown", "up"];

/** Down, then unknown, then up; by pool and instance. */
export function downFirst(one: Target, other: Target): number {
  return order.indexOf(healthOf(one)) - order.indexOf(healthOf(other)) ||
    compare(one.scrapePool, other.scrapePool) ||
    compare(one.labels.instance ?? "", other.labels.instance ?? "");
}

/** What a pool's targets are. */
export interface PoolCounts extends Record<Health, number> {
  readonly pool: string;
  /** By relabelling; absent where none was, or nobody says. */
  dropped?: number;
}

/** Counts by pool: those with something down first, then the largest. */
export function poolsOf(
  targets: readonly Target[],
  dropped: ReadonlyMap<string, number>,
): readonly PoolCounts[] {
  const pools = new Map<string, PoolCounts>();
  const at = (name: string) => {
    const known = pools.get(name) ?? { pool: name, up: 0, down: 0, unknown: 0 };
    pools.set(name, known);
    return known;
  };
  for (const target of targets) at(target.scrapePool)[healthOf(target)]++;
  for (const [name, number] of dropped) if (number > 0) at(name).dropped = number;
  return [...pools.values()].sort((one, other) =>
    other.down - one.down || other.unknown - one.unknown || other.up - one.up || compare(one.pool, other.pool)
  );
}

/** Errors that differ only in whom they were about, each with how often it was; the most frequent first. */
export function kindsOfError(targets: readonly Target[]): readonly { error: string; targets: number }[] {
  const counts = new Map<string, number>();
  for (const { lastError } of targets) {
    if (lastError === "") continue;
    const kind = lastError.slice(0, 1_000)
      .replace(/^(?:Get|Head) "[^"]*": /, "")
      .replace(/(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?|\[[0-9a-f:]+\](?::\d+)?/gi, "…")
      .replace(/lookup \S+/, "lookup …");
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return [...counts].map(([error, number]) => ({ error, targets: number })).sort((a, b) =>
    b.targets - a.targets
  );
}
