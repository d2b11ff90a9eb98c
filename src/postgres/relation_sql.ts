/**
 * The catalogue queries of describe_table.
 *
 * The first two run with `pg_catalog` alone on the search path. The others print names as the session sees them, so its
 * schemas are on the path as well: every function is qualified, and every operator has operands of the very types that
 * `pg_catalog` has it for, as anything else could be somebody's own.
 */

/** Relations of a name, `$1`, in a schema, `$2`, or in any but the toast and temporary ones. */
export const findSql = `
select c.oid, n.nspname as schema, quote_ident(n.nspname) || '.' || quote_ident(c.relname) as full
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relname = $1 and c.relkind in ('r', 'p', 'v', 'm', 'f')
  and case when $2::text is null then n.nspname !~ '^pg_(toast|temp)' else n.nspname = $2 end
order by n.nspname limit 100`;

/** What else may bear a name, `$1`, in a schema, `$2`: sequences and indexes, composite types, other types but arrays. */
export const otherKindsSql = `
with named as (
  select c.relnamespace as namespace, c.relname as name, c.relkind::text as kind, (
      select quote_ident(tn.nspname) || '.' || quote_ident(t.relname)
      from pg_catalog.pg_index i join pg_catalog.pg_class t on t.oid = i.indrelid
        join pg_catalog.pg_namespace tn on tn.oid = t.relnamespace
      where i.indexrelid = c.oid) as of
  from pg_catalog.pg_class c where c.relname = $1 and c.relkind in ('S', 'i', 'I', 'c')
  union all
  select t.typnamespace, t.typname, 'type ' || t.typtype::text,
    case when t.typtype = 'd' then format_type(t.typbasetype, t.typtypmod) end
  from pg_catalog.pg_type t
  where t.typname = $1 and t.typrelid = 0
    and not exists (select from pg_catalog.pg_type e where e.typarray = t.oid)
)
select n.nspname as schema, quote_ident(n.nspname) || '.' || quote_ident(o.name) as full, o.kind, o.of
from named o join pg_catalog.pg_namespace n on n.oid = o.namespace
where case when $2::text is null then n.nspname !~ '^pg_(toast|temp)' else n.nspname = $2 end
order by n.nspname, o.kind limit 100`;

/** Names to guess from, and whether they are the system's. */
export const namesSql = `
select quote_ident(n.nspname) || '.' || quote_ident(c.relname) as full,
  n.nspname in ('pg_catalog', 'information_schema') as system
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname !~ '^pg_(toast|temp)'
order by system, c.relispartition, c.oid desc limit 20000`;

/** PostgreSQL's own functions of `$2` arguments that a caller may mean, and any function that is called `$1`. */
export const functionNamesSql = `
select distinct p.proname as name
from pg_catalog.pg_proc p
where p.proname = $1 or p.pronamespace = 'pg_catalog'::regnamespace and p.provolatile <> 'v' and p.proname !~ '^pg_'
  and case when p.provariadic <> 0 then $2::int >= p.pronargs - 1
    else $2::int between p.pronargs - p.pronargdefaults and p.pronargs end
  and p.prorettype not in ('internal'::regtype, 'cstring'::regtype, 'trigger'::regtype)
  and not 'internal'::regtype = any(p.proargtypes) and not 'cstring'::regtype = any(p.proargtypes)
  and not exists (select from pg_catalog.pg_operator o where o.oprcode = p.oid)`;

/** The type of the JSON column `$1` of one of the tables `$2`, along a path of schemas, `$3`; both are JSON lists. */
export const jsonColumnSql = `
select a.atttypid::regtype::text as type
from json_to_recordset($2::json) as wanted(schema text, name text)
  join pg_catalog.pg_class c on c.relname = wanted.name
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attname = $1 and a.attnum > 0 and not a.attisdropped
where a.atttypid in ('json'::regtype, 'jsonb'::regtype)
  and (n.nspname = wanted.schema or wanted.schema is null
    and n.nspname in (select schema from json_array_elements_text($3::json) as path(schema)))
limit 1`;

/** Labels of the enum that is printed as `$1`, along a path of schemas, `$2`, a JSON list. */
export const labelsSql = `
select e.enumlabel as label
from pg_catalog.pg_enum e
where e.enumtypid = (
  select t.oid from pg_catalog.pg_type t join pg_catalog.pg_namespace n on n.oid = t.typnamespace
    left join json_array_elements_text($2::json) with ordinality as path (schema, at) on path.schema = n.nspname
  where t.typtype = 'e' and (quote_ident(n.nspname) || '.' || quote_ident(t.typname) = $1
    or path.at is not null and quote_ident(t.typname) = $1)
  order by path.at limit 1)
order by e.enumsortorder`;

