/** What a deployment is made of at the moment: its replica sets, and the pods that hold it up. */
import { CallError, couldNotAnswer } from "../common/errors.ts";
import type { Cluster, KubeObject } from "./api.ts";
import { field, listField, nameOf, numberField, textField, timeField } from "./fields.ts";
import { kubernetesAge } from "./kubernetes_age.ts";
import { selectorText } from "./label_selector.ts";
import { endingText } from "./pod_summary.ts";
import { podStatus } from "./pod_status.ts";
import { imagesOf, revisionOf } from "./rollout.ts";
import { podType, replicaSetType } from "./well_known.ts";

/** Pods and replica sets read of one deployment. */
const maxRead = 500;

/** A replica set. Counts are pods. */
export interface ReplicaSet {
  readonly name: string;
  readonly current: boolean;
  readonly revision: string | undefined;
  readonly desired: number;
  readonly pods: number;
  readonly ready: number;
  readonly images: readonly string[];
  readonly created: number | undefined;
  /** It was made for an earlier revision, and a rollback has taken it again. */
  readonly isReused: boolean;
}

/** A pod that is not as it should be. */
export interface SickPod {
  readonly name: string;
  readonly status: string;
  readonly restarts: number;
  /** How its last run ended: `Error (1) 12s ago`. */
  readonly ended: string | undefined;
  readonly message: string | undefined;
}

/** What a deployment is made of; what could not be read is in `unseen`. */
export interface Composition {
  /** The current one, then old ones that still have pods. */
  readonly sets: readonly ReplicaSet[];
  /** Old ones without pods. */
  readonly history: number;
  /** The sick ones of its pods. */
  readonly sick: readonly SickPod[];
  /** How many pods it has, the well ones included; undefined when they were not seen. */
  readonly pods: number | undefined;
  readonly unseen: string | undefined;
}

/** Asks for the current replica set and the one before it; `unseen` is why they could not be read. */
export async function readCurrentSet(
  cluster: Cluster,
  deployment: KubeObject,
  signal: AbortSignal,
): Promise<{
  readonly current: ReplicaSet | undefined;
  readonly before: ReplicaSet | undefined;
  readonly unseen: CallError | undefined;
}> {
  const namespace = textField(deployment, "metadata", "namespace");
  const labelSelector = selectorText(field(deployment, "spec", "selector"));
  if (labelSelector === undefined) return { current: undefined, before: undefined, unseen: undefined };
  try {
    const options = { signal, labelSelector, maxItems: maxRead };
    const { items } = await cluster.listAll(replicaSetType, namespace, options);
    const own = items.filter((set) => ownedBy(set, deployment)).map((set) => readReplicaSet(set, deployment));
    const [before] = own.filter(({ current }) => !current)
      .toSorted((a, b) => Number(b.revision ?? 0) - Number(a.revision ?? 0));
    return { current: own.find(({ current }) => current), before, unseen: undefined };
  } catch (error) {
    if (!couldNotAnswer(error)) throw error;
    return { current: undefined, before: undefined, unseen: error };
  }
}

/** Asks for the replica sets and the pods of a deployment: two requests at once. */
export async function readComposition(
  cluster: Cluster,
  deployment: KubeObject,
  signal: AbortSignal,
): Promise<Composition> {
  const namespace = textField(deployment, "metadata", "namespace");
  const labelSelector = selectorText(field(deployment, "spec", "selector"));
  if (labelSelector === undefined) {
    return { sets: [], history: 0, sick: [], pods: 0, unseen: undefined };
  }
  const ask = (type: typeof podType) =>
    cluster.listAll(type, namespace, { signal, labelSelector, maxItems: maxRead }).then(
      ({ items }) => ({ items, unseen: undefined }),
      (error: unknown) => {
        if (!couldNotAnswer(error)) throw error;
        return { items: undefined, unseen: error.message };
      },
    );
  const [sets, pods] = await Promise.all([ask(replicaSetType), ask(podType)]);
  const own = (sets.items ?? []).filter((set) => ownedBy(set, deployment));
  const read = own.map((set) => readReplicaSet(set, deployment)).sort((a, b) =>
    Number(b.current) - Number(a.current) || Number(b.revision ?? 0) - Number(a.revision ?? 0)
  );
  const ownPods = pods.items?.filter((pod) =>
    sets.items === undefined || own.some((set) => ownedBy(pod, set))
  );
  return {
    sets: read.filter(({ current, pods, desired }) => current || pods > 0 || desired > 0),
    history: read.filter(({ current, pods, desired }) => !current && pods === 0 && desired === 0).length,
    sick: (ownPods ?? []).flatMap((pod) => sickPod(pod) ?? []),
    pods: ownPods?.length,
    unseen: sets.unseen ?? pods.unseen,
  };
}

function ownedBy(object: unknown, owner: unknown): boolean {
  const uid = textField(owner, "metadata", "uid");
  return uid !== undefined &&
    listField(object, "metadata", "ownerReferences").some((reference) => textField(reference, "uid") === uid);
}

function readReplicaSet(set: unknown, deployment: unknown): ReplicaSet {
  const revision = revisionOf(set);
  return {
    name: nameOf(set),
    current: revision !== undefined && revision === revisionOf(deployment),
    revision,
    desired: numberField(set, "spec", "replicas") ?? 0,
    pods: numberField(set, "status", "replicas") ?? 0,
    ready: numberField(set, "status", "readyReplicas") ?? 0,
    images: imagesOf(set),
    created: timeField(set, "metadata", "creationTimestamp"),
    isReused:
      textField(set, "metadata", "annotations", "deployment.kubernetes.io/revision-history") !== undefined,
  };
}

function sickPod(pod: KubeObject): SickPod | undefined {
  const now = Date.now();
  const { healthy, status, restarts, lastEnding, message } = podStatus(pod, now);
  if (healthy) return undefined;
  const ended = lastEnding === undefined
    ? undefined
    : `${endingText(lastEnding)}${
      lastEnding.finished === undefined ? "" : ` ${kubernetesAge(lastEnding.finished, now)} ago`
    }`;
  return { name: nameOf(pod), status, restarts, ended, message };
}
