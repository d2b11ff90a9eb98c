/** What the kubelet has warned of about pods that do not say themselves why they are not well. */
import { couldNotAnswer } from "../common/errors.ts";
import type { Cluster } from "../kubernetes/api.ts";
import { causeOf, needsCause, readCauses } from "../kubernetes/pod_causes.ts";
import { unseenText } from "./unseen_text.ts";
import type { Pod } from "./workload.ts";

/** Namespaces whose warnings are read. */
const maxNamespaces = 3;

/** The pods with their causes; that warnings can't be read is a note, as the pods are worth a report without them. */
export async function withWarnings(
  cluster: Cluster,
  pods: readonly Pod[],
  signal: AbortSignal,
): Promise<{ readonly pods: readonly Pod[]; readonly notes: readonly string[] }> {
  const silent = pods.filter(({ status }) => needsCause(status));
  const namespaces = [...new Set(silent.map(({ namespace }) => namespace))].slice(0, maxNamespaces);
  try {
    const read = await Promise.all(namespaces.map((namespace) => readCauses(cluster, namespace, signal)));
    const now = Date.now();
    const explained = pods.map((pod) => {
      if (!needsCause(pod.status)) return pod;
      const cause = read.map(({ causes }) => causeOf(causes, { ...pod, ...pod.status }, now)).find((
        one,
      ) => one !== undefined);
      return cause === undefined ? pod : { ...pod, status: { ...pod.status, message: cause.text }, cause };
    });
    const isPart = read.some(({ more }) => more !== 0);
    return { pods: explained, notes: isPart ? ["not all warnings about its pods were read"] : [] };
  } catch (error) {
    if (!couldNotAnswer(error)) throw error;
    return { pods, notes: [`warnings about its pods were not seen: ${unseenText(error, "list", "events")}`] };
  }
}
