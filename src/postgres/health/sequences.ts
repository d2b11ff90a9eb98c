/** Section `sequences`: how much of each is used up, of its own range and of its column's type. */
import { count, percent, plural } from "../../common/units.ts";
import { visible } from "../../common/visible.ts";
import type { Cell } from "../database.ts";
import { quoteIdentifier } from "../identifier.ts";
import { type Assessment, exceeds, type Finding, numberOf, type Section } from "./section.ts";

// A sequence belongs to a column (serial, identity), or a default calls nextval of it. Narrow ones come first.
const sequencesSql = `
with used as (
  select d.objid as sequence, d.refobjid as relation, d.refobjsubid as attribute from pg_catalog.pg_depend d
  where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjsubid > 0 and d.deptype in ('a', 'i')
  union
  select d.refobjid, a.adrelid, a.adnum from pg_catalog.pg_depend d join pg_catalog.pg_attrdef a on a.oid = d.objid
  where d.classid = 'pg_attrdef'::regclass and d.refclassid = 'pg_class'::regclass and d.deptype = 'n'
)
select s.oid, format('%I.%I', n.nspname, s.relname) as name, q.seqmin, q.seqmax, q.seqincrement, format_type(q.seqtypid, null) as type,
  columns.name as column_name, columns.sql as column_sql, columns.type as column_type, columns.maximum as column_max,
  has_sequence_privilege(s.oid, 'SELECT, USAGE') as readable
from pg_catalog.pg_sequence q join pg_catalog.pg_class s on s.oid = q.seqrelid
join pg_catalog.pg_namespace n on n.oid = s.relnamespace
left join lateral (
  select format('%I.%I.%I', tn.nspname, t.relname, a.attname) as name,
    format('ALTER TABLE %I.%I ALTER COLUMN %I TYPE bigint;', tn.nspname, t.relname, a.attname) as sql,
    format_type(a.atttypid, null) as type,
    case a.atttypid when 'smallint'::regtype then 32767 when 'integer'::regtype then 2147483647 end as maximum
  from used u join pg_catalog.pg_class t on t.oid = u.relation join pg_catalog.pg_namespace tn on tn.oid = t.relnamespace
  join pg_catalog.pg_attribute a on a.attrelid = u.relation and a.attnum = u.attribute
  where u.sequence = s.oid and t.relkind in ('r', 'p', 'f') order by maximum nulls last limit 1
) columns on true
where not q.seqcycle and s.relpersistence <> 't' and (s.relpersistence = 'p' or not pg_is_in_recovery())
order by least(q.seqmax, columns.maximum), s.oid limit $1::int`;

// The function waits for ALTER SEQUENCE and the like, and keeps a lock of its own until the transaction ends.
const valuesSql = `
select s.oid, pg_sequence_last_value(s.oid) as last_value
from unnest($1::oid[]) as s(oid)
where not exists (
  select from pg_catalog.pg_locks l join pg_catalog.pg_database d on d.oid = l.database
  where d.datname = current_database() and l.relation = s.oid and l.granted and l.pid <> pg_backend_pid()
  and l.mode in ('AccessExclusiveLock', 'ExclusiveLock', 'ShareRowExclusiveLock', 'ShareLock'))`;

/** Sequences that are looked at. */
const MOST = 20_000;
/** Locks that one transaction may take: the server's lock table has room for 64 per connection, for all. */
const AT_ONCE = 500;

type Row = Readonly<Record<string, Cell>>;

