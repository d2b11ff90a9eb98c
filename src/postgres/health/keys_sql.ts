/**
 * The catalogue queries of section `keys`: rows as the last ANALYZE or VACUUM counted them, else as the statistics do. They
 * take no lock, so that they do not wait for a locked table.
 */

/** Tables and the leaves that hold their rows: of a partitioned table its partitions, of another one itself. */
const leaves = `recursive tree as (
  select c.oid as root, c.oid from pg_catalog.pg_class c
  where c.relkind in ('r', 'p') and c.oid >= 16384 and not c.relispartition and c.relpersistence <> 't'
  union all
  select t.root, i.inhrelid from tree t join pg_catalog.pg_class c on c.oid = t.oid and c.relkind = 'p'
  join pg_catalog.pg_inherits i on i.inhparent = c.oid
), leaf as (
  select t.root, c.oid,
    (case when c.reltuples >= 0 then c.reltuples else pg_stat_get_live_tuples(c.oid) end)::int8 as rows
  from tree t join pg_catalog.pg_class c on c.oid = t.oid and c.relkind = 'r'
), large as (
  select c.oid, c.relkind, format('%I.%I', n.nspname, c.relname) as name, r.leaves
  from (select root, count(*) as leaves from leaf group by root having sum(rows) >= $1::int8) r
  join pg_catalog.pg_class c on c.oid = r.root join pg_catalog.pg_namespace n on n.oid = c.relnamespace
)`;

/** A condition of nothing but that columns of the key are not NULL, as what is equal to a value is not. No backslash in it. */
const servingCondition = `regexp_replace(x.indpred::text, '[{]NULLTEST :arg [{]VAR :varno 1 :varattno ('
      || array_to_string(k.numbers, '|') || ') [^{}]*[}] :nulltesttype 1 :argisrow false [^{}]*[}]', '', 'g')
      ~ '^([{]BOOLEXPR :boolop and :args [(] *[)][^{}]*[}])?$'`;

/**
 * Foreign keys whose columns no index begins with, in whatever order, in leaves of `$1` or more rows together: an
 * index of each partition is as good as one of their parent.
 */
export const foreignSql = `
with ${leaves}, lacking as (
  select f.oid, count(*) as leaves, sum(f.rows)::int8 as rows
  from (
    select f.oid, f.conrelid, e.oid as leaf, e.rows, (
      -- Of the same name, but not always of the same number.
      select array_agg(b.attnum) from pg_catalog.pg_attribute a
      join pg_catalog.pg_attribute b on b.attrelid = e.oid and b.attname = a.attname
      where a.attrelid = f.conrelid and a.attnum = any(f.conkey)) as numbers
    from large l join pg_catalog.pg_constraint f on f.conrelid = l.oid and f.contype = 'f' and f.conparentid = 0
    join leaf e on e.root = l.oid
  ) f
  cross join lateral (select f.numbers) k
  where not exists (
    select from pg_catalog.pg_index x join pg_catalog.pg_class i on i.oid = x.indexrelid
    join pg_catalog.pg_am m on m.oid = i.relam
    where x.indrelid = f.leaf and x.indisvalid and m.amname in ('btree', 'hash')
      and (x.indpred is null or ${servingCondition})
      and k.numbers <@ (x.indkey::int2[])[0:cardinality(k.numbers) - 1]
  )
  group by f.oid having sum(f.rows) >= $1::int8
)
select l.name as table, n.rows, l.relkind = 'p' as partitioned, n.leaves as lacking, l.leaves,
  format('%I.%I', rn.nspname, r.relname) as referenced, d.deleted,
  (select string_agg(quote_ident(a.attname), ', ' order by k.at) from unnest(f.conkey) with ordinality k(number, at)
    join pg_catalog.pg_attribute a on a.attrelid = f.conrelid and a.attnum = k.number) as columns
from lacking n join pg_catalog.pg_constraint f on f.oid = n.oid join large l on l.oid = f.conrelid
join pg_catalog.pg_class r on r.oid = f.confrelid join pg_catalog.pg_namespace rn on rn.oid = r.relnamespace
cross join lateral (
  -- What it refers to may be a partition of something itself, and have partitions, where deletes are counted.
  with recursive part as (
    select r.oid, r.relkind
    union all
    select c.oid, c.relkind from part p join pg_catalog.pg_inherits i on i.inhparent = p.oid and p.relkind = 'p'
    join pg_catalog.pg_class c on c.oid = i.inhrelid
  )
  select sum(pg_stat_get_tuples_deleted(oid))::int8 as deleted from part
) d
order by d.deleted desc, n.rows desc, 1, f.conname`;

/**
 * Tables with `$1` or more rows that nothing could identify, to a person or to logical replication. Rows of two
 * partitions differ in what parts them. Of an expression it is not known whether it is ever NULL: it counts as a key.
 */
export const keylessSql = `
with ${leaves}
select l.name as table, sum(e.rows)::int8 as rows, count(*) as lacking, l.leaves
from large l join leaf e on e.root = l.oid
where not exists (
  select from pg_catalog.pg_index x
  where x.indrelid = e.oid and x.indisunique and x.indimmediate and x.indisvalid and x.indpred is null
    and (to_jsonb(x) ->> 'indnullsnotdistinct' = 'true' or not exists (
      select from unnest((x.indkey::int2[])[0:x.indnkeyatts - 1]) k(number)
      join pg_catalog.pg_attribute a on a.attrelid = x.indrelid and a.attnum = k.number
      where not a.attnotnull))
) and not exists (
  select from pg_catalog.pg_depend e where e.classid = 'pg_catalog.pg_class'::regclass and e.objid = l.oid and e.deptype = 'e'
)
group by l.oid, l.name, l.leaves having sum(e.rows) >= $1::int8
order by 2 desc, 1`;
