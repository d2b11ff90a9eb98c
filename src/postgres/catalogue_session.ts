/**
 * The search path that our own queries run with: `pg_catalog` alone. On any other, a function or an operator of
 * somebody's own whose argument types fit better would stand in for a built-in one, and run unseen.
 */
import type { Catalogue } from "./catalogue.ts";
import { quoteIdentifier } from "./identifier.ts";

/** The search path that the session came with, and what else our own queries need otherwise. */
export interface SessionPath {
  /** Its schemas that exist, in order, the implicit ones included. */
  readonly schemas: readonly string[];
  /** The session's own values of the {@linkcode catalogueSettings}, in their order, to put them back. */
  readonly settings: readonly string[];
}

/**
 * The catalogue is looked up by its indexes: planned that way a query takes the same time however much there is of what
 * it does not ask for. Compiling it takes seconds, planning it anew longer than running it.
 */
const catalogueSettings = {
  search_path: "pg_catalog",
  jit: "off",
  plan_cache_mode: "force_generic_plan",
  enable_hashagg: "off",
  enable_hashjoin: "off",
  enable_mergejoin: "off",
  enable_seqscan: "off",
} as const;

const settingNames = Object.keys(catalogueSettings);

/** Columns of a query that {@linkcode readPath} reads; nothing in them is found on a path. */
export const pathColumns =
  `pg_catalog.array_to_json(pg_catalog.current_schemas(true))::pg_catalog.text as path_schemas,
  ${settingNames.map((name) => `pg_catalog.current_setting('${name}') as path_${name}`).join(", ")}`;

/** The path from a row of {@linkcode pathColumns}. */
export function readPath(row: Readonly<Partial<Record<string, string | null>>> | undefined): SessionPath {
  const schemas: unknown = JSON.parse(row?.["path_schemas"] ?? "[]");
  if (!Array.isArray(schemas)) throw new TypeError("The catalogue gave no search path");
  return { schemas: schemas.map(String), settings: settingNames.map((name) => row?.[`path_${name}`] ?? "") };
}

/** Asks for the session's path. */
export async function askPath(catalogue: Catalogue): Promise<SessionPath> {
  const [row] = await catalogue.query(`select ${pathColumns}`);
  return readPath(row);
}

/** Puts `pg_catalog` alone on the transaction's search path. */
export async function useCatalogueAlone(catalogue: Catalogue): Promise<SessionPath> {
  const [row] = await catalogue.query(`select ${pathColumns},
    pg_catalog.set_config('search_path', 'pg_catalog', true) as path,
    pg_catalog.set_config('jit', 'off', true) as jit`);
  return readPath(row);
}

const setSql = `select ${
  Object.entries(catalogueSettings)
    .map(([name, value]) => `pg_catalog.set_config('${name}', '${value}', true) as ${name}`)
}`;
const restoreSql = `select ${
  settingNames.map((name, at) => `pg_catalog.set_config('${name}', $${at + 1}, true) as ${name}`)
}`;

/**
 * Asks one query with `pg_catalog` alone on the path, which is `path` again afterwards. The three go to the server
 * together.
 */
export async function askCatalogueAlone(
  catalogue: Catalogue,
  path: SessionPath,
  sql: string,
  parameters: readonly (string | null)[],
): Promise<Record<string, string | null>[]> {
  const keep = { keep: true };
  const [, rows] = await Promise.all([
    catalogue.query(setSql, [], keep),
    catalogue.query(sql, parameters, keep),
    // After an error the transaction ends, and needs no path.
    catalogue.query(restoreSql, path.settings, keep),
  ]);
  return rows;
}

/**
 * Puts the session's schemas back behind `pg_catalog`, so that names are printed as the session sees them. What runs
 * after this must qualify its functions, and use operators on the very types that `pg_catalog` has them for.
 */
export async function printAsSession(catalogue: Catalogue, { schemas }: SessionPath): Promise<void> {
  const others = schemas.filter((schema) => schema !== "pg_catalog").map(quoteIdentifier).join(", ");
  await catalogue.query("select pg_catalog.set_config('search_path', $1, true)", [others]);
}
