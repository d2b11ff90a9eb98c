/**
 * Reads pg_stat_statements, wherever the extension was installed and whichever version it has:
 * https://www.postgresql.org/docs/current/pgstatstatements.html
 */
import { CallError } from "../common/errors.ts";
import { visible } from "../common/visible.ts";
import type { Cell, Transaction } from "./database.ts";
import { ServerError } from "./database_errors.ts";
import { millisecondsSince } from "./health/section.ts";
import { markPattern } from "./own_mark.ts";

/** What the ranking goes by. */
export type RankingOrder = "total" | "mean";

/** What was counted. */
export interface StatementStatistics {
  /** One row a statement, worst first, and our own at the end; see `rankingSql` for the columns. */
  readonly rows: readonly Readonly<Record<string, Cell>>[];
  /** Milliseconds since the counting began, null where the version does not tell. */
  readonly sinceMs: Cell;
  /** How often statements had to be forgotten to make room for others. */
  readonly evictions: Cell;
  readonly role: string;
  readonly database: string;
}

/** Whether a relation is the extension's own: an old version leaves room for a view of somebody's under a later one's name. */
const isOwn = (relation: string) =>
  `exists (select from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = ${relation}.oid
    and d.refclassid = 'pg_catalog.pg_extension'::regclass and d.refobjid = e.oid and d.deptype = 'e')`;

const extensionSql = `
select current_database() as database, current_user as role, n.nspname, quote_ident(n.nspname) as schema, quote_ident(current_user) as role_sql,
  current_setting('pg_stat_statements.max', true) is not null as loaded,
  e.oid is not null as created, v.oid as view, has_schema_privilege(n.oid, 'USAGE') as schema_usable,
  has_table_privilege(v.oid, 'SELECT') as view_readable,
  (select count(*) from pg_catalog.pg_class i where i.relnamespace = n.oid and i.relname = 'pg_stat_statements_info'
    and ${isOwn("i")}) as has_info
from (select) as always
left join pg_catalog.pg_extension e on e.extname = 'pg_stat_statements'
left join pg_catalog.pg_namespace n on n.oid = e.extnamespace
left join pg_catalog.pg_class v on v.relnamespace = n.oid and v.relname = 'pg_stat_statements' and ${
  isOwn("v")
}`;

const columnsSql = `
select attname as name from pg_catalog.pg_attribute where attrelid = $1::oid and attnum > 0 and not attisdropped`;

/**
 * Reads the `limit` worst statements of the current database. Throws {@linkcode CallError} with the sentence that
 * enables the extension when it is absent. The catalogue must be first in the search path.
 */
export async function readStatementStatistics(
  transaction: Transaction,
  options: { readonly limit: number; readonly order: RankingOrder },
): Promise<StatementStatistics> {
  const [extension = {}] = await transaction.query(extensionSql);
  requireExtension(extension);
  const schema = extension.schema ?? "";
  const columns = new Set(
    (await transaction.query(columnsSql, [extension.view ?? "0"])).map(({ name }) => name ?? ""),
  );
  try {
    const rows = await transaction.query(rankingSql(schema, columns, options.order), [String(options.limit)]);
    const [info] = extension.has_info === "0" ? [] : await transaction.query(
      `select dealloc, ${
        millisecondsSince("stats_reset")
      } as since_ms from ${schema}.pg_stat_statements_info`,
    );
    return {
      rows,
      sinceMs: info?.since_ms ?? null,
      evictions: info?.dealloc ?? null,
      role: extension.role ?? "",
      database: extension.database ?? "",
    };
  } catch (error) {
    // A line in postgresql.conf looks like the loaded library.
    const notLoaded = error instanceof CallError && error.cause instanceof ServerError &&
      error.cause.sqlState === "55000";
    throw notLoaded ? absent(extension, false) : error;
  }
}

function requireExtension(extension: Readonly<Record<string, Cell>>): void {
  const loaded = extension.loaded === "t";
  if (extension.created !== "t" || !loaded) throw absent(extension, loaded);
  if (extension.schema_usable !== "t" || extension.view_readable !== "t") {
    const role = extension.role_sql ?? "";
    throw new CallError("unavailable", "Cannot rank statements as the role may not read pg_stat_statements", {
      hint: visible(
        extension.schema_usable !== "t"
          ? `an operator can run GRANT USAGE ON SCHEMA ${extension.schema} TO ${role}; and GRANT pg_read_all_stats TO ${role};`
          : `an operator can run GRANT SELECT ON ${extension.schema}.pg_stat_statements TO ${role};`,
      ),
    });
  }
}

/** The one sentence that enables it. */
function absent(extension: Readonly<Record<string, Cell>>, loaded: boolean): CallError {
  const create = `CREATE EXTENSION pg_stat_statements; in database ${visible(extension.database ?? "")}`;
  const load =
    "add pg_stat_statements to shared_preload_libraries in postgresql.conf (shared_preload_libraries = 'pg_stat_statements'), restart PostgreSQL";
  const created = extension.created === "t";
  return new CallError(
    "unavailable",
    `Cannot rank statements as pg_stat_statements is ${
      loaded
        ? "not created in this database"
        : created
        ? "not loaded by the server"
        : "neither loaded nor created"
    }`,
    { hint: `an operator must ${loaded ? `run ${create}` : created ? load : `${load}, and run ${create}`}` },
  );
}

/** Names changed: total_time until 12, and statements inside of functions are told apart since 14. */
function rankingSql(schema: string, columns: ReadonlySet<string>, order: RankingOrder): string {
  const total = columns.has("total_exec_time") ? "s.total_exec_time" : "s.total_time";
  const top = columns.has("toplevel") ? "s.toplevel" : "true";
  const or0 = (name: string) => columns.has(name) ? `s.${name}` : "0";
  return `
with counted as (
  select s.queryid, ${top} as top, s.query, s.calls, ${total} as total_ms, s.rows,
    s.shared_blks_hit, s.shared_blks_read, ${or0("temp_blks_written")} as temp_blks_written,
    -- Of hidden statements not even the identifier is shown: each stays by itself.
    case when s.queryid is null then row_number() over () end as hidden,
    ${top} and coalesce(s.query ~ '${markPattern}', false) as own
  from ${schema}.pg_stat_statements s
  where s.dbid = (select d.oid from pg_catalog.pg_database d where d.datname = current_database())
), summed as (
  select queryid, top, hidden, own, min(query) as query, sum(calls) as calls, sum(total_ms) as total_ms, sum(rows) as rows,
    sum(shared_blks_hit) as hit, sum(shared_blks_read) as read,
    sum(temp_blks_written) * current_setting('block_size')::int8 as temp_bytes
  from counted group by queryid, top, hidden, own
)
select queryid, top, own, hidden is not null as hidden, left(query, 4000) as query, calls, total_ms, rows, hit, read, temp_bytes,
  count(*) over () as statements,
  sum(total_ms) filter (where top) over () as all_ms,
  count(*) filter (where hidden is not null) over () as hidden_statements,
  count(*) filter (where own) over () as own_statements, sum(total_ms) filter (where own) over () as own_ms
from summed where calls > 0
order by own, ${order === "total" ? "total_ms" : "total_ms / calls"} desc, queryid limit $1::int`;
}
