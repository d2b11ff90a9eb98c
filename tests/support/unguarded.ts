/** A `Database` on a test server, and statements that no guard has seen. */
import postgres from "postgres";
import type { Logger } from "../../src/common/log.ts";
import type { Cell, Database, Rows } from "../../src/postgres/database.ts";
import type { GuardedStatement } from "../../src/postgres/guard.ts";
import type { FetchLimits } from "../../src/postgres/row_reader.ts";
import type { DatabaseSettings } from "../../src/postgres/settings.ts";
import type { TestPostgres } from "./postgres.ts";

/** Whether this process may play a server itself. */
export const mayListen: boolean = Deno.permissions.querySync({ name: "net" }).state === "granted";

/** Says nothing. */
export const quiet: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** Settings for the superuser of `server` over TCP, except where `changes` says otherwise. */
export function settingsFor(
  server: Pick<TestPostgres, "host" | "port" | "superuser" | "password">,
  changes: Partial<DatabaseSettings> = {},
): DatabaseSettings {
  return {
    hosts: [{ host: server.host, port: server.port }],
    database: "postgres",
    user: server.superuser,
    password: () => server.password,
    sslMode: "prefer",
    sslRootCert: undefined,
    targetSessionAttrs: "any",
    poolSize: 2,
    statementTimeoutMs: 30_000,
    maxRows: 200,
    allowFunctions: [],
    ...changes,
  };
}

/** What the guard would have to refuse: for tests of what the server and the session do on their own. */
export function unguarded(sql: string): GuardedStatement {
  // Only the guard can make a real one; the database reads nothing of it but the text.
  return { sql } as unknown as GuardedStatement;
}

/** Limits that cut nothing in a test. */
export const wide: FetchLimits = { maxRows: 1000, cellBytes: 100_000, answerBytes: 1_000_000 };

/** One statement in a transaction of its own. */
export function fetchOnce(
  database: Database,
  sql: string,
  options: { parameters?: readonly Cell[]; limits?: FetchLimits; signal?: AbortSignal } = {},
): Promise<Rows> {
  return database.read(
    { signal: options.signal ?? new AbortController().signal },
    (transaction) => transaction.fetch(unguarded(sql), options.parameters ?? [], options.limits ?? wide),
  );
}

/** Runs statements as the superuser, with none of our safeguards; the rows of the last one. */
export async function execute(
  server: Pick<TestPostgres, "socket" | "port">,
  ...statements: string[]
): Promise<readonly Record<string, unknown>[]> {
  const sql = postgres({
    host: server.socket,
    port: server.port,
    user: "postgres",
    database: "postgres",
    max: 1,
    onnotice: () => {},
  });
  try {
    let rows: readonly Record<string, unknown>[] = [];
    for (const statement of statements) rows = await sql.unsafe<Record<string, unknown>[]>(statement);
    return rows;
  } finally {
    await sql.end();
  }
}

/** Resolves when `condition` holds; throws after a minute. */
export async function eventually(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 60_000;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`never true: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
