/** A cluster at a glance: its version, its nodes, what runs where, and what is wrong. */
import { couldNotAnswer } from "../common/errors.ts";
import { table } from "../common/table.ts";
import { count, plural } from "../common/units.ts";
import { visible } from "../common/visible.ts";
import type { Cluster, ListAnswer } from "./api.ts";
import { eventLine } from "./event_text.ts";
import { type EventGroup, foldEvents } from "./events.ts";
import { namespaceOf } from "./fields.ts";
import { isSickNode, type Node, readNode } from "./nodes.ts";
import { podStatus } from "./pod_status.ts";
import { readEvents } from "./read_events.ts";
import { isSick, readRollout, type Rollout } from "./rollout.ts";
import { deploymentType, namespaceType, nodeType, podType } from "./well_known.ts";

/** What is read of each kind at most. */
const maxPods = 5_000;
const maxObjects = 500;
const podsPerPage = 500;
/** What is shown of each kind. */
const maxLines = 20;
const warningsWithinMs = 3_600_000;

/** A namespace and its pods. */
interface NamespacePods {
  readonly name: string;
  /** By kubectl's STATUS, of the pods that were read. */
  readonly statuses: ReadonlyMap<string, number>;
  readonly unhealthy: number;
}

/** A part of the overview, or why it is missing. */
type Part<Value> = { readonly value: Value } | { readonly unseen: string };

/** What the cluster said. */
export interface Overview {
  readonly context: string;
  readonly version: Part<string>;
  readonly nodes: Part<{ readonly nodes: readonly Node[]; readonly more: boolean }>;
  readonly namespaces: Part<readonly string[]>;
  readonly pods: Part<
    { readonly namespaces: readonly NamespacePods[]; readonly read: number; readonly more: boolean }
  >;
  readonly deployments: Part<
    { readonly sick: readonly Rollout[]; readonly read: number; readonly more: boolean }
  >;
  readonly warnings: Part<readonly EventGroup[]>;
  readonly now: number;
}

/** Asks for all parts at once; one that is refused does not keep the others from being told. */
export async function readOverview(cluster: Cluster, signal: AbortSignal): Promise<Overview> {
  const now = Date.now();
  const [version, nodes, namespaces, pods, deployments, warnings] = await Promise.all([
    part(cluster.version({ signal })),
    part(
      cluster.listAll(nodeType, undefined, { signal, maxItems: maxObjects }).then(({ items, more }) => ({
        nodes: items.map((object) => readNode(object)),
        more: more !== 0,
      })),
    ),
    part(
      cluster.table(namespaceType, undefined, { signal, limit: maxObjects })
        .then(({ rows }) => rows.map(({ name }) => name)),
    ),
    part(readPods(cluster, signal, now)),
    part(
      cluster.listAll(deploymentType, undefined, { signal, maxItems: maxObjects }).then((
        { items, more },
      ) => ({
        sick: items.map(readRollout).filter(isSick),
        read: items.length,
        more: more !== 0,
      })),
    ),
    part(
      readEvents(cluster, undefined, { signal, type: "Warning" }).then(({ events }) =>
        foldEvents(events.filter(({ last }) => last !== undefined && now - last <= warningsWithinMs))
      ),
    ),
  ]);
  return { context: cluster.context, version, nodes, namespaces, pods, deployments, warnings, now };
}

async function part<Value>(work: Promise<Value>): Promise<Part<Value>> {
  try {
    return { value: await work };
  } catch (error) {
    if (!couldNotAnswer(error)) throw error;
    // Without a cluster there is nothing to tell.
    if (error.kind === "unavailable") throw error;
    return { unseen: error.message };
  }
}

async function readPods(cluster: Cluster, signal: AbortSignal, now: number) {
  const namespaces = new Map<string, { name: string; statuses: Map<string, number>; unhealthy: number }>();
  let read = 0;
  let next: string | undefined;
  let page: ListAnswer;
  do {
    page = await cluster.list(podType, undefined, { signal, limit: podsPerPage, continue: next });
    for (const pod of page.items) {
      const name = namespaceOf(pod);
      let known = namespaces.get(name);
      if (known === undefined) namespaces.set(name, known = { name, statuses: new Map(), unhealthy: 0 });
      const { status, healthy } = podStatus(pod, now);
      known.statuses.set(status, (known.statuses.get(status) ?? 0) + 1);
      if (!healthy) known.unhealthy++;
    }
    read += page.items.length;
    next = page.continue;
  } while (next !== undefined && page.items.length > 0 && read < maxPods);
  return { namespaces: [...namespaces.values()], read, more: next !== undefined };
}

