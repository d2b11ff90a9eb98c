/** What is answered where no part knows the service: a report about nothing is none. */
import { CallError } from "../common/errors.ts";
import { visible } from "../common/visible.ts";
import { formatDuration } from "../prometheus/time.ts";
import { type Evidence, type Part, seen } from "./evidence.ts";

/** Which calls list services, as far as the tools are there; the first is offered. */
const listings: readonly (readonly [tool: string, what: string])[] = [
  ["rank_services_by_error_rate", "those that Prometheus knows"],
  ["get_deployments", "those of the cluster, with all_namespaces"],
  ["list_tables", "the tables that may tell of it"],
];

/** Throws {@linkcode CallError} when no part knows the service, or none could answer; `tools` are those that are there. */
export function refuseNothing(evidence: Evidence, tools: ReadonlySet<string>): void {
  const { cluster, metrics, activity } = evidence;
  if (cluster.state === "seen" || metrics.state === "seen" || recorded(evidence) > 0) return;
  const named = [["the cluster", cluster], ["Prometheus", metrics], ["the database", activity]] as const;
  const asked: readonly (readonly [string, Part<unknown>])[] = named.filter(([, { state }]) =>
    state !== "not_asked"
  );
  const reasons = [
    ...asked.map(([name, part]) => `${name}: ${"why" in part ? part.why : noActivity(evidence)}`),
    ...named.flatMap(([, part]) => part.state === "not_asked" ? [part.why] : []),
  ];
  const service = JSON.stringify(visible(evidence.service));
  // A table of events is a witness only where there is no better one.
  const witnesses = asked.filter(([name], _, all) => all.length === 1 || name !== "the database");
  const unseen = witnesses.flatMap(([name, part]) =>
    part.state === "unseen" ? [{ name, hint: part.hint ?? "try again later" }] : []
  );
  const [first, ...others] = unseen;
  if (first !== undefined) {
    throw new CallError("unavailable", `Cannot say anything about ${service}: ${reasons.join("; ")}`, {
      hint: others.length === 0 ? first.hint : unseen.map(({ name, hint }) => `${name}: ${hint}`).join("; "),
    });
  }
  if (activityAlone(evidence, asked)) {
    const why = noActivity(evidence);
    const next = tools.has("database_health") ? "for the database itself, call database_health; " : "";
    throw new CallError(
      "unavailable",
      `Cannot say anything about ${service} as nothing could be asked about it: no cluster and no Prometheus is configured, and ${why}`,
      { hint: `${next}an operator can configure the others, or name a table in DB_EVENTS` },
    );
  }
  const [near] = asked.flatMap(([, part]) => part.state === "not_found" ? part.near ?? [] : []);
  const [listing] = listings.filter(([tool]) => tools.has(tool));
  throw new CallError("not_found", `Cannot find a service named ${service}: ${reasons.join("; ")}`, {
    hint: near ?? (listing && `to list ${listing[1]}, call ${listing[0]}`),
  });
}

/** Whether all there is to ask is a table of events, and not even that can be asked. */
function activityAlone({ activity }: Evidence, asked: readonly (readonly [string, unknown])[]): boolean {
  const value = seen(activity);
  return asked.length === 1 && value !== undefined && "why" in value;
}

/** Rows that the database has of it. */
function recorded({ activity }: Evidence): number {
  const value = seen(activity);
  return value === undefined || "why" in value ? 0 : value.events + value.before;
}

function noActivity({ activity, window }: Evidence): string {
  const value = seen(activity);
  if (value === undefined) return "not asked";
  return "why" in value ? value.why : `${value.table} has no event of it in ${formatDuration(2 * window)}`;
}
