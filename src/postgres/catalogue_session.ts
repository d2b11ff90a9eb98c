/**
 * The search path that our own queries run with: `pg_catalog` alone. On any other, a function or an operator of
 * somebody's own whose argument types fit better would stand in for a built-in one, and run unseen.
 */
import type { Catalogue } from "./catalogue.ts";

/** The search path that the session came with. */
export interface SessionPath {
  /** The setting, to put it back. */
  readonly setting: string;
  /** Its schemas that exist, in order, the implicit ones included. */
  readonly schemas: readonly string[];
  /** The setting `jit`: compiling the catalogue's queries takes seconds, running them milliseconds. */
  readonly jit: string;
}

/** Puts `pg_catalog` alone on the transaction's search path. */
export async function useCatalogueAlone(catalogue: Catalogue): Promise<SessionPath> {
  const [row] = await catalogue.query(`select pg_catalog.current_setting('search_path') as setting,
    pg_catalog.array_to_json(pg_catalog.current_schemas(true))::pg_catalog.text as schemas,
    pg_catalog.current_setting('jit') as compile,
    pg_catalog.set_config('search_path', 'pg_catalog', true) as path,
    pg_catalog.set_config('jit', 'off', true) as jit`);
  const schemas: unknown = JSON.parse(row?.schemas ?? "[]");
  if (!Array.isArray(schemas)) throw new TypeError("The catalogue gave no search path");
  return { setting: row?.setting ?? "", schemas: schemas.map(String), jit: row?.compile ?? "on" };
}

/** Puts the session's own search path back. */
export async function restorePath(catalogue: Catalogue, { setting, jit }: SessionPath): Promise<void> {
  await catalogue.query(
    "select pg_catalog.set_config('search_path', $1, true), pg_catalog.set_config('jit', $2, true) as jit",
    [setting, jit],
  );
}

/**
 * Puts the session's schemas back behind `pg_catalog`, so that names are printed as the session sees them. What runs
 * after this must qualify its functions, and use operators on the very types that `pg_catalog` has them for.
 */
export async function printAsSession(catalogue: Catalogue, { schemas }: SessionPath): Promise<void> {
  const others = schemas.filter((schema) => schema !== "pg_catalog").map(quoted).join(", ");
  await catalogue.query("select pg_catalog.set_config('search_path', $1, true)", [others]);
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
