/** How near the containers of a service are to their limits, by the kubelet's metrics (cAdvisor), where Prometheus has them. */
import type { PrometheusApi } from "../prometheus/api.ts";
import { escapeRegex, type Matcher, selector } from "../prometheus/promql_literal.ts";
import { formatDuration } from "../prometheus/time.ts";
import { namespacesOf, type Pod } from "./workload.ts";

/** Beginnings of pods' names that are asked about: a revision's pods have one, a stateful set's as well. */
const maxBeginnings = 20;

/** One container. */
export interface Usage {
  readonly pod: string;
  readonly container: string;
  /** Share of the periods of its CPU quota, within the window, in which it had to wait. */
  readonly throttled: number | undefined;
  /** Bytes that count for its limit now. */
  readonly memory: number | undefined;
  /** Bytes; undefined where it has no limit. */
  readonly memoryLimit: number | undefined;
}

/** What was read, and the expression of each, for whoever looks on. */
export interface UsageReport {
  readonly containers: readonly Usage[];
  /** Pods that run and were not asked about. */
  readonly unread: number;
  readonly throttledQuery: string;
  readonly memoryQuery: string;
}

/** Reads it for pods that run; containers without metrics are left out. `window` in seconds. */
export async function readUsage(
  api: PrometheusApi,
  pods: readonly Pod[],
  window: number,
  signal: AbortSignal,
): Promise<UsageReport> {
  const all = pods.filter(({ status }) => status.phase === "Running");
  const beginnings = [...new Set(all.map(({ name }) => beginningOf(name)))].slice(0, maxBeginnings);
  const running = all.filter(({ name }) => beginnings.includes(beginningOf(name)));
  const any = (names: readonly string[]) => names.map(escapeRegex).join("|");
  // A pod's own cgroup and its pause container come without a name, or with this one.
  const matchers: readonly Matcher[] = [
    ["namespace", "=~", any(namespacesOf(running))],
    ["pod", "=~", running.length > 1 ? `(?:${any(beginnings)}).*` : any(running.map(({ name }) => name))],
    ["container", "!~", "|POD"],
  ];
  const by = "max by (namespace, pod, container)";
  const grown = (metric: string) => `increase(${selector(metric, matchers)}[${formatDuration(window)}])`;
  const periods = "container_cpu_cfs_periods_total";
  const throttledQuery = `${by} (${grown("container_cpu_cfs_throttled_periods_total")} / (${
    grown(periods)
  } > 0))`;
  const memoryQuery = `${by} (${selector("container_memory_working_set_bytes", matchers)})`;
  const unread = all.length - running.length;
  if (running.length === 0) return { containers: [], unread, throttledQuery, memoryQuery };
  const [throttled, memory] = await Promise.all(
    [throttledQuery, memoryQuery].map(async (query) => {
      const { series } = await api.query(query, undefined, { signal });
      return new Map(series.flatMap(({ metric, value }) => {
        const number = Number(value?.[1] ?? NaN);
        return Number.isFinite(number) ? [[keyOf(metric), number] as const] : [];
      }));
    }),
  );
  const containers = running.flatMap(({ namespace, name, memoryLimits }) =>
    [...memoryLimits ?? []].map(([container, memoryLimit]): Usage => {
      const key = keyOf({ namespace, pod: name, container });
      return {
        pod: name,
        container,
        memoryLimit,
        throttled: throttled?.get(key),
        memory: memory?.get(key),
      };
    })
  ).filter(({ throttled, memory }) => throttled !== undefined || memory !== undefined);
  return { containers, unread, throttledQuery, memoryQuery };
}

/** `web-7f688c879d-` of `web-7f688c879d-84mtn`: by name, many pods are more than fits into a query. */
function beginningOf(name: string): string {
  return name.slice(0, name.lastIndexOf("-") + 1) || name;
}

function keyOf({ namespace, pod, container }: Readonly<Record<string, string | undefined>>): string {
  return JSON.stringify([namespace, pod, container]);
}
