/** The database as MCP resources: an overview, and the schema of each table by URI. */
import {
  completeInput,
  completion,
  type Completions,
  maxCompletions,
  noCompletions,
  noSuchResource,
  resourceList,
  resourceRead,
  type Resources,
  strangeCursor,
  templateValues,
} from "../common/resources.ts";
import type { Tool } from "../common/tool.ts";
import { largestThatFits } from "../common/largest_that_fits.ts";
import { useCatalogueAlone } from "./catalogue_session.ts";
import type { Database } from "./database.ts";
import { likePattern } from "./like_pattern.ts";
import { overviewText, readOverview } from "./overview.ts";

const overviewUri = "postgres://overview";
const tableTemplate = "postgres://tables/{schema}/{table}";
const mimeType = "text/plain";
const pageSize = 100;

/** The resources; `describe` is the tool that describes a table. */
export function postgresResources(database: Database, describe: Tool): Required<Resources> {
  return {
    templates: [{
      uriTemplate: tableTemplate,
      name: "table",
      title: "Schema of a table",
      description: "Columns, keys, checks and indexes of a table or view",
      mimeType,
    }],
    list: listResources(database),
    read: readOne(database, describe),
    complete: complete(database),
  };
}

/** The URI of a table's schema. */
export function tableUri(schema: string, table: string): string {
  return `postgres://tables/${encodeURIComponent(schema)}/${encodeURIComponent(table)}`;
}

const tablesSql = `
select n.nspname as schema, c.relname as name, obj_description(c.oid, 'pg_class') as comment
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition
  and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'
order by n.nspname, c.relname limit $1::int offset $2::int`;

function listResources(database: Database): Tool {
  return resourceList({
    async run({ cursor = "0" }, { signal }) {
      if (!/^\d{1,9}$/.test(cursor)) {
        throw strangeCursor();
      }
      const offset = Number(cursor);
      const rows = await database.read({ signal }, async (transaction) => {
        await useCatalogueAlone(transaction);
        return await transaction.query(tablesSql, [String(pageSize + 1), String(offset)]);
      });
      const tables = rows.slice(0, pageSize).map((row) => ({
        uri: tableUri(row.schema ?? "", row.name ?? ""),
        name: `${row.schema}.${row.name}`,
        title: `${row.schema}.${row.name}`,
        ...(row.comment === null || row.comment === undefined
          ? {}
          : { description: row.comment.slice(0, 200) }),
        mimeType,
      }));
      const overview = { uri: overviewUri, name: "overview", title: "The database at a glance", mimeType };
      return { first: offset === 0 ? [overview] : [], tables, offset, more: rows.length > pageSize };
    },
    present({ first, tables, offset, more }, budget) {
      const make = (shown: number) => ({
        text: "",
        structured: {
          resources: [...first, ...tables.slice(0, shown)],
          ...(more || shown < tables.length ? { nextCursor: String(offset + shown) } : {}),
        },
        rows: first.length + shown,
      });
      return largestThatFits(tables.length, make, budget);
    },
  });
}

function readOne(database: Database, describe: Tool): Tool {
  return resourceRead({
    async run({ uri }, context): Promise<{ uri: string; present: (budget: number) => string }> {
      if (uri === overviewUri) {
        const overview = await database.read({ signal: context.signal }, readOverview);
        return { uri, present: () => overviewText(overview) };
      }
      const [schema, table] = templateValues(tableTemplate, uri) ?? [];
      if (schema === undefined || table === undefined) {
        throw noSuchResource(uri, `The resources are ${overviewUri} and ${tableTemplate}`);
      }
      const value = await describe.run({ table_name: table, schema }, context);
      return { uri, present: (budget) => describe.present(value, budget).text };
    },
    present: ({ uri, present }, budget) => ({
      text: present(budget),
      structured: { uri, mimeType },
      rows: 1,
    }),
  });
}

const schemasSql = `
select n.nspname as value, count(*) over () as total from pg_catalog.pg_namespace n
where n.nspname ilike $1 and n.nspname !~ '^pg_(toast|temp)' order by n.nspname ~ '^pg_', 1 limit ${maxCompletions}`;

const namesSql = `
select distinct c.relname as value, count(*) over () as total
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition and c.relname ilike $1
  and case when $2::text is null then n.nspname <> 'information_schema' and n.nspname !~ '^pg_' else n.nspname = $2 end
order by 1 limit ${maxCompletions}`;

function complete(database: Database): Tool {
  return completion(completeInput, ({ uriTemplate, argument, value, known }, { signal }) => {
    if (uriTemplate !== tableTemplate) return Promise.resolve(noCompletions);
    if (argument === "schema") return completeNames(database, schemasSql, [value], signal);
    if (argument === "table") return completeTable(database, value, known.schema, signal);
    return Promise.resolve(noCompletions);
  });
}

/** Names of tables that begin with `start`, of one schema or of all but the system's. */
export function completeTable(
  database: Database,
  start: string,
  schema: string | undefined,
  signal: AbortSignal,
): Promise<Completions> {
  return completeNames(database, namesSql, [start, schema ?? null], signal);
}

async function completeNames(
  database: Database,
  sql: string,
  [start, ...rest]: readonly [start: string, ...rest: (string | null)[]],
  signal: AbortSignal,
): Promise<Completions> {
  const rows = await database.read({ signal }, async (transaction) => {
    await useCatalogueAlone(transaction);
    return await transaction.query(sql, [likePattern(`${start}*`), ...rest]);
  });
  const total = Number(rows[0]?.total ?? 0);
  return { values: rows.map((row) => row.value ?? ""), total, hasMore: total > rows.length };
}
