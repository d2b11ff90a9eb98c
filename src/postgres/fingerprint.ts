/**
 * Whether what a verdict of the guard stands on is as it was: the rows of the catalogue that it was reached by, each by
 * its oid and the transaction that wrote it (xmin), and the absence of others: every row is looked up by the name or the
 * owner that the guard's own look goes by, so that one which is new shows as well.
 *
 * Runs on the session's own path: all in it is qualified, and arrays are read by input functions, not by casts.
 */
import { marked } from "./own_mark.ts";
import type { Catalogue } from "./catalogue.ts";

/** What the guard has asked for, and found, on its way to a verdict. Oids are of what is not built in. */
export interface Reached {
  readonly schemas: readonly string[];
  readonly functions: readonly string[];
  readonly operators: readonly string[];
  readonly types: readonly string[];
  readonly relations: readonly string[];
  readonly function_oids: readonly string[];
  readonly type_oids: readonly string[];
  readonly relation_oids: readonly string[];
}

/** Expressions: what of a session a verdict depends on, and the snapshot. */
export const sessionText =
  `pg_catalog.concat_ws(' ', pg_catalog.pg_backend_pid(), pg_catalog.pg_my_temp_schema(),
  pg_catalog.pg_is_in_recovery(), pg_catalog.current_schemas(true), pg_catalog.current_setting('search_path'), current_user)`;
export const snapshotText = "pg_catalog.textin(pg_catalog.pg_snapshot_out(pg_catalog.pg_current_snapshot()))";

/** The transaction's own setting that the query reads: without a parameter its plan is never made anew. */
const setting = "postgres_mcp.kept";
/** Characters of what is worth keeping. */
const longest = 50_000;

/** The arrays that rows are looked up by: what was reached, and what follows from it. */
type Field = keyof Reached | "spaces" | "mates" | "families" | "composites";

/** The rows `from` somewhere, each as a text. */
function texts(from: string): string {
  return `coalesce((select pg_catalog.string_agg(f.row, ',' order by f.row collate pg_catalog."C") from ${from}), '-')`;
}

/** Those of a catalogue whose `column` is in an array: by its index for each, and nothing where the array is empty. */
function found(
  catalogue: string,
  column: string,
  field: Field,
  { id = "c.oid", and = "", more = "" } = {},
): string {
  return texts(`reached, pg_catalog.unnest(reached.${field}) as w(v), lateral (
      select pg_catalog.concat_ws(':', ${id}, c.xmin${more}) as row
      from pg_catalog.${catalogue} c where c.${column} operator(pg_catalog.=) w.v ${and} offset 0) f`);
}

/** Those for which a condition holds. */
function all(catalogue: string, condition: string, id = "c.oid"): string {
  return texts(`(select pg_catalog.concat_ws(':', ${id}, c.xmin) as row
    from pg_catalog.${catalogue} c where ${condition}) f`);
}

const isOwn = "c.oid operator(pg_catalog.>=) 16384::pg_catalog.oid";
/** Of a built-in operator, too, one of a user's own may be the negator. */
const hasOwn = `(${isOwn} or c.oprcom operator(pg_catalog.>=) 16384::pg_catalog.oid
  or c.oprnegate operator(pg_catalog.>=) 16384::pg_catalog.oid)`;

const parts = [
  found("pg_namespace", "nspname", "spaces", { more: ", pg_catalog.has_schema_privilege(c.oid, 'USAGE')" }),
  found("pg_proc", "proname", "functions"),
  found("pg_proc", "oid", "function_oids"),
  found("pg_operator", "oprname", "operators", { and: `and ${hasOwn}` }),
  found("pg_operator", "oid", "mates"),
  found("pg_type", "typname", "types"),
  found("pg_type", "oid", "type_oids"),
  found("pg_range", "rngtypid", "type_oids", { id: "c.rngtypid" }),
  found("pg_constraint", "contypid", "type_oids"),
  found("pg_attribute", "attrelid", "composites", { id: "c.attrelid, c.attnum" }),
  found("pg_class", "relname", "relations"),
  found("pg_class", "oid", "relation_oids"),
  found("pg_attribute", "attrelid", "relation_oids", { id: "c.attrelid, c.attnum" }),
  found("pg_attrdef", "adrelid", "relation_oids"),
  found("pg_inherits", "inhparent", "relation_oids", { id: "c.inhparent, c.inhrelid" }),
  found("pg_inherits", "inhrelid", "families", { id: "c.inhrelid, c.inhparent" }),
  found("pg_index", "indrelid", "relation_oids", { id: "c.indexrelid" }),
  found("pg_constraint", "conrelid", "relation_oids"),
  found("pg_statistic_ext", "stxrelid", "relation_oids"),
  found("pg_partitioned_table", "partrelid", "families", { id: "c.partrelid" }),
  found("pg_policy", "polrelid", "relation_oids"),
  found("pg_rewrite", "ev_class", "relation_oids"),
  // What applies without being named, and what belongs to an extension: all of it.
  ...["pg_cast", "pg_opclass", "pg_amop", "pg_amproc"].map((catalogue) => all(catalogue, isOwn)),
  all("pg_language", "true"),
  all(
    "pg_depend",
    `c.refclassid operator(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass::pg_catalog.oid
      and c.deptype operator(pg_catalog.=) 'e'::pg_catalog."char"`,
    "c.classid, c.objid",
  ),
];

