/** What pods that serve say in their logs, where the metrics speak against the service: few of them are sick. */
import type { Clusters } from "../kubernetes/api.ts";
import { type Evidence, type Part, seen } from "./evidence.ts";
import type { Finding } from "./rule.ts";
import { type PodErrors, readServingErrors } from "./pod_errors.ts";
import { isServing, type WorkloadReport } from "./workload.ts";

/** Rules whose findings a log may explain. */
const symptoms: readonly string[] = ["errors", "refusals", "latency", "alerts"];

/** Whether the logs of pods that serve are worth reading: something is wrong, and no sick pod has said what. */
export function wantsServingLogs({ cluster }: Evidence, findings: readonly Finding[]): boolean {
  const report = seen(cluster);
  return report !== undefined && report.errors.length === 0 && report.pods.some(isServing) &&
    findings.some(({ rule }) => symptoms.includes(rule));
}

/** What they say, and why some could not be read. */
export interface ServingLogs {
  readonly errors: readonly PodErrors[];
  readonly unseen: readonly string[];
}

/** Reads them; those pods first that the metrics point at. */
export async function readServingLogs(
  clusters: Clusters,
  { cluster, metrics, window }: Evidence,
  findings: readonly Finding[],
  signal: AbortSignal,
): Promise<ServingLogs> {
  const report = seen(cluster);
  if (report === undefined) return { errors: [], unseen: [] };
  const { errors, latency } = seen(metrics)?.outliers ?? {};
  const blamed = [errors?.pod, latency?.pod];
  const serving = report.pods.filter(isServing)
    .toSorted((a, b) => Number(blamed.includes(b.name)) - Number(blamed.includes(a.name)));
  const unseen: string[] = [];
  const slow = findings.some(({ rule }) => rule === "latency");
  const said = await readServingErrors(
    clusters.cluster(report.context),
    serving,
    { seconds: window, slow },
    signal,
    unseen,
  );
  return { errors: said, unseen };
}

/** The cluster's part with what was read. */
export function withLogs(cluster: Part<WorkloadReport>, logs: Part<ServingLogs>): Part<WorkloadReport> {
  if (cluster.state !== "seen") return cluster;
  const { errors, unseen } = logs.state === "seen"
    ? logs.value
    : { errors: [], unseen: "why" in logs ? [`the logs of its pods: ${logs.why}`] : [] };
  // Three pods that may not be read are one reason.
  const value = { ...cluster.value, errors, unseen: [...cluster.value.unseen, ...unseen.slice(0, 1)] };
  return { state: "seen", value };
}
