/** The database at a glance: the server, the schemas, the largest tables, the extensions. */
import { table } from "../common/table.ts";
import { count, plural, size } from "../common/units.ts";
import { visible } from "../common/visible.ts";
import { useCatalogueAlone } from "./catalogue_session.ts";
import type { Cell, Transaction } from "./database.ts";

/** What the catalogue said. */
export interface Overview {
  readonly database: string;
  readonly role: string;
  readonly version: string;
  readonly standby: boolean;
  /** Bytes; null where the role may not connect to it otherwise. */
  readonly bytes: Cell;
  readonly extensions: readonly string[];
  readonly schemas: readonly { readonly name: string; readonly tables: string; readonly views: string }[];
  readonly largest: readonly { readonly name: string; readonly rows: Cell; readonly bytes: string }[];
}

const serverSql = `
select current_database() as database, current_user as role, current_setting('server_version') as version,
  pg_is_in_recovery() as standby,
  case when has_database_privilege(current_database(), 'CONNECT') then pg_database_size(current_database()) end as bytes`;

const extensionsSql =
  `select extname || ' ' || extversion as extension from pg_catalog.pg_extension order by extname`;

const schemasSql = `
select n.nspname as name, count(*) filter (where c.relkind in ('r', 'p', 'f')) as tables,
  count(*) filter (where c.relkind in ('v', 'm')) as views
from pg_catalog.pg_namespace n
left join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition
where n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
group by n.nspname order by count(c.oid) desc, n.nspname limit 30`;

const largestSql = `
select quote_ident(c.nspname) || '.' || quote_ident(c.relname) as name, c.tuples as rows, pg_total_relation_size(c.oid) as bytes
from (
  select c.oid, c.relname, n.nspname, nullif(c.reltuples, -1)::bigint as tuples
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'm') and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
  order by c.relpages desc limit 10
) c order by bytes desc, name`;

/** Four small queries, whatever the size of the database. */
export async function readOverview(transaction: Transaction): Promise<Overview> {
  await useCatalogueAlone(transaction);
  const [server = {}] = await transaction.query(serverSql);
  const extensions = await transaction.query(extensionsSql);
  const schemas = await transaction.query(schemasSql);
  const largest = await transaction.query(largestSql);
  return {
    database: server.database ?? "",
    role: server.role ?? "",
    version: server.version ?? "",
    standby: server.standby === "t",
    bytes: server.bytes ?? null,
    extensions: extensions.map((row) => row.extension ?? ""),
    schemas: schemas.map((row) => ({
      name: row.name ?? "",
      tables: row.tables ?? "0",
      views: row.views ?? "0",
    })),
    largest: largest.map((row) => ({
      name: row.name ?? "",
      rows: row.rows ?? null,
      bytes: row.bytes ?? "0",
    })),
  };
}

/** The overview as a page of text. */
export function overviewText(overview: Overview): string {
  const { database, role, version, standby, bytes, extensions, schemas, largest } = overview;
  const facts = [
    `PostgreSQL ${version}${standby ? ", a standby" : ""}`,
    bytes === null ? "" : size(bytes),
    `role ${role}`,
  ];
  const schemaLines = schemas.map(({ name, tables, views }) =>
    `  ${visible(name)}: ${plural(tables, "table")}, ${plural(views, "view")}`
  );
  const largestTable = table(
    [{ name: "table" }, { name: "rows", align: "right" }, { name: "size", align: "right" }],
    largest.map((item) => [item.name, item.rows === null ? null : `~${count(item.rows)}`, size(item.bytes)]),
    { nullText: "-", quotes: false },
  );
  return [
    `Database ${visible(database)}: ${visible(facts.filter((fact) => fact !== "").join(", "))}`,
    "",
    "Schemas:",
    ...(schemaLines.length === 0 ? ["  none that is the user's"] : schemaLines),
    "",
    "Largest tables (rows are estimates):",
    largest.length === 0 ? "none" : largestTable,
    "",
    `Extensions: ${extensions.length === 0 ? "none" : visible(extensions.join(", "))}`,
  ].join("\n");
}
