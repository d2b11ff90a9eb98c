/** The part of a report that comes from the cluster: a service's workloads, its pods, and what the sick ones last said. */
import { CallError } from "../common/errors.ts";
import type { Cluster, Clusters, KubeObject } from "../kubernetes/api.ts";
import type { Autoscaler } from "../kubernetes/autoscalers.ts";
import { field, listField, numberField, textField, timeField } from "../kubernetes/fields.ts";
import { selectorText } from "../kubernetes/label_selector.ts";
import { isObjectName } from "../kubernetes/object_name.ts";
import type { ResourceType } from "../kubernetes/paths.ts";
import type { Cause } from "../kubernetes/pod_causes.ts";
import { type PodStatus, podStatus } from "../kubernetes/pod_status.ts";
import { parseQuantity, whole } from "../kubernetes/quantity.ts";
import { readCurrentSet, type ReplicaSet } from "../kubernetes/replica_sets.ts";
import { readRollout, type Rollout } from "../kubernetes/rollout.ts";
import { daemonSetType, deploymentType, podType, statefulSetType } from "../kubernetes/well_known.ts";
import { type Hosts, readHosts } from "./hosts.ts";
import { isOfJob } from "./jobs.ts";
import { readOwnAutoscalers } from "./own_autoscalers.ts";
import { type OwnService, readOwnServices } from "./own_services.ts";
import { type PodErrors, readErrors } from "./pod_errors.ts";
import { withWarnings } from "./pod_warnings.ts";
import { sentenceOf, unseenText } from "./unseen_text.ts";

/** Workloads of one kind and of that name. */
const maxWorkloads = 20;
/** Pods looked at. */
const maxPods = 500;

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
  /** How its pods were found: by a workload of its name, or else by a label. */
  readonly by: string;
  /** The Services of its name where its pods are, as far as they could be read. */
  readonly services: readonly OwnService[];
  /** Those that scale its workloads. */
  readonly autoscalers: readonly Autoscaler[];
  readonly hosts: Hosts;
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

/** Where things are, in the order of the alphabet. */
export function namespacesOf(things: readonly { readonly namespace: string }[]): readonly string[] {
  return [...new Set(things.map(({ namespace }) => namespace))].sort();
}

/** Labels that carry a service's name, where no workload does. */
const serviceLabels = ["app.kubernetes.io/name", "app", "app.kubernetes.io/instance", "k8s-app"];

/**
 * Looks for a service by the name of its workload, then by its pods' labels. `namespace` undefined looks everywhere, or,
 * for an identity that may not, in the context's own namespace, which the notes then say.
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
  const found = await findWorkloads(cluster, service, namespace, signal, unseen);
  const objects = found.map(({ object }) => object);
  const [described, { pods, by }, autoscalers] = await Promise.all([
    Promise.all(found.map((one) => describe(cluster, one, signal))),
    findPods(cluster, service, namespace, objects, signal, unseen),
    readOwnAutoscalers(cluster, found.map(scaled), signal),
  ]);
  const now = Date.now();
  const read = pods.map((pod) => readPod(pod, now));
  const [errors, services, hosts, { pods: seen, notes }] = await Promise.all([
    readErrors(cluster, read.filter(({ status }) => !status.healthy), signal, unseen),
    readOwnServices(cluster, service, namespacesOf(read), signal),
    readHosts(cluster, read, signal),
    withWarnings(cluster, read, signal),
  ]);
  return {
    context: cluster.context,
    namespace,
    workloads: described.map(({ workload }) => workload),
    pods: seen,
    by,
    services: services.found,
    autoscalers: autoscalers.found,
    hosts,
    errors,
    unseen,
    notes: [
      ...new Set([
        ...described.flatMap(({ note }) => note ?? []),
        ...services.notes,
        ...autoscalers.notes,
        ...hosts.notes,
        ...notes,
      ]),
    ],
  };
}

interface Found {
  readonly type: ResourceType;
  readonly object: KubeObject;
}

async function findWorkloads(
  cluster: Cluster,
  service: string,
  namespace: string | undefined,
  signal: AbortSignal,
  unseen: string[],
): Promise<readonly Found[]> {
  // No workload has another name, and a selector must not become another one.
  if (!isObjectName(service)) return [];
  const types = [deploymentType, statefulSetType, daemonSetType];
  const cut: string[] = [];
  const answers = await Promise.allSettled(types.map(async (type) => {
    const { items, more } = await cluster.list(type, namespace, {
      signal,
      fieldSelector: `metadata.name=${service}`,
      limit: maxWorkloads,
    });
    if (more !== 0) {
      cut.push(`more than the first ${items.length} ${type.plural} of that name: name a namespace`);
    }
    return items.map((object) => ({ type, object }));
  }));
  const found: Found[] = [];
  for (const answer of answers) {
    if (answer.status === "fulfilled") found.push(...answer.value);
    else if (answer.reason instanceof CallError && answer.reason.kind !== "cancelled") {
      unseen.push(sentenceOf(answer.reason));
    } else throw answer.reason;
  }
  // Refused or unreachable, all three: that is the answer of the whole part.
  const [first] = answers;
  if (unseen.length === types.length && first?.status === "rejected") throw first.reason;
  unseen.push(...cut);
  return found;
}

function scaled({ type, object }: Found): Scaled & Pick<Workload, "selector"> {
  return {
    kind: type.kind,
    namespace: textField(object, "metadata", "namespace") ?? "",
    name: textField(object, "metadata", "name") ?? "",
    selector: selectorText(field(object, "spec", "selector")),
  };
}

async function describe(
  cluster: Cluster,
  found: Found,
  signal: AbortSignal,
): Promise<{ readonly workload: Workload; readonly note: string | undefined }> {
  const { type, object } = found;
  if (type === deploymentType) {
    const rollout = readRollout(object);
    const { current, before, unseen } = await readCurrentSet(cluster, object, signal);
    const { desired, ready } = rollout;
    return {
      workload: {
        ...scaled(found),
        desired,
        ready,
        rollout,
        changed: changedAt(object, current),
        before: before?.images,
      },
      note: unseen &&
        `when its revision was rolled out was not seen: ${unseenText(unseen, "list", "replicasets")}`,
    };
  }
  const number = (...path: string[]) => numberField(object, ...path);
  const workload = {
    ...scaled(found),
    desired: number("status", "desiredNumberScheduled") ?? number("spec", "replicas") ?? 1,
    ready: number("status", "numberReady") ?? number("status", "readyReplicas") ?? 0,
    rollout: undefined,
    changed: undefined,
    before: undefined,
  };
  return { workload, note: undefined };
}

/** When the present revision was rolled out: a rollback makes no replica set, and only the deployment knows of it. */
function changedAt(deployment: KubeObject, current: ReplicaSet | undefined): number | undefined {
  if (current?.isReused !== true) return current?.created;
  const progress = listField(deployment, "status", "conditions")
    .find((one) => textField(one, "type") === "Progressing");
  return timeField(progress, "lastUpdateTime");
}

