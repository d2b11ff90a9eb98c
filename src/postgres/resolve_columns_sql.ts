/** The columns of the query that resolves names: what `catalogue.ts` gives as `Found`, each list as a JSON text. */

/** Different expressions of indexes, checks and the like, with functions of a user's own, that are read. */
export const MAX_EXPRESSIONS = 500;

/** Whether an object belongs to an extension: one look into an index, however many extensions there are. */
export function isMember(catalogue: string, oid: string): string {
  return `exists (select from pg_catalog.pg_depend e
    where e.classid = 'pg_catalog.${catalogue}'::regclass and e.objid = ${oid} and e.deptype = 'e')`;
}

/**
 * Whether its owner is a superuser. Whoever may create objects in a database may own an extension there, and add objects
 * of their own to it: those are a user's own.
 */
export function isTrusted(owner: string): string {
  return `exists (select from pg_catalog.pg_roles owner where owner.oid = ${owner} and owner.rolsuper)`;
}

/** Whether a function is an extension's own; one in C can only be made by a superuser. */
export function isExtensionFunction(oid: string): string {
  return `(${isMember("pg_proc", oid)} and exists (
    select from pg_catalog.pg_proc own join pg_catalog.pg_language spoken on spoken.oid = own.prolang
    where own.oid = ${oid} and (spoken.lanname in ('c', 'internal') or ${isTrusted("own.proowner")})))`;
}

/** A list of the functions and operators of a user's own that stored objects depend on, from `(classid, objid)`. */
export function boundBy(objects: string): string {
  return `(select json_agg(distinct jsonb_build_object('oid', d.refobjid::text,
      'kind', case when d.refclassid = 'pg_catalog.pg_proc'::regclass then 'function' else 'operator' end))
    from (${objects}) as b(classid, objid), lateral (
      select * from pg_catalog.pg_depend d where d.classid = b.classid and d.objid = b.objid offset 0) d
    where d.refobjid >= 16384 and d.refclassid in ('pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_operator'::regclass))`;
}

