/** The part of a report that comes from Prometheus: instances, traffic, errors, latency and alerts of a service. */
import { CallError } from "../common/errors.ts";
import type { PrometheusApi } from "../prometheus/api.ts";
import { type Asking, beginAsking } from "../prometheus/asking.ts";
import { type Matcher, selector } from "../prometheus/promql.ts";
import { findService, type Service } from "../prometheus/service.ts";
import { judgedQuantile, readSymptoms, type Symptoms } from "../prometheus/service_health.ts";
import type { Question } from "./gather.ts";

/** What Prometheus knows of a service. */
export interface MetricsReport extends Symptoms {
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
  const narrowed = namespace === undefined ? found : await inNamespace(asking, found, namespace);
  const symptoms = await readSymptoms(asking, narrowed ?? found, {
    window,
    quantiles: [0.5, judgedQuantile, 0.99],
  });
  return {
    ...symptoms,
    unseen: [...symptoms.failures, ...symptoms.warnings.map((warning) => `Prometheus warns: ${warning}`)],
    notes: narrowed === undefined
      ? [`none of its series has namespace="${namespace}": the figures are of all namespaces`]
      : [],
  };
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

/** The service's series of one namespace; undefined when no series says that it is of that one. */
async function inNamespace(
  { api, time, signal }: Asking,
  service: Service,
  namespace: string,
): Promise<Service | undefined> {
  const matchers: readonly Matcher[] = [...service.matchers, ["namespace", "=", namespace]];
  const picked = selector(undefined, matchers);
  const { series } = await api.query(`count(${picked})`, time, { signal });
  return series.length === 0 ? undefined : { ...service, matchers, text: picked.slice(1, -1) };
}
