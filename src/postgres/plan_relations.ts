/** What the catalogue says of the tables that a plan reads: sizes, columns, indexes, age of the statistics. */
import type { Transaction } from "./database.ts";
import type { PlanNode } from "./plan.ts";

/** A column of a table in a plan. */
export interface PlanColumn {
  /** As SQL writes it, with quotes where they are needed. */
  readonly sql: string;
  /** format_type without the modifier. */
  readonly type: string;
  /** Distinct values by the last ANALYZE; undefined when it is not known or not for this role to see. */
  readonly distinct: number | undefined;
}

/** A table that a plan reads. */
export interface PlanRelation {
  /** As SQL writes it: `public.todos`. Of a partition, its topmost parent. */
  readonly sql: string;
  /** As SQL writes the table itself. */
  readonly own: string;
  readonly isPartition: boolean;
  /** A table of the system, which takes no index of a user's. */
  readonly isSystem: boolean;
  /** Rows by the last ANALYZE or VACUUM; undefined when never counted. */
  readonly rows: number | undefined;
  readonly columns: ReadonlyMap<string, PlanColumn>;
  /** Of indexes that are valid: the name, and the columns or expressions in order, as pg_get_indexdef prints them. */
  readonly indexes: readonly {
    readonly name: string;
    readonly keys: readonly string[];
    /** Of each key, `pg_index.indoption`: whether it descends, and where its NULLs are. */
    readonly orders: readonly number[];
    /** Of each key, the name of its operator class. */
    readonly classes: readonly string[];
    readonly partial: boolean;
    /** The access method, such as `btree` or `gin`. */
    readonly method: string;
  }[];
  /** Its foreign keys: the name, and the referencing columns in order. */
  readonly foreignKeys: readonly { readonly name: string; readonly columns: readonly string[] }[];
  /** Rows changed since the last ANALYZE. */
  readonly changed: number;
  /** Whether ANALYZE was ever run, as far as the statistics know. */
  readonly analyzed: boolean;
}

/** What extensions change of what can be advised. */
export interface Extensions {
  /** Whether the statement's `@>`, `<@` and `&&` of integer arrays are those of intarray. */
  readonly intarray: boolean;
  /** The operator class of pg_trgm as the statement's session writes it; undefined where the server does not have it. */
  readonly trigrams: { readonly operatorClass: string; readonly isInstalled: boolean } | undefined;
}

/** What is known around a plan. */
export interface PlanFacts {
  readonly extensions: Extensions;
  /** work_mem in bytes. */
  readonly workMem: number;
  /** Rows that the statement's own OFFSET passes over, where its text says so. */
  readonly offset: number | undefined;
  /** The relation that a node reads. */
  relation(node: PlanNode): PlanRelation | undefined;
}

/** Tables of one plan that are looked up: a partitioned one can have thousands. */
const maxRelations = 500;

const factsSql = `
select wanted.schema, wanted.name, c.reltuples,
  quote_ident(n.nspname) || '.' || quote_ident(c.relname) as own,
  quote_ident(rn.nspname) || '.' || quote_ident(rc.relname) as root,
  c.relispartition as partition,
  pg_stat_get_mod_since_analyze(c.oid) as changed,
  coalesce(pg_stat_get_last_analyze_time(c.oid), pg_stat_get_last_autoanalyze_time(c.oid)) is not null as analyzed,
  (select json_agg(json_build_array(a.attname, quote_ident(a.attname), format_type(a.atttypid, null),
      case when s.n_distinct < 0 then -s.n_distinct * c.reltuples else s.n_distinct end))
    from pg_attribute a left join pg_stats s
      on s.schemaname = n.nspname and s.tablename = c.relname and s.attname = a.attname and not s.inherited
    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns,
  (select json_agg(json_build_array(ic.relname, i.indpred is not null, am.amname,
      (select json_agg(pg_get_indexdef(i.indexrelid, k, true) order by k) from generate_series(1, i.indnkeyatts) k),
      (select json_agg(i.indoption[k - 1] order by k) from generate_series(1, i.indnkeyatts) k),
      (select json_agg(o.opcname order by k) from generate_series(1, i.indnkeyatts) k
        join pg_opclass o on o.oid = i.indclass[k - 1])))
    from pg_index i join pg_class ic on ic.oid = i.indexrelid join pg_am am on am.oid = ic.relam
    where i.indrelid = c.oid and i.indisvalid and i.indisready) as indexes,
  (select json_agg(json_build_array(f.conname, (select json_agg(a.attname order by k.at)
      from unnest(f.conkey) with ordinality k(number, at)
      join pg_attribute a on a.attrelid = f.conrelid and a.attnum = k.number)))
    from pg_constraint f where f.conrelid = c.oid and f.contype = 'f') as foreign_keys
from json_to_recordset($1::json) as wanted(schema text, name text)
join pg_namespace n on n.nspname = wanted.schema
join pg_class c on c.relnamespace = n.oid and c.relname = wanted.name
join pg_class rc on rc.oid = coalesce(pg_partition_root(c.oid), c.oid)
join pg_namespace rn on rn.oid = rc.relnamespace`;

