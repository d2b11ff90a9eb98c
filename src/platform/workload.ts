/** The part of a report that comes from the cluster: a service's workloads, its pods, and what the sick ones last said. */
import { CallError } from "../common/errors.ts";
import type { Cluster, Clusters, KubeObject } from "../kubernetes/api.ts";
import type { Autoscaler } from "../kubernetes/autoscalers.ts";
import { field, listField, nameOf, namespaceOf, textField, timeField } from "../kubernetes/fields.ts";
import type { Cause } from "../kubernetes/pod_causes.ts";
import { hasRun, type PodStatus, podStatus } from "../kubernetes/pod_status.ts";
import { parseQuantity, whole } from "../kubernetes/quantity.ts";
import type { Rollout } from "../kubernetes/rollout.ts";
import { type Hosts, readHosts } from "./hosts.ts";
import { type HeldPod, readHeldPods } from "./own_budgets.ts";
import { readOwnAutoscalers } from "./own_autoscalers.ts";
import { findPods } from "./own_pods.ts";
import { findServices, type OwnService, tellServices } from "./own_services.ts";
import { findWorkloads, readOne, readOwners, scaled } from "./own_workloads.ts";
import { type PodErrors, readErrors } from "./pod_errors.ts";
import { withWarnings } from "./pod_warnings.ts";
import type { Rolling } from "./rolling.ts";

