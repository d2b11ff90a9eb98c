/** Tool `get_pods`: which pods there are, in what state, the sick first. */
import * as z from "zod";
import { largestThatFits } from "../common/largest_that_fits.ts";
import { table } from "../common/table.ts";
import { defineTool, type Tool } from "../common/tool.ts";
import { count, plural } from "../common/units.ts";
import { visible } from "../common/visible.ts";
import type { Cluster, Clusters, ListAnswer } from "./api.ts";
import { refuseMissing } from "./find_pods.ts";
import { withCauses } from "./pod_causes.ts";
import {
  bySickness,
  podAnswer,
  podCells,
  podColumns,
  podMessage,
  podShape,
  type PodSummary,
  readPod,
} from "./pod_summary.ts";
import { elsewhereText, noteField } from "./extent.ts";
import { resolveScope, scopeAnswer, scopeInput, scopeShape, scopeText, selectorInput } from "./scope.ts";
import { podType } from "./well_known.ts";

/** Pods of one page of the apiserver's; for `status: all` a call reads one. */
const pagePods = 500;
/** Pods that one call for the unhealthy ones looks at, page by page; only the unhealthy are kept. */
const examinedPods = 5_000;
/** Unhealthy pods that are kept. */
const keptPods = 1_000;

const input = z.strictObject({
  ...scopeInput,
  status: z.enum(["all", "unhealthy"]).default("all")
    .describe(
      "unhealthy: not ready, stuck in deletion, or failed within 10 min",
    ),
  ...selectorInput,
  limit: z.int().min(1).max(500).default(50),
  continue: z.string().max(4_000).optional().describe("From the previous answer"),
});

const output = z.object({
  ...scopeShape,
  selected: z.boolean().optional().describe("A selector was given"),
  total: z.number().nullable().describe("null: more than were read"),
  read: z.number(),
  shown: z.number(),
  unhealthy: z.number().describe("Of the pods read"),
  by_status: z.array(z.object({ status: z.string(), pods: z.number() })).describe("Of the pods read"),
  note: z.string().optional().describe("What was not seen or not shown, and how to see it"),
  continue: z.string().optional(),
  pods: z.array(z.object({
    namespace: z.string().optional().describe("Where the answer is of several"),
    ...podShape.shape,
  })).describe("Unhealthy ones first"),
});

interface Found {
  readonly context: string;
  readonly namespace: string | undefined;
  readonly status: "all" | "unhealthy";
  /** Those that may be shown, in their order. */
  readonly pods: readonly PodSummary[];
  readonly byStatus: ReadonlyMap<string, number>;
  readonly unhealthy: number;
  readonly limit: number;
  readonly read: number;
  readonly more: number | "unknown";
  readonly continue: string | undefined;
  readonly started: string | undefined;
  readonly narrowed: boolean;
  readonly note: string | undefined;
  readonly now: number;
}

/** Lists pods. */
export function getPods(clusters: Clusters): Tool {
  return defineTool({
    name: "get_pods",
    title: "Pods",
    description:
      "Pods as kubectl get pods -o wide shows them (STATUS has the reason, such as CrashLoopBackOff), " +
      "how the last run ended, images, counts by status; unhealthy pods first. Then describe_pod for the cause.",
    input,
    output,
    async run(args, { signal, progress }): Promise<Found> {
      const cluster = clusters.cluster(args.context);
      const namespace = resolveScope(cluster, args);
      const found = await readPods(cluster, namespace, args, signal, progress);
      const unsure = found.read === 0 ? await refuseMissing(cluster, namespace, "pods", signal) : undefined;
      const causes = args.status === "unhealthy" && found.read > 0
        ? await withCauses(cluster, namespace, found.pods, signal)
        : { note: unsure };
      return {
        ...found,
        ...causes,
        context: cluster.context,
        namespace,
        status: args.status,
        limit: args.limit,
        started: args.continue,
        narrowed: (args.label_selector ?? args.field_selector) !== undefined,
      };
    },
    present(found, budget) {
      return largestThatFits(Math.min(found.limit, found.pods.length), (shown) => {
        const structured = structuredOf(found, shown);
        return { text: render(found, structured), structured, rows: shown };
      }, budget);
    },
  });
}

async function readPods(
  cluster: Cluster,
  namespace: string | undefined,
  args: z.output<typeof input>,
  signal: AbortSignal,
  progress: (message: string) => void,
) {
  const now = Date.now();
  const onlySick = args.status === "unhealthy";
  const byStatus = new Map<string, number>();
  let pods: PodSummary[] = [];
  let read = 0;
  let unhealthy = 0;
  let next = args.continue;
  let more: number | "unknown";
  let page: ListAnswer;
  do {
    page = await cluster.list(podType, namespace, {
      signal,
      limit: pagePods,
      labelSelector: args.label_selector,
      fieldSelector: args.field_selector,
      continue: next,
    });
    for (const object of page.items) {
      const pod = readPod(object, now);
      byStatus.set(pod.status, (byStatus.get(pod.status) ?? 0) + 1);
      if (!pod.healthy) unhealthy++;
      if (!onlySick || !pod.healthy) pods.push(pod);
    }
    pods = pods.sort(bySickness).slice(0, keptPods);
    read += page.items.length;
    next = page.continue;
    more = page.more;
    if (onlySick && next !== undefined) progress(`${plural(read, "pod")} examined`);
    // A page of nothing may lead on without an end.
  } while (onlySick && next !== undefined && page.items.length > 0 && read < examinedPods);
  return { pods, byStatus, unhealthy, read, more, continue: next, now };
}

