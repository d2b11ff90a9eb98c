/** Asks the backends about a service, all at once, each within a deadline of its own. */
import { answerOr, CallError } from "../common/errors.ts";
import { describeError, type Logger } from "../common/log.ts";
import { duration } from "../common/units.ts";
import type { Clusters } from "../kubernetes/api.ts";
import { textField } from "../kubernetes/fields.ts";
import { StatusError } from "../kubernetes/status_error.ts";
import { deploymentType } from "../kubernetes/well_known.ts";
import { didYouMean, nearest } from "../common/nearest.ts";
import type { Database } from "../postgres/database.ts";
import { examine } from "../postgres/health/examination.ts";
import type { PrometheusApi } from "../prometheus/api.ts";
import { type EventsTable, readActivity } from "./activity.ts";
import { type Evidence, type Part, type PartName, seen } from "./evidence.ts";
import { findingsOf } from "./findings.ts";
import { jobNamed } from "./jobs.ts";
import { type MetricsReport, readMetrics } from "./metrics.ts";
import { jobOfPods, workloadOfService } from "./other_names.ts";
import { withPodAlerts } from "./pod_alerts.ts";
import { readServingLogs, wantsServingLogs, withLogs } from "./serving_logs.ts";
import { readUsage } from "./usage.ts";
import { readWorkload, type WorkloadReport } from "./workload.ts";

/** What a report can ask; a backend that is not configured is absent. */
export interface Sources {
  readonly clusters: Clusters | undefined;
  readonly prometheus: PrometheusApi | undefined;
  readonly database: { readonly database: Database; readonly events: EventsTable } | undefined;
  /** Where a defect of one part is told of, as the report goes on without it. */
  readonly log: Logger;
}

/** What is asked. */
export interface Question {
  readonly service: string;
  readonly namespace: string | undefined;
  /** Seconds. */
  readonly window: number;
}

/** What is asked for on its own: the parts, and logs once there is a reason to read them. */
type Step = PartName | "logs" | "usage";

/** Milliseconds that one of them may take. */
const partDeadlines: Readonly<Record<Step, number>> = {
  cluster: 12_000,
  logs: 6_000,
  usage: 5_000,
  metrics: 12_000,
  activity: 6_000,
  database: 10_000,
};

/** Asks; `arrived` is told of each part. Throws only what the caller's signal throws. */
export async function gather(
  sources: Sources,
  { service, namespace, window }: Question,
  signal: AbortSignal,
  arrived: (step: Step) => void,
): Promise<Evidence> {
  const { clusters, prometheus, database, log } = sources;
  const ask = async <Value>(
    name: Step,
    backend: string,
    work: ((signal: AbortSignal) => Promise<Value>) | undefined,
  ): Promise<Part<Value>> => {
    if (work === undefined) return { state: "not_asked", why: `no ${backend} is configured` };
    try {
      return { state: "seen", value: await within(partDeadlines[name], signal, work) };
    } catch (error) {
      if (signal.aborted) throw error;
      if (!(error instanceof CallError)) {
        log.error("a part of a report failed", { part: name, error: describeError(error, true) });
        return { state: "unseen", why: "an internal error, which this server's log describes" };
      }
      // That the apiserver, or a proxy before it, does not find a list says nothing of the service.
      if (error.kind === "not_found" && !(error instanceof StatusError)) {
        return { state: "not_found", why: error.message, near: error.hint };
      }
      return { state: "unseen", why: error.message, hint: error.hint };
    } finally {
      arrived(name);
    }
  };
  const [named, counted, activity] = await Promise.all([
    ask("cluster", "cluster", clusters && ((signal) => findWorkload(clusters, service, namespace, signal))),
    ask(
      "metrics",
      "Prometheus",
      prometheus && ((signal) => readMetrics(prometheus, { service, namespace, window }, signal)),
    ),
    ask(
      "activity",
      "database",
      database && ((signal) => readActivity(database.database, database.events, service, window, signal)),
    ),
  ]);
  const [cluster, metrics] = await Promise.all([
    clusters === undefined || prometheus === undefined || counted.state !== "seen" ||
      named.state !== "not_found"
      ? named
      : orElse(
        named,
        ask("cluster", "cluster", (signal) => findByMetrics(clusters, prometheus, counted.value, signal)),
      ),
    prometheus === undefined || counted.state !== "not_found" || named.state !== "seen" ? counted : orElse(
      counted,
      ask(
        "metrics",
        "Prometheus",
        (signal) => readByPods(prometheus, { service, namespace, window }, named.value, signal),
      ),
    ),
  ]);
  const evidence: Evidence = {
    service,
    namespace,
    window,
    now: Date.now(),
    cluster,
    metrics: withPodAlerts(metrics, cluster),
    activity,
    database: { state: "not_needed" },
    usage: { state: "not_needed" },
  };
  const findings = findingsOf(evidence);
  const wantsLogs = clusters !== undefined && wantsServingLogs(evidence, findings);
  // A database is examined for a reason: its sections cost it a dozen catalogue queries.
  const hasSymptom = findings.some(({ severity }) => severity !== "coincidence");
  const wantsExamination = database !== undefined && (hasSymptom || activity.state !== "seen");
  const pods = seen(cluster)?.pods ?? [];
  const wantsUsage = prometheus !== undefined && metrics.state !== "unseen" && pods.length > 0;
  const [logs, examined, usage] = await Promise.all([
    wantsLogs
      ? ask("logs", "cluster", (signal) => readServingLogs(clusters, evidence, findings, signal))
      : undefined,
    wantsExamination
      ? ask(
        "database",
        "database",
        (signal) => examine(database.database, { signal, progress: () => {} }),
      )
      : undefined,
    wantsUsage
      ? ask("usage", "Prometheus", (signal) => readUsage(prometheus, pods, window, signal))
      : undefined,
  ]);
  return {
    ...evidence,
    cluster: logs === undefined ? cluster : withLogs(cluster, logs),
    database: examined ??
      (database === undefined
        ? { state: "not_asked", why: "no database is configured" }
        : { state: "not_needed" }),
    usage: usage ?? evidence.usage,
  };
}