async function findPods(
  cluster: Cluster,
  service: string,
  namespace: string | undefined,
  workloads: readonly KubeObject[],
  signal: AbortSignal,
  unseen: string[],
): Promise<{ readonly pods: readonly KubeObject[]; readonly by: string }> {
  const list = async (within: string | undefined, labelSelector: string) => {
    const { items, more } = await cluster.listAll(podType, within, {
      signal,
      labelSelector,
      maxItems: maxPods,
    });
    if (more !== 0) unseen.push(`more than the first ${maxPods} pods with ${labelSelector}`);
    return items;
  };
  if (workloads.length > 0) {
    const lists = await Promise.all(workloads.map((workload) => {
      const selector = selectorText(field(workload, "spec", "selector"));
      return selector === undefined ? [] : list(textField(workload, "metadata", "namespace"), selector);
    }));
    // Two workloads may select the same pods.
    const pods = new Map(lists.flat().map((pod) => [textField(pod, "metadata", "uid") ?? pod, pod]));
    return { pods: [...pods.values()], by: "the selector of the workload" };
  }
  // A label's value has at most 63 characters of a narrow set: another name can't be one.
  if (!/^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/.test(service)) return { pods: [], by: "" };
  for (const label of serviceLabels) {
    const pods = (await list(namespace, `${label}=${service}`)).filter((pod) => !isOfJob(pod));
    if (pods.length > 0) return { pods, by: `the label ${label}=${service}` };
  }
  return { pods: [], by: "" };
}

function readPod(pod: KubeObject, now: number): Pod {
  const status = podStatus(pod, now);
  // One that has never run has no log.
  const begun = ["containerStatuses", "initContainerStatuses"].flatMap((statuses) =>
    listField(pod, "status", statuses).filter((one) =>
      field(one, "state", "running") !== undefined || field(one, "state", "terminated") !== undefined ||
      field(one, "lastState", "terminated") !== undefined
    )
  );
  const unready = begun.find((one) => field(one, "ready") === false);
  // A proxy beside it may stand first in the status.
  const main = textField(pod, "metadata", "annotations", "kubectl.kubernetes.io/default-container") ??
    textField(pod, "spec", "containers", 0, "name");
  const ran = status.lastEnding?.container ?? textField(unready ?? begun[0], "name");
  return {
    namespace: textField(pod, "metadata", "namespace") ?? "",
    name: textField(pod, "metadata", "name") ?? "",
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
