/** How our own catalogue queries read names: as the session would, but with PostgreSQL's own objects always first. */
import type { Transaction } from "./database.ts";

/**
 * Puts `pg_catalog` first in the transaction's search path, whatever the role has set, so that an operator or a
 * function of somebody's own can't stand in for a built-in one in our queries. Returns the path's schemas.
 */
export async function useCatalogueFirst(transaction: Transaction): Promise<readonly string[]> {
  const rows = await transaction.query(`
    select pg_catalog.unnest(pg_catalog.current_schemas(false)) as schema,
      pg_catalog.set_config('search_path', (
        select pg_catalog.string_agg(pg_catalog.quote_ident(s), ',' order by n)
        from pg_catalog.unnest(pg_catalog.current_schemas(false)) with ordinality as path(s, n)
        where s operator(pg_catalog.<>) 'pg_catalog'
      ), true) as path`);
  return rows.map((row) => row.schema ?? "").filter((schema) => schema !== "pg_catalog");
}
