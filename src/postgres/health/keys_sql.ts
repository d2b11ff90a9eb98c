/**
 * The catalogue queries of section `keys`: rows as the last ANALYZE or VACUUM counted them, else as the statistics do. They
 * take no lock, so that they do not wait for a locked table.
 */

/** `$1` or more rows; of a partitioned table, those of its partitions. */
const large = `recursive tree as (
  select c.oid as root, c.oid from pg_catalog.pg_class c
  where c.relkind in ('r', 'p') and c.oid >= 16384 and not c.relispartition and c.relpersistence <> 't'
  union all
  select t.root, i.inhrelid from tree t join pg_catalog.pg_class c on c.oid = t.oid and c.relkind = 'p'
  join pg_catalog.pg_inherits i on i.inhparent = c.oid
), counted as (
  select t.root, sum(case when c.reltuples >= 0 then c.reltuples else pg_stat_get_live_tuples(c.oid) end)::int8 as rows
  from tree t join pg_catalog.pg_class c on c.oid = t.oid and c.relkind = 'r' group by t.root
), large as (
  select c.oid, c.relkind, format('%I.%I', n.nspname, c.relname) as name, r.rows
  from counted r join pg_catalog.pg_class c on c.oid = r.root join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where r.rows >= $1::int8
)`;

/** Foreign keys whose columns no index of the referring table begins with, in whatever order. */
export const foreignSql = `
with ${large}
select l.name as table, l.rows, l.relkind = 'p' as partitioned, format('%I.%I', rn.nspname, r.relname) as referenced,
  pg_stat_get_tuples_deleted(r.oid) as deleted,
  (select string_agg(quote_ident(a.attname), ', ' order by k.at) from unnest(f.conkey) with ordinality k(number, at)
    join pg_catalog.pg_attribute a on a.attrelid = f.conrelid and a.attnum = k.number) as columns
from large l join pg_catalog.pg_constraint f on f.conrelid = l.oid and f.contype = 'f' and f.conparentid = 0
join pg_catalog.pg_class r on r.oid = f.confrelid join pg_catalog.pg_namespace rn on rn.oid = r.relnamespace
where not exists (
  select from pg_catalog.pg_index x join pg_catalog.pg_class i on i.oid = x.indexrelid
  join pg_catalog.pg_am m on m.oid = i.relam
  where x.indrelid = f.conrelid and x.indisvalid and m.amname in ('btree', 'hash')
    -- What is equal to a value is not NULL either.
    and (x.indpred is null or x.indpred::text like '{NULLTEST %:nulltesttype 1 %')
    and f.conkey <@ (x.indkey::int2[])[0:cardinality(f.conkey) - 1]
)
order by deleted desc, l.rows desc, 1, f.conname`;

/** Tables that nothing could identify a row of, to a person or to logical replication. */
export const keylessSql = `
with ${large}
select l.name as table, l.rows from large l
where not exists (
  select from pg_catalog.pg_index x
  where x.indrelid = l.oid and x.indisunique and x.indimmediate and x.indisvalid and x.indpred is null
    and not exists (
      select from unnest((x.indkey::int2[])[0:x.indnkeyatts - 1]) k(number)
      left join pg_catalog.pg_attribute a on a.attrelid = x.indrelid and a.attnum = k.number
      where a.attnotnull is not true)
) and not exists (
  select from pg_catalog.pg_depend e where e.classid = 'pg_catalog.pg_class'::regclass and e.objid = l.oid and e.deptype = 'e'
)
order by l.rows desc, 1`;