/** With the schemas of the statement's own search path, and whether a pattern is asked for: the rest reads files. */
const surroundingsSql = `
with path as (select json_array_elements_text($1::json) as schema),
installed as (
  select e.extname as name, n.nspname in (table path) as is_visible, quote_ident(n.nspname) as schema
  from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname in ('intarray', 'pg_trgm'))
select pg_size_bytes(current_setting('work_mem')) as work_mem,
  exists (select from installed where name = 'intarray' and is_visible) as intarray,
  (select case when is_visible then '' else schema || '.' end || 'gin_trgm_ops' from installed where name = 'pg_trgm')
    as trigrams,
  case when $2::boolean then exists (select from pg_available_extensions where name = 'pg_trgm') end as has_trigrams`;

/** Asks the catalogue about a plan's tables; changes the transaction's search path. */
export async function readFacts(
  transaction: Transaction,
  nodes: readonly PlanNode[],
): Promise<Omit<PlanFacts, "offset">> {
  // Alone on the path: behind pg_catalog, a function of somebody's own would still be called where its types fit better.
  const [own] = await transaction.query(
    "select pg_catalog.array_to_json(pg_catalog.current_schemas(true)) as path, " +
      "pg_catalog.set_config('search_path', 'pg_catalog', true)",
  );
  const keys = [...new Set(nodes.flatMap((node) => keyOf(node) ?? []))].slice(0, maxRelations);
  const wanted = keys.map((key) => {
    const [schema, name]: unknown[] = JSON.parse(key);
    return { schema, name };
  });
  const hasPattern = nodes.some((node) => node.mentions(/~~/));
  const [around] = await transaction.query(surroundingsSql, [own?.path ?? "[]", String(hasPattern)]);
  const rows = wanted.length === 0 ? [] : await transaction.query(factsSql, [JSON.stringify(wanted)]);
  const relations = new Map(rows.map((row): [string, PlanRelation] => {
    const tuples = Number(row.reltuples ?? -1);
    return [JSON.stringify([row.schema, row.name]), {
      sql: row.root ?? "",
      own: row.own ?? "",
      isSystem: row.schema === "pg_catalog" || row.schema === "information_schema",
      isPartition: row.partition === "t",
      rows: tuples < 0 ? undefined : tuples,
      changed: Number(row.changed ?? 0),
      analyzed: row.analyzed === "t" || tuples >= 0,
      columns: new Map(
        lists(row.columns).map(([name, sql, type, distinct]) => [String(name), {
          sql: String(sql),
          type: String(type),
          distinct: typeof distinct === "number" && distinct > 0 ? distinct : undefined,
        }]),
      ),
      foreignKeys: lists(row.foreign_keys).map(([name, columns]) => ({
        name: String(name),
        columns: Array.isArray(columns) ? columns.map(String) : [],
      })),
      indexes: lists(row.indexes).map(([name, partial, method, keys, orders, classes]) => ({
        name: String(name),
        partial: partial === true,
        method: String(method),
        keys: Array.isArray(keys) ? keys.map(String) : [],
        orders: Array.isArray(orders) ? orders.map(Number) : [],
        classes: Array.isArray(classes) ? classes.map(String) : [],
      })),
    }];
  }));
  return {
    workMem: Number(around?.work_mem ?? 4 << 20),
    extensions: { intarray: around?.intarray === "t", trigrams: trigramsOf(around ?? {}) },
    relation: (node) => {
      const key = keyOf(node);
      return key === undefined ? undefined : relations.get(key);
    },
  };
}

function trigramsOf(
  { trigrams, has_trigrams }: Readonly<Record<string, string | null>>,
): Extensions["trigrams"] {
  if (trigrams !== null && trigrams !== undefined) return { operatorClass: trigrams, isInstalled: true };
  return has_trigrams === "t" ? { operatorClass: "gin_trgm_ops", isInstalled: false } : undefined;
}

function keyOf(node: PlanNode): string | undefined {
  const schema = node.text("Schema");
  const name = node.text("Relation Name");
  return schema === undefined || name === undefined ? undefined : JSON.stringify([schema, name]);
}

function lists(json: string | null | undefined): readonly (readonly unknown[])[] {
  const parsed: unknown = JSON.parse(json ?? "[]");
  return Array.isArray(parsed) ? parsed.filter((item) => Array.isArray(item)) : [];
}
