/** How a session of another client is named in a report. */
import type { Cell } from "../database.ts";
import { maskSecrets } from "../../common/secrets_mask.ts";
import { duration } from "../../common/units.ts";
import { visible } from "../../common/visible.ts";
import { statementPrefix } from "../statement_prefix.ts";
import { millisecondsSince, numberOf } from "./section.ts";

/** Characters of a statement in the report. */
const STATEMENT = 80;

/**
 * Columns of pg_stat_activity `a` that {@linkcode describeSession} reads. For a session that the role may not see only
 * pid, role and database are there, and the statement is `<insufficient privilege>` (monitoring-stats).
 */
export const sessionColumns =
  `a.pid, a.usename, quote_ident(a.usename) as role_sql, a.application_name, a.datname,
  a.state, a.query, a.query is not distinct from '<insufficient privilege>' as hidden,
  ${millisecondsSince("a.xact_start")} as transaction_ms, ${millisecondsSince("a.state_change")} as state_ms`;

/** Sessions of clients: hidden ones have no type, but a role, which the server's own processes have not. */
export const clientSession = `(a.backend_type = 'client backend'
  or a.backend_type is null and a.usesysid is not null and a.datid is not null)`;

/** `app (todo-api)`, of a role and an application; both are a client's own words. */
export function holder(role: Cell | undefined, application: Cell | undefined): string {
  const name = short(role ?? "unknown role");
  return application === null || application === undefined || application === ""
    ? name
    : `${name} (${short(application)})`;
}

/** Roles and applications of sessions, each once. */
export function partiesOf(sessions: readonly Readonly<Record<string, Cell>>[]): readonly string[] {
  const names = sessions.flatMap(({ usename, application_name }) => [usename ?? "", application_name ?? ""]);
  return [...new Set(names)].filter((name) => name !== "");
}

function short(text: string): string {
  const shown = visible(maskSecrets(text));
  return shown.length > 48 ? `${[...shown].slice(0, 47).join("")}…` : shown;
}

/** `pid 12, app (todo-api), idle in transaction for 3 min, last ran: UPDATE …`. */
export function describeSession(row: Readonly<Record<string, Cell>>): string {
  const name = `pid ${row.pid}, ${holder(row.usename, row.application_name)}`;
  if (row.hidden === "t") return `${name}, what it does is unseen`;
  const state = row.state ?? "state unseen";
  const stateMs = numberOf(row.state_ms);
  const since = stateMs === null ? "" : ` for ${duration(Math.max(0, stateMs))}`;
  const verb = state === "active" ? "runs" : "last ran";
  return `${name}, ${state}${since}, ${verb}: ${statementPrefix(row.query, STATEMENT)}`;
}
