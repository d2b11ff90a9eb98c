/** The part of a report that comes from Prometheus: instances, traffic, errors, latency and alerts of a service. */
import { CallError } from "../common/errors.ts";
import { type AlertingRule, byUrgency, ofService, readAlerting } from "../prometheus/alerting.ts";
import type { PrometheusApi } from "../prometheus/api.ts";
import { type Instances, readInstances } from "../prometheus/instances.ts";
import { type Latency, readLatency } from "../prometheus/latency.ts";
import { readRequests, type RequestRates } from "../prometheus/requests.ts";
import { fitWindow, readInterval } from "../prometheus/scrapes.ts";
import { requestCounters } from "../prometheus/instrumentation.ts";
import { type Asking, findService, type Service } from "../prometheus/service.ts";

/** What Prometheus knows of a service. */
export interface MetricsReport {
  readonly service: Service;
  /** Seconds, at least four scrapes. */
  readonly window: number;
  readonly instances: Instances | undefined;
  readonly rates: RequestRates | undefined;
  /** The same window a day before; undefined where there was nothing. */
  readonly before: RequestRates | undefined;
  readonly latency: Latency | undefined;
  /** Rules of this service with alerts that fire or are pending; undefined where they could not be read. */
  readonly alerts: readonly AlertingRule[] | undefined;
  readonly unseen: readonly string[];
}

const day = 86_400;

/** Asks for all of it at once. Throws {@linkcode CallError}: `not_found` for a service that Prometheus does not know. */
export async function readMetrics(
  api: PrometheusApi,
  name: string,
  seconds: number,
  signal: AbortSignal,
): Promise<MetricsReport> {
  const asking: Asking = { api, time: Date.now() / 1000, signal };
  const service = await findService(asking, name);
  const unseen: string[] = [];
  const part = async <Value>(what: string, work: Promise<Value>): Promise<Value | undefined> => {
    try {
      return await work;
    } catch (error) {
      if (!(error instanceof CallError) || error.kind === "cancelled") throw error;
      unseen.push(`${what}: ${error.message}`);
      return undefined;
    }
  };
  const [counter] = requestCounters(service.metrics);
  const interval = counter === undefined ? undefined : await readInterval(asking, service, counter.metric);
  const { window } = fitWindow(seconds, interval);
  const [instances, now, before, latency, alerting] = await Promise.all([
    part("instances", readInstances(asking, service)),
    part("requests", readRequests(asking, service, window)),
    part("requests a day before", readRequests({ ...asking, time: asking.time - day }, service, window)),
    part("latency", readLatency(asking, service, [0.5, 0.95, 0.99], window)),
    part("alerts", readAlerting(api, { signal })),
  ]);
  return {
    service,
    window,
    instances,
    rates: now?.rates,
    before: before?.rates,
    latency: latency?.latency,
    alerts: alerting && ofService(alerting.rules, name)
      .filter(({ state }) => state === "firing" || state === "pending").toSorted(byUrgency),
    unseen,
  };
}
