/** What service a series is of, where all of them are asked about at once. */
import { type Instrumentation, knownMetricsRegex } from "../prometheus/instrumentation.ts";
import { type Matcher, selector } from "../prometheus/promql_literal.ts";
import type { Labels } from "../prometheus/result.ts";
import { servedNamespaceLabels, serviceLabels } from "../prometheus/service_labels.ts";

/** A service by its labels. */
export interface NamedService {
  readonly service: string;
  /** The label that the name comes from. */
  readonly label: string;
  /** Empty without a namespace label. */
  readonly namespace: string;
}

/** Where what is scraped tells of others, whose job its own is not. */
const exportedJob = "exported_job";
/** Jobs of the usual configurations of Prometheus for a cluster that scrape all services there are. */
const ofAll = /^kubernetes-(?:pods|service-endpoints)(?:-slow)?$/;

/** The labels that tell apart the services that one kind of counter counts for. */
export function namingLabels({ serves = [] }: Instrumentation): readonly string[] {
  return [
    ...new Set([
      ...serves,
      ...(serves.length > 0 ? servedNamespaceLabels : []),
      exportedJob,
      ...serviceLabels,
      "namespace",
    ]),
  ];
}

/** Reads it; undefined where no label names a service. */
export function serviceOf(labels: Labels, { serves = [] }: Instrumentation): NamedService | undefined {
  const has = (name: string) => (labels[name] ?? "") !== "";
  const label = serves.find(has) ??
    [exportedJob, ...serviceLabels].find((name) =>
      has(name) && !(name === "job" && ofAll.test(labels.job ?? ""))
    ) ??
    (has("job") ? "job" : undefined);
  if (label === undefined) return undefined;
  const served = serves.length > 0 ? servedNamespaceLabels.find(has) : undefined;
  return { service: labels[label] ?? "", label, namespace: labels[served ?? "namespace"] ?? "" };
}

/**
 * A query for what counts for services of one namespace, or of all: `queryOf` with the matchers that pick it. What stands
 * before services counts for those of its own namespace and of others: which of them it was, {@linkcode serviceOf} tells.
 */
export function queryWithin(
  namespace: string | undefined,
  { serves }: Instrumentation,
  queryOf: (within: readonly Matcher[]) => string,
): string {
  return alternatives(namespace, serves !== undefined).map(queryOf).join(" or ");
}

/** A query for the names of all counters that are known, of one namespace, or of all. */
export function knownCounters(namespace: string | undefined): string {
  return alternatives(namespace, true)
    .map((within) =>
      `count by (__name__) (${selector(undefined, [["__name__", "=~", knownMetricsRegex], ...within])})`
    )
    // Without `on` the names of metrics would not tell them apart.
    .join(" or on (__name__) ");
}

function alternatives(namespace: string | undefined, serves: boolean): readonly (readonly Matcher[])[] {
  if (namespace === undefined) return [[]];
  return ["namespace", ...(serves ? servedNamespaceLabels : [])].map((label) => [[label, "=", namespace]]);
}

/** The same for all series of one service. */
export function keyOf(named: NamedService | undefined): string {
  return JSON.stringify([named?.namespace, named?.label, named?.service]);
}
