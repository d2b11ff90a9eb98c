/** `service_health_report` where there is a Prometheus and nothing else. */
import { createLogger } from "../../src/common/log.ts";
import { serviceHealthReport } from "../../src/platform/service_health_report.ts";
import type { PrometheusApi } from "../../src/prometheus/api.ts";
import { callTool } from "./tools.ts";

/** Its text on a service, a finding a line; `more` are further arguments, and `tools` are those that it may name. */
export function metricsReporter(
  prometheus: PrometheusApi,
  tools: readonly string[] = [],
): (service: string, more?: Readonly<Record<string, string>>) => Promise<string> {
  const sources = { clusters: undefined, prometheus, database: undefined, log: createLogger("off") };
  const report = serviceHealthReport(sources, new Set(tools));
  return async (service, more = {}) =>
    (await callTool(report, { service, ...more })).text.replace(/\n {3,}/g, " ");
}