function structuredOf(found: Found, shown: number): z.output<typeof output> {
  const { more, read } = found;
  return {
    ...scopeAnswer(found),
    ...(found.narrowed ? { selected: true } : {}),
    // A page that does not begin at the first pod does not know what is before it.
    total: more === "unknown" || found.started !== undefined ? null : read + more,
    read,
    shown,
    unhealthy: found.unhealthy,
    by_status: statuses(found).map(([status, pods]) => ({ status, pods })),
    ...noteField(
      read === 0 && found.started === undefined ? elsewhereText(found) : undefined,
      found.note,
      shownPart(found, shown),
      found.continue === undefined ? undefined : `${notExamined(found)}.`,
    ),
    ...(found.continue === undefined ? {} : { continue: found.continue }),
    pods: found.pods.slice(0, shown).map((pod) => ({
      ...(found.namespace === undefined ? { namespace: pod.namespace } : {}),
      ...podAnswer(pod, found.now),
    })),
  };
}

/** The most frequent first. */
function statuses({ byStatus }: Found): readonly (readonly [status: string, pods: number])[] {
  return [...byStatus].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, 20);
}

function render(found: Found, { shown, total }: z.output<typeof output>): string {
  const place = `in ${scopeText(found.namespace)}, context ${found.context}`;
  const selected = found.narrowed ? " selected" : "";
  if (found.read === 0) {
    const none = found.started === undefined
      ? `No pods${selected} ${place}. ${elsewhereText(found)}`.trim()
      : `No more pods ${place}.`;
    return found.note === undefined ? none : `${none}\n${visible(found.note)}`;
  }
  const counts = statuses(found).map(([status, pods]) => `${count(pods)} ${visible(status)}`).join(", ");
  const whole = found.continue === undefined && found.started === undefined;
  const extent = whole
    ? plural(found.read, "pod")
    : `${count(found.read)} of ${total === null ? "more" : count(total)} pods`;
  const heading = `${extent}${selected} ${place}: ${counts}.${unhealthyText(found)}`;
  if (found.pods.length === 0) return [heading, ...notices(found, shown)].join("\n");
  const columns = found.namespace === undefined ? [{ name: "NAMESPACE" }, ...podColumns] : podColumns;
  const pods = found.pods.slice(0, shown);
  const rows = pods.map((pod) => [
    ...(found.namespace === undefined ? [pod.namespace] : []),
    ...podCells(pod, found.now),
  ]);
  const messages = pods.flatMap((pod) => {
    const message = podMessage(pod);
    const name = found.namespace === undefined ? `${pod.namespace}/${pod.name}` : pod.name;
    return message === undefined ? [] : [`${name}: ${visible(message)}`];
  });
  return [
    heading,
    "",
    table(columns, rows, { nullText: "-", quotes: false }),
    ...(messages.length === 0 ? [] : ["", ...new Set(messages)]),
    ...notices(found, shown),
  ].join("\n");
}

function unhealthyText({ unhealthy, read, continue: next }: Found): string {
  const those = next === undefined ? "" : ` among the ${count(read)} examined`;
  if (unhealthy === 0) return ` None is unhealthy${those}.`;
  return ` ${count(unhealthy)} unhealthy${those}.`;
}

function notices(found: Found, shown: number): readonly string[] {
  const next = found.continue;
  const cut = shownPart(found, shown);
  const lines = [
    ...(found.note === undefined ? [] : [visible(found.note)]),
    ...(cut === undefined ? [] : [`[${cut}]`]),
    ...(next === undefined ? [] : [`[${notExamined(found)}: ${visible(next)}]`]),
  ];
  return lines.length === 0 ? [] : ["", ...lines];
}

/** How many of the pods are shown, and how to see the others; undefined where all are. */
function shownPart(found: Found, shown: number): string | undefined {
  const kept = found.status === "unhealthy" ? found.unhealthy : found.read;
  if (shown >= kept) return undefined;
  const how = found.status === "all"
    ? "narrow it by namespace, label_selector or status: unhealthy, or raise limit (up to 500)"
    : "narrow it by namespace or label_selector, or raise limit (up to 500)";
  return `Cut: ${count(shown)} of ${count(kept)} shown, unhealthy ones first; ${how}.`;
}

/** Of pods on the pages that follow. */
function notExamined({ more }: Found): string {
  const left = more === "unknown" ? "More pods" : `${plural(more, "pod")} more`;
  return `${left} not examined: narrow it, or pass continue`;
}
