/** Which rights the role has beyond reading, and the SQL for those that it lacks. */
import { plural } from "../common/units.ts";
import { visible } from "../common/visible.ts";
import { useCatalogueAlone } from "./catalogue_session.ts";
import type { Cell, Transaction } from "./database.ts";

/** What the session is, and what its role may do. */
export interface RoleReport {
  readonly role: string;
  readonly database: string;
  readonly serverVersion: string;
  /** The protocol's name and version, or undefined on an unencrypted connection. */
  readonly tls: string | undefined;
  readonly inRecovery: boolean;
  /** Tables, views and the like outside the system's schemas, and how many of them the role may read. */
  readonly relations: number;
  readonly readable: number;
  /** Rights that reading does not need, worst first, each as half a sentence. */
  readonly excess: readonly string[];
  /** Schemas of the database, outside the system's, and who owns tables in them, as SQL writes them. */
  readonly schemas: readonly { readonly name: string; readonly owners: readonly string[] }[];
  /** The first of those that it may not read, by schema and name as SQL writes them. */
  readonly unreadable: readonly { readonly schema: string; readonly name: string }[];
  /** Sequences whose value it may not see, and their schemas as SQL writes them. */
  readonly hiddenSequences: { readonly count: number; readonly schemas: readonly string[] };
}

const sessionSql = `
select current_user as role, current_database() as database, current_setting('server_version') as version,
  pg_is_in_recovery() as in_recovery, r.rolsuper, r.rolbypassrls, r.rolcreaterole, r.rolcreatedb, r.rolreplication,
  (select s.version || ' ' || s.cipher from pg_catalog.pg_stat_ssl s where s.pid = pg_backend_pid() and s.ssl) as tls,
  has_database_privilege(current_database(), 'CREATE') as create_schema
from pg_catalog.pg_roles r where r.rolname = current_user`;

const relationsSql = `
select count(*) as relations,
  count(*) filter (where has_table_privilege(c.oid, 'SELECT') and has_schema_privilege(c.relnamespace, 'USAGE')) as readable,
  count(*) filter (where pg_has_role(c.relowner, 'USAGE')) as owned,
  count(*) filter (where has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
    or has_any_column_privilege(c.oid, 'INSERT, UPDATE')) as writable
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'`;

/** Roles of the server's own that can do more than read in the database, for SQL's IN. */
export const dangerousRoles =
  "'pg_execute_server_program', 'pg_write_server_files', 'pg_read_server_files', 'pg_write_all_data', " +
  "'pg_signal_backend', 'pg_maintain', 'pg_create_subscription', 'pg_checkpoint'";

const membershipsSql = `
select r.rolname from pg_catalog.pg_roles r
where r.rolname in (${dangerousRoles})
  and pg_has_role(current_user, r.oid, 'USAGE') order by r.rolname`;

const schemasSql = `
select quote_ident(n.nspname) as schema, has_schema_privilege(n.oid, 'CREATE') as can_create,
  (select jsonb_agg(distinct quote_ident(pg_get_userbyid(c.relowner))) from pg_catalog.pg_class c
    where c.relnamespace = n.oid and c.relkind in ('r', 'p', 'v', 'm', 'f')) as owners
from pg_catalog.pg_namespace n
where n.nspname <> 'information_schema' and n.nspname !~ '^pg_' order by n.nspname`;

const unreadableSql = `
select quote_ident(n.nspname) as schema, quote_ident(c.relname) as name
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
  and not (has_table_privilege(c.oid, 'SELECT') and has_schema_privilege(n.oid, 'USAGE'))
order by n.nspname, c.relname limit 1000`;

// The planner may ask about what is no sequence first, which is an error: CASE keeps the order.
const hiddenSequencesSql = `
select quote_ident(n.nspname) as schema, count(*) as sequences
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
  and case when c.relkind = 'S' then not has_sequence_privilege(c.oid, 'SELECT, USAGE') else false end
group by n.nspname order by n.nspname limit 1000`;

