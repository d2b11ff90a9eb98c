/** The database as MCP resources: an overview, and the schema of each table by URI. */
import { CallError } from "../common/errors.ts";
import {
  completeInput,
  completions,
  listedResources,
  listInput,
  readInput,
  readResource,
  type Resources,
} from "../common/resources.ts";
import { defineTool, type Presentation, type Tool } from "../common/tool.ts";
import { count } from "../common/units.ts";
import { largestThatFits } from "../common/largest_that_fits.ts";
import { visible } from "../common/visible.ts";
import { useCatalogueAlone } from "./catalogue_session.ts";
import type { Database } from "./database.ts";
import { likePattern } from "./like_pattern.ts";
import { overviewText, readOverview } from "./overview.ts";

const overviewUri = "postgres://overview";
const tableTemplate = "postgres://tables/{schema}/{table}";
const mimeType = "text/plain";
const pageSize = 100;

/** The resources; `describe` is the tool that describes a table. */
export function postgresResources(database: Database, describe: Tool): Resources {
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

/** The schema and the name in such a URI; undefined for any other. */
export function parseTableUri(uri: string): { schema: string; table: string } | undefined {
  const match = /^postgres:\/\/tables\/([^/?#]+)\/([^/?#]+)$/.exec(uri);
  if (match === null) return undefined;
  try {
    return { schema: decodeURIComponent(match[1] ?? ""), table: decodeURIComponent(match[2] ?? "") };
  } catch {
    return undefined;
  }
}

const tablesSql = `
select n.nspname as schema, c.relname as name, obj_description(c.oid, 'pg_class') as comment
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition
  and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'
order by n.nspname, c.relname limit $1::int offset $2::int`;

function listResources(database: Database): Tool {
  return defineTool({
    name: "resources/list",
    title: "List resources",
    description: "",
    input: listInput,
    output: listedResources,
    async run({ cursor = "0" }, { signal }) {
      if (!/^\d{1,9}$/.test(cursor)) {
        throw new CallError("invalid", "Cannot go on from this cursor as it is not ours");
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
  return defineTool({
    name: "resources/read",
    title: "Read a resource",
    description: "",
    input: readInput,
    output: readResource,
    async run({ uri }, context): Promise<{ uri: string; present: (budget: number) => string }> {
      if (uri === overviewUri) {
        const overview = await database.read({ signal: context.signal }, readOverview);
        return { uri, present: () => overviewText(overview) };
      }
      const table = parseTableUri(uri);
      if (table === undefined) {
        throw new CallError(
          "not_found",
          `There is no resource ${JSON.stringify(visible(uri.slice(0, 200)))}`,
          {
            hint: `The resources are ${overviewUri} and ${tableTemplate}`,
          },
        );
      }
      const value = await describe.run({ table_name: table.table, schema: table.schema }, context);
      return { uri, present: (budget) => describe.present(value, budget).text };
    },
    present: ({ uri, present }, budget): Presentation<{ uri: string; mimeType: string }> => ({
      text: present(budget),
      structured: { uri, mimeType },
      rows: 1,
    }),
  });
}

const schemasSql = `
select n.nspname as value, count(*) over () as total from pg_catalog.pg_namespace n
where n.nspname ilike $1 and n.nspname !~ '^pg_(toast|temp)' order by n.nspname ~ '^pg_', 1 limit 100`;

const namesSql = `
select distinct c.relname as value, count(*) over () as total
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition and c.relname ilike $1
  and case when $2::text is null then n.nspname <> 'information_schema' and n.nspname !~ '^pg_' else n.nspname = $2 end
order by 1 limit 100`;

function complete(database: Database): Tool {
  return defineTool({
    name: "completion/complete",
    title: "Complete a name",
    description: "",
    input: completeInput,
    output: completions,
    async run({ uriTemplate, argument, value, known }, { signal }) {
      const isSchema = argument === "schema";
      if (uriTemplate !== tableTemplate || !(isSchema || argument === "table")) {
        return { values: [], total: 0, hasMore: false };
      }
      const pattern = likePattern(`${value}*`);
      const rows = await database.read({ signal }, async (transaction) => {
        await useCatalogueAlone(transaction);
        return isSchema
          ? await transaction.query(schemasSql, [pattern])
          : await transaction.query(namesSql, [pattern, known.schema ?? null]);
      });
      const total = Number(rows[0]?.total ?? 0);
      return { values: rows.map((row) => row.value ?? ""), total, hasMore: total > rows.length };
    },
    present: (structured) => ({
      text: count(structured.total),
      structured,
      rows: structured.values.length,
    }),
  });
}
