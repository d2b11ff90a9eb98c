/** Tool `get_nodes`: which nodes take pods, what weighs on them, and how full they are. */
import * as z from "zod";
import { couldNotAnswer } from "../common/errors.ts";
import { largestThatFits } from "../common/largest_that_fits.ts";
import { filled } from "../common/structured.ts";
import { table } from "../common/table.ts";
import { defineTool, type Presentation, type Tool } from "../common/tool.ts";
import { count } from "../common/units.ts";
import { visible } from "../common/visible.ts";
import type { Cluster, Clusters, KubeObject, ListAnswer } from "./api.ts";
import { cutNotice, extentAnswer, extentShape, heading } from "./extent.ts";
import { textField } from "./fields.ts";
import { isSickNode, type Node, readNode, type Requested, RequestedByNode } from "./nodes.ts";
import { namedObjects } from "./named_object.ts";
import { kubernetesAge } from "./kubernetes_age.ts";
import { bytesText, coresText, milli, type Nanos, percentOf, whole, wholeText } from "./quantity.ts";
import { contextInput, selectorInput } from "./scope.ts";
import { nodeType, podType } from "./well_known.ts";

const maxNodes = 500;
/** Pods whose requests are added up, and how many of them come at a time. */
const maxPods = 5_000;
const podsPerPage = 500;

const input = z.strictObject({
  context: contextInput,
  name: z.string().max(253).optional().describe("Only this node"),
  label_selector: selectorInput.label_selector,
  limit: z.int().min(1).max(maxNodes).default(50),
});

const amounts = z.object({ cpu_milli: z.number(), memory_bytes: z.number(), pods: z.number() });

const output = z.object({
  context: z.string(),
  ...extentShape,
  system: z.string().optional().describe("Of all shown, where it is one"),
  nodes: z.array(z.object({
    name: z.string(),
    ready: z.enum(["True", "False", "Unknown"]),
    ready_since: z.string().describe("Age"),
    unschedulable: z.boolean().optional(),
    troubles: z.array(z.object({
      what: z.string(),
      since: z.string().describe("Age"),
      message: z.string(),
    })).optional(),
    taints: z.array(z.string()).optional(),
    requested: amounts.extend({
      cpu_percent: z.number().optional().describe("Of what is allocatable"),
      memory_percent: z.number().optional(),
      pods_percent: z.number().optional(),
    }).optional().describe("By its pods, where these were seen"),
    allocatable: amounts,
    roles: z.array(z.string()).optional(),
    age: z.string(),
    version: z.string(),
    system: z.string().optional(),
    address: z.string().optional(),
  })).describe("Those in trouble first"),
});

/** How to see the others, where a list was cut. */
const less = "Narrow it with label_selector, or raise limit.";

/** A node, and what the pods on it request; undefined where these could not be read. */
interface LoadedNode extends Node {
  readonly requested: Requested | undefined;
}

interface Found {
  readonly context: string;
  readonly nodes: readonly LoadedNode[];
  readonly limit: number;
  readonly more: number | "unknown";
  readonly note: string | undefined;
  readonly now: number;
}

/** Lists nodes. */
export function getNodes(clusters: Clusters): Tool {
  return defineTool({
    name: "get_nodes",
    title: "Nodes",
    description:
      "Readiness, pressure and other conditions with their age, taints, versions, and requested versus allocatable " +
      "cpu, memory and pods.",
    input,
    output,
    async run({ context, name, label_selector: labelSelector, limit }, { signal }): Promise<Found> {
      const cluster = clusters.cluster(context);
      const { items, more } = name === undefined
        ? await cluster.listAll(nodeType, undefined, { signal, maxItems: maxNodes, labelSelector })
        : { items: await namedObjects(cluster, nodeType, undefined, name, { signal }), more: 0 };
      return { ...await withRequests(cluster, items, name, signal), limit, more };
    },
    present,
  });
}

/** What the tool says of one node that has been read. */
export async function tellNode(
  cluster: Cluster,
  object: KubeObject,
  signal: AbortSignal,
): Promise<(budget: number) => string> {
  const name = textField(object, "metadata", "name");
  const found: Found = { ...await withRequests(cluster, [object], name, signal), limit: 1, more: 0 };
  return (budget) => present(found, budget).text;
}

function present(found: Found, budget: number): Presentation<z.output<typeof output>> {
  return largestThatFits(Math.min(found.limit, found.nodes.length), (shown) => {
    const nodes = found.nodes.slice(0, shown);
    return { text: render(found, nodes), structured: structuredOf(found, nodes), rows: shown };
  }, budget);
}

/** Those in trouble first, with what the pods on them request. */
async function withRequests(
  cluster: Cluster,
  items: readonly KubeObject[],
  name: string | undefined,
  signal: AbortSignal,
): Promise<Omit<Found, "limit" | "more">> {
  const { requested, note } = items.length === 0
    ? { requested: undefined, note: undefined }
    : await readRequested(cluster, name, signal);
  const nodes = items
    .map((object) => readNode(object))
    .map((node) => ({ ...node, requested: requested?.of(node.name) }))
    .sort((a, b) => Number(isSickNode(b)) - Number(isSickNode(a)) || (a.name < b.name ? -1 : 1));
  return { context: cluster.context, nodes, note, now: Date.now() };
}

