/** The SQL for a role that only reads: a new one, what the one of that name has too much, or what a role lacks. */
import { useCatalogueAlone } from "./catalogue_session.ts";
import type { Transaction } from "./database.ts";
import { quoteIdentifier } from "./identifier.ts";
import { pastedSql } from "./pasted_sql.ts";
import { dangerousRoles, type RoleReport } from "./role.ts";

/** What stands between a role and one that only reads. */
export interface ReaderRole {
  readonly name: string;
  /** The database, as SQL writes it. */
  readonly database: string;
  readonly exists: boolean;
  /** Rights to a table beyond reading that the server knows, as REVOKE writes them. */
  readonly writing: string;
  /** What ALTER ROLE has to take from it, such as `NOSUPERUSER`, and `LOGIN`. */
  readonly attributes: readonly string[];
  /** Roles that it is a member of and that can do more than read, as REVOKE writes them, up to `FROM`. */
  readonly groups: readonly { readonly name: string; readonly grantor: string | undefined }[];
  /** What every role may do beyond reading, as REVOKE writes it, up to `FROM`. */
  readonly everybody: readonly string[];
}

const writing = `('INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER' ||
  case when current_setting('server_version_num')::int >= 170000 then ', MAINTAIN' else '' end)`;

/** An owner can do anything to what it owns, and whatever owned it next would lend its rights to its views. */
const candidatesSql = `
select n.name, r.oid, r.rolcanlogin, r.rolsuper, r.rolcreatedb, r.rolcreaterole, r.rolreplication, r.rolbypassrls,
  exists (select from pg_catalog.pg_shdepend d where d.refclassid = 'pg_catalog.pg_authid'::regclass
    and d.refobjid = r.oid and d.deptype = 'o' and d.classid <> 'pg_catalog.pg_default_acl'::regclass
    and d.dbid in (0, (select b.oid from pg_catalog.pg_database b where b.datname = current_database()))) as owns,
  quote_ident(current_database()) as database, ${writing} as writing
from unnest(array['mcp_reader', 'mcp_reader_2', 'mcp_reader_3', 'mcp_reader_4']) with ordinality n(name, at)
left join pg_catalog.pg_roles r on r.rolname = n.name order by n.at`;

const userSchema = `n.nspname <> 'information_schema' and n.nspname !~ '^pg_'`;
const relation = "c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')";
const moving = "USAGE, UPDATE";
// The planner may ask about what is no sequence first, which is an error: CASE keeps the order.
const writable = (role: string) =>
  `(case when c.relkind = 'S' then has_sequence_privilege(${role}, c.oid, '${moving}')
    else has_table_privilege(${role}, c.oid, ${writing}) or has_any_column_privilege(${role}, c.oid, 'INSERT, UPDATE, REFERENCES') end)`;

/** Since 16 there is one membership for each grantor, and REVOKE has to name it unless it is the first superuser. */
const groupsSql = `
select quote_ident(g.rolname) as name, case when m.grantor <> 10
  and current_setting('server_version_num')::int >= 160000 then quote_ident(pg_get_userbyid(m.grantor)) end as grantor
from pg_catalog.pg_auth_members m join pg_catalog.pg_roles g on g.oid = m.roleid
where m.member = $1::oid and (g.rolsuper
  or exists (select from pg_catalog.pg_roles d where d.rolname in (${dangerousRoles})
    and pg_has_role(g.oid, d.oid, 'USAGE'))
  or has_database_privilege(g.oid, current_database(), 'CREATE')
    and not has_database_privilege('public', current_database(), 'CREATE')
  or has_database_privilege(g.oid, current_database(), 'TEMPORARY')
    and not has_database_privilege('public', current_database(), 'TEMPORARY')
  or exists (select from pg_catalog.pg_namespace n where ${userSchema} and has_schema_privilege(g.oid, n.oid, 'CREATE')
    and not has_schema_privilege('public', n.oid, 'CREATE'))
  or exists (select from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where ${relation} and ${userSchema}
    and (pg_has_role(g.oid, c.relowner, 'USAGE') or ${writable("g.oid")} and not ${writable("'public'")})))
order by g.rolname, grantor`;

const everybodySql = `
select 'CREATE ON DATABASE ' || quote_ident(current_database()) as what
  where has_database_privilege('public', current_database(), 'CREATE')
union all
(select 'CREATE ON SCHEMA ' || quote_ident(n.nspname) from pg_catalog.pg_namespace n
  where ${userSchema} and has_schema_privilege('public', n.oid, 'CREATE') order by n.nspname)
union all
(select case when c.relkind = 'S' then '${moving} ON SEQUENCE ' else ${writing} || ' ON ' end
    || quote_ident(n.nspname) || '.' || quote_ident(c.relname)
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where ${relation} and ${userSchema} and ${writable("'public'")}
  order by n.nspname, c.relname limit 1000)`;

const attributes = [
  ["rolsuper", "NOSUPERUSER"],
  ["rolcreatedb", "NOCREATEDB"],
  ["rolcreaterole", "NOCREATEROLE"],
  ["rolreplication", "NOREPLICATION"],
  ["rolbypassrls", "NOBYPASSRLS"],
] as const;

