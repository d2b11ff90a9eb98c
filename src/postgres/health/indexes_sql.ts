/**
 * The catalogue queries of section `indexes`. Sizes are the estimates of pg_class, but for the few indexes that are
 * shown; those are measured unless their table or they themselves are locked, as pg_relation_size would wait for that.
 */

const locked = `locked as materialized (
  select l.relation from pg_catalog.pg_locks l join pg_catalog.pg_database d on d.oid = l.database
  where d.datname = current_database() and l.granted and l.mode = 'AccessExclusiveLock' and l.relation is not null
)`;

const estimate = "i.relpages * current_setting('block_size')::int8";

const bytes = `case when exists (select from locked l where l.relation in (c.oid, c.indrelid)) then c.estimate
  else coalesce(pg_relation_size(c.oid), c.estimate) end as bytes`;

/** Indexes that no query may use; `building`: a session holds the lock of CREATE INDEX CONCURRENTLY on the table. */
export const invalidSql = `
with ${locked}, c as (
  select i.oid, x.indrelid, i.relkind, format('%I.%I', n.nspname, i.relname) as name, ${estimate} as estimate,
    format('%I.%I', tn.nspname, t.relname) as table_name
  from pg_catalog.pg_index x join pg_catalog.pg_class i on i.oid = x.indexrelid
  join pg_catalog.pg_namespace n on n.oid = i.relnamespace
  join pg_catalog.pg_class t on t.oid = x.indrelid join pg_catalog.pg_namespace tn on tn.oid = t.relnamespace
  where not (x.indisvalid and x.indisready and x.indislive) and n.nspname !~ '^pg_temp'
  order by i.relpages desc limit 50
)
select c.name, c.relkind as kind, c.table_name as table, pg_get_indexdef(c.oid) as definition, ${bytes},
  exists (select from pg_catalog.pg_locks l join pg_catalog.pg_database d on d.oid = l.database
    where d.datname = current_database() and l.relation = c.indrelid
    and l.mode in ('ShareUpdateExclusiveLock', 'ShareLock') and l.pid <> pg_backend_pid()) as building
from c order by bytes desc`;

/**
 * Indexes that say what another one of the same table says: columns, operator classes, collations, order, expressions,
 * predicate. The one to keep is the primary key, the replica identity, what a foreign key
 * refers to, a constraint's, unique, or the older one.
 */
export const duplicateSql = `
with ${locked}, alike as (
  select x.*, i.relam, i.relpages, count(*) over same as many
  from pg_catalog.pg_index x join pg_catalog.pg_class i on i.oid = x.indexrelid
  where i.relkind = 'i' and not i.relispartition and x.indisvalid and not x.indisexclusion and x.indrelid >= 16384
  window same as (partition by x.indrelid, i.relam, x.indnatts, x.indnkeyatts, x.indkey::text, x.indclass::text,
    x.indcollation::text, x.indoption::text)
), read as (
  select a.*, k.conname, pg_get_expr(a.indexprs, a.indrelid) as expressions, pg_get_expr(a.indpred, a.indrelid) as predicate,
    exists (select from pg_catalog.pg_constraint f where f.conindid = a.indexrelid and f.contype = 'f') as referenced
  from alike a left join pg_catalog.pg_constraint k on k.conindid = a.indexrelid and k.contype in ('p', 'u', 'x')
  where a.many > 1 and not exists (select from locked l where l.relation in (a.indrelid, a.indexrelid))
), ranked as (
  select r.*, first_value(r.indexrelid) over best as kept, row_number() over best as place
  from read r
  window best as (partition by r.indrelid, r.relam, r.indnatts, r.indnkeyatts, r.indkey::text, r.indclass::text,
    r.indcollation::text, r.indoption::text, r.expressions, r.predicate
    order by r.indisprimary desc, r.indisreplident desc, r.referenced desc, (r.conname is not null) desc,
      r.indisunique desc, r.indimmediate desc, r.indexrelid)
), c as (
  select i.oid, r.indrelid, ${estimate} as estimate, format('%I.%I', n.nspname, i.relname) as name, r.kept, r.conname,
    format('%I.%I', tn.nspname, t.relname) as table_name
  from ranked r join pg_catalog.pg_class i on i.oid = r.indexrelid join pg_catalog.pg_namespace n on n.oid = i.relnamespace
  join pg_catalog.pg_class t on t.oid = r.indrelid join pg_catalog.pg_namespace tn on tn.oid = t.relnamespace
  where r.place > 1 order by i.relpages desc limit 50
)
select c.name, c.table_name as table, quote_ident(c.conname) as constraint_name, ${bytes},
  (select format('%I.%I', n.nspname, k.relname) from pg_catalog.pg_class k join pg_catalog.pg_namespace n on n.oid = k.relnamespace
    where k.oid = c.kept) as kept
from c order by bytes desc`;

