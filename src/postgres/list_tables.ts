/** Tool `list_tables`: which relations a database has, with what helps to choose among them. */
import * as z from "zod";
import { filled } from "../common/structured.ts";
import { largestThatFits } from "../common/largest_that_fits.ts";
import { table } from "../common/table.ts";
import { defineTool, type Tool } from "../common/tool.ts";
import { count, plural, size } from "../common/units.ts";
import { useCatalogueAlone } from "./catalogue_session.ts";
import type { Cell, Database, Transaction } from "./database.ts";
import { likePattern } from "./like_pattern.ts";
import { relationKind, relationKinds } from "./relation.ts";

const input = z.strictObject({
  pattern: z.string().min(1).max(200).optional()
    .describe("Part of a name, * for any characters: todo, *_log, sales.*"),
  schema: z.string().min(1).max(63).optional().describe(
    "Default: all but system schemas",
  ),
  limit: z.int().min(1).max(1000).default(100),
  offset: z.int().min(0).max(1_000_000).default(0).describe("Tables to skip"),
});

const relation = z.object({
  schema: z.string(),
  name: z.string(),
  kind: z.enum(relationKinds),
  estimated_rows: z.number().optional().describe("As of the last ANALYZE or VACUUM; absent: never counted"),
  bytes: z.number().optional().describe("With indexes and TOAST; absent: stores nothing itself"),
  partitions: z.number().optional(),
  readable: z.literal(false).optional().describe("The role may not SELECT from it"),
  comment: z.string().optional(),
});
type Relation = z.output<typeof relation>;

const output = z.object({
  total: z.number().optional().describe("Tables that match, on all pages; absent: not known"),
  offset: z.number(),
  next_offset: z.number().optional(),
  note: z.string().optional().describe("Where to continue, or why no table is shown"),
  tables: z.array(relation),
});

/** What the catalogue said; `total` counts the tables on all pages. */
interface Page {
  readonly tables: readonly Relation[];
  readonly total: number;
  readonly offset: number;
}

/** Lists ordinary and partitioned tables (with their partitions folded in), views, materialized views and foreign tables. */
export function listTables(database: Database): Tool {
  return defineTool({
    name: "list_tables",
    title: "List tables",
    description:
      "Lists tables and views with kind, estimated rows, size and comment; partitions under their parent. " +
      "Start here, then describe_table.",
    input,
    output,
    run: (args, { signal }) =>
      database.read({ signal }, async (transaction) => {
        await useCatalogueAlone(transaction);
        return { ...await readRelations(transaction, args), offset: args.offset };
      }),
    present(found: Page, budget) {
      const make = (shown: number) => {
        const structured = pageOf(found, shown);
        return { text: render(structured), structured, rows: shown };
      };
      return largestThatFits(found.tables.length, make, budget);
    },
  });
}

const relationsSql = `
with page as (
  select c.oid, n.nspname, c.relname, c.relkind, c.reltuples, count(*) over () as total,
    has_table_privilege(c.oid, 'SELECT') and has_schema_privilege(n.oid, 'USAGE') as readable
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition
    and case when $1::text is null
      then n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'
      else n.nspname = $1 end
    and ($2::text is null or c.relname ilike $2 or n.nspname || '.' || c.relname ilike $2)
  order by n.nspname, c.relname
  limit $3::int offset $4::int
)
select page.nspname, page.relname, page.relkind, page.total, page.readable,
  obj_description(page.oid, 'pg_class') as comment,
  parts.partitions,
  case when page.relkind in ('v', 'f') then null when page.relkind = 'p' then parts.tuples
    else nullif(page.reltuples, -1) end::bigint as tuples,
  case when page.relkind in ('v', 'f') then null when page.relkind = 'p' then parts.bytes
    else pg_total_relation_size(page.oid) end as bytes
from page left join lateral (
  select count(*) as partitions, sum(pg_total_relation_size(leaf.oid)) as bytes,
    case when bool_and(leaf.reltuples >= 0) then sum(leaf.reltuples) end as tuples
  from pg_partition_tree(page.oid) tree join pg_catalog.pg_class leaf on leaf.oid = tree.relid
  where tree.isleaf and page.relkind = 'p' and leaf.oid <> page.oid
) parts on page.relkind = 'p'
order by page.nspname, page.relname`;

async function readRelations(
  transaction: Transaction,
  { pattern, schema, limit, offset }: z.output<typeof input>,
): Promise<Omit<Page, "offset">> {
  const rows = await transaction.query(relationsSql, [
    schema ?? null,
    pattern === undefined ? null : likePattern(pattern),
    String(limit),
    String(offset),
  ]);
  const number = (text: Cell | undefined) => text === null || text === undefined ? undefined : Number(text);
  const tables = rows.map((row): Relation => ({
    schema: row.nspname ?? "",
    name: row.relname ?? "",
    kind: relationKind(row.relkind),
    ...filled({
      estimated_rows: number(row.tuples),
      bytes: number(row.bytes),
      partitions: number(row.partitions),
      readable: row.readable === "t" ? undefined : false as const,
      comment: row.comment,
    }),
  }));
  return { tables, total: Number(rows[0]?.total ?? 0) };
}

function pageOf({ tables, total, offset }: Page, shown: number): z.output<typeof output> {
  const next = offset + shown;
  const goesOn = next < total && shown > 0;
  const note = shown === 0
    ? total === 0 && offset === 0
      ? "No table matches. Call list_tables without arguments to see all; tables of pg_catalog need schema."
      : "No table on this page. Start again with offset 0."
    : goesOn
    ? `More: offset ${next}, or narrow it with pattern or schema.`
    : undefined;
  return {
    // A page without tables does not tell how many there are before it.
    ...(total === 0 && offset > 0 ? {} : { total }),
    offset,
    ...(goesOn ? { next_offset: next } : {}),
    ...(note === undefined ? {} : { note }),
    tables: tables.slice(0, shown),
  };
}

const columns = [
  { name: "schema" },
  { name: "name" },
  { name: "kind" },
  { name: "rows", align: "right" },
  { name: "size", align: "right" },
  { name: "comment" },
] as const;

function render(result: z.output<typeof output>): string {
  const { tables, total = 0, offset, note = "" } = result;
  if (tables.length === 0) return note;
  const rows = tables.map((item) => [
    item.schema,
    item.name,
    item.partitions === undefined ? item.kind : `${item.kind} (${item.partitions})`,
    item.estimated_rows === undefined ? null : `~${count(item.estimated_rows)}`,
    item.bytes === undefined ? null : size(item.bytes),
    [item.readable === false ? "(no right to SELECT)" : "", item.comment ?? ""].filter((part) => part !== "")
      .join(
        " ",
      ) || null,
  ]);
  const header = total === tables.length
    ? `${plural(total, "table")}; rows are estimates.`
    : `Tables ${count(offset + 1)} to ${count(offset + tables.length)} of ${
      count(total)
    }; rows are estimates.`;
  const more = note === "" ? "" : `\n\n${note}`;
  return `${header}\n\n${table(columns, rows, { nullText: "-", quotes: false })}${more}`;
}