/** Asks the catalogue; needs no right beyond connecting. */
export async function readReaderRole(transaction: Transaction): Promise<ReaderRole> {
  await useCatalogueAlone(transaction);
  const candidates = await transaction.query(candidatesSql);
  const chosen = candidates.find(({ oid, owns }) => oid === null || owns === "f") ?? candidates.at(-1) ?? {};
  const exists = typeof chosen.oid === "string";
  const taken = attributes.filter(([column]) => chosen[column] === "t").map(([, without]) => without);
  const groups = exists ? await transaction.query(groupsSql, [chosen.oid ?? null]) : [];
  return {
    name: chosen.name ?? "mcp_reader",
    database: chosen.database ?? "",
    exists,
    writing: chosen.writing ?? "",
    attributes: [...(chosen.rolcanlogin === "f" ? ["LOGIN PASSWORD 'choose a long one'"] : []), ...taken],
    groups: groups.map(({ name, grantor }) => ({ name: name ?? "", grantor: grantor ?? undefined })),
    everybody: (await transaction.query(everybodySql)).map(({ what }) => what ?? ""),
  };
}

/** SQL that makes the role, or makes it what it should be. */
export function readerRoleSql(
  reader: ReaderRole,
  report: Pick<RoleReport, "schemas" | "everybodyMakesTemporary">,
): string {
  const { name, database } = reader;
  const schemas = report.schemas.length === 0 ? [{ name: "public", owners: [] }] : report.schemas;
  return pastedSql([
    ...(reader.exists
      ? takingSql(reader, schemas)
      : [`CREATE ROLE ${name} LOGIN PASSWORD 'choose a long one';`]),
    ...reader.everybody.map((what) =>
      `REVOKE ${what} FROM PUBLIC; -- then grant it to the roles that need it`
    ),
    `ALTER ROLE ${name} SET default_transaction_read_only = on;`,
    `GRANT CONNECT ON DATABASE ${database} TO ${name};`,
    ...schemas.flatMap((schema) => readingSql(schema.name, name)),
    `GRANT pg_monitor TO ${name}; -- so that database_health and top_queries see what other roles do`,
    ...schemas.flatMap((schema) => futureSql(schema, name)),
    ...(report.everybodyMakesTemporary
      ? [
        "-- if no other role needs temporary tables, which PostgreSQL lets every role create:",
        `-- REVOKE TEMPORARY ON DATABASE ${database} FROM PUBLIC;`,
      ]
      : []),
  ]);
}

/** SQL that lets the report's own role read what it may not read now; undefined when there is nothing. */
export function missingGrantsSql(report: RoleReport): string | undefined {
  const lacking = new Set([
    ...report.unreadable.map(({ schema }) => schema),
    ...report.hiddenSequences.schemas,
  ]);
  if (lacking.size === 0) return undefined;
  const schemas = report.schemas.filter(({ name }) => lacking.has(name));
  const role = quoteIdentifier(report.role);
  return pastedSql([
    ...schemas.flatMap((schema) => readingSql(schema.name, role)),
    ...schemas.flatMap((schema) => futureSql(schema, role)),
  ]);
}

/** Lets a role read what is in a schema. */
function readingSql(schema: string, role: string): readonly string[] {
  return [
    `GRANT USAGE ON SCHEMA ${schema} TO ${role};`,
    `GRANT SELECT ON ALL TABLES IN SCHEMA ${schema} TO ${role};`,
    `GRANT SELECT ON ALL SEQUENCES IN SCHEMA ${schema} TO ${role}; -- for database_health`,
  ];
}

/** Lets a role read what those who own tables in a schema will make in it. */
function futureSql(
  { name, owners }: RoleReport["schemas"][number],
  role: string,
): readonly string[] {
  return owners.flatMap((owner) => [
    `-- the same for what the role ${owner} creates in ${name} later:`,
    ...["TABLES", "SEQUENCES"].map((kind) =>
      `ALTER DEFAULT PRIVILEGES FOR ROLE ${owner} IN SCHEMA ${name} GRANT SELECT ON ${kind} TO ${role};`
    ),
  ]);
}

/** What a role that is there has too much. */
function takingSql(
  { name, database, writing, attributes, groups }: ReaderRole,
  schemas: readonly { readonly name: string }[],
): readonly string[] {
  return [
    ...(attributes.length === 0 ? [] : [`ALTER ROLE ${name} ${attributes.join(" ")};`]),
    ...groups.map((group) =>
      `REVOKE ${group.name} FROM ${name}${group.grantor === undefined ? "" : ` GRANTED BY ${group.grantor}`};`
    ),
    `REVOKE CREATE, TEMPORARY ON DATABASE ${database} FROM ${name};`,
    ...schemas.flatMap((schema) => [
      `REVOKE CREATE ON SCHEMA ${schema.name} FROM ${name};`,
      `REVOKE ${writing} ON ALL TABLES IN SCHEMA ${schema.name} FROM ${name};`,
      `REVOKE ${moving} ON ALL SEQUENCES IN SCHEMA ${schema.name} FROM ${name};`,
    ]),
  ];
}
