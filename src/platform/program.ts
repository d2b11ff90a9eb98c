/** What platform-mcp is made of: the three groups of tools, each where its backend is configured, and what joins them. */
import { type CheckResult, type Say, worst } from "../common/check_result.ts";
import type { Environment } from "../common/env.ts";
import type { Logger } from "../common/log.ts";
import type { Backend, BackendGauge, Variable } from "../common/program.ts";
import { plural } from "../common/units.ts";
import { kubernetesVariables, openKubernetes } from "../kubernetes/program.ts";
import { readKubernetesSettings } from "../kubernetes/settings.ts";
import { openPostgres, postgresVariables } from "../postgres/program.ts";
import { openPrometheus, prometheusVariables } from "../prometheus/program.ts";
import { readEventsTable } from "./activity.ts";
import { checkActivity } from "./check_activity.ts";
import type { Sources } from "./gather.ts";
import { platformInstructions } from "./instructions.ts";
import { platformPrompts } from "./prompts.ts";
import { rankServicesByErrorRate } from "./rank_services_by_error_rate.ts";
import { joinResources } from "./resources.ts";
import { serviceHealthReport } from "./service_health_report.ts";

/** Told at the start and by the check where no variable, kubeconfig or service account is found. */
const nothingConfigured = "nothing is configured: trying all three at their default addresses; " +
  "set DB_HOST or DATABASE_URL, PROMETHEUS_URL, KUBECONFIG";

const eventsVariable: Variable = {
  name: "DB_EVENTS",
  default: "events(service, timestamp)",
  purpose: "the table and columns that record recent activity",
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

/** Why a group of tools is there; undefined where it is not. */
interface Groups {
  readonly postgres: string | undefined;
  readonly prometheus: string | undefined;
  readonly kubernetes: string | undefined;
  readonly isGuess: boolean;
}

/** Which groups are there: those that something is configured of; with nothing configured, all three. */
function groupsOf(environment: Environment): Groups {
  const because = (variables: readonly Variable[]) => {
    const set = variables.flatMap(({ name }) => [name, `${name}_FILE`]).filter((name) =>
      environment.isSet(name)
    );
    return set.length === 0 ? undefined : `as ${set.join(", ")} ${set.length === 1 ? "is" : "are"} set`;
  };
  const found = readKubernetesSettings(environment).absent === undefined
    ? "as a kubeconfig or a service account was found"
    : undefined;
  const groups = {
    postgres: because([...postgresVariables, eventsVariable]),
    prometheus: because(prometheusVariables),
    kubernetes: because(kubernetesVariables) ?? found,
  };
  if (Object.values(groups).some((why) => why !== undefined)) return { ...groups, isGuess: false };
  const all = "as nothing is configured, so all three are";
  return { postgres: all, prometheus: all, kubernetes: all, isGuess: true };
}

/** One group of tools, its backend where it is there. */
interface Group {
  readonly title: string;
  /** Of its resources' URIs. */
  readonly scheme: string;
  readonly why: string | undefined;
  readonly backend: Backend | undefined;
}

/** Reads the settings and makes the tools; connects to nothing. */
export async function openPlatform(environment: Environment, log: Logger): Promise<Backend> {
  const groups = groupsOf(environment);
  if (groups.isGuess) log.warn(nothingConfigured);
  const postgres = groups.postgres === undefined ? undefined : openPostgres(environment, log);
  const prometheus = groups.prometheus === undefined ? undefined : openPrometheus(environment);
  const kubernetes = groups.kubernetes === undefined ? undefined : await openKubernetes(environment);
  const events = readEventsTable(environment);
  const known: readonly Group[] = [
    { title: "PostgreSQL", scheme: "postgres", why: groups.postgres, backend: postgres },
    { title: "Prometheus", scheme: "prometheus", why: groups.prometheus, backend: prometheus },
    { title: "Kubernetes", scheme: "kubernetes", why: groups.kubernetes, backend: kubernetes },
  ];
  const present = known.flatMap(({ backend, ...group }) =>
    backend === undefined ? [] : [{ ...group, backend }]
  );
  const backends = present.map(({ backend }) => backend);
  const sources: Sources = {
    clusters: kubernetes?.clusters,
    prometheus: prometheus?.api,
    database: postgres && { database: postgres.database, events },
    log,
  };
  const single = backends.flatMap(({ tools }) => tools);
  const others = [...(prometheus === undefined ? [] : [rankServicesByErrorRate(sources)]), ...single];
  // A report may name itself, for one namespace of several.
  const names = new Set(["service_health_report", ...others.map(({ name }) => name)]);
  const tools = [serviceHealthReport(sources, names), ...others];
  return {
    tools,
    instructions: platformInstructions(names),
    resources: joinResources(
      present.flatMap(({ scheme, backend: { resources } }) => resources ? [{ scheme, resources }] : []),
      log,
    ),
    groups: known.map(({ title, why, backend }) =>
      backend === undefined
        ? `${title}: not there, as nothing of it is configured`
        : `${title}: ${plural(backend.tools.length, "tool")}, there ${why}`
    ),
    prompts: platformPrompts(sources, names),
    async prepare() {
      await Promise.all(backends.map(({ prepare }) => prepare?.()));
    },
    deadlineMs: Math.max(reportDeadlineMs, ...backends.map(({ deadlineMs }) => deadlineMs)),
    usesUnixSocket: backends.some(({ usesUnixSocket }) => usesUnixSocket === true),
    startsPlugins: backends.some(({ startsPlugins }) => startsPlugins === true),
    gauges: (): readonly BackendGauge[] => backends.flatMap(({ gauges }) => gauges?.() ?? []),
    async check(say) {
      const results: CheckResult[] = [];
      if (groups.isGuess) say(`N${nothingConfigured.slice(1)}.`);
      for (const { title, backend } of known) {
        if (backend === undefined) {
          say(`${title}: nothing of it is configured, so its tools are left out.`);
          continue;
        }
        say(`${title}:`);
        const sayBelow: Say = (line, verbatim) => say(verbatim || line === "" ? line : `  ${line}`);
        const result = await backend.check(sayBelow);
        results.push(result);
        if (result !== "down" && backend === postgres) {
          results.push(await checkActivity(postgres.database, events, sayBelow));
        }
      }
      return worst(results);
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
