/** The autoscalers that decide how many pods a workload has. */
import { couldNotAnswer } from "../common/errors.ts";
import { type Autoscaler, readAutoscaler } from "../kubernetes/autoscalers.ts";
import type { Cluster } from "../kubernetes/api.ts";
import { horizontalPodAutoscalerType } from "../kubernetes/well_known.ts";
import { unseenText } from "./unseen_text.ts";
import type { Scaled } from "./workload.ts";

/** Namespaces that are looked into, and autoscalers of one. */
const maxNamespaces = 5;
const maxAutoscalers = 1_000;

/** Reads them; that they can't be read is a note, as the workload is worth a report without them. */
export async function readOwnAutoscalers(
  cluster: Cluster,
  workloads: readonly Scaled[],
  signal: AbortSignal,
): Promise<{ readonly found: readonly Autoscaler[]; readonly notes: readonly string[] }> {
  // No autoscaler scales a daemon set, and none can be asked for by its target.
  const scaled = workloads.filter(({ kind }) => kind !== "DaemonSet");
  const namespaces = [...new Set(scaled.map(({ namespace }) => namespace))].slice(0, maxNamespaces);
  try {
    const lists = await Promise.all(
      namespaces.map((namespace) =>
        cluster.listAll(horizontalPodAutoscalerType, namespace, { signal, maxItems: maxAutoscalers })
      ),
    );
    const found = lists.flatMap(({ items }) => items.map(readAutoscaler)).filter((autoscaler) =>
      scaled.some(({ kind, namespace, name }) =>
        autoscaler.namespace === namespace && autoscaler.target.kind === kind &&
        autoscaler.target.name === name
      )
    );
    return { found, notes: [] };
  } catch (error) {
    if (!couldNotAnswer(error)) throw error;
    return {
      found: [],
      notes: [`autoscalers were not looked at: ${unseenText(error, "list", "horizontalpodautoscalers")}`],
    };
  }
}