/** Selects from the parts of the query in `resolve_sql.ts`. */
export const resolveColumns = `select
  current_setting('standard_conforming_strings') as standard_conforming_strings,
  current_setting('client_encoding') as client_encoding,
  current_setting('server_encoding') as server_encoding,
  current_setting('transaction_read_only') as read_only,
  current_setting('max_identifier_length') as max_identifier_length,
  current_setting('server_version_num') as version,
  (select json_agg(x) from (
    select p.oid::text, n.nspname as schema, p.proname as name, oidvectortypes(p.proargtypes) as arguments,
      p.pronargs as inputs, p.pronargdefaults as defaults, p.provariadic <> 0 as variadic, p.proargtypes::text as signature,
      p.prokind as kind, p.provolatile as volatility, l.lanname as language, p.prosecdef as definer, p.proconfig as settings,
      case when o.origin <> 'builtin' and l.lanname in ('sql', 'plpgsql') then p.prosrc end as body,
      case when o.origin <> 'builtin' and p.prokind in ('f', 'w') and (l.lanname = 'plpgsql' or l.lanname = 'sql' and p.prosqlbody is not null)
        then pg_get_functiondef(p.oid) end as definition,
      case when o.origin = 'user' then pg_get_expr(p.proargdefaults, 0) end as "defaultValues",
      l.lanname = 'internal' and p.prosrc in ('range_constructor2', 'range_constructor3', 'multirange_constructor0',
        'multirange_constructor1', 'multirange_constructor2') as "makesRange",
      o.origin, f.position, f.named,
      (select json_agg(part.function::text) from part where part.aggregate = p.oid) as parts,
      case when o.origin = 'user' then ${boundBy("select 'pg_catalog.pg_proc'::regclass, p.oid")} end as bound
    from func f
      join pg_catalog.pg_proc p on p.oid = f.oid
      join pg_catalog.pg_namespace n on n.oid = p.pronamespace
      join pg_catalog.pg_language l on l.oid = p.prolang,
      lateral (select case
        when p.oid < 16384 then 'builtin'
        when ${isExtensionFunction("p.oid")} then 'extension'
        else 'user' end as origin) o
  ) x)::text as functions,
  (select json_agg(x) from (
    select o.oid::text, o.oprname as name, n.nspname as schema, (select json_agg(f.function::text) from operatorfunction f where f.operator = o.oid) as functions,
      (select coalesce(json_agg(t.oid::text), '[]') from unnest(array[o.oprleft, o.oprright]) as t(oid) where t.oid >= 16384) as "userOperands",
      (select count(*) from unnest(array[o.oprleft, o.oprright]) as t(oid) where t.oid > 0 and t.oid < 16384) as "builtinOperands",
      exists (select from pg_catalog.pg_operator b where b.oprname = o.oprname and b.oid < 16384) as "alsoBuiltin"
    from operator o join pg_catalog.pg_namespace n on n.oid = o.oprnamespace
  ) x)::text as operators,
  (select json_agg(x) from (
    select format('%s to %s', castsource::regtype, casttarget::regtype) as name, castfunc::text as function, castsource::text as source,
      casttarget::text as target, castsource < 16384 as "builtinSource", casttarget < 16384 as "builtinTarget"
    from usercast where castfunc <> 0
  ) x)::text as casts,
  (select json_agg(x) from (
    select t.oid::text, format_type(t.oid, null) as name, c.checks, f.functions,
      ${
  boundBy(
    "select 'pg_catalog.pg_constraint'::regclass, k.oid from pg_catalog.pg_constraint k where k.contypid = t.oid and k.contypid <> 0",
  )
} as bound
    from usertype t
      left join (
        select contypid, json_agg(pg_get_expr(conbin, 0)) as checks from pg_catalog.pg_constraint
        where contypid <> 0 and conbin is not null group by contypid
      ) c on c.contypid = t.oid
      left join (select type, json_agg(function::text) as functions from typefunction group by type) f on f.type = t.oid
  ) x)::text as types,
  (select json_agg(x) from (
    select tree.index, c.oid::text, n.nspname as schema, c.relname as name, c.relkind as kind, o.origin, tree.child,
      case when c.relkind = 'v' and o.origin = 'user' then pg_get_viewdef(c.oid) end as definition,
      case when c.relrowsecurity then
        (select json_agg(pg_get_expr(p.polqual, p.polrelid)) from pg_catalog.pg_policy p
         where p.polrelid = c.oid and p.polqual is not null and p.polcmd in ('r', '*')) end as policies,
      case when o.origin = 'user' and (c.relkind = 'v' or c.relrowsecurity) then ${
  boundBy(
    `select 'pg_catalog.pg_rewrite'::regclass, w.oid from pg_catalog.pg_rewrite w where w.ev_class = c.oid and c.relkind = 'v'
        union all
        select 'pg_catalog.pg_policy'::regclass, p.oid from pg_catalog.pg_policy p
        where p.polrelid = c.oid and p.polqual is not null and p.polcmd in ('r', '*') and c.relrowsecurity`,
  )
} end as bound,
      (select json_agg(a.attname) from pg_catalog.pg_attribute a where a.attrelid = c.oid and not a.attisdropped and not tree.child) as columns
    from tree
      join pg_catalog.pg_class c on c.oid = tree.oid
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace,
      lateral (select case
        when c.oid < 16384 then 'builtin'
        when ${isMember("pg_class", "c.oid")} and ${isTrusted("c.relowner")} then 'extension'
        else 'user' end as origin) o
  ) x)::text as relations,
  (select json_agg(oid::text) from reached)::text as reached,
  (select json_agg(x) from (
    select name, json_agg(function::text) as functions from classfunction group by class, name
  ) x)::text as classes,
  (select json_agg(x) from (
    select e.expression, e.bound::json as bound, min(format('%s.%s', n.nspname, c.relname)) as relation
    from evaluated e
      join pg_catalog.pg_class c on c.oid = e.relation
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    group by e.expression, e.bound order by 3 limit ${MAX_EXPRESSIONS + 1}
  ) x)::text as evaluated`;