/** The overview as a page of text. */
export function overviewText(overview: Overview): string {
  const { context, version, now } = overview;
  return [
    visible(`Context ${context}: Kubernetes ${"value" in version ? version.value : "of unknown version"}`),
    "",
    ...nodeLines(overview),
    "",
    ...namespaceLines(overview),
    "",
    ...deploymentLines(overview),
    "",
    ...told(
      overview.warnings,
      "Warnings",
      (groups) =>
        groups.length === 0 ? ["Warnings of the last hour: none"] : [
          `Warnings of the last hour, ${count(groups.length)} different ones:`,
          ...groups.slice(0, maxLines).map((event) =>
            `  ${eventLine(event, now, { object: true, namespace: true })}`
          ),
          ...left(groups.length, "get_events with all_namespaces"),
        ],
    ),
  ].join("\n");
}

function nodeLines({ nodes }: Overview): readonly string[] {
  return told(nodes, "Nodes", ({ nodes, more }) => {
    const ready = nodes.filter(({ ready }) => ready === "True").length;
    const sick = nodes.filter(isSickNode);
    const cordoned = nodes.filter(({ unschedulable }) => unschedulable).length;
    return [
      `Nodes: ${count(ready)} of ${more ? "more than " : ""}${count(nodes.length)} ready${
        cordoned === 0 ? "" : `, ${count(cordoned)} cordoned`
      }`,
      ...sick.slice(0, maxLines).map(({ name, troubles }) =>
        visible(`  ${name}: ${troubles.map(({ what }) => what).join(", ")}`)
      ),
      ...left(sick.length, "get_nodes"),
    ];
  });
}

function namespaceLines({ namespaces, pods }: Overview): readonly string[] {
  return told(pods, "Pods", ({ namespaces: counted, read, more }) => {
    const empty = "value" in namespaces
      ? namespaces.value.filter((name) => !counted.some((one) => one.name === name)).length
      : 0;
    const sorted = counted.toSorted((a, b) => b.unhealthy - a.unhealthy || (a.name < b.name ? -1 : 1));
    const shown = sorted.slice(0, 2 * maxLines);
    return [
      `Pods: ${more ? `the first ${count(read)}, there are more` : count(read)}, in ${
        plural(counted.length, "namespace")
      }${empty === 0 ? "" : `; ${plural(empty, "namespace")} without pods`}`,
      ...(shown.length === 0 ? [] : [
        table(
          [{ name: "NAMESPACE" }, { name: "UNHEALTHY" }, { name: "PODS" }],
          shown.map(({ name, unhealthy, statuses }) => [
            name,
            unhealthy,
            [...statuses].sort((a, b) => b[1] - a[1]).map(([status, pods]) => `${count(pods)} ${status}`)
              .join(", "),
          ]),
          { nullText: "-", quotes: false },
        ),
      ]),
      ...(sorted.length > shown.length
        ? [`  and ${plural(sorted.length - shown.length, "more namespace")}`]
        : []),
    ];
  });
}

function deploymentLines({ deployments }: Overview): readonly string[] {
  return told(deployments, "Deployments", ({ sick, read, more }) => [
    `Deployments: ${count(sick.length)} of ${more ? "more than " : ""}${count(read)} in trouble`,
    ...sick.slice(0, maxLines).map(({ namespace, name, verdict, explanation }) =>
      visible(`  ${namespace}/${name}: ${verdict}, ${explanation}`)
    ),
    ...left(sick.length, "get_deployments"),
  ]);
}

function told<Value>(
  part: Part<Value>,
  name: string,
  lines: (value: Value) => readonly string[],
): readonly string[] {
  return "unseen" in part ? [visible(`${name} were not seen: ${part.unseen}`)] : lines(part.value);
}

function left(all: number, tool: string): readonly string[] {
  return all <= maxLines ? [] : [`  and ${count(all - maxLines)} more (${tool})`];
}