/** A second answer, where it is one. */
async function orElse<Value>(first: Part<Value>, second: Promise<Part<Value>>): Promise<Part<Value>> {
  const answer = await second;
  return answer.state === "seen" ? answer : first;
}

/** The metrics of a job that scrapes the pods of the service and is called otherwise. Throws as it is not found. */
async function readByPods(
  prometheus: PrometheusApi,
  question: Question,
  { pods }: WorkloadReport,
  signal: AbortSignal,
): Promise<MetricsReport> {
  const job = await jobOfPods(prometheus, pods, signal);
  if (job === undefined) throw new CallError("not_found", "no job scrapes its pods alone");
  const report = await readMetrics(prometheus, { ...question, service: job }, signal);
  return {
    ...report,
    notes: [`nothing there is called ${question.service}: found by its pods`, ...report.notes],
  };
}

/** The workload whose pods are scraped for the service and that is called otherwise. Throws as it is not found. */
async function findByMetrics(
  clusters: Clusters,
  prometheus: PrometheusApi,
  { service }: MetricsReport,
  signal: AbortSignal,
): Promise<WorkloadReport> {
  const workload = await workloadOfService(clusters, prometheus, service, signal);
  if (workload === undefined) throw new CallError("not_found", "no pod is known to be scraped for it");
  const report = await readWorkload(clusters, workload.name, workload.namespace, signal);
  return { ...report, by: "the pods that Prometheus scrapes for it" };
}

/** A cluster's word on a service. Throws {@linkcode CallError} `not_found`, with the nearest names. */
async function findWorkload(
  clusters: Clusters,
  service: string,
  namespace: string | undefined,
  signal: AbortSignal,
) {
  const report = await readWorkload(clusters, service, namespace, signal);
  const { workloads, pods, services } = report;
  if (workloads.length > 0 || pods.length > 0 || services.some(({ problem }) => problem !== null)) {
    return report;
  }
  const where = report.namespace === undefined ? "any namespace" : `namespace ${report.namespace}`;
  const notes = report.notes.length === 0 ? "" : ` (${report.notes.join("; ")})`;
  const none = `no deployment, stateful set, daemon set, Service or pod of that name in ${where}${notes}`;
  const job = await jobNamed(clusters.cluster(undefined), service, report.namespace, signal);
  if (job !== undefined) {
    throw new CallError("not_found", none, { hint: job });
  }
  const near = nearest(service, await workloadNames(clusters, report.namespace, signal), 3);
  throw new CallError("not_found", none, { hint: didYouMean(near) });
}

/** Names to offer; none where they can't be listed, as that is no answer to what was asked. */
function workloadNames(
  clusters: Clusters,
  namespace: string | undefined,
  signal: AbortSignal,
): Promise<readonly string[]> {
  return answerOr([], async () => {
    const { items } = await clusters.cluster(undefined).listAll(deploymentType, namespace, {
      signal,
      maxItems: 500,
    });
    return items.flatMap((item) => textField(item, "metadata", "name") ?? []);
  });
}

/** Does `work` with a deadline. Throws {@linkcode CallError} `unavailable` when it has passed. */
export async function within<Value>(
  ms: number,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<Value>,
): Promise<Value> {
  const deadline = new AbortController();
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    late.reject(new CallError("unavailable", `no answer within ${duration(ms)}`));
    deadline.abort();
  }, ms);
  try {
    return await Promise.race([work(AbortSignal.any([signal, deadline.signal])), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
