/** The part of a report that comes from the database: how much a service did lately, by a table that records it. */
import type { Environment } from "../common/env.ts";
import { CallError, StartError } from "../common/errors.ts";
import type { Database } from "../postgres/database.ts";
import { ServerError } from "../postgres/database_errors.ts";
import { authorize, inspect } from "../postgres/guard.ts";
import { quoteIdentifier, unquoteIdentifier } from "../postgres/identifier.ts";

/** The table that records what services do, and its two columns. */
export interface EventsTable {
  readonly schema: string | undefined;
  readonly table: string;
  readonly service: string;
  readonly timestamp: string;
  /** Whether DB_EVENTS named it; otherwise it is the default, which nobody promised. */
  readonly isNamed: boolean;
}

/** Rows of one service in two windows of the same length, one after the other. */
export interface Activity {
  readonly table: string;
  /** In the window that ends now. */
  readonly events: number;
  /** In the one before. */
  readonly before: number;
  /** How long ago the last one was, milliseconds; undefined where there is none at all. */
  readonly lastMs: number | undefined;
}

/** Why there is no activity to tell of: no such table, no right, no such column. */
export interface NoActivity {
  readonly why: string;
}

/** Reads `DB_EVENTS`, `[schema.]table(service column, time column)`. Throws {@linkcode StartError}. */
export function readEventsTable(environment: Environment): EventsTable {
  const named = environment.text("DB_EVENTS");
  const text = named ?? "events(service, timestamp)";
  const name = String.raw`"(?:[^"]|"")+"|[A-Za-z_][\w$]*`;
  const match = new RegExp(
    String.raw`^\s*(?:(${name})\.)?(${name})\s*\(\s*(${name})\s*,\s*(${name})\s*\)\s*$`,
  ).exec(text);
  const [, schema, table, service, timestamp] = match ?? [];
  if (table === undefined || service === undefined || timestamp === undefined) {
    throw new StartError(
      "DB_EVENTS must be table(service column, time column), such as events(service, timestamp)",
    );
  }
  return {
    schema: schema === undefined ? undefined : unquoted(schema),
    table: unquoted(table),
    service: unquoted(service),
    timestamp: unquoted(timestamp),
    isNamed: named !== undefined,
  };
}

/** As PostgreSQL reads a name: folded to lower case unless quoted. */
function unquoted(name: string): string {
  return name.startsWith('"') ? unquoteIdentifier(name) : name.toLowerCase();
}

/** Counts a service's rows within the last `seconds`, and within those before. */
export async function readActivity(
  database: Database,
  events: EventsTable,
  service: string,
  seconds: number,
  signal: AbortSignal,
): Promise<Activity | NoActivity> {
  const { schema, table, service: serviceColumn, timestamp } = events;
  const relation = [...(schema === undefined ? [] : [schema]), table].map(quoteIdentifier).join(".");
  const shown = [...(schema === undefined ? [] : [schema]), table].join(".");
  const at = quoteIdentifier(timestamp);
  const whole = Math.ceil(seconds);
  // The service is a parameter; the names are an operator's and quoted; the rest is a number of ours.
  const sql = `SELECT count(*) FILTER (WHERE ${at} > now() - interval '${whole} seconds') AS events, ` +
    `count(*) FILTER (WHERE ${at} <= now() - interval '${whole} seconds') AS before, ` +
    `round(1000 * extract(epoch FROM now() - max(${at}))) AS last_ms ` +
    `FROM ${relation} WHERE ${quoteIdentifier(serviceColumn)}::text = $1 ` +
    `AND ${at} > now() - interval '${2 * whole} seconds' AND ${at} <= now()`;
  try {
    return await database.read({ signal }, async (transaction) => {
      const statement = await authorize(inspect(sql), transaction, { allowFunctions: [] });
      const { rows: [row = []] } = await transaction.fetch(statement, [service], {
        maxRows: 1,
        cellBytes: 1_000,
        answerBytes: 4_000,
      });
      const [events, before, last] = row;
      return {
        table: shown,
        events: Number(events ?? 0),
        before: Number(before ?? 0),
        lastMs: last === null || last === undefined ? undefined : Number(last),
      };
    });
  } catch (error) {
    // The server is there and the question can't be asked: that says nothing about the service.
    const kinds: readonly string[] = ["invalid", "not_found", "refused", "failed"];
    if (!(error instanceof CallError && kinds.includes(error.kind))) throw error;
    const asked = `${shown}(${serviceColumn}, ${timestamp})`;
    return { why: whyNot(error, { events, asked, relation, role: database.user }) };
  }
}

/** Why the table can't be asked, in words of what an operator can change: the statement is ours, and nobody's to read. */
function whyNot(
  error: CallError,
  { events, asked, relation, role }: {
    readonly events: EventsTable;
    readonly asked: string;
    readonly relation: string;
    readonly role: string;
  },
): string {
  const { cause } = error;
  if (!(cause instanceof ServerError)) return `${error.message}; it is the table that DB_EVENTS names`;
  const names = events.isNamed ? "which DB_EVENTS names" : "and DB_EVENTS names no other";
  switch (cause.sqlState) {
    case "42P01":
    case "3F000":
      return `there is no table ${asked}, ${names}`;
    case "42703":
      return `there is no table with the columns ${asked}, ${names}`;
    case "42501": {
      const right = / schema /.test(cause.message) && events.schema !== undefined
        ? `USAGE ON SCHEMA ${quoteIdentifier(events.schema)}`
        : `SELECT ON ${relation}`;
      return `the role may not read ${asked}: GRANT ${right} TO ${quoteIdentifier(role)};`;
    }
    default:
      return `${asked}, ${names}, can't be asked: ${cause.message} (SQLSTATE ${cause.sqlState})`;
  }
}
