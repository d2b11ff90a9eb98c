/** Tool `top_queries`: the statements that cost the server most, as pg_stat_statements counted them. */
import * as z from "zod";
import { filled, rounded } from "../common/structured.ts";
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
  nested: z.literal(true).optional().describe(
    "Ran inside another statement, whose time includes its time",
  ),
  calls: z.number(),
  total_ms: z.number(),
  mean_ms: z.number(),
  share: z.number().optional().describe("Of the time of all statements in this database; 1 is all"),
  rows_per_call: z.number(),
  cache_hit: z.number().optional().describe(
    "Of its block reads, those found in shared buffers, 0 to 1; absent: read none",
  ),
  temp_bytes: z.number().optional().describe("Written to temporary files"),
});
type Statement = z.output<typeof statement>;

const output = z.object({
  database: z.string(),
  order: z.enum(["total", "mean"]),
  total: z.number().describe("Statements that were counted"),
  total_ms: z.number(),
  since_seconds: z.number().optional().describe("How long the counters have counted; absent: not reported"),
  notes: z.array(z.string()).optional().describe("What was cut, left out, hidden or forgotten"),
  own: z.object({ statements: z.number(), share: z.number().optional() }).optional().describe(
    "Queries of this program itself, counted but not shown",
  ),
  hidden: z.number().optional().describe("Statements whose text this role may not see"),
  evictions: z.number().optional().describe("Times that rare statements were forgotten for lack of room"),
  statements: z.array(statement),
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
    present(ranking: Ranked, budget) {
      const make = (shown: number) => {
        const statements = ranking.statements.slice(0, shown);
        const cut = cutOf(shown, ranking.statements.length);
        const notes = notesOf(ranking);
        return {
          text: render(ranking, { statements, cut, notes }),
          structured: rounded(structuredOf(ranking, statements, [...cut, ...notes])),
          rows: shown,
        };
      };
      return largestThatFits(ranking.statements.length, make, budget);
    },
  });
}

/** What was counted, as it is told. */
interface Ranked {
  readonly role: string;
  readonly database: string;
  readonly order: RankingOrder;
  readonly statements: readonly Statement[];
  readonly total: number;
  readonly totalMs: number;
  readonly own: { readonly statements: number; readonly share: number | undefined };
  readonly hidden: number;
  readonly sinceSeconds: number | undefined;
  readonly evictions: number;
}

function rank(found: StatementStatistics, order: RankingOrder): Ranked {
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
    totalMs: allMs,
    own: {
      statements: numberOf(first?.own_statements) ?? 0,
      share: allMs > 0 ? (numberOf(first?.own_ms) ?? 0) / allMs : undefined,
    },
    hidden: numberOf(first?.hidden_statements) ?? 0,
    sinceSeconds: sinceMs === null ? undefined : Math.round(sinceMs / 100) / 10,
    evictions: numberOf(found.evictions) ?? 0,
  };
}

function statementOf(row: Readonly<Record<string, Cell>>, allMs: number): Statement {
  const value = (name: string) => numberOf(row[name]) ?? 0;
  const blocks = value("hit") + value("read");
  const calls = value("calls");
  const written = value("temp_bytes");
  return {
    query_id: row.queryid ?? null,
    query: statementPrefix(row.query, STATEMENT),
    ...(row.top === "f" ? { nested: true } : {}),
    calls,
    total_ms: value("total_ms"),
    mean_ms: value("total_ms") / calls,
    ...(allMs > 0 ? { share: value("total_ms") / allMs } : {}),
    rows_per_call: value("rows") / calls,
    ...(blocks === 0 ? {} : { cache_hit: value("hit") / blocks }),
    ...(written === 0 ? {} : { temp_bytes: written }),
  };
}

function structuredOf(
  ranking: Ranked,
  statements: readonly Statement[],
  notes: readonly string[],
): z.output<typeof output> {
  const { database, order, total, totalMs, own, hidden, sinceSeconds, evictions } = ranking;
  return {
    database,
    order,
    total,
    total_ms: totalMs,
    ...filled({
      since_seconds: sinceSeconds,
      notes: [...(ranking.statements.length === 0 ? [noneOf(ranking)] : []), ...notes],
      own: own.statements === 0 ? undefined : {
        statements: own.statements,
        ...(own.share === undefined ? {} : { share: own.share }),
      },
      hidden: hidden === 0 ? undefined : hidden,
      evictions: evictions === 0 ? undefined : evictions,
    }),
    statements: [...statements],
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

function sinceText({ sinceSeconds }: Ranked): string {
  return sinceSeconds === undefined ? "since the last reset" : `in the last ${duration(sinceSeconds * 1000)}`;
}

function noneOf(ranking: Ranked): string {
  return `No data: pg_stat_statements counted no statement of ${visible(ranking.database)} ${
    sinceText(ranking)
  }.`;
}

function cutOf(shown: number, wanted: number): readonly string[] {
  return shown < wanted ? [`Cut: ${count(shown)} of ${count(wanted)} shown. Ask for less with limit.`] : [];
}

/** What was left out, hidden or forgotten, sentences. */
function notesOf({ role, own, hidden, evictions }: Ranked): readonly string[] {
  return [
    ...(own.statements > 0
      ? [
        `Left out: ${plural(own.statements, "statement")} of this program's own${
          own.share === undefined ? "" : `, ${percent(own.share)} of the time`
        }.`,
      ]
      : []),
    ...(hidden > 0
      ? [
        `${plural(hidden, "statement")} of other roles ${
          hidden === 1 ? "is" : "are"
        } counted, but their texts are unseen: an operator can run GRANT pg_read_all_stats TO ${
          quoteIdentifier(visible(role))
        };`,
      ]
      : []),
    ...(evictions > 0
      ? [
        `Rare statements were forgotten ${
          plural(evictions, "time")
        } for lack of room (pg_stat_statements.max), so that shares are of what is left.`,
      ]
      : []),
  ];
}

interface Shown {
  readonly statements: readonly Statement[];
  readonly cut: readonly string[];
  readonly notes: readonly string[];
}

function render(ranking: Ranked, { statements, cut, notes }: Shown): string {
  if (ranking.statements.length === 0) return [noneOf(ranking), ...notes].join("\n");
  const rows = statements.map((item) => [
    duration(item.total_ms),
    item.share === undefined ? null : percent(item.share),
    count(item.calls),
    duration(item.mean_ms),
    count(Number(item.rows_per_call.toFixed(item.rows_per_call < 10 ? 1 : 0))),
    item.cache_hit === undefined ? null : percent(item.cache_hit),
    item.temp_bytes === undefined ? null : size(item.temp_bytes),
    item.query_id,
    item.nested ? `(nested) ${item.query}` : item.query,
  ]);
  return [
    `${visible(ranking.database)}: ${count(statements.length)} of ${
      plural(ranking.total, "statement")
    } by ${ranking.order} time, counted ${sinceText(ranking)}; all of them took ${
      duration(ranking.totalMs)
    }.`,
    "",
    table(columns, rows, { nullText: "-", quotes: false }),
    ...cut.map((notice) => `[${notice}]`),
    ...(notes.length === 0 ? [] : ["", ...notes]),
  ].join("\n");
}
