/** What service a series is of, where all of them are asked about at once. */
import type { Labels } from "../prometheus/result.ts";
import { serviceLabels } from "../prometheus/service_labels.ts";

/** A service by its labels. */
export interface NamedService {
  readonly service: string;
  /** The label that the name comes from. */
  readonly label: string;
  /** Empty without a namespace label. */
  readonly namespace: string;
}

/** The labels that tell services apart. */
export const namingLabels: readonly string[] = [...serviceLabels, "namespace"];

/** Reads it; undefined where no label names a service. */
export function serviceOf(labels: Labels): NamedService | undefined {
  const label = serviceLabels.find((name) => (labels[name] ?? "") !== "");
  if (label === undefined) return undefined;
  return { service: labels[label] ?? "", label, namespace: labels.namespace ?? "" };
}

/** The same for all series of one service. */
export function keyOf(named: NamedService | undefined): string {
  return JSON.stringify([named?.namespace, named?.label, named?.service]);
}