/** Asks the catalogue; needs no right beyond connecting. */
export async function readRole(transaction: Transaction): Promise<RoleReport> {
  await useCatalogueAlone(transaction);
  const [session = {}] = await transaction.query(sessionSql);
  const [relations = {}] = await transaction.query(relationsSql);
  const memberships = (await transaction.query(membershipsSql)).map((row) => row.rolname ?? "");
  const schemas = await transaction.query(schemasSql);
  const unreadable = await transaction.query(unreadableSql);
  const hidden = await transaction.query(hiddenSequencesSql);
  const creatable = schemas.filter((row) => row.can_create === "t").length;
  const owned = Number(relations.owned ?? 0);
  const writable = Number(relations.writable ?? 0);
  const excess = session.rolsuper === "t"
    // A superuser has every other right: one line says it all.
    ? ["it is a superuser, whom no right in the database limits"]
    : [
      ...memberships.map((name) => `it is a member of ${name}`),
      ...(session.rolbypassrls === "t" ? ["it bypasses row-level security (BYPASSRLS)"] : []),
      ...(session.rolreplication === "t" ? ["it may replicate the whole server (REPLICATION)"] : []),
      ...(session.rolcreaterole === "t" ? ["it may create roles"] : []),
      ...(session.rolcreatedb === "t" ? ["it may create databases"] : []),
      ...(owned > 0 ? [`it owns ${plural(owned, "table or view", "tables and views")}`] : []),
      ...(writable > owned
        ? [`it may write to ${plural(writable, "table or view", "tables and views")}`]
        : []),
      ...(session.create_schema === "t" ? ["it may create schemas"] : []),
      ...(creatable > 0 ? [`it may create objects in ${plural(creatable, "schema")}`] : []),
    ];
  return {
    role: session.role ?? "",
    database: session.database ?? "",
    serverVersion: session.version ?? "",
    tls: session.tls ?? undefined,
    inRecovery: session.in_recovery === "t",
    relations: Number(relations.relations ?? 0),
    readable: Number(relations.readable ?? 0),
    excess,
    schemas: schemas.map((row) => ({ name: row.schema ?? "", owners: readNames(row.owners) })),
    unreadable: unreadable.map((row) => ({ schema: row.schema ?? "", name: row.name ?? "" })),
    hiddenSequences: {
      count: hidden.reduce((sum, row) => sum + Number(row.sequences ?? 0), 0),
      schemas: hidden.map((row) => row.schema ?? ""),
    },
  };
}

/** The sentence for a first answer; undefined for a role that has what it needs and no more. */
export function roleNotice(report: RoleReport): string | undefined {
  if (report.excess.length === 0) return undefined;
  const reasons = report.excess.slice(0, 3).join(", ");
  return `Note for the operator: the role ${
    visible(report.role).slice(0, 63)
  } can do more than read (${reasons}). ` +
    "postgres-mcp refuses to write either way; --check prints the SQL for a role that can't.";
}

/** SQL that lets the role read what it may not read now; undefined when there is nothing. */
export function missingGrantsSql(report: RoleReport): string | undefined {
  const schemas = new Set(report.unreadable.map(({ schema }) => schema));
  if (schemas.size === 0) return undefined;
  return [...schemas].flatMap((schema) => readGrants(schema, quoteIdentifier(report.role))).join("\n");
}

/** One line about sequences that can't be seen; undefined when all can. */
export function hiddenSequencesLine({ role, hiddenSequences }: RoleReport): string | undefined {
  const { count, schemas } = hiddenSequences;
  if (count === 0) return undefined;
  const grants = schemas.map((schema) => sequencesGrant(schema, quoteIdentifier(role)));
  return `It can't see ${plural(count, "sequence")}, so that database_health can't say how full they are. ` +
    `To let it: ${grants.join(" ")}`;
}

/** Lets a role see how full a schema's sequences are. */
export function sequencesGrant(schema: string, role: string): string {
  return `GRANT SELECT ON ALL SEQUENCES IN SCHEMA ${schema} TO ${role};`;
}

/** Lets a role read what is in a schema. */
export function readGrants(schema: string, role: string): readonly string[] {
  return [
    `GRANT USAGE ON SCHEMA ${schema} TO ${role};`,
    `GRANT SELECT ON ALL TABLES IN SCHEMA ${schema} TO ${role};`,
  ];
}

function readNames(json: Cell | undefined): readonly string[] {
  const names: unknown = JSON.parse(json ?? "[]");
  return Array.isArray(names) ? names.map(String) : [];
}

function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
