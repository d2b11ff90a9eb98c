/** Tool `top_pods`: what pods use now, by the metrics API. */
import * as z from "zod";
import { CallError, couldNotAnswer } from "../common/errors.ts";
import { largestThatFits } from "../common/largest_that_fits.ts";
import { filled } from "../common/structured.ts";
import { table } from "../common/table.ts";
import { defineTool, type Tool } from "../common/tool.ts";
import { visible } from "../common/visible.ts";
import type { Cluster, Clusters, ListAnswer } from "./api.ts";
import { cutNotice, extentAnswer, extentShape, heading } from "./extent.ts";
import { field, listField, nameOf, namespaceOf } from "./fields.ts";
import { refuseMissing } from "./find_pods.ts";
import { podResources, type Resources } from "./pod_requests.ts";
import { addQuantities, bytesText, coresText, milli, type Nanos, percentOf, whole } from "./quantity.ts";
import { resolveScope, scopeAnswer, scopeInput, scopeShape, selectorInput } from "./scope.ts";
import { podMetricsType, podType } from "./well_known.ts";

/** Pods whose usage is compared; the metrics API knows no pages. */
const maxPods = 5_000;
/** Pods whose limits are looked up. */
const maxLimits = 500;

const input = z.strictObject({
  ...scopeInput,
  label_selector: selectorInput.label_selector,
  sort_by: z.enum(["cpu", "memory"]).default("cpu"),
  limit: z.int().min(1).max(500).default(30),
});

const output = z.object({
  ...scopeShape,
  ...extentShape,
  most_first: z.enum(["cpu", "memory"]),
  pods: z.array(z.object({
    namespace: z.string().optional().describe("Where the answer is of several"),
    name: z.string(),
    cpu_milli: z.number(),
    cpu_limit_percent: z.number().optional()
      .describe("Of the pod's limit; not there: no limit, or not seen"),
    memory_bytes: z.number(),
    memory_limit_percent: z.number().optional(),
  })),
});

/** How to see the others, where a list was cut. */
const less = "Narrow it with namespace or label_selector, or raise limit.";

interface Usage {
  readonly namespace: string;
  readonly name: string;
  readonly cpu: Nanos;
  readonly memory: Nanos;
  readonly limits: Resources | undefined;
}

interface Found {
  readonly context: string;
  readonly namespace: string | undefined;
  readonly pods: readonly Usage[];
  readonly limit: number;
  readonly more: number | "unknown";
  readonly sortBy: "cpu" | "memory";
  readonly note: string | undefined;
}

/** Shows usage. */
export function topPods(clusters: Clusters): Tool {
  return defineTool({
    name: "top_pods",
    title: "Pod usage",
    description:
      "CPU and memory that pods use now, highest first, and how close to their limits (needs the metrics API).",
    input,
    output,
    async run(
      { label_selector: labelSelector, sort_by: sortBy, limit, ...args },
      { signal },
    ): Promise<Found> {
      const cluster = clusters.cluster(args.context);
      const namespace = resolveScope(cluster, args);
      const { items, more } = await readMetrics(cluster, namespace, { signal, labelSelector });
      const note = items.length === 0
        ? await refuseMissing(cluster, namespace, "the usage of pods", signal)
        : undefined;
      const limits = await readLimits(cluster, namespace, { signal, labelSelector });
      const pods = items.map((metrics): Usage => {
        const name = nameOf(metrics);
        const namespace = namespaceOf(metrics);
        const containers = listField(metrics, "containers");
        return {
          namespace,
          name,
          cpu: addQuantities(containers.map((container) => field(container, "usage", "cpu"))),
          memory: addQuantities(containers.map((container) => field(container, "usage", "memory"))),
          limits: limits.get(`${namespace}/${name}`),
        };
      }).sort((a, b) => a[sortBy] > b[sortBy] ? -1 : a[sortBy] < b[sortBy] ? 1 : a.name < b.name ? -1 : 1);
      return { context: cluster.context, namespace, pods, limit, more, sortBy, note };
    },
    present(found, budget) {
      return largestThatFits(Math.min(found.limit, found.pods.length), (shown) => ({
        text: render(found, shown),
        structured: structuredOf(found, shown),
        rows: shown,
      }), budget);
    },
  });
}