const fields = "schemas functions operators types relations".split(" ").map((name) =>
  `${name} pg_catalog.name[]`
);
const oidFields = "function_oids type_oids relation_oids".split(" ").map((name) =>
  `${name} pg_catalog.oid[]`
);

/** WITH items that the {@linkcode digest} needs. */
const keptItem = `kept as materialized (
    select pg_catalog.jsonb_in(pg_catalog.textout(pg_catalog.current_setting('${setting}'))) as kept
  )`;
const reachedItems = `${keptItem},
  named as materialized (
    select r.* from kept, pg_catalog.jsonb_to_record(pg_catalog.jsonb_extract_path(kept.kept, 'reached'))
      as r(${[...fields, ...oidFields]})
  ),
  -- Commutators and negators, and theirs: one that is only a shell is filled without a change of the other's row.
  mate(oid) as (
    select o.oid from named, pg_catalog.unnest(named.operators) as w(v), lateral (
      select c.oid from pg_catalog.pg_operator c where c.oprname operator(pg_catalog.=) w.v and ${hasOwn} offset 0) o
    union
    select x.oid from mate, lateral (
      select c.oprcom, c.oprnegate from pg_catalog.pg_operator c where c.oid operator(pg_catalog.=) mate.oid offset 0) o,
      lateral pg_catalog.unnest(array[o.oprcom, o.oprnegate]) as x(oid)
    where x.oid operator(pg_catalog.<>) 0::pg_catalog.oid
  ),
  reached as materialized (
    select named.*,
      -- "$user" on a function's own path.
      pg_catalog.array_append(named.schemas, current_user) as spaces,
      (select pg_catalog.array_agg(mate.oid) from mate) as mates,
      -- Partitions and what they are parts of.
      (select pg_catalog.array_agg(a.relid::pg_catalog.oid)
        from pg_catalog.unnest(named.relation_oids) as o(oid), lateral pg_catalog.pg_partition_ancestors(o.oid) as a(relid)
      ) operator(pg_catalog.||) named.relation_oids as families,
      (select pg_catalog.array_agg(t.typrelid) from pg_catalog.pg_type t
        where t.oid operator(pg_catalog.=) any (named.type_oids)) as composites
    from named
  )`;

/** An expression: the digest of all that was reached. */
const digest = `pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(pg_catalog.concat_ws('|',
  ${parts.join(",\n  ")}), 'UTF8')), 'hex')`;

/** Sets what the queries here read, for the transaction: `$n` is it. */
export const setKept = (parameter: string): string =>
  `pg_catalog.set_config('${setting}', ${parameter}, true)`;

const setSql = `select ${setKept("$1")} as kept`;
const digestSql = `with recursive ${reachedItems} select ${digest} as digest`;

/** The digest of what a verdict stands on, as this transaction sees it; undefined where that is too much to keep. */
export async function digestOf(catalogue: Catalogue, reached: Reached): Promise<string | undefined> {
  const text = JSON.stringify({ reached });
  if (text.length > longest) return undefined;
  const [, [row]] = await Promise.all([
    catalogue.query(setSql, [text], { keep: true }),
    catalogue.query(digestSql, [], { keep: true }),
  ]);
  return row?.["digest"] ?? undefined;
}

const keptText = (name: string) => `pg_catalog.jsonb_extract_path_text(kept.kept, '${name}')`;

const check = (items: string, otherwise: string) =>
  marked(`with recursive ${items}
  select 1 operator(pg_catalog./) case
    when pg_catalog.current_setting('transaction_read_only') operator(pg_catalog.<>) 'on'
      or pg_catalog.current_setting('standard_conforming_strings') operator(pg_catalog.<>) 'on'
      or pg_catalog.current_setting('client_encoding') operator(pg_catalog.<>) 'UTF8' then 0
    when (${sessionText}) operator(pg_catalog.<>) (select ${keptText("session")} from kept) then 0
    when (${snapshotText}) operator(pg_catalog.=) (select ${keptText("snapshot")} from kept) then 1
    ${otherwise}
    else 0
  end as holds`);

/**
 * Fails ({@linkcode verdictIsOver}) unless a verdict still holds that was set as JSON: in this very session, in a
 * transaction that only reads, and in the same snapshot or one that shows the same rows.
 */
export const checkSql = check(
  reachedItems,
  `when ${digest} operator(pg_catalog.=) (select ${keptText("digest")} from kept) then 1`,
);

/** The same, in the same snapshot alone: on a server where nobody writes there is no digest to prepare for. */
export const snapshotCheckSql = check(keptItem, "");

/** The SQLSTATE of a verdict that holds no more: division by zero. */
export const verdictIsOver = "22012";
