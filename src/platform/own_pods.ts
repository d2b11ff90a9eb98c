/** The pods of a service: those of the workload of its name and those that its Service leads to, or else by a label. */
import type { Cluster, KubeObject } from "../kubernetes/api.ts";
import { field, textEntries, textField } from "../kubernetes/fields.ts";
import { equalitySelector, selectorText } from "../kubernetes/label_selector.ts";
import { podType } from "../kubernetes/well_known.ts";
import { isOfJob } from "./jobs.ts";

/** Pods looked at. */
const maxPods = 500;
/** Services that are followed. */
const maxServices = 5;

/** Labels that carry a service's name, where no workload does. */
const serviceLabels = ["app.kubernetes.io/name", "app", "app.kubernetes.io/instance", "k8s-app"];

/** What is called like the service. */
export interface Named {
  readonly workloads: readonly KubeObject[];
  readonly services: readonly KubeObject[];
}

/** Pods, but for those of Jobs, which may have the same labels and which nobody waits for to be ready. */
export interface OwnPods {
  readonly pods: readonly KubeObject[];
  /** How they were found; empty where the workload of that name selects them. */
  readonly by: string;
}

/** Looks for them; that there are more than are looked at is told in `unseen`. */
export async function findPods(
  cluster: Cluster,
  service: string,
  namespace: string | undefined,
  { workloads, services }: Named,
  signal: AbortSignal,
  unseen: string[],
): Promise<OwnPods> {
  const list = async (within: string | undefined, labelSelector: string) => {
    const { items, more } = await cluster.listAll(podType, within, {
      signal,
      labelSelector,
      maxItems: maxPods,
    });
    if (more !== 0) unseen.push(`more than the first ${maxPods} pods with ${labelSelector}`);
    return items.filter((pod) => !isOfJob(pod));
  };
  /** Two of them may select the same pods. */
  const select = async (selections: readonly Selection[]) => {
    const distinct = new Map(selections.map((one) => [JSON.stringify(one), one]));
    const lists = await Promise.all(
      [...distinct.values()].map(([within, selector]) => list(within, selector)),
    );
    const pods = new Map(lists.flat().map((pod) => [textField(pod, "metadata", "uid") ?? pod, pod]));
    return [...pods.values()];
  };
  if (workloads.length > 0) {
    const own = workloads.flatMap((workload) => selectionOf(workload, selectorText(selector(workload))));
    // A canary beside it gets its requests, too.
    const served = services.flatMap(serviceSelection)
      .filter(([within]) => own.some(([of]) => of === within)).slice(0, maxServices);
    return { pods: await select([...own, ...served]), by: "" };
  }
  // A label's value has at most 63 characters of a narrow set: another name can't be one.
  if (!/^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/.test(service)) return { pods: [], by: "" };
  for (const label of serviceLabels) {
    const pods = await list(namespace, `${label}=${service}`);
    if (pods.length > 0) return { pods, by: `the label ${label}=${service}` };
  }
  const served = services.flatMap(serviceSelection).slice(0, maxServices);
  return { pods: await select(served), by: "the Service of that name" };
}

/** A namespace, and a label selector. */
type Selection = readonly [namespace: string | undefined, selector: string];

function selector(object: KubeObject): unknown {
  return field(object, "spec", "selector");
}

function selectionOf(object: KubeObject, text: string | undefined): readonly Selection[] {
  return text === undefined ? [] : [[textField(object, "metadata", "namespace"), text]];
}

function serviceSelection(service: KubeObject): readonly Selection[] {
  const labels = textEntries(service, "spec", "selector");
  return labels.length === 0 ? [] : selectionOf(service, equalitySelector(labels));
}
