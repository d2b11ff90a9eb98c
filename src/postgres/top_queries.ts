/** Tool `top_queries`: the statements that cost the server most, as pg_stat_statements counted them. */
import * as z from "zod";
import { largestThatFits } from "../common/largest_that_fits.ts";
import { table } from "../common/table.ts";
import { defineTool, type Tool } from "../common/tool.ts";
import { count, duration, percent, plural, size } from "../common/units.ts";
import { visible } from "../common/visible.ts";
import { useCatalogueAlone } from "./catalogue_session.ts";
import type { Cell, Database } from "./database.ts";
import { numberOf } from "./health/section.ts";
import { quoteIdentifier } from "./identifier.ts";
import { statementPrefix } from "./statement_prefix.ts";
import {
  type RankingOrder,
  readStatementStatistics,
  type StatementStatistics,
} from "./statement_statistics.ts";

const input = z.strictObject({
  limit: z.int().min(1).max(50).default(10),
  order: z.enum(["total", "mean"]).default("total")
    .describe("total: most of the server's time; mean: slowest per call"),
});

const statement = z.object({
  query_id: z.string().nullable().describe("null: hidden from this role"),
  query: z.string().describe("The beginning, with $1 for constants; secrets masked"),
  nested: z.boolean().describe("Ran inside of another statement, whose time has its time in it"),
  calls: z.number(),
  total_ms: z.number(),
  mean_ms: z.number(),
  share: z.number().nullable().describe("Of the time of all statements in this database; 1 is all"),
  rows_per_call: z.number(),
  cache_hit: z.number().nullable().describe(
    "Of its block reads, those found in shared buffers; null: read none",
  ),
  temp_bytes: z.number().describe("Written to temporary files"),
});
type Statement = z.output<typeof statement>;

const output = z.object({
  database: z.string(),
  order: z.enum(["total", "mean"]),
  statements: z.array(statement),
  total: z.number().describe("Statements that were counted"),
  total_ms: z.number(),
  own: z.object({ statements: z.number(), share: z.number().nullable() }).describe(
    "Queries of this program itself, counted but not shown",
  ),
  hidden: z.number().describe("Statements whose text this role may not see"),
  since_seconds: z.number().nullable().describe("How long the counters have counted; null: not reported"),
  evictions: z.number().nullable().describe("Times that rare statements were forgotten for lack of room"),
});
type Ranking = z.output<typeof output>;

/** Characters of a statement in the answer. */
const STATEMENT = 80;

/** Ranks the statements of the current database. */
export function topQueries(database: Database): Tool {
  return defineTool({
    name: "top_queries",
    title: "Top queries",
    description:
      "The most expensive statements of this database, from pg_stat_statements: calls, share of all time, rows per " +
      "call, cache hits, temporary files, and the beginning of the text. If it is absent: how to enable it.",
    input,
    output,
    run: (args, { signal }) =>
      database.read({ signal }, async (transaction) => {
        await useCatalogueAlone(transaction);
        return rank(await readStatementStatistics(transaction, args), args.order);
      }),
    present(ranking: Ranking & { readonly role: string }, budget) {
      const { role, ...whole } = ranking;
      const make = (shown: number) => {
        const structured = { ...whole, statements: whole.statements.slice(0, shown) };
        return {
          text: render(structured, { role, wanted: whole.statements.length }),
          structured,
          rows: shown,
        };
      };
      return largestThatFits(whole.statements.length, make, budget);
    },
  });
}

function rank(found: StatementStatistics, order: RankingOrder): Ranking & { readonly role: string } {
  const [first] = found.rows;
  const allMs = numberOf(first?.all_ms) ?? 0;
  const sinceMs = numberOf(found.sinceMs);
  return {
    role: found.role,
    database: found.database,
    order,
    // The totals stand in every row, also where all are our own.
    statements: found.rows.filter(({ own }) => own !== "t").map((row) => statementOf(row, allMs)),
    total: numberOf(first?.statements) ?? 0,
    total_ms: allMs,
    own: {
      statements: numberOf(first?.own_statements) ?? 0,
      share: allMs > 0 ? (numberOf(first?.own_ms) ?? 0) / allMs : null,
    },
    hidden: numberOf(first?.hidden_statements) ?? 0,
    since_seconds: sinceMs === null ? null : Math.round(sinceMs / 100) / 10,
    evictions: numberOf(found.evictions),
  };
}