/** Page by page, so that no more than a page of pods is held. */
async function readRequested(
  cluster: Cluster,
  node: string | undefined,
  signal: AbortSignal,
): Promise<{ readonly requested: RequestedByNode | undefined; readonly note: string | undefined }> {
  const requested = new RequestedByNode();
  let read = 0;
  let next: string | undefined;
  try {
    let page: ListAnswer;
    do {
      page = await cluster.list(podType, undefined, {
        signal,
        limit: podsPerPage,
        fieldSelector: `status.phase!=Succeeded,status.phase!=Failed${
          node === undefined ? "" : `,spec.nodeName=${node}`
        }`,
        ...(next === undefined ? {} : { continue: next }),
      });
      for (const pod of page.items) requested.add(pod);
      read += page.items.length;
      next = page.continue;
    } while (next !== undefined && page.items.length > 0 && read < maxPods);
  } catch (error) {
    if (!couldNotAnswer(error)) throw error;
    if (read > 0) {
      return { requested, note: `Requests are of the first ${count(read)} pods only: ${error.message}.` };
    }
    return { requested: undefined, note: `What pods request was not seen: ${error.message}.` };
  }
  return {
    requested,
    note: next === undefined
      ? undefined
      : `Requests are of the first ${count(read)} pods only; there are more.`,
  };
}

function structuredOf(found: Found, nodes: readonly LoadedNode[]): z.output<typeof output> {
  const { now } = found;
  const all = { read: found.nodes.length, more: found.more };
  const system = oneSystem(nodes);
  return {
    context: found.context,
    ...extentAnswer(nodes.length, all, less, { namespace: undefined, note: found.note }),
    ...filled({ system }),
    nodes: nodes.map((node) => ({
      name: node.name,
      ready: node.ready,
      ready_since: kubernetesAge(node.readySince, now),
      ...(node.unschedulable ? { unschedulable: true } : {}),
      ...filled({
        troubles: node.troubles.map(({ what, since, message }) => ({
          what,
          since: kubernetesAge(since, now),
          message,
        })),
        taints: [...node.taints],
        requested: node.requested && requestedOf(node.requested, node.allocatable),
      }),
      allocatable: {
        cpu_milli: milli(node.allocatable.cpu),
        memory_bytes: whole(node.allocatable.memory),
        pods: whole(node.allocatable.pods),
      },
      ...filled({ roles: [...node.roles] }),
      age: kubernetesAge(node.created, now),
      version: node.version,
      ...filled({ system: system === undefined ? node.system : undefined, address: node.address }),
    })),
  };
}

function requestedOf({ cpu, memory, pods }: Requested, allocatable: Node["allocatable"]) {
  return {
    cpu_milli: milli(cpu),
    memory_bytes: whole(memory),
    pods,
    ...filled({
      cpu_percent: percentOf(cpu, allocatable.cpu),
      memory_percent: percentOf(memory, allocatable.memory),
      pods_percent: percentOf(nanos(pods), allocatable.pods),
    }),
  };
}

/** What is said once of all nodes; undefined where they differ. */
function oneSystem(nodes: readonly Node[]): string | undefined {
  const systems = new Set(nodes.map(({ system }) => system));
  const [system] = systems;
  return systems.size === 1 && system !== "" ? system : undefined;
}

function statusOf(node: Node): string {
  const ready = { True: "Ready", False: "NotReady", Unknown: "Unknown" }[node.ready];
  return `${ready}${node.unschedulable ? ",SchedulingDisabled" : ""}`;
}

function nanos(pods: number): Nanos {
  return BigInt(pods) * 1_000_000_000n;
}

function share(part: Nanos | undefined, all: Nanos, text: (nanos: Nanos) => string): string {
  if (part === undefined) return `?/${text(all)}`;
  const percent = percentOf(part, all);
  return `${text(part)}/${text(all)}${percent === undefined ? "" : ` (${percent}%)`}`;
}

function render(found: Found, nodes: readonly LoadedNode[]): string {
  const { now } = found;
  const all = { read: found.nodes.length, more: found.more };
  const lines = [
    heading(nodes.length, all, ["node", "nodes"], { ...found, namespace: undefined, namespaced: false }),
  ];
  if (found.note !== undefined) lines.push(visible(found.note));
  for (const node of nodes) {
    for (const { what, since, message } of node.troubles) {
      const span = since === undefined ? "" : ` for ${kubernetesAge(since, now)}`;
      lines.push(visible(`- ${node.name}: ${what}${span}${message === "" ? "" : `: ${message}`}`));
    }
  }
  if (nodes.length > 0) {
    lines.push(
      "",
      table(
        [
          { name: "NAME" },
          { name: "STATUS" },
          { name: "ROLES" },
          { name: "AGE" },
          { name: "VERSION" },
          { name: "CPU REQUESTED" },
          { name: "MEMORY REQUESTED" },
          { name: "PODS" },
          { name: "TAINTS" },
        ],
        nodes.map((node) => [
          node.name,
          statusOf(node),
          node.roles.join(",") || null,
          kubernetesAge(node.created, now),
          node.version || null,
          share(node.requested?.cpu, node.allocatable.cpu, coresText),
          share(node.requested?.memory, node.allocatable.memory, bytesText),
          share(
            node.requested === undefined ? undefined : nanos(node.requested.pods),
            node.allocatable.pods,
            wholeText,
          ),
          node.taints.join(", ") || null,
        ]),
        { nullText: "-", quotes: false },
      ),
    );
  }
  const system = oneSystem(nodes);
  if (system !== undefined) lines.push("", visible(`All: ${system}`));
  const notice = cutNotice(nodes.length, all, less);
  if (notice !== undefined) lines.push("", notice);
  return lines.join("\n");
}