/** An integer column reaches its end long before the bigint sequence behind it does. */
export const sequences: Section = {
  name: "sequences",
  async assess(ask, server, limits): Promise<Assessment> {
    const rows = await ask((transaction) => transaction.query(sequencesSql, [String(MOST + 1)]));
    const shown = rows.slice(0, MOST);
    const readable = shown.filter((row) => row.readable === "t").map((row) => row.oid ?? "");
    const values = new Map<string, number>();
    for (let at = 0; at < readable.length; at += AT_ONCE) {
      const found = await ask((transaction) =>
        transaction.query(valuesSql, [`{${readable.slice(at, at + AT_ONCE).join(",")}}`])
      );
      for (const { oid, last_value } of found) {
        values.set(oid ?? "", numberOf(last_value) ?? NaN);
      }
    }
    const measured = shown.filter((row) => values.has(row.oid ?? "")).map((row) => ({
      row,
      ...usedUp(row, values.get(row.oid ?? "") ?? NaN),
    })).sort((a, b) => b.share - a.share);
    const findings = measured.flatMap((sequence): Finding[] => {
      const verdict = exceeds(sequence.share, limits.sequence);
      return verdict === undefined ? [] : [{ verdict, ...describe(sequence) }];
    });
    const hidden = shown.length - readable.length;
    const locked = readable.length - values.size;
    const [fullest] = measured;
    const gaps = [
      ...(hidden > 0
        ? [
          `${
            plural(hidden, "sequence")
          } that the role may not SELECT; the right for it: pg_read_all_data, or ${
            grantOn(shown, server.role)
          }`,
        ]
        : []),
      ...(rows.length > MOST ? [`all but the ${count(MOST)} sequences with the least room`] : []),
      // One lock among many is the summary's to tell.
      ...(locked > 0 && measured.length === 0
        ? [`${plural(locked, "sequence")} under a lock: ask again`]
        : []),
    ];
    return {
      summary: [
        shown.length === 0
          ? "there are none"
          : fullest === undefined
          ? `${plural(shown.length, "sequence")}, none seen`
          : `${plural(measured.length, "sequence")} seen, the fullest ${visible(fullest.row.name ?? "")} at ${
            percent(fullest.share)
          }`,
        ...(locked > 0 ? [`${count(locked)} not read, as they are locked`] : []),
      ].join(", "),
      findings,
      ...(gaps.length > 0 ? { unseen: gaps.join("; ") } : {}),
    };
  },
};

interface Measured {
  readonly row: Row;
  /** 1: the next value fails. */
  readonly share: number;
  readonly left: number;
  readonly limit: number;
  readonly last: number;
}

function usedUp(row: Row, last: number): Omit<Measured, "row"> {
  const min = numberOf(row.seqmin) ?? 1;
  const max = numberOf(row.seqmax) ?? Infinity;
  const step = numberOf(row.seqincrement) ?? 1;
  // It was never called.
  if (Number.isNaN(last)) return { share: 0, left: Infinity, limit: max, last: 0 };
  const columnMax = numberOf(row.column_max) ?? Infinity;
  const limit = step > 0 ? Math.min(max, columnMax) : Math.max(min, -columnMax - 1);
  const share = step > 0 ? (last - min) / (limit - min) : (max - last) / (max - limit);
  return { share: Math.max(0, share), left: Math.max(0, Math.floor((limit - last) / step)), limit, last };
}

function describe({ row, share, left, limit, last }: Measured): Omit<Finding, "verdict"> {
  const name = row.name ?? "";
  const column = row.column_name ?? null;
  const byColumn = numberOf(row.column_max) === Math.abs(limit);
  const statements = [
    ...(byColumn && row.column_sql !== null && row.column_sql !== undefined ? [row.column_sql] : []),
    ...(row.type === "bigint" ? [] : [`ALTER SEQUENCE ${name} AS bigint;`]),
  ];
  return {
    text: `${visible(name)} is used up to ${percent(share)}: ${count(last)} of ${count(limit)}${
      column === null ? "" : `, for ${visible(column)} (${row.column_type})`
    }; ${left === 0 ? "the next insert fails" : `${plural(left, "value")} are left`}`,
    statements: statements.length > 0 ? statements : [`ALTER SEQUENCE ${name} NO MAXVALUE;`],
    caution: byColumn
      ? "rewrites the table under a lock that blocks all: plan it, on a large table with a second column and a copy in batches; foreign keys and clients must take bigint too"
      : "quick, but its column must take larger values too",
  };
}

function grantOn(rows: readonly Row[], role: string): string {
  const name = rows.find((row) => row.readable !== "t")?.name ?? "";
  return `GRANT SELECT ON SEQUENCE ${visible(name)} TO ${quoteIdentifier(role)};`;
}
