import { boundBy, isExtensionFunction, isMember, isTrusted, resolveColumns } from "./resolve_columns_sql.ts";

/**
 * The schemas of the `path` in `$1` as PostgreSQL looks a name up in them, functions (`path`) and, with the session's
 * temporary schema, types and relations (`temporary`).
 */
const searchPath = `request as (select ($1::text)::jsonb as r),
path as (
  select n.oid, min(s.position) as position
  from request,
    lateral (
      select 'pg_catalog' as name, 0::bigint as position where not r->'path' ? 'pg_catalog'
      union all
      select case name when '$user' then current_user::text else name end, position
      from jsonb_array_elements_text(r->'path') with ordinality as p(name, position)
    ) s
    join pg_catalog.pg_namespace n on n.nspname = s.name or (s.name = 'pg_temp' and n.oid = pg_my_temp_schema())
  -- PostgreSQL passes over a schema of the path that the role may not use.
  where n.nspname = 'pg_catalog' or n.oid = pg_my_temp_schema() or has_schema_privilege(n.oid, 'USAGE')
  group by n.oid
),
temporary as (
  select oid, position from path
  union all
  select pg_my_temp_schema(), -1 where pg_my_temp_schema() <> 0 and pg_my_temp_schema() not in (select oid from path)
)`;

/**
 * The one query that resolves names: `$1` is a JSON text of `path` (names of schemas),
 * `functions`, `operators` and `types` (`s` schema or null, `n` name) and `relations` (also `d`,
 * whether children are read), and `bound` (`kind`, `oid`). Its row is what `catalogue.ts` gives as `Found`.
 */