interface Asked {
  readonly signal: AbortSignal;
  readonly labelSelector: string | undefined;
}

async function readMetrics(
  cluster: Cluster,
  namespace: string | undefined,
  asked: Asked,
): Promise<ListAnswer> {
  try {
    return await cluster.listAll(podMetricsType, namespace, { ...asked, maxItems: maxPods });
  } catch (error) {
    if (!(error instanceof CallError) || error.kind !== "not_found") throw error;
    throw new CallError("unavailable", "Cannot show what pods use as this cluster has no metrics API", {
      hint:
        "get_nodes shows what pods request; metrics-server, which serves metrics.k8s.io, is not installed",
      cause: error,
    });
  }
}

/** The limits of the pods, as far as a page goes; usage is worth an answer without them. */
async function readLimits(
  cluster: Cluster,
  namespace: string | undefined,
  asked: Asked,
): Promise<ReadonlyMap<string, Resources>> {
  try {
    const { items } = await cluster.list(podType, namespace, { ...asked, limit: maxLimits });
    return new Map(items.map((pod) => [
      `${namespaceOf(pod)}/${nameOf(pod)}`,
      podLimits(pod),
    ]));
  } catch (error) {
    if (!couldNotAnswer(error)) throw error;
    return new Map();
  }
}

/** A limit holds for the pod only when every container has one. */
function podLimits(pod: unknown): Resources {
  const all = podResources(pod, "limits");
  const containers = listField(pod, "spec", "containers");
  const every = (resource: string) =>
    field(pod, "spec", "resources", "limits", resource) !== undefined ||
    containers.every((container) => field(container, "resources", "limits", resource) !== undefined);
  return { cpu: every("cpu") ? all.cpu : 0n, memory: every("memory") ? all.memory : 0n };
}

function structuredOf(found: Found, shown: number): z.output<typeof output> {
  const all = { read: found.pods.length, more: found.more };
  return {
    ...scopeAnswer(found),
    ...extentAnswer(shown, all, less, found),
    most_first: found.sortBy,
    pods: found.pods.slice(0, shown).map(({ namespace, name, cpu, memory, limits }) => ({
      ...(found.namespace === undefined ? { namespace } : {}),
      name,
      cpu_milli: milli(cpu),
      ...filled({ cpu_limit_percent: percentOf(cpu, limits?.cpu ?? 0n) }),
      memory_bytes: whole(memory),
      ...filled({ memory_limit_percent: percentOf(memory, limits?.memory ?? 0n) }),
    })),
  };
}

function render(found: Found, shown: number): string {
  const all = { read: found.pods.length, more: found.more };
  const lines = [heading(shown, all, ["pod", "pods"], found)];
  const of = (part: Nanos, limit: Nanos | undefined) => {
    const percent = percentOf(part, limit ?? 0n);
    return percent === undefined ? "-" : `${percent}%`;
  };
  if (shown > 0) {
    lines[0] += `; most ${found.sortBy} first`;
    lines.push(
      "",
      table(
        [
          { name: "NAME" },
          { name: "CPU", align: "right" },
          { name: "OF LIMIT", align: "right" },
          { name: "MEMORY", align: "right" },
          { name: "OF LIMIT", align: "right" },
        ],
        found.pods.slice(0, shown).map(({ namespace, name, cpu, memory, limits }) => [
          visible(found.namespace === undefined ? `${namespace}/${name}` : name),
          coresText(cpu),
          of(cpu, limits?.cpu),
          bytesText(memory),
          of(memory, limits?.memory),
        ]),
        { nullText: "-", quotes: false },
      ),
    );
  }
  if (found.note !== undefined) lines.push(visible(found.note));
  const notice = cutNotice(shown, all, less);
  if (notice !== undefined) lines.push("", notice);
  return lines.join("\n");
}