function statementOf(row: Readonly<Record<string, Cell>>, allMs: number): Statement {
  const value = (name: string) => numberOf(row[name]) ?? 0;
  const blocks = value("hit") + value("read");
  const calls = value("calls");
  return {
    query_id: row.queryid ?? null,
    query: statementPrefix(row.query, STATEMENT),
    nested: row.top === "f",
    calls,
    total_ms: value("total_ms"),
    mean_ms: value("total_ms") / calls,
    share: allMs > 0 ? value("total_ms") / allMs : null,
    rows_per_call: value("rows") / calls,
    cache_hit: blocks === 0 ? null : value("hit") / blocks,
    temp_bytes: value("temp_bytes"),
  };
}

const columns = [
  { name: "total", align: "right" },
  { name: "share", align: "right" },
  { name: "calls", align: "right" },
  { name: "mean", align: "right" },
  { name: "rows/call", align: "right" },
  { name: "cache hit", align: "right" },
  { name: "temp", align: "right" },
  { name: "queryid" },
  { name: "statement" },
] as const;

function render(
  ranking: Ranking,
  { role, wanted }: { readonly role: string; readonly wanted: number },
): string {
  const since = ranking.since_seconds === null
    ? "since the last reset"
    : `in the last ${duration(ranking.since_seconds * 1000)}`;
  const { own } = ranking;
  const notes = [
    ...(own.statements > 0
      ? [
        `Left out: ${plural(own.statements, "statement")} of this program's own${
          own.share === null ? "" : `, ${percent(own.share)} of the time`
        }.`,
      ]
      : []),
    ...(ranking.hidden > 0
      ? [
        `${plural(ranking.hidden, "statement")} of other roles ${
          ranking.hidden === 1 ? "is" : "are"
        } counted, but their texts are unseen: an operator can run GRANT pg_read_all_stats TO ${
          quoteIdentifier(visible(role))
        };`,
      ]
      : []),
    ...((ranking.evictions ?? 0) > 0
      ? [
        `Rare statements were forgotten ${
          plural(ranking.evictions ?? 0, "time")
        } for lack of room (pg_stat_statements.max), so that shares are of what is left.`,
      ]
      : []),
  ];
  if (wanted === 0) {
    return [
      `No data: pg_stat_statements counted no statement of ${visible(ranking.database)} ${since}.`,
      ...notes,
    ].join("\n");
  }
  const rows = ranking.statements.map((item) => [
    duration(item.total_ms),
    item.share === null ? null : percent(item.share),
    count(item.calls),
    duration(item.mean_ms),
    count(Number(item.rows_per_call.toFixed(item.rows_per_call < 10 ? 1 : 0))),
    item.cache_hit === null ? null : percent(item.cache_hit),
    item.temp_bytes === 0 ? null : size(item.temp_bytes),
    item.query_id,
    item.nested ? `(nested) ${item.query}` : item.query,
  ]);
  const cut = ranking.statements.length < wanted
    ? [`[Cut: ${count(ranking.statements.length)} of ${count(wanted)} shown. Ask for less with limit.]`]
    : [];
  return [
    `${visible(ranking.database)}: ${count(ranking.statements.length)} of ${
      plural(ranking.total, "statement")
    } by ${ranking.order} time, counted ${since}; all of them took ${duration(ranking.total_ms)}.`,
    "",
    table(columns, rows, { nullText: "-", quotes: false }),
    ...cut,
    ...(notes.length === 0 ? [] : ["", ...notes]),
  ].join("\n");
}