export const RESOLVE = `
with recursive ${searchPath},
wanted as (
  select k.kind, x.item->>'s' as schema, x.item->>'n' as name, (x.item->>'d')::boolean as descend, x.position as index, n.oid as namespace
  from request, unnest(array['functions','operators','types','relations']) as k(kind),
    lateral jsonb_array_elements(r->k.kind) with ordinality as x(item, position)
    left join pg_catalog.pg_namespace n on n.nspname = x.item->>'s' or (x.item->>'s' = 'pg_temp' and n.oid = pg_my_temp_schema())
),
bound as (
  select distinct x.item->>'kind' as kind, (x.item->>'oid')::oid as oid
  from request, lateral jsonb_array_elements(r->'bound') as x(item)
),
named_function as (
  -- Where an unqualified call finds it; a temporary function is only found by its schema.
  select p.oid, min(path.position) as position
  from (select distinct schema, name, namespace from wanted where kind = 'functions') w
    join pg_catalog.pg_proc p on p.proname = w.name::name
    left join path on path.oid = p.pronamespace and path.oid <> pg_my_temp_schema()
  where case when w.schema is null then path.oid is not null else p.pronamespace = w.namespace end
  group by p.oid
),
operator as (
  select distinct o.*
  from (select distinct schema, name, namespace from wanted where kind = 'operators') w
    join pg_catalog.pg_operator o on o.oprname = w.name::name
    left join path on path.oid = o.oprnamespace
  -- Of a built-in operator, too, one of a user's own may be the negator.
  where (o.oid >= 16384 or o.oprcom >= 16384 or o.oprnegate >= 16384)
    and case when w.schema is null then path.oid is not null else o.oprnamespace = w.namespace end
    and not (${isMember("pg_operator", "o.oid")} and ${isTrusted("o.oprowner")})
  union
  select o.* from bound join pg_catalog.pg_operator o on o.oid = bound.oid
  where bound.kind = 'operator' and not (${isMember("pg_operator", "o.oid")} and ${isTrusted("o.oprowner")})
),
usercast as (
  select c.* from pg_catalog.pg_cast c
  where c.oid >= 16384 and not (${isMember("pg_cast", "c.oid")} and (c.castfunc = 0 or ${
  isExtensionFunction("c.castfunc")
}))
),
relation as (
  select distinct on (w.index) w.index, w.descend, c.oid
  from wanted w
    join pg_catalog.pg_class c on c.relname = w.name::name
    left join temporary t on t.oid = c.relnamespace
  where w.kind = 'relations' and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S', 't')
    and case when w.schema is null then t.oid is not null else c.relnamespace = w.namespace end
  order by w.index, t.position
),
tree as (
  select index, oid, descend, false as child from relation
  union
  select t.index, i.inhrelid, true, true from tree t join pg_catalog.pg_inherits i on i.inhparent = t.oid where t.descend
),
heir as (select distinct oid from tree where oid >= 16384),
keyed as (
  select oid from heir
  union
  select a.relid::oid from relation r, lateral pg_partition_ancestors(r.oid) as a(relid) where r.oid >= 16384
),
-- What planning evaluates, or reading: expressions of indexes, statistics, checks, partition keys, virtual columns.
stored as (
  select ('pg_catalog.pg_class'::regclass)::oid as classid, i.indexrelid as objid, h.oid as relation, i.indexprs as tree
  from heir h join pg_catalog.pg_index i on i.indrelid = h.oid where i.indexprs is not null
  union all
  select ('pg_catalog.pg_class'::regclass)::oid, i.indexrelid, h.oid, i.indpred
  from heir h join pg_catalog.pg_index i on i.indrelid = h.oid where i.indpred is not null
  union all
  select ('pg_catalog.pg_constraint'::regclass)::oid, c.oid, h.oid, c.conbin
  from heir h join pg_catalog.pg_constraint c on c.conrelid = h.oid where c.conbin is not null
  union all
  select ('pg_catalog.pg_statistic_ext'::regclass)::oid, s.oid, h.oid, s.stxexprs
  from heir h join pg_catalog.pg_statistic_ext s on s.stxrelid = h.oid where s.stxexprs is not null
  union all
  select ('pg_catalog.pg_class'::regclass)::oid, k.oid, k.oid, p.partexprs
  from keyed k join pg_catalog.pg_partitioned_table p on p.partrelid = k.oid where p.partexprs is not null
  union all
  select ('pg_catalog.pg_attrdef'::regclass)::oid, d.oid, h.oid, d.adbin
  from heir h join pg_catalog.pg_attribute a on a.attrelid = h.oid and a.attgenerated = 'v'
    join pg_catalog.pg_attrdef d on d.adrelid = h.oid and d.adnum = a.attnum
),
-- Only those with something of a user's own in them: nothing else of theirs can have been changed since. Of what is
-- built in and immutable, one function calls a user's own: that of the partition key of the table that it is given.
evaluated as (
  select s.relation, pg_get_expr(s.tree, s.relation) as expression, ${
  boundBy("select s.classid, s.objid")
}::text as bound from stored s
  where s.tree::text like '%:funcid ' || 'pg_catalog.satisfies_hash_partition'::regproc::oid || ' %' or exists (
    select from pg_catalog.pg_depend d
    where d.classid = s.classid and d.objid = s.objid and d.refobjid >= 16384
      and d.refclassid in ('pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_operator'::regclass, 'pg_catalog.pg_type'::regclass)
      and not case d.refclassid
        when 'pg_catalog.pg_proc'::regclass then ${isMember("pg_proc", "d.refobjid")} and exists (
          select from pg_catalog.pg_proc own join pg_catalog.pg_language l on l.oid = own.prolang
          where own.oid = d.refobjid and l.lanname in ('c', 'internal'))
        when 'pg_catalog.pg_operator'::regclass then ${isMember("pg_operator", "d.refobjid")} and exists (
          select from pg_catalog.pg_operator own where own.oid = d.refobjid and ${isTrusted("own.oprowner")})
        else ${isMember("pg_type", "d.refobjid")} and exists (
          select from pg_catalog.pg_type own where own.oid = d.refobjid and ${isTrusted("own.typowner")})
      end
  )
),
-- What an aggregate calls; its sort operator is used where an index gives the least or greatest at once.
part as (
  select distinct a.aggfnoid::oid as aggregate, f.oid as function, a.aggtranstype, a.aggmtranstype
  from named_function d join pg_catalog.pg_aggregate a on a.aggfnoid = d.oid,
    lateral (
      select unnest(array[a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn, a.aggdeserialfn, a.aggmtransfn, a.aggminvtransfn,
        a.aggmfinalfn]::oid[]) as oid
      union
      select o.oprcode::oid from pg_catalog.pg_operator o where o.oid = a.aggsortop
      union
      select p.amproc::oid from pg_catalog.pg_amop m join pg_catalog.pg_amproc p on p.amprocfamily = m.amopfamily
      where m.amopopr = a.aggsortop and a.aggsortop >= 16384
    ) f
  where d.oid >= 16384 and f.oid <> 0
),
seed as (
  select t.oid from (select distinct schema, name, namespace from wanted where kind = 'types') w
    join pg_catalog.pg_type t on t.typname = w.name::name
    left join path on path.oid = t.typnamespace
  where case when w.schema is null then path.oid is not null else t.typnamespace = w.namespace end
  union
  select a.atttypid from relation r join pg_catalog.pg_attribute a on a.attrelid = r.oid and not a.attisdropped
  union
  select unnest(coalesce(p.proallargtypes, p.proargtypes::oid[]) || p.prorettype)
  from named_function f join pg_catalog.pg_proc p on p.oid = f.oid where p.oid >= 16384
  union
  select unnest(array[aggtranstype, aggmtranstype]) from part
  union
  select unnest(p.proargtypes::oid[] || p.prorettype) from part join pg_catalog.pg_proc p on p.oid = part.function
  union
  select unnest(array[oprleft, oprright, oprresult]) from operator
  union
  select casttarget from usercast where castsource < 16384 and castcontext = 'i'
),
reached(oid) as (
  select oid from seed where oid >= 16384
  union
  select next.oid from reached,
    lateral (
      select unnest(array[t.typbasetype, t.typelem]) as oid from pg_catalog.pg_type t where t.oid = reached.oid
      union all
      select a.atttypid from pg_catalog.pg_type t join pg_catalog.pg_attribute a on a.attrelid = t.typrelid and not a.attisdropped
      where t.oid = reached.oid and t.typrelid <> 0
      union all
      select unnest(array[g.rngsubtype, g.rngtypid]) from pg_catalog.pg_range g where reached.oid in (g.rngtypid, g.rngmultitypid)
      union all
      select casttarget from usercast where castsource = reached.oid and castcontext = 'i'
    ) next
  where next.oid >= 16384
),
usertype as (
  select t.* from reached join pg_catalog.pg_type t on t.oid = reached.oid
  where not (${isMember("pg_type", "t.oid")} and ${isTrusted("t.typowner")})
),
-- Classes of a user's own with all that their families call, and what of a user's own is in a family that is not: rows
-- that PostgreSQL brings name nothing but its own. By index, as extensions bring hundreds of them.
ownclass as (
  select c.* from pg_catalog.pg_opclass c
  where c.oid >= 16384 and not ${isMember("pg_opclass", "c.oid")}
),
ownmember as (
  select m.family, m.function
  from (
    select p.amprocfamily as family, p.amproc::oid as function from pg_catalog.pg_amproc p where p.oid >= 16384
    union
    select m.amopfamily, o.oprcode::oid
    from pg_catalog.pg_amop m join pg_catalog.pg_operator o on o.oid = m.amopopr where m.oid >= 16384
  ) m
  where m.function >= 16384 and not ${isMember("pg_proc", "m.function")}
),
userclass as (
  select c.oid, c.opcname, c.opcintype, c.opcdefault, f.function
  from ownclass c,
    lateral (
      select p.amproc::oid as function from pg_catalog.pg_amproc p where p.amprocfamily = c.opcfamily
      union
      select o.oprcode::oid from pg_catalog.pg_amop m join pg_catalog.pg_operator o on o.oid = m.amopopr
      where m.amopfamily = c.opcfamily
    ) f
  union
  select c.oid, c.opcname, c.opcintype, c.opcdefault, m.function
  from ownmember m join pg_catalog.pg_opclass c on c.opcfamily = m.family
),
typefunction as (
  select t.oid as type, f.oid as function from usertype t,
    lateral (
      select unnest(array[t.typinput, t.typoutput, t.typreceive, t.typsend, t.typmodin, t.typmodout, t.typsubscript]::oid[]) as oid
      union all
      select unnest(array[g.rngcanonical, g.rngsubdiff]::oid[]) from pg_catalog.pg_range g where g.rngtypid = t.oid
      union all
      select c.function from userclass c where c.opcintype = t.oid and c.opcdefault
      union all
      select c.function from pg_catalog.pg_range g join userclass c on c.oid = g.rngsubopc where g.rngtypid = t.oid
    ) f
  where f.oid >= 16384
),
-- Sorting, grouping and hashing use the default class of a type, even of a built-in one.
usedclass as (
  select oid from userclass where opcdefault and (opcintype < 16384 or opcintype in (select oid from reached))
  union
  select used.class from heir h join pg_catalog.pg_index i on i.indrelid = h.oid, unnest(i.indclass::oid[]) as used(class)
  union
  select used.class from keyed k join pg_catalog.pg_partitioned_table p on p.partrelid = k.oid, unnest(p.partclass::oid[]) as used(class)
  union
  select used.class from pg_catalog.pg_partitioned_table p, unnest(p.partclass::oid[]) as used(class)
  where exists (select from wanted where kind = 'functions' and name = 'satisfies_hash_partition')
),
classfunction as (
  select distinct c.oid as class, c.opcname as name, c.function from userclass c where c.oid in (select oid from usedclass)
),
-- What the planner may put in an operator's place: its commutator, its negator, and theirs.
mate(operator, oid) as (
  select oid, oid from operator
  union
  select m.operator, x.oid from mate m join pg_catalog.pg_operator o on o.oid = m.oid,
    lateral unnest(array[o.oprcom, o.oprnegate]) as x(oid)
  where x.oid <> 0
),
operatorfunction as (
  select distinct o.operator, f.oid as function from mate o,
    lateral (
      select oprcode::oid as oid from pg_catalog.pg_operator x where x.oid = o.oid
      union
      select p.amproc::oid from pg_catalog.pg_amop m join pg_catalog.pg_amproc p on p.amprocfamily = m.amopfamily where m.amopopr = o.oid
    ) f
  where f.oid <> 0
),
direct as (
  select oid, position, true as named from named_function
  union all
  select f.oid, null, false
  from (
    select function as oid from operatorfunction
    union select castfunc from usercast where castfunc <> 0
    union select function from typefunction
    union select function from classfunction
    union select function from part
    union select oid from bound where kind = 'function'
  ) f where f.oid not in (select oid from named_function)
),
func as (select oid, min(position) as position, bool_or(named) as named from direct group by oid)
${resolveColumns}
`;

/** The oids of the `types` in `$1` (`s`, `n`, and `a` for an array of it), in their order; a type that is not there has none. */
export const RESOLVE_TYPES = `
with ${searchPath}
select (
  select case when (x.item->>'a')::boolean then t.typarray else t.oid end::text
  from pg_catalog.pg_type t join pg_catalog.pg_namespace n on n.oid = t.typnamespace
    left join temporary on temporary.oid = n.oid
  where t.typname = (x.item->>'n')::name and case
    when x.item->>'s' is null then temporary.oid is not null
    when x.item->>'s' = 'pg_temp' then n.oid = pg_my_temp_schema()
    else n.nspname = x.item->>'s' end
  order by temporary.position limit 1
) as oid
from request, lateral jsonb_array_elements(r->'types') with ordinality as x(item, position)
order by x.position`;