/**
 * Btrees of at least `$1` bytes that keep no rule, and whose columns another one of the same table begins with, in the
 * same order, with the same operator classes and collations.
 */
export const prefixSql = `
with ${locked}, plain as (
  select x.*, i.relname, i.relnamespace, ${estimate} as estimate
  from pg_catalog.pg_index x join pg_catalog.pg_class i on i.oid = x.indexrelid join pg_catalog.pg_am m on m.oid = i.relam
  where m.amname = 'btree' and i.relkind = 'i' and not i.relispartition and x.indisvalid and x.indrelid >= 16384
    and x.indpred is null and x.indexprs is null
), c as (
  select a.indexrelid as oid, a.indrelid, a.estimate, format('%I.%I', n.nspname, a.relname) as name,
    format('%I.%I', tn.nspname, t.relname) as table_name, min(format('%I.%I', bn.nspname, b.relname)) as kept
  from plain a join plain b on b.indrelid = a.indrelid and b.indnkeyatts > a.indnkeyatts
    and starts_with(b.indkey::text, a.indkey::text || ' ') and starts_with(b.indclass::text, a.indclass::text || ' ')
    and starts_with(b.indcollation::text, a.indcollation::text || ' ')
    and starts_with(b.indoption::text, a.indoption::text || ' ')
  join pg_catalog.pg_namespace n on n.oid = a.relnamespace join pg_catalog.pg_namespace bn on bn.oid = b.relnamespace
  join pg_catalog.pg_class t on t.oid = a.indrelid join pg_catalog.pg_namespace tn on tn.oid = t.relnamespace
  where a.indnatts = a.indnkeyatts and not a.indisunique and not a.indisreplident and a.estimate >= $1::int8
    and not exists (select from pg_catalog.pg_constraint k where k.conindid = a.indexrelid)
  group by 1, 2, 3, 4, 5 order by a.estimate desc limit 50
)
select c.name, c.table_name as table, c.kept, ${bytes} from c order by bytes desc`;

/** Indexes of at least `$1` bytes that were never read and that keep no rule. Those of partitions can't be dropped alone. */
export const unusedSql = `
with ${locked}, c as (
  select i.oid, x.indrelid, ${estimate} as estimate, format('%I.%I', n.nspname, i.relname) as name,
    format('%I.%I', tn.nspname, t.relname) as table_name
  from pg_catalog.pg_index x join pg_catalog.pg_class i on i.oid = x.indexrelid
  join pg_catalog.pg_namespace n on n.oid = i.relnamespace
  join pg_catalog.pg_class t on t.oid = x.indrelid join pg_catalog.pg_namespace tn on tn.oid = t.relnamespace
  where i.relkind = 'i' and not i.relispartition and x.indrelid >= 16384 and x.indisvalid and not x.indisunique
    and not x.indisreplident and not x.indisexclusion and n.nspname !~ '^pg_'
    and ${estimate} >= $1::int8 and pg_stat_get_numscans(i.oid) = 0
    and not exists (select from pg_catalog.pg_constraint k where k.conindid = i.oid)
  order by i.relpages desc limit 50
)
select c.name, c.table_name as table, ${bytes} from c order by bytes desc`;
