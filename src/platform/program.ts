/** What platform-mcp is made of: the three groups of tools, each where its backend is configured, and what joins them. */
import type { Environment } from "../common/env.ts";
import type { Logger } from "../common/log.ts";
import type { Backend, BackendGauge, Variable } from "../common/program.ts";
import { kubernetesVariables, openKubernetes } from "../kubernetes/program.ts";
import { readKubernetesSettings } from "../kubernetes/settings.ts";
import { openPostgres, postgresVariables } from "../postgres/program.ts";
import { openPrometheus, prometheusVariables } from "../prometheus/program.ts";
import { readEventsTable } from "./activity.ts";
import type { Sources } from "./gather.ts";
import { platformInstructions } from "./instructions.ts";
import { platformPrompts } from "./prompts.ts";
import { rankServicesByErrorRate } from "./rank_services_by_error_rate.ts";
import { joinResources } from "./resources.ts";
import { serviceHealthReport } from "./service_health_report.ts";

const eventsVariable: Variable = {
  name: "DB_EVENTS",
  default: "events(service, timestamp)",
  purpose: "the table and columns of recent activity",
};

/** The variables that platform-mcp reads beside the common ones. */
export const platformVariables: readonly Variable[] = [
  ...postgresVariables,
  eventsVariable,
  ...prometheusVariables,
  ...kubernetesVariables,
];

/** Milliseconds that a report may take at least: its parts have deadlines of their own, and it is to come without them. */
const reportDeadlineMs = 30_000;

/** Which groups are there: those that something is configured of; with nothing configured, all three. */
function groupsOf(environment: Environment): { postgres: boolean; prometheus: boolean; kubernetes: boolean } {
  const isSet = (variables: readonly Variable[]) =>
    variables.some(({ name }) => environment.isSet(name) || environment.isSet(`${name}_FILE`));
  const groups = {
    postgres: isSet([...postgresVariables, eventsVariable]),
    prometheus: isSet(prometheusVariables),
    kubernetes: isSet(kubernetesVariables) || readKubernetesSettings(environment).absent === undefined,
  };
  return Object.values(groups).includes(true)
    ? groups
    : { postgres: true, prometheus: true, kubernetes: true };
}

/** Reads the settings and makes the tools; connects to nothing. */
export async function openPlatform(environment: Environment, log: Logger): Promise<Backend> {
  const groups = groupsOf(environment);
  const postgres = groups.postgres ? await openPostgres(environment, log) : undefined;
  const prometheus = groups.prometheus ? await openPrometheus(environment) : undefined;
  const kubernetes = groups.kubernetes ? await openKubernetes(environment) : undefined;
  const present = [
    { title: "PostgreSQL", scheme: "postgres", backend: postgres },
    { title: "Prometheus", scheme: "prometheus", backend: prometheus },
    { title: "Kubernetes", scheme: "kubernetes", backend: kubernetes },
  ].flatMap(({ backend, ...names }) =>
    backend === undefined ? [] : [{ ...names, backend: backend as Backend }]
  );
  const backends = present.map(({ backend }) => backend);
  const sources: Sources = {
    clusters: kubernetes?.clusters,
    prometheus: prometheus?.api,
    database: postgres && { database: postgres.database, events: readEventsTable(environment) },
    log,
  };
  const single = backends.flatMap(({ tools }) => tools);
  const names = new Set(single.map(({ name }) => name));
  const tools = [
    serviceHealthReport(sources, names),
    ...(prometheus === undefined ? [] : [rankServicesByErrorRate(sources)]),
    ...single,
  ];
  const resources = joinResources(
    present.flatMap(({ scheme, backend: { resources } }) =>
      resources === undefined ? [] : [{ scheme, resources }]
    ),
  );
  return {
    tools,
    instructions: platformInstructions(new Set(tools.map(({ name }) => name))),
    ...(resources === undefined ? {} : { resources }),
    prompts: platformPrompts(sources, new Set(tools.map(({ name }) => name))),
    deadlineMs: Math.max(reportDeadlineMs, ...backends.map(({ deadlineMs }) => deadlineMs)),
    usesUnixSocket: backends.some(({ usesUnixSocket }) => usesUnixSocket === true),
    startsPlugins: backends.some(({ startsPlugins }) => startsPlugins === true),
    gauges: (): readonly BackendGauge[] => backends.flatMap(({ gauges }) => gauges?.() ?? []),
    async check(say) {
      let well = true;
      for (const { title, backend } of present) {
        say(`${title}:`);
        well = await backend.check((line) => say(line === "" ? "" : `  ${line}`)) && well;
      }
      return well;
    },
    async ready(signal) {
      await Promise.all(backends.map(({ ready }) => ready?.(signal)));
    },
    async notice(signal) {
      const notices = await Promise.all(backends.map(({ notice }) => notice?.(signal)));
      return notices.filter((text) => text !== undefined).join(" ") || undefined;
    },
    async close() {
      await Promise.all(backends.map((backend) => backend.close()));
    },
  };
}
