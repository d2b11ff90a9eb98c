/** Alerts that name a pod or a workload of a service: those of kube-state-metrics, in which its own name does not stand. */
import type { Labels } from "../prometheus/result.ts";
import { bySeverity, objectLabels } from "../prometheus/service_alerts.ts";
import { namespaceLabels } from "../prometheus/service_labels.ts";
import { type Part, seen } from "./evidence.ts";
import type { MetricsReport } from "./metrics.ts";
import type { WorkloadReport } from "./workload.ts";

/** The metrics' part with those alerts among the ones about the service. */
export function withPodAlerts(
  metrics: Part<MetricsReport>,
  cluster: Part<WorkloadReport>,
): Part<MetricsReport> {
  const report = seen(cluster);
  if (metrics.state !== "seen" || report === undefined || metrics.value.alerts === undefined) return metrics;
  const { alerts } = metrics.value;
  const own = ownObjects(report);
  const found = alerts.ofObjects.filter(({ labels }) => isAbout(own, labels))
    .map((alert) => ({ ...alert, isOfPods: true as const }));
  if (found.length === 0) return metrics;
  const { unsure: _, ...others } = alerts;
  const firing = [...alerts.firing, ...found].sort(bySeverity);
  return { state: "seen", value: { ...metrics.value, alerts: { ...others, firing } } };
}

function ownObjects({ pods, workloads, autoscalers }: WorkloadReport): ReadonlySet<string> {
  return new Set([
    ...pods.map(({ namespace, name }) => keyOf("pod", namespace, name)),
    ...workloads.map(({ kind, namespace, name }) => keyOf(kind, namespace, name)),
    ...autoscalers.map(({ namespace, name }) => keyOf("horizontalpodautoscaler", namespace, name)),
  ]);
}

function isAbout(own: ReadonlySet<string>, labels: Labels): boolean {
  const { exported_namespace: exported, exported_pod: pod, pod: _, ...others } = labels;
  const namespaces = exported === undefined
    ? namespaceLabels.flatMap((label) => labels[label] ?? [])
    : [exported];
  // Without honor_labels the pod and the namespace are those of kube-state-metrics itself.
  const about: Labels = exported === undefined ? labels : pod === undefined ? others : { ...others, pod };
  // Of an alert about a pod, its workload's name may be another one's.
  const label = objectLabels.find((label) => about[label] !== undefined);
  return label !== undefined &&
    namespaces.some((namespace) => own.has(keyOf(label, namespace, about[label] ?? "")));
}

function keyOf(kind: string, namespace: string, name: string): string {
  return `${kind.toLowerCase()} ${namespace}/${name}`;
}
