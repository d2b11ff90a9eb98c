/** A rollout that has stalled for good, so that a test sees one state and not the last but one. */
import type { TestKubernetes } from "../kubernetes.ts";
import { until } from "../until.ts";

interface Pod {
  readonly status: { readonly conditions?: readonly { readonly reason?: string }[] };
}

/**
 * Stalls the rollout of a deployment whose pods fit on no node, once there are `pods` of them. A deadline of a second
 * that stood there from the start would pass before the replica set reports its pods, and their report is progress:
 * the rollout would stall, go on for a second, and stall again.
 */
export async function stallRollout(
  kubernetes: TestKubernetes,
  namespace: string,
  name: string,
  pods: number,
): Promise<void> {
  const read = async (...args: readonly string[]) =>
    JSON.parse(await kubernetes.kubectl("get", ...args, `--namespace=${namespace}`, "--output=json"));
  await until(`${pods} pods of ${name} without a place`, async () => {
    const { spec, status } = await read("deployment", name);
    const labels = Object.entries(spec.selector.matchLabels).map((pair) => pair.join("=")).join(",");
    const { items } = await read("pods", `--selector=${labels}`);
    const waiting = items.filter(({ status }: Pod) =>
      status.conditions?.some(({ reason }) => reason === "Unschedulable") ?? false
    );
    return status.updatedReplicas === pods && waiting.length === pods;
  });
  await kubernetes.kubectl(
    ...["patch", "deployment", name, `--namespace=${namespace}`, "--type=merge"],
    '--patch={"spec":{"progressDeadlineSeconds":1}}',
  );
  await kubernetes.kubectl(
    ...["wait", `deployment/${name}`, `--namespace=${namespace}`, "--timeout=120s"],
    "--for=condition=Progressing=False",
  );
}
