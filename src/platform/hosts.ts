/** The nodes that a service's pods are on: what ails a node ails its pods. */
import { CallError, couldNotAnswer } from "../common/errors.ts";
import type { Cluster } from "../kubernetes/api.ts";
import { readNode, type Trouble } from "../kubernetes/nodes.ts";
import { nodeType } from "../kubernetes/well_known.ts";
import { unseenText } from "./unseen_text.ts";
import type { Pod } from "./workload.ts";

/** Nodes that are asked for. */
const maxHosts = 10;

/** A node with pods of the service. */
export interface Host {
  readonly name: string;
  /** False: pods are said to be on it, and there is no such node any more. */
  readonly exists: boolean;
  readonly ready: boolean;
  /** Somebody has cordoned it. */
  readonly unschedulable: boolean;
  /** Its conditions that are not as they should be. */
  readonly troubles: readonly Trouble[];
  /** Pods of the service on it, and those of them that are not well. */
  readonly pods: number;
  readonly sick: number;
}

/** Hosts, those of sick pods first, and what was not looked at. */
export interface Hosts {
  readonly found: readonly Host[];
  /** How many nodes its pods are on. */
  readonly total: number;
  readonly notes: readonly string[];
}

/** Reads them; that they can't be read is a note, as the pods are worth a report without them. */
export async function readHosts(cluster: Cluster, pods: readonly Pod[], signal: AbortSignal): Promise<Hosts> {
  // What has ended is on its node no more.
  const present = pods.filter(({ status }) => status.phase !== "Succeeded" && status.phase !== "Failed");
  const byNode = Map.groupBy(present.filter(({ node }) => node !== undefined), ({ node }) => node ?? "");
  const nodes = [...byNode].map(([name, own]) => ({
    name,
    pods: own.length,
    sick: own.filter(({ status }) => !status.healthy).length,
  })).sort((a, b) => b.sick - a.sick || b.pods - a.pods || (a.name < b.name ? -1 : 1));
  const asked = nodes.slice(0, maxHosts);
  try {
    // One refusal is enough.
    const [first, others] = [asked.slice(0, 1), asked.slice(1)];
    const found = [
      ...await Promise.all(first.map((node) => readHost(cluster, node, signal))),
      ...await Promise.all(others.map((node) => readHost(cluster, node, signal))),
    ];
    const left = nodes.length - asked.length;
    const notes = left === 0
      ? []
      : [`${left} of the ${nodes.length} nodes that its pods are on were not looked at`];
    return { found, total: nodes.length, notes };
  } catch (error) {
    if (!couldNotAnswer(error)) throw error;
    return {
      found: [],
      total: nodes.length,
      notes: [`the nodes that its pods are on were not looked at: ${unseenText(error, "get", "nodes")}`],
    };
  }
}

async function readHost(
  cluster: Cluster,
  counted: Pick<Host, "name" | "pods" | "sick">,
  signal: AbortSignal,
): Promise<Host> {
  try {
    const object = await cluster.get(nodeType, undefined, counted.name, { signal });
    const { ready, unschedulable, troubles } = readNode(object);
    return { ...counted, exists: true, ready: ready === "True", unschedulable, troubles };
  } catch (error) {
    if (!(error instanceof CallError) || error.kind !== "not_found") throw error;
    return { ...counted, exists: false, ready: false, unschedulable: false, troubles: [] };
  }
}
