/** What keeps a drain from evicting a service's pods: PodDisruptionBudgets that allow none to go. */
import { couldNotAnswer } from "../common/errors.ts";
import { plural } from "../common/units.ts";
import type { Cluster, KubeObject } from "../kubernetes/api.ts";
import { type DisruptionBudget, readDisruptionBudget } from "../kubernetes/disruption_budgets.ts";
import { field, textField } from "../kubernetes/fields.ts";
import { selects } from "../kubernetes/label_selector.ts";
import { podDisruptionBudgetType } from "../kubernetes/well_known.ts";
import type { Hosts } from "./hosts.ts";
import { unseenText } from "./unseen_text.ts";
import { isServing, namespacesOf, type Pod } from "./workload.ts";

/** Namespaces that are looked into, and budgets of one. */
const maxNamespaces = 3;
const maxBudgets = 1_000;

/** Budgets that keep a pod on a node that somebody has cordoned. */
export interface HeldPod {
  readonly pod: string;
  readonly node: string;
  /** Several of one pod keep it, whatever each of them allows. */
  readonly budgets: readonly DisruptionBudget[];
}

/** Reads them where a node is cordoned, of the pods there that serve; that they can't be read is a note. */
export async function readHeldPods(
  cluster: Cluster,
  { objects, pods }: { readonly objects: readonly KubeObject[]; readonly pods: readonly Pod[] },
  { found }: Hosts,
  signal: AbortSignal,
): Promise<{ readonly held: readonly HeldPod[]; readonly notes: readonly string[] }> {
  const cordoned = new Set(found.filter(({ unschedulable }) => unschedulable).map(({ name }) => name));
  const leaving = pods.filter((pod) => isServing(pod) && cordoned.has(pod.node ?? ""));
  const namespaces = namespacesOf(leaving);
  const unread = namespaces.length - maxNamespaces;
  try {
    const lists = await Promise.all(
      namespaces.slice(0, maxNamespaces).map((namespace) =>
        cluster.listAll(podDisruptionBudgetType, namespace, { signal, maxItems: maxBudgets })
      ),
    );
    const budgets = lists.flatMap(({ items }) => items.map(readDisruptionBudget));
    const held = leaving.flatMap(({ namespace, name, node = "" }) => {
      const object = objects.find((one) =>
        textField(one, "metadata", "namespace") === namespace && textField(one, "metadata", "name") === name
      );
      const own = budgets.filter((budget) =>
        budget.namespace === namespace && selects(budget.selector, field(object, "metadata", "labels") ?? {})
      );
      return own.length > 1 || own[0]?.allowed === 0 ? [{ pod: name, node, budgets: own }] : [];
    });
    return {
      held,
      notes: unread > 0
        ? [`what keeps its pods on cordoned nodes was not looked at in ${plural(unread, "namespace")}`]
        : [],
    };
  } catch (error) {
    if (!couldNotAnswer(error)) throw error;
    const why = unseenText(error, "list", "poddisruptionbudgets");
    return { held: [], notes: [`what keeps its pods on cordoned nodes was not looked at: ${why}`] };
  }
}
