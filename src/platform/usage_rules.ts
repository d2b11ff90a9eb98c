/** The rules that look at how near containers are to their limits. */
import { percent, plural, size } from "../common/units.ts";
import { slowLatency } from "../prometheus/latency_verdict.ts";
import { seen } from "./evidence.ts";
import type { Rule } from "./rule.ts";
import type { Usage } from "./usage.ts";

/** From this share of throttled periods on it can be what makes a service slow; from the other on it is told anyhow. */
const slowing = 0.25;
const notable = 0.5;
/** From this share of its memory limit on a container is near its end. */
const nearLimit = 0.9;

export const usageRules: readonly Rule[] = [
  {
    name: "throttled",
    explains: 44,
    when: "containers wait for CPU as they have used up the quota that their limit gives them",
    find(evidence) {
      const { containers = [], throttledQuery = "" } = seen(evidence.usage) ?? {};
      const metrics = seen(evidence.metrics);
      const isSlow = metrics !== undefined && slowLatency(metrics) !== undefined;
      const least = isSlow ? slowing : notable;
      const found = containers.filter(({ throttled = 0 }) => throttled >= least)
        .toSorted((a, b) => (b.throttled ?? 0) - (a.throttled ?? 0));
      const [most] = found;
      if (most === undefined) return undefined;
      return {
        severity: "coincidence",
        text: `At the same time ${plural(found.length, "container")} of ${containers.length} ${
          found.length === 1 ? "is" : "are"
        } throttled by the CPU limit, ${named(most)} in ${percent(most.throttled ?? NaN)} of its periods`,
        next: [{ tool: "query_metrics", arguments: { query: throttledQuery } }],
      };
    },
  },
  {
    name: "near_memory_limit",
    explains: 26,
    when: "containers use nearly as much memory as their limit allows, above which they are killed",
    find(evidence) {
      const { containers = [], memoryQuery = "" } = seen(evidence.usage) ?? {};
      const share = ({ memory = 0, memoryLimit = Infinity }: Usage) => memory / memoryLimit;
      const found = containers.filter((one) => share(one) >= nearLimit)
        .toSorted((a, b) => share(b) - share(a));
      const [most] = found;
      if (most === undefined) return undefined;
      return {
        severity: "coincidence",
        text: `Of note, ${plural(found.length, "container")} of ${containers.length} ${
          found.length === 1 ? "is" : "are"
        } near the memory limit, above which it is killed: ${named(most)} uses ${percent(share(most))} of ${
          size(most.memoryLimit ?? NaN)
        }`,
        next: [{ tool: "query_metrics_range", arguments: { query: memoryQuery, duration: "6h" } }],
      };
    },
  },
];

function named({ pod, container }: Usage): string {
  return `${pod} (${container})`;
}
