/** The deployments, stateful sets and daemon sets that make up a service: those of its name, and those that its pods are of. */
import { couldNotAnswer } from "../common/errors.ts";
import type { Cluster, KubeObject } from "../kubernetes/api.ts";
import {
  field,
  isTrue,
  listField,
  nameOf,
  namespaceOf,
  numberField,
  textField,
  timeField,
} from "../kubernetes/fields.ts";
import { currentEvents, foldedMessage } from "../kubernetes/evidence.ts";
import { kubernetesAge } from "../kubernetes/kubernetes_age.ts";
import { readEvents } from "../kubernetes/read_events.ts";
import { selectorText } from "../kubernetes/label_selector.ts";
import { isObjectName } from "../kubernetes/object_name.ts";
import type { ResourceType } from "../kubernetes/paths.ts";
import { readCurrentSet, type ReplicaSet } from "../kubernetes/replica_sets.ts";
import { readRollout } from "../kubernetes/rollout.ts";
import { daemonSetType, deploymentType, statefulSetType } from "../kubernetes/well_known.ts";
import { deploymentRolling, setRolling } from "./rolling.ts";
import { sentenceOf, unseenText } from "./unseen_text.ts";
import type { Scaled, Workload } from "./workload.ts";

/** Workloads of one kind and of that name, and others that its pods are of. */
const maxWorkloads = 20;
const maxOwners = 5;
/** Characters of an event's message. */
const maxMessage = 300;

/** A workload that was found. */
export interface Found {
  readonly type: ResourceType;
  readonly object: KubeObject;
}

/** Those of that name; what can't be read is told in `unseen`. Throws {@linkcode CallError} where nothing could be read. */
export async function findWorkloads(
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
    else if (couldNotAnswer(answer.reason)) {
      unseen.push(sentenceOf(answer.reason));
    } else throw answer.reason;
  }
  // Refused or unreachable, all three: that is the answer of the whole part.
  const [first] = answers;
  if (unseen.length === types.length && first?.status === "rejected") throw first.reason;
  unseen.push(...cut);
  return found;
}

/** Those that pods are of and that have not been found by their name; what can't be read is a note. */
export async function readOwners(
  cluster: Cluster,
  pods: readonly KubeObject[],
  known: readonly Found[],
  signal: AbortSignal,
): Promise<{ readonly found: readonly Found[]; readonly notes: readonly string[] }> {
  const keys = new Set(known.map((one) => keyOf(scaled(one))));
  const owners = [
    ...new Map(pods.flatMap((pod) => ownerOf(pod) ?? []).map((one) => [keyOf(one), one])).values(),
  ]
    .filter((one) => !keys.has(keyOf(one)));
  const notes: string[] = [];
  const found = await Promise.all(
    owners.slice(0, maxOwners).map(async ({ type, namespace, name }) => {
      try {
        return [{ type, object: await cluster.get(type, namespace, name, { signal }) }];
      } catch (error) {
        if (!couldNotAnswer(error)) throw error;
        // A replica set of a deployment that is gone, or of another controller's.
        if (error.kind !== "not_found") {
          notes.push(
            `the workloads of its pods were not looked at: ${unseenText(error, "get", type.plural)}`,
          );
        }
        return [];
      }
    }),
  );
  const left = owners.length - maxOwners;
  if (left > 0) notes.push(`${left} of the ${owners.length} workloads of its pods were not looked at`);
  return { found: found.flat(), notes };
}

type Owner = Scaled & { readonly type: ResourceType };

/** What a pod is of; of a replica set the deployment that it is named after. */
export function ownerOf(pod: KubeObject): Owner | undefined {
  const owner = listField(pod, "metadata", "ownerReferences").find((one) => isTrue(one, "controller"));
  const name = textField(owner, "name") ?? "";
  const hash = textField(pod, "metadata", "labels", "pod-template-hash");
  const of = (type: ResourceType, name: string): Owner => ({
    type,
    kind: type.kind,
    namespace: namespaceOf(pod),
    name,
  });
  switch (textField(owner, "kind")) {
    case "ReplicaSet":
      return hash !== undefined && name.endsWith(`-${hash}`)
        ? of(deploymentType, name.slice(0, -hash.length - 1))
        : undefined;
    case "StatefulSet":
      return of(statefulSetType, name);
    case "DaemonSet":
      return of(daemonSetType, name);
  }
  return undefined;
}

function keyOf({ kind, namespace, name }: Scaled): string {
  return `${kind} ${namespace}/${name}`;
}

/** What names a workload, and its pods. */
export function scaled({ type, object }: Found): Scaled & Pick<Workload, "selector"> {
  return {
    kind: type.kind,
    namespace: namespaceOf(object),
    name: nameOf(object),
    selector: selectorText(field(object, "spec", "selector")),
  };
}

/** Reads one, with a note where its revisions could not be read. */
export async function readOne(
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
        rolling: rollout.verdict === "progressing" ? deploymentRolling(object) : undefined,
        changed: changedAt(object, current),
        before: before?.images,
      },
      note: unseen &&
        `when its revision was rolled out was not seen: ${unseenText(unseen, "list", "replicasets")}`,
    };
  }
  const number = (...path: string[]) => numberField(object, ...path);
  const desired = number("status", "desiredNumberScheduled") ?? number("spec", "replicas") ?? 1;
  const created = number("status", "currentNumberScheduled") ?? number("status", "replicas") ?? 0;
  const workload = {
    ...scaled(found),
    desired,
    ready: number("status", "numberReady") ?? number("status", "readyReplicas") ?? 0,
    rollout: undefined,
    rolling: setRolling(object),
    uncreated: created < desired ? await readUncreated(cluster, found, signal) : undefined,
    changed: undefined,
    before: undefined,
  };
  return { workload, note: undefined };
}

/** What was warned of last about pods that a stateful set or daemon set could not create; undefined where that can't be read. */
async function readUncreated(
  cluster: Cluster,
  found: Found,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { kind, namespace, name } = scaled(found);
  const uid = textField(found.object, "metadata", "uid");
  try {
    const { events } = await readEvents(cluster, namespace, { signal, type: "Warning", kind, name, uid });
    const now = Date.now();
    const [last] = currentEvents(events.filter(({ reason }) => reason === "FailedCreate"))
      .toSorted((a, b) => (b.last ?? now) - (a.last ?? now));
    return last &&
      `${foldedMessage(last.message).slice(0, maxMessage)} (${kubernetesAge(last.last, now)} ago)`;
  } catch (error) {
    if (!couldNotAnswer(error)) throw error;
    return undefined;
  }
}

/** When the present revision was rolled out: a rollback makes no replica set, and only the deployment knows of it. */
function changedAt(deployment: KubeObject, current: ReplicaSet | undefined): number | undefined {
  if (current?.isReused !== true) return current?.created;
  const progress = listField(deployment, "status", "conditions")
    .find((one) => textField(one, "type") === "Progressing");
  return timeField(progress, "lastUpdateTime");
}
