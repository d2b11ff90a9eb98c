/** Which labels say what service something belongs to. */
import type { Labels } from "./result.ts";

/** In the order in which they are believed. */
export const serviceLabels = [
  "job",
  "service",
  "service_name",
  "app",
  "application",
  "app_kubernetes_io_name",
  "app_kubernetes_io_instance",
  "k8s_app",
  "container",
  "deployment",
  "workload",
  "destination_service_name",
  "destination_workload",
] as const;

/** Labels that say in which namespace a series is. */
export const namespaceLabels = ["namespace", "k8s_namespace_name", "kubernetes_namespace"] as const;

/** Where what counts stands before the service, as an ingress or a mesh does: labels that say in which one the service is. */
export const servedNamespaceLabels = ["exported_namespace", "destination_service_namespace"] as const;

/** The values of {@linkcode serviceLabels}, each once, in that order. */
export function servicesOf(labels: Labels): readonly string[] {
  return [...new Set(serviceLabels.flatMap((name) => labels[name] ?? []))];
}

/** Whether two names are the same to people: case does not count. */
export function sameName(one: string, other: string): boolean {
  return one === other || one.toLowerCase() === other.toLowerCase();
}

/**
 * Whether one of the labels names the service; of OpenTelemetry's `namespace/name`, the name is enough. A service of the
 * form `label=value`, several joined by commas, means those labels.
 */
export function namesService(labels: Labels, service: string): boolean {
  return servicesOf(labels).some((value) =>
    sameName(value, service) || sameName(value.slice(value.lastIndexOf("/") + 1), service)
  ) || hasAll(labels, service);
}

function hasAll(labels: Labels, service: string): boolean {
  return service.split(",").every((part) => {
    const [, label = "", value] = /^\s*([A-Za-z_]\w*)\s*=\s*"?(.+?)"?\s*$/.exec(part) ?? [];
    return value !== undefined && Object.hasOwn(labels, label) && labels[label] === value;
  });
}
