/** CronJobs and Jobs: no services, and what is asked for by the name of one is how its last run ended. */
import { answerOr, couldNotAnswer } from "../common/errors.ts";
import type { Cluster, KubeObject } from "../kubernetes/api.ts";
import { listField, namespaceOf, numberField, textField, timeField } from "../kubernetes/fields.ts";
import { age } from "./age.ts";
import { isObjectName } from "../kubernetes/object_name.ts";
import { cronJobType, jobType } from "../kubernetes/well_known.ts";

/** Jobs that are looked at for those of a CronJob. */
const maxJobs = 500;
/** The label of a Job's pods (batch/v1). */
const jobNameLabel = "batch.kubernetes.io/job-name";

/** Whether a pod is a Job's: it is to end, and nobody waits for it to be ready. */
export function isOfJob(pod: KubeObject): boolean {
  return listField(pod, "metadata", "ownerReferences").some((owner) => textField(owner, "kind") === "Job");
}

/** A CronJob or a Job of that name, a clause; undefined where there is none, or they can't be read. */
export async function jobNamed(
  cluster: Cluster,
  name: string,
  namespace: string | undefined,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (!isObjectName(name)) return undefined;
  for (const type of [cronJobType, jobType]) {
    try {
      const fieldSelector = `metadata.name=${name}`;
      const { items: [found] } = await cluster.list(type, namespace, { signal, fieldSelector, limit: 1 });
      if (found === undefined) continue;
      const there = `there is a ${type.kind} ${namespaceOf(found)}/${name}`;
      const job = type === jobType ? found : await latestOf(cluster, found, signal);
      if (job === undefined) return `${there}: describe_resource shows it`;
      const its = type === jobType ? "which" : `whose last Job ${textField(job, "metadata", "name")}`;
      return `${there}, ${its} ${stateOf(job)}: get_pod_logs with selector ${jobNameLabel}=${
        textField(job, "metadata", "name")
      } has its log, describe_resource shows the ${type.kind}`;
    } catch (error) {
      if (!couldNotAnswer(error)) throw error;
    }
  }
  return undefined;
}

/** The last Job of a CronJob that has ended, else the last; undefined where none is left, or they can't be read. */
async function latestOf(
  cluster: Cluster,
  cronJob: KubeObject,
  signal: AbortSignal,
): Promise<KubeObject | undefined> {
  const uid = textField(cronJob, "metadata", "uid");
  return await answerOr(undefined, async () => {
    const namespace = textField(cronJob, "metadata", "namespace");
    const { items } = await cluster.listAll(jobType, namespace, { signal, maxItems: maxJobs });
    const own = items.filter((job) =>
      listField(job, "metadata", "ownerReferences").some((owner) => textField(owner, "uid") === uid)
    ).toSorted((a, b) => created(a) - created(b));
    return own.findLast((job) => endOf(job) !== undefined) ?? own.at(-1);
  });
}

function created(job: KubeObject): number {
  return timeField(job, "metadata", "creationTimestamp") ?? 0;
}

function endOf(job: KubeObject): unknown {
  return listField(job, "status", "conditions").find((one) =>
    textField(one, "status") === "True" && /^(?:Complete|Failed)$/.test(textField(one, "type") ?? "")
  );
}

/** `failed 3m ago (BackoffLimitExceeded)`, `succeeded 3m ago`, `has run for 3m`. */
function stateOf(job: KubeObject): string {
  const now = Date.now();
  const sinceThen = (time: number | undefined) => age(now - (time ?? now));
  const end = endOf(job);
  if (end === undefined) {
    const failed = numberField(job, "status", "failed") ?? 0;
    return `was made ${sinceThen(created(job))} ago and has not ended${
      failed > 0 ? `, ${failed} pods failed` : ""
    }`;
  }
  const since = sinceThen(timeField(end, "lastTransitionTime"));
  if (textField(end, "type") === "Complete") return `succeeded ${since} ago`;
  const reason = textField(end, "reason");
  return `failed ${since} ago${reason === undefined ? "" : ` (${reason})`}`;
}