/** One row: what stands in pg_class and beside it. */
export const relationSql = `
select n.nspname as schema, c.relname as name, c.relkind, c.relrowsecurity as row_security,
  pg_catalog.obj_description(c.oid, 'pg_class'::pg_catalog.name) as comment,
  pg_catalog.has_table_privilege(c.oid, 'SELECT'::pg_catalog.text)
    and pg_catalog.has_schema_privilege(n.oid, 'USAGE'::pg_catalog.text) as readable,
  case when c.relkind in ('r'::"char", 'm'::"char") then nullif(c.reltuples, (-1)::pg_catalog.float4)::pg_catalog.int8
    when c.relkind = 'p'::"char" then parts.tuples::pg_catalog.int8 end as tuples,
  case when c.relkind in ('r'::"char", 'm'::"char") then pg_catalog.pg_total_relation_size(c.oid)::pg_catalog.numeric
    when c.relkind = 'p'::"char" then parts.bytes end as bytes,
  case when c.relkind in ('v'::"char", 'm'::"char") then pg_catalog.pg_get_viewdef(c.oid, true) end as view_definition,
  case when c.relkind = 'p'::"char" then pg_catalog.pg_get_partkeydef(c.oid) end as partition_key,
  parts.partitions,
  case when c.relispartition then (
    select i.inhparent::pg_catalog.regclass::pg_catalog.text from pg_catalog.pg_inherits i where i.inhrelid = c.oid) end as parent,
  case when c.relispartition then pg_catalog.pg_get_expr(c.relpartbound, c.oid) end as bound,
  case when c.relkind = 'f'::"char" then (
    select s.srvname from pg_catalog.pg_foreign_table f join pg_catalog.pg_foreign_server s on s.oid = f.ftserver
    where f.ftrelid = c.oid) end as server
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
left join lateral (
  select pg_catalog.count(*) as partitions, pg_catalog.sum(pg_catalog.pg_total_relation_size(leaf.oid)) as bytes,
    case when pg_catalog.bool_and(leaf.reltuples >= 0::pg_catalog.float4) then pg_catalog.sum(leaf.reltuples) end as tuples
  from pg_catalog.pg_partition_tree(c.oid::pg_catalog.regclass) tree
    join pg_catalog.pg_class leaf on leaf.oid = tree.relid::pg_catalog.oid
  where tree.isleaf and leaf.oid <> c.oid
) parts on c.relkind = 'p'::"char"
where c.oid = $1::pg_catalog.oid`;

/** The columns, in order. */
export const columnsSql = `
select a.attname as name, pg_catalog.format_type(a.atttypid, a.atttypmod) as type, not a.attnotnull as nullable,
  a.attidentity as identity, a.attgenerated as generated,
  pg_catalog.pg_get_expr(d.adbin, d.adrelid) as expression,
  pg_catalog.col_description(a.attrelid, a.attnum::pg_catalog.int4) as comment,
  (select pg_catalog.jsonb_agg(e.enumlabel::pg_catalog.text order by e.enumsortorder) from pg_catalog.pg_enum e
    where e.enumtypid = coalesce(nullif(t.typelem, 0::pg_catalog.oid), a.atttypid)) as labels,
  case when t.typtype = 'd'::"char" then pg_catalog.format_type(t.typbasetype, t.typtypmod) end as base_type
from pg_catalog.pg_attribute a join pg_catalog.pg_type t on t.oid = a.atttypid
left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
where a.attrelid = $1::pg_catalog.oid and a.attnum > 0::pg_catalog.int2 and not a.attisdropped
order by a.attnum`;

/** Its constraints by pg_constraint.contype, and as 'r' the foreign keys that refer to it. */
export const constraintsSql = `
select c.contype::pg_catalog.text as type, c.conrelid::pg_catalog.regclass::pg_catalog.text as table, c.conname as name,
  pg_catalog.pg_get_constraintdef(c.oid, true) as definition
from pg_catalog.pg_constraint c
where c.conrelid = $1::pg_catalog.oid and c.contype in ('p'::"char", 'u'::"char", 'f'::"char", 'c'::"char", 'x'::"char")
union all
select 'r'::pg_catalog.text, c.conrelid::pg_catalog.regclass::pg_catalog.text, c.conname, pg_catalog.pg_get_constraintdef(c.oid, true)
from pg_catalog.pg_constraint c
where c.confrelid = $1::pg_catalog.oid and c.contype = 'f'::"char" and c.conparentid = 0::pg_catalog.oid
order by 1, 2, 3`;

/** Its indexes, but for those that a primary key or a unique constraint stands for, unless they are broken. */
export const indexesSql = `
select c.relname as name, i.indisvalid and i.indisready as valid, i.indisunique as is_unique,
  pg_catalog.pg_get_indexdef(i.indexrelid) as definition
from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indexrelid
where i.indrelid = $1::pg_catalog.oid and not (i.indisvalid and exists (
  select from pg_catalog.pg_constraint k where k.conindid = i.indexrelid and k.conrelid = i.indrelid
    and k.contype in ('p'::"char", 'u'::"char", 'x'::"char")))
order by c.relname`;
