/** The part of a report that comes from Prometheus: instances, traffic, errors, latency and alerts of a service. */
import { CallError } from "../common/errors.ts";
import type { PrometheusApi } from "../prometheus/api.ts";
import { type Asking, beginAsking, beside } from "../prometheus/asking.ts";
import { type Dependencies, readDependencies } from "../prometheus/dependencies.ts";
import { judgedQuantile, slowLatency } from "../prometheus/latency_verdict.ts";
import { readWaitingPool, type WaitingPool } from "../prometheus/pools.ts";
import { namespaceLabels, servedNamespaceLabels } from "../prometheus/service_labels.ts";
import { findService, type Service } from "../prometheus/service.ts";
import { type Outlier, readErrorOutlier, readSlowOutlier } from "../prometheus/outliers.ts";
import { type Matcher, selector } from "../prometheus/promql_literal.ts";
import { failing, requestDoubts } from "../prometheus/request_verdict.ts";
import { alertDoubts } from "../prometheus/service_health.ts";
import { readSymptoms, type Symptoms } from "../prometheus/symptoms.ts";
import type { Question } from "./gather.ts";

/** What Prometheus knows of a service. */
export interface MetricsReport extends Symptoms {
  /** The instance that is to blame alone, where it is one of several. */
  readonly outliers: { readonly errors: Outlier | undefined; readonly latency: Outlier | undefined };
  /** What it calls and that has become slow or fails, where it is slow or fails itself. */
  readonly dependencies?: Dependencies | undefined;
  /** Its database pool, where requests wait for it. */
  readonly pool?: WaitingPool | undefined;
  /** What could not be read, a sentence each. */
  readonly unseen: readonly string[];
  /** What to know of the figures. */
  readonly notes: readonly string[];
}

/** Asks for all of it. Throws {@linkcode CallError}: `not_found` for a service that Prometheus does not know. */
export async function readMetrics(
  api: PrometheusApi,
  { service: name, namespace, window }: Question,
  signal: AbortSignal,
): Promise<MetricsReport> {
  const asking = await beginAsking(api, signal);
  const found = await findNamed(asking, name);
  const { service, notes } = await inNamespace(asking, found, namespace);
  const symptoms = await readSymptoms(asking, service, { window, quantiles: [0.5, judgedQuantile, 0.99] });
  const suspects = await readSuspects(asking, symptoms);
  return {
    ...symptoms,
    ...suspects,
    leftOut: [...asking.leftOut],
    unseen: [
      ...symptoms.failures,
      ...requestDoubts(symptoms),
      ...alertDoubts(symptoms.alerts),
      ...symptoms.warnings.map((warning) => `Prometheus warns: ${warning}`),
    ],
    notes,
  };
}

const oneInstance = "whether one instance is to blame";

/** Asked where something is wrong; what can't be asked is left out, as the findings stand without it. */
async function readSuspects(
  asking: Asking,
  symptoms: Symptoms,
): Promise<Pick<MetricsReport, "outliers" | "dependencies" | "pool">> {
  const [worst] = failing(symptoms);
  const { service } = symptoms;
  const latency = slowLatency(symptoms);
  const minutes = latency?.window ?? worst?.rates.window;
  const [errors, slow, dependencies, pool] = await Promise.all([
    worst && beside(asking, oneInstance, (asking) => readErrorOutlier(asking, worst.rates)),
    latency &&
    beside(asking, oneInstance, (asking) => readSlowOutlier(asking, service, latency, judgedQuantile)),
    minutes === undefined
      ? undefined
      : beside(asking, "what it calls", (asking) => readDependencies(asking, service, minutes)),
    minutes === undefined
      ? undefined
      : beside(asking, "its database pool", (asking) => readWaitingPool(asking, service)),
  ]);
  return { outliers: { errors, latency: slow }, dependencies, pool };
}

/** As `findService`, whose sentence names the service again where a report has named it already. */
async function findNamed(asking: Asking, name: string): Promise<Service> {
  try {
    return await findService(asking, name);
  } catch (error) {
    if (!(error instanceof CallError) || error.kind !== "not_found") throw error;
    const why = error.message.replace(/^Cannot find a service named "(?:[^"\\]|\\.)*": /, "");
    throw new CallError("not_found", why, { hint: error.hint });
  }
}

/**
 * The service's series of one namespace; all of them where none says of which it is. Throws {@linkcode CallError}
 * `not_found` where all that say it are of others: their figures are another service's.
 */
async function inNamespace(
  { api, time, signal }: Asking,
  service: Service,
  namespace: string | undefined,
): Promise<{ readonly service: Service; readonly notes: readonly string[] }> {
  if (namespace === undefined) return { service, notes: [] };
  const labels = [...namespaceLabels, ...servedNamespaceLabels];
  const counted = `count by (${labels.join(", ")}) (${selector(undefined, service.matchers)})`;
  // What has no samples now had its labels with the last of them.
  const { series } = await api.query(counted, service.goneSince ?? time, { signal });
  const values = (label: string) => series.flatMap(({ metric }) => metric[label] || []);
  const label = labels.find((label) => values(label).includes(namespace));
  if (label !== undefined) {
    const matchers: readonly Matcher[] = [...service.matchers, [label, "=", namespace]];
    return { service: { ...service, matchers, text: selector(undefined, matchers).slice(1, -1) }, notes: [] };
  }
  const others = [...new Set(labels.flatMap(values))].sort();
  if (others.length === 0) {
    return { service, notes: ["no series of it has a namespace: the figures are of all"] };
  }
  const named = others.slice(0, 5).join(", ") + (others.length > 5 ? ", …" : "");
  throw new CallError(
    "not_found",
    `no series of it is of namespace ${namespace}; there are some of ${named}`,
  );
}
