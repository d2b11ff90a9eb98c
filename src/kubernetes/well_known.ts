/** The types that the tools read by name. Constants, since they are the same in every cluster: no discovery is needed. */
import type { ResourceType } from "./paths.ts";

function known(
  group: string,
  version: string,
  plural: string,
  kind: string,
  namespaced = true,
): ResourceType {
  return { group, version, plural, kind, namespaced };
}

export const podType: ResourceType = known("", "v1", "pods", "Pod");
export const serviceType: ResourceType = known("", "v1", "services", "Service");
/** Events of the core group: the ones that kubectl reads. */
export const eventType: ResourceType = known("", "v1", "events", "Event");
export const nodeType: ResourceType = known("", "v1", "nodes", "Node", false);
export const namespaceType: ResourceType = known("", "v1", "namespaces", "Namespace", false);
export const persistentVolumeClaimType: ResourceType = known(
  "",
  "v1",
  "persistentvolumeclaims",
  "PersistentVolumeClaim",
);
export const deploymentType: ResourceType = known("apps", "v1", "deployments", "Deployment");
export const replicaSetType: ResourceType = known("apps", "v1", "replicasets", "ReplicaSet");
export const statefulSetType: ResourceType = known("apps", "v1", "statefulsets", "StatefulSet");
export const daemonSetType: ResourceType = known("apps", "v1", "daemonsets", "DaemonSet");
export const jobType: ResourceType = known("batch", "v1", "jobs", "Job");
export const cronJobType: ResourceType = known("batch", "v1", "cronjobs", "CronJob");
export const horizontalPodAutoscalerType: ResourceType = known(
  "autoscaling",
  "v2",
  "horizontalpodautoscalers",
  "HorizontalPodAutoscaler",
);
export const endpointSliceType: ResourceType = known(
  "discovery.k8s.io",
  "v1",
  "endpointslices",
  "EndpointSlice",
);
export const podDisruptionBudgetType: ResourceType = known(
  "policy",
  "v1",
  "poddisruptionbudgets",
  "PodDisruptionBudget",
);
export const podMetricsType: ResourceType = known("metrics.k8s.io", "v1beta1", "pods", "PodMetrics");
