/** Which rights the role has beyond reading, and the SQL for those that it lacks. */
import { withOthers } from "../common/listing.ts";
import { plural } from "../common/units.ts";
import { visible } from "../common/visible.ts";
import { useCatalogueAlone } from "./catalogue_session.ts";
import type { Cell, Transaction } from "./database.ts";

/** A right that reading does not need. */
export interface Excess {
  /** Half a sentence, such as `it may write to 2 tables or views`. */
  readonly right: string;
  /** The first things that it has that right to, as SQL writes them, and how many there are beside. */
  readonly names: readonly string[];
  readonly others: number;
}

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
  /** Rights that reading does not need, worst first. */
  readonly excess: readonly Excess[];
  /** Every role may create temporary tables in the database, as in PostgreSQL's own default. */
  readonly everybodyMakesTemporary: boolean;
  /** Schemas of the database, outside the system's, and who owns tables in them, as SQL writes them. */
  readonly schemas: readonly { readonly name: string; readonly owners: readonly string[] }[];
  /** The first of those that it may not read, by schema and name as SQL writes them. */
  readonly unreadable: readonly { readonly schema: string; readonly name: string }[];
  /** Sequences whose value it may not see, and their schemas as SQL writes them. */
  readonly hiddenSequences: { readonly count: number; readonly schemas: readonly string[] };
}

/** Names that are shown of many. */
const shownNames = 3;

const sessionSql = `
select current_user as role, current_database() as database, current_setting('server_version') as version,
  pg_is_in_recovery() as in_recovery, r.rolsuper, r.rolbypassrls, r.rolcreaterole, r.rolcreatedb, r.rolreplication,
  (select s.version || ' ' || s.cipher from pg_catalog.pg_stat_ssl s where s.pid = pg_backend_pid() and s.ssl) as tls,
  has_database_privilege(current_database(), 'CREATE') as create_schema,
  has_database_privilege(current_database(), 'TEMPORARY') as temporary,
  has_database_privilege('public', current_database(), 'TEMPORARY') as everybodys_temporary
from pg_catalog.pg_roles r where r.rolname = current_user`;

// The planner may ask about what is no sequence first, which is an error: CASE keeps the order.
const relationsSql = `
with relation as (
  select quote_ident(n.nspname) || '.' || quote_ident(c.relname) as name, n.nspname, c.relname, c.relkind = 'S' as is_sequence,
    case when c.relkind <> 'S' then has_table_privilege(c.oid, 'SELECT') and has_schema_privilege(n.oid, 'USAGE') end as readable,
    -- A column's own sequence is its table's.
    pg_has_role(c.relowner, 'USAGE') and not (c.relkind = 'S' and exists (select from pg_catalog.pg_depend d
      where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype in ('a', 'i'))) as owned,
    pg_has_role(c.relowner, 'USAGE') as mine,
    case when c.relkind = 'S' then has_sequence_privilege(c.oid, 'USAGE, UPDATE')
      else has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE') or has_any_column_privilege(c.oid, 'INSERT, UPDATE')
      end as writable,
    case when c.relkind <> 'S' then has_table_privilege(c.oid, 'REFERENCES, TRIGGER') or has_any_column_privilege(c.oid, 'REFERENCES')
      end as attachable,
    case when c.relkind <> 'S' and current_setting('server_version_num')::int >= 170000
      then has_table_privilege(c.oid, 'MAINTAIN') end as maintained
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
)
select count(*) filter (where not is_sequence) as relations, count(*) filter (where readable) as readable,
  ${listed("owned", "owned")},
  ${listed("writable", "writable and not is_sequence and not mine")},
  ${listed("advanced", "writable and is_sequence and not mine")},
  ${listed("attachable", "attachable and not writable and not mine")},
  ${listed("maintained", "maintained and not mine")}
from relation`;

/** How many relations meet a condition, and the names of the first. */
function listed(name: string, condition: string): string {
  return `count(*) filter (where ${condition}) as ${name},
  to_jsonb((array_agg(name order by nspname, relname) filter (where ${condition}))[1:${shownNames}]) as ${name}_names`;
}

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
  const creatable = schemas.filter((row) => row.can_create === "t").map((row) => row.schema ?? "");
  /** The right to some relations; none where there are none. */
  const to = (column: string, right: string, one: string, many?: string): readonly Excess[] =>
    excessTo(right, Number(relations[column] ?? 0), readNames(relations[`${column}_names`]), one, many);
  const may = (is: boolean, right: string): readonly Excess[] => is ? [{ right, names: [], others: 0 }] : [];
  const excess = session.rolsuper === "t"
    // A superuser has every other right: one line says it all.
    ? may(true, "it is a superuser, whom no right in the database limits")
    : [
      ...memberships.flatMap((name) => may(true, `it is a member of ${name}`)),
      ...may(session.rolbypassrls === "t", "it bypasses row-level security (BYPASSRLS)"),
      ...may(session.rolreplication === "t", "it may replicate the whole server (REPLICATION)"),
      ...may(session.rolcreaterole === "t", "it may create roles"),
      ...may(session.rolcreatedb === "t", "it may create databases"),
      ...to("owned", "it owns", "table, view or sequence", "tables, views or sequences"),
      ...to("writable", "it may write to", "table or view", "tables or views"),
      ...to("advanced", "it may move", "sequence"),
      ...to("attachable", "it may put triggers on, or refer to,", "table or view", "tables or views"),
      ...to("maintained", "it may vacuum, reindex or lock", "table or view", "tables or views"),
      ...may(session.create_schema === "t", "it may create schemas"),
      ...excessTo("it may create objects in", creatable.length, creatable.slice(0, shownNames), "schema"),
      ...may(
        session.temporary === "t" && session.everybodys_temporary !== "t",
        "it may create temporary tables",
      ),
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
    everybodyMakesTemporary: session.everybodys_temporary === "t",
    schemas: schemas.map((row) => ({ name: row.schema ?? "", owners: readNames(row.owners) })),
    unreadable: unreadable.map((row) => ({ schema: row.schema ?? "", name: row.name ?? "" })),
    hiddenSequences: {
      count: hidden.reduce((sum, row) => sum + Number(row.sequences ?? 0), 0),
      schemas: hidden.map((row) => row.schema ?? ""),
    },
  };
}

function excessTo(
  right: string,
  count: number,
  names: readonly string[],
  one: string,
  many?: string,
): readonly Excess[] {
  return count === 0
    ? []
    : [{ right: `${right} ${plural(count, one, many)}`, names, others: count - names.length }];
}

/** The sentence for a first answer; undefined for a role that has what it needs and no more. */
export function roleNotice(report: RoleReport): string | undefined {
  if (report.excess.length === 0) return undefined;
  const reasons = report.excess.slice(0, 3).map(({ right }) => right).join(", ");
  return `Note for the operator: the role ${
    visible(report.role).slice(0, 63)
  } can do more than read (${reasons}). ` +
    "postgres-mcp refuses to write either way; --check prints the SQL for a role that can't.";
}

/** What the role may do, and to what, as `--check` lists it. */
export function excessLine({ right, names, others }: Excess): string {
  return names.length === 0 ? right : `${right}: ${withOthers(names, others)}`;
}

function readNames(json: Cell | undefined): readonly string[] {
  const names: unknown = JSON.parse(json ?? "[]");
  return Array.isArray(names) ? names.map(String) : [];
}