/** What an autoscaler may scale. */
export interface Scaled {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** A deployment, stateful set or daemon set. */
export interface Workload extends Scaled {
  /** Of its pods, as a label selector; undefined where it selects none. */
  readonly selector: string | undefined;
  readonly desired: number;
  readonly ready: number;
  /** Of a deployment. */
  readonly rollout: Rollout | undefined;
  /** When its present revision was made, milliseconds since 1970; of a deployment. */
  readonly changed: number | undefined;
  /** The images of the revision before it. */
  readonly before: readonly string[] | undefined;
  /** A rollout that is going on. */
  readonly rolling?: Rolling | undefined;
  /** Why it can't create pods that it lacks; of a stateful set or daemon set, as a deployment's rollout says it. */
  readonly uncreated?: string | undefined;
}

/** One pod. */
export interface Pod {
  readonly namespace: string;
  readonly name: string;
  readonly node: string | undefined;
  /** Milliseconds since 1970. */
  readonly created: number | undefined;
  readonly status: PodStatus;
  /** The container whose log tells most; undefined where none has run yet. */
  readonly container: string | undefined;
  /** Bytes by container; undefined for one without a limit. */
  readonly memoryLimits?: ReadonlyMap<string, number | undefined>;
  /** What the kubelet warned of, where the pod does not say itself why it is not well; its words are in `status`. */
  readonly cause: Cause | undefined;
}

/** What the cluster knows of a service. */
export interface WorkloadReport {
  readonly context: string;
  /** Where it was looked for; undefined: everywhere. */
  readonly namespace: string | undefined;
  readonly workloads: readonly Workload[];
  readonly pods: readonly Pod[];
  /** How its pods were found; empty where the workload of its name selects them. */
  readonly by: string;
  /** The Services of its name where its pods are, as far as they could be read. */
  readonly services: readonly OwnService[];
  /** Those that scale its workloads. */
  readonly autoscalers: readonly Autoscaler[];
  readonly hosts: Hosts;
  /** Those that a drain of their node can't evict. */
  readonly held: readonly HeldPod[];
  readonly errors: readonly PodErrors[];
  /** What could not be read, a sentence each. */
  readonly unseen: readonly string[];
  /** What to know of the answer. */
  readonly notes: readonly string[];
}

/** Whether a pod can take requests now, whatever became of its last run. */
export function isServing({ status }: Pod): boolean {
  return status.ready;
}

/** Whether its log has to be asked for by its container. */
export function hasSeveral({ memoryLimits }: Pod): boolean {
  return (memoryLimits?.size ?? 0) > 1;
}

/** What names the container whose log tells most, where a pod has several and one of them is sick. */
export function containerOf(pod: Pod): { readonly container?: string } {
  return hasSeveral(pod) && !pod.status.healthy && pod.container !== undefined
    ? { container: pod.container }
    : {};
}

/** Where things are, in the order of the alphabet. */
export function namespacesOf(things: readonly { readonly namespace: string }[]): readonly string[] {
  return [...new Set(things.map(({ namespace }) => namespace))].sort();
}

/**
 * Looks for a service by the name of its workload, then by its pods' labels, then by its Service. `namespace` undefined
 * looks everywhere, or, for an identity that may not, in the context's own namespace, which the notes then say.
 */
export async function readWorkload(
  clusters: Clusters,
  service: string,
  namespace: string | undefined,
  signal: AbortSignal,
): Promise<WorkloadReport> {
  const cluster = clusters.cluster(undefined);
  try {
    return await readWithin(cluster, service, namespace, signal);
  } catch (error) {
    if (namespace !== undefined || !(error instanceof CallError) || error.kind !== "refused") throw error;
    const own = cluster.defaultNamespace;
    const report = await readWithin(cluster, service, own, signal).catch((again) => {
      // Refused there, too: what was asked for first is what to ask an operator for.
      throw again instanceof CallError && again.kind === "refused" ? error : again;
    });
    return { ...report, notes: [`looked for in namespace ${own} alone: ${error.message}`, ...report.notes] };
  }
}

async function readWithin(
  cluster: Cluster,
  service: string,
  namespace: string | undefined,
  signal: AbortSignal,
): Promise<WorkloadReport> {
  const unseen: string[] = [];
  const [named, { objects, notes: unserved }] = await Promise.all([
    findWorkloads(cluster, service, namespace, signal, unseen),
    findServices(cluster, service, namespace, signal),
  ]);
  const of = { workloads: named.map(({ object }) => object), services: objects };
  const { pods, by } = await findPods(cluster, service, namespace, of, signal, unseen);
  const owners = await readOwners(cluster, pods, named, signal);
  const found = [...named, ...owners.found];
  const now = Date.now();
  const read = pods.map((pod) => readPod(pod, now));
  // Without a pod they may tell why there is none.
  const within = read.length > 0
    ? namespacesOf(read)
    : namespacesOf(objects.map((object) => ({ namespace: namespaceOf(object) })));
  const [described, autoscalers, errors, services, hosts, { pods: seen, notes }] = await Promise.all([
    Promise.all(found.map((one) => readOne(cluster, one, signal))),
    readOwnAutoscalers(cluster, found.map(scaled), signal),
    readErrors(cluster, read.filter(({ status }) => !status.healthy), signal, unseen),
    tellServices(cluster, objects, within, signal),
    readHosts(cluster, read, signal),
    withWarnings(cluster, read, signal),
  ]);
  const kept = await readHeldPods(cluster, { objects: pods, pods: seen }, hosts, signal);
  return {
    context: cluster.context,
    namespace,
    workloads: described.map(({ workload }) => workload),
    pods: seen,
    by,
    services: services.found,
    autoscalers: autoscalers.found,
    hosts,
    held: kept.held,
    errors,
    unseen,
    notes: [
      ...new Set([
        ...owners.notes,
        ...described.flatMap(({ note }) => note ?? []),
        ...unserved,
        ...services.notes,
        ...autoscalers.notes,
        ...hosts.notes,
        ...kept.notes,
        ...notes,
      ]),
    ],
  };
}

function readPod(pod: KubeObject, now: number): Pod {
  const status = podStatus(pod, now);
  // One that has never run has no log.
  const begun = ["containerStatuses", "initContainerStatuses"].flatMap((statuses) =>
    listField(pod, "status", statuses).filter(hasRun)
  );
  const unready = begun.find((one) => field(one, "ready") === false);
  // A proxy beside it may stand first in the status.
  const main = textField(pod, "metadata", "annotations", "kubectl.kubernetes.io/default-container") ??
    textField(pod, "spec", "containers", 0, "name");
  const ran = status.lastEnding?.container ?? textField(unready ?? begun[0], "name");
  return {
    namespace: namespaceOf(pod),
    name: nameOf(pod),
    node: textField(pod, "spec", "nodeName"),
    created: timeField(pod, "metadata", "creationTimestamp"),
    status,
    container: status.healthy ? main : ran,
    memoryLimits: new Map(
      [...listField(pod, "spec", "initContainers"), ...listField(pod, "spec", "containers")].map((one) => {
        const limit = parseQuantity(field(one, "resources", "limits", "memory"));
        return [textField(one, "name") ?? "", limit === undefined ? undefined : whole(limit)];
      }),
    ),
    cause: undefined,
  };
}
