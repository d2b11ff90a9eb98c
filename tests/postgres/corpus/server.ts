/** A real server with the corpus's database, and the guard asked in a transaction as a tool would ask it. */
import postgres from "postgres";
import { CallError } from "../../../src/common/errors.ts";
import type { Catalogue } from "../../../src/postgres/catalogue.ts";
import { authorize, type GuardedStatement, inspect } from "../../../src/postgres/guard.ts";
import { loadParser } from "../../../src/postgres/parser.ts";
import { postgresAvailable, startPostgres, type TestPostgres } from "../../support/postgres.ts";

export const ROLES = ["postgres", "owner_role", "reader_role"] as const;
const DATABASE = "corpus";

let started: Promise<TestPostgres> | undefined;

/** The server with the corpus's database, made once. */
export function server(): Promise<TestPostgres> {
  return started ??= (async () => {
    const server = await startPostgres({
      // Autovacuum writes into the catalogue of its own accord, and the state would not be the same.
      settings: [
        "shared_preload_libraries = 'pg_stat_statements'",
        "timezone = 'Asia/Kathmandu'",
        "autovacuum = off",
        // What statements do to the log, to slots and to prepared transactions can be seen only where there are some.
        "wal_level = logical",
        "max_prepared_transactions = 2",
        "logging_collector = on",
        "checkpoint_timeout = 1d",
        "wal_keep_size = 1GB",
      ],
    });
    const admin = connect(server, "postgres", "postgres");
    await admin.unsafe(`create database ${DATABASE}`);
    await admin.end();
    const sql = connect(server, "postgres");
    await sql.unsafe(await Deno.readTextFile(new URL("fixture.sql", import.meta.url)));
    await sql`select pg_stat_statements_reset()`;
    await sql.end();
    await loadParser();
    return server;
  })();
}

export function connect(
  server: TestPostgres,
  user: string,
  database = DATABASE,
  settings: Readonly<Record<string, string>> = {},
): postgres.Sql {
  return postgres({
    host: `${server.socket}/.s.PGSQL.${server.port}`,
    path: `${server.socket}/.s.PGSQL.${server.port}`,
    user,
    database,
    max: 1,
    // A long run stays in one session.
    max_lifetime: null,
    onnotice: () => {},
    connection: settings,
    fetch_types: false,
    // As PostgreSQL prints it.
    types: { bytea: { to: 17, from: [17], serialize: String, parse: String } },
  });
}

class Rollback extends Error {}

export interface Attempt {
  readonly path?: string;
  readonly allow?: readonly string[];
  /** What stands before the guard is asked, in the same session. */
  readonly before?: string;
}

/** Runs `work` in a read-only transaction that is rolled back. */
export async function reading<T>(
  sql: postgres.Sql,
  work: (transaction: postgres.TransactionSql) => Promise<T>,
  path?: string,
): Promise<T> {
  let result: { value: T } | undefined;
  try {
    await sql.begin("isolation level repeatable read read only", async (transaction) => {
      if (path !== undefined) await transaction.unsafe(`set local search_path = ${path}`);
      await transaction.unsafe("set local statement_timeout = 20000");
      result = { value: await work(transaction) };
      throw new Rollback();
    });
  } catch (error) {
    if (!(error instanceof Rollback) || result === undefined) throw error;
  }
  if (result === undefined) throw new Error("nothing was run");
  return result.value;
}

/** The catalogue as a session sees it that has begun a transaction. */
export function catalogueOf(transaction: Pick<postgres.Sql, "unsafe">): Catalogue {
  return {
    query: async (text, parameters = [], { keep = false } = {}) =>
      [...await transaction.unsafe(text, [...parameters], { prepare: keep })] as Record<
        string,
        string | null
      >[],
  };
}

export function guard(
  sql: postgres.Sql,
  text: string,
  { path, allow = [], before }: Attempt = {},
): Promise<GuardedStatement> {
  return reading(sql, async (transaction) => {
    if (before !== undefined) await transaction.unsafe(before);
    return await authorize(inspect(text), catalogueOf(transaction), { allowFunctions: allow });
  }, path);
}

export async function refusal(work: () => Promise<unknown>): Promise<CallError | undefined> {
  try {
    await work();
  } catch (error) {
    if (error instanceof CallError) return error;
    throw error;
  }
  return undefined;
}

/** Everything that a statement could have changed. */
export async function state(server: TestPostgres): Promise<string> {
  const sql = connect(server, "postgres");
  const rows: unknown[] = [];
  try {
    const relations =
      await sql`select c.oid::regclass::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.relkind in ('r', 'm', 'S') and (n.nspname in ('public', 'trap') or n.nspname = 'pg_catalog' and c.relname not in ('pg_statistic', 'pg_largeobject'))
      order by 1`;
    const sums = relations.map(({ name }) =>
      `select '${name}' as name, count(*), md5(coalesce(string_agg(md5(x::text), '' order by md5(x::text)), '')) from (select * from ${name}) x`
    );
    // Newer servers gather the parts in parallel, in whatever order they come.
    rows.push(await sql.unsafe(`select * from (${sums.join(" union all ")}) s order by name`));
    rows.push(
      await sql`select name, setting from pg_settings where name not in ('application_name', 'transaction_read_only') order by 1`,
    );
    rows.push(
      await sql`select locktype, mode from pg_locks where pid <> pg_backend_pid() and locktype <> 'virtualxid'`,
    );
    rows.push(
      await sql`select slot_name from pg_replication_slots`,
      await sql`select count(*) from pg_largeobject`,
    );
    rows.push(
      await sql`select array_agg(f order by f) from pg_ls_dir('.') f`,
      await sql`select pg_walfile_name(pg_current_wal_lsn())`,
    );
  } finally {
    await sql.end();
  }
  return JSON.stringify(rows);
}

export function step(t: Deno.TestContext, name: string, fn: () => Promise<void>): Promise<boolean> {
  return t.step({ name: name.slice(0, 150), fn });
}

export function onServer(
  name: string,
  fn: (t: Deno.TestContext, server: TestPostgres) => Promise<void>,
): void {
  // The server is shared and ends with the process.
  Deno.test({
    name,
    ignore: !postgresAvailable,
    sanitizeResources: false,
    sanitizeOps: false,
    fn: async (t) => await fn(t, await server()),
  });
}
