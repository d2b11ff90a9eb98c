/** How near the containers of a service are to their limits, by the kubelet's metrics (cAdvisor), where Prometheus has them. */
import type { PrometheusApi } from "../prometheus/api.ts";
import { escapeRegex, type Matcher, selector } from "../prometheus/promql_literal.ts";
import { formatDuration } from "../prometheus/time.ts";
import { namespacesOf, type Pod } from "./workload.ts";

/** Pods that are asked about. */
const maxPods = 50;

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
  const running = pods.filter(({ status }) => status.phase === "Running").slice(0, maxPods);
  const any = (names: readonly string[]) => names.map(escapeRegex).join("|");
  // A pod's own cgroup and its pause container come without a name, or with this one.
  const matchers: readonly Matcher[] = [
    ["namespace", "=~", any(namespacesOf(running))],
    ["pod", "=~", any(running.map(({ name }) => name))],
    ["container", "!~", "|POD"],
  ];
  const by = "max by (namespace, pod, container)";
  const grown = (metric: string) => `increase(${selector(metric, matchers)}[${formatDuration(window)}])`;
  const periods = "container_cpu_cfs_periods_total";
  const throttledQuery = `${by} (${grown("container_cpu_cfs_throttled_periods_total")} / (${
    grown(periods)
  } > 0))`;
  const memoryQuery = `${by} (${selector("container_memory_working_set_bytes", matchers)})`;
  if (running.length === 0) return { containers: [], throttledQuery, memoryQuery };
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
  return { containers, throttledQuery, memoryQuery };
}

function keyOf({ namespace, pod, container }: Readonly<Record<string, string | undefined>>): string {
  return JSON.stringify([namespace, pod, container]);
}
