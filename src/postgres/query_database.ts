/** Tool `query_database`: one SELECT of the caller's, guarded, read-only, and cut to what a reader can take in. */
import * as z from "zod";
import { cutText } from "../common/cell.ts";
import { filled } from "../common/structured.ts";
import { largestThatFits } from "../common/largest_that_fits.ts";
import { fit, fitRows, type Shown } from "../common/output.ts";
import { defineTool, type Presentation, type Tool } from "../common/tool.ts";
import { count, plural } from "../common/units.ts";
import { utf8Length } from "../common/utf8.ts";
import type { Database, Rows } from "./database.ts";
import { authorize, inspect, type Inspected } from "./guard.ts";
import { nullNote } from "./null_comparison.ts";
import { bindable, checkValues, parameters } from "./parameters.ts";
import { HINTED_LENGTH } from "./parser.ts";
import { suggesting } from "./suggestions.ts";
import { absoluteNote } from "./absolute_value.ts";
import { userNote } from "./user_column.ts";

/** What the tool needs to know of the settings. */
export interface QueryDatabaseOptions {
  readonly maxRows: number;
  readonly allowFunctions: readonly string[];
}

const output = z.object({
  row_count: z.number().describe("Rows given here"),
  complete: z.boolean().describe("False: there were more rows, or long values were shortened"),
  cut: z.string().optional().describe("What was cut, and how to ask for less"),
  note: z.string().optional().describe("A likely mistake"),
  columns: z.array(z.object({ name: z.string(), type: z.string() })),
  rows: z.array(z.array(z.string().nullable())).describe(
    "Values as PostgreSQL prints them; null is SQL NULL",
  ),
});

/** PostgreSQL's bytea, https://www.postgresql.org/docs/current/datatype-binary.html */
const byteaOid = 17;
/** Bytes of a bytea that are shown. */
const byteaPrefix = 16;

/** Runs one read-only statement. */
export function queryDatabase(database: Database, options: QueryDatabaseOptions): Tool {
  const { maxRows } = options;
  const input = z.strictObject({
    sql: z.string().describe(
      "One SELECT, VALUES, TABLE, EXPLAIN or SHOW; $1, $2 … for parameters",
    ),
    parameters,
    max_rows: z.int().min(1).max(maxRows).default(maxRows),
    format: z.enum(["table", "csv"]).default("table"),
  });
  return defineTool({
    name: "query_database",
    title: "Query the database",
    description:
      "Runs one read-only SQL statement on PostgreSQL and returns its rows. Writes and functions with side effects " +
      `are refused. At most ${plural(maxRows, "row")}: aggregate or filter in SQL.`,
    input,
    output,
    async run(args, { signal, budget }): Promise<Result> {
      const inspected = inspect(args.sql);
      const values = bindable(args.parameters);
      checkValues(inspected.references.parameters, values.length);
      const limits = { maxRows: args.max_rows, cellBytes: budget, answerBytes: 2 * budget };
      const foresight = { inspected, options, parameters: values, limits };
      const rows = await suggesting(
        database,
        signal,
        args.sql,
        () =>
          database.read({ signal, foresight }, async (transaction) => {
            const statement = await authorize(inspected, transaction, options);
            const fetched = await transaction.fetch(statement, values, limits);
            if (inspected.kind !== "select" || args.sql.length > HINTED_LENGTH) {
              return { ...fetched, note: undefined };
            }
            const note = await nullNote(args.sql, transaction) ?? await userNote(args.sql, transaction) ??
              absoluteNote(args.sql);
            return { ...fetched, note };
          }),
      );
      const mayAskForMore = args.max_rows < maxRows ? maxRows : undefined;
      return {
        ...shortenBytea(rows),
        note: rows.note,
        kind: inspected.kind,
        format: args.format,
        mayAskForMore,
      };
    },
    present,
  });
}

/** Rows on their way to the reader. */
interface Result extends Rows {
  readonly kind: Inspected["kind"];
  readonly format: "table" | "csv";
  /** The most rows that a call may ask for, where this one asked for fewer. */
  readonly mayAskForMore: number | undefined;
  readonly note: string | undefined;
}

/** How to ask for less: what there are too many of decides. */
function adviceFor({ kind, rows, dropped, mayAskForMore }: Result, { shown, cutCells }: Shown): string {
  if (kind === "explain") return "explain_query shows the nodes of a plan that matter.";
  if (kind === "show") return "Query pg_settings with WHERE.";
  if (shown === 0) return "Ask for fewer columns.";
  const outOfRoom = shown < rows.length || dropped > 0;
  if (cutCells > 0 && !outOfRoom) return "Ask for fewer columns, or shorten values with left(column, n).";
  if (cutCells > 0) {
    return "Aggregate, filter with WHERE, ask for fewer columns, or shorten values with left(column, n).";
  }
  if (outOfRoom) return "Aggregate, filter with WHERE, or ask for fewer columns.";
  return mayAskForMore === undefined
    ? "Aggregate, filter with WHERE, or page with ORDER BY, LIMIT and OFFSET."
    : `Aggregate, filter with WHERE, or raise max_rows (${count(mayAskForMore)} at most).`;
}

function present(result: Result, budget: number): Presentation<z.output<typeof output>> {
  // What takes most of the room, text or JSON, decides how much is shown.
  const noted = result.note === undefined ? "" : `\n\n${result.note}`;
  for (let room = budget - noted.length;; room = Math.floor(room * 0.7)) {
    const { rows, more, dropped } = result;
    const atLeast = rows.length + dropped;
    const fitted = fitRows(result.columns, rows, {
      budget: room,
      format: result.format,
      cut: result.cut,
      quotes: result.kind !== "explain",
      total: more ? { moreThan: atLeast } : atLeast,
      less: (cut) => adviceFor(result, cut),
    });
    const complete = !more && fitted.shown === atLeast && fitted.cutCells === 0;
    const structured = {
      row_count: fitted.shown,
      complete,
      ...filled({ cut: fitted.notice?.replace(/^\[Cut: (.*)\]$/s, "$1"), note: result.note }),
      columns: result.columns.map(({ name, type }) => ({ name, type })),
      rows: rows.slice(0, fitted.shown).map((row, index) =>
        row.map((cell, column) =>
          cell === null ? null : shortened(cell, fitted.cellBytes, result.cut.get(`${index}:${column}`))
        )
      ),
    };
    const fits = utf8Length(JSON.stringify(structured)) <= budget;
    if (!fits && room >= 512) continue;
    const summary = complete ? `\n\n${plural(fitted.shown, "row")}` : "";
    const text = fitted.text + (result.format === "csv" ? "" : summary) + noted;
    if (fits) return { text, structured, rows: fitted.shown };
    // So many columns that not even their names fit: the first of them, and no rows.
    const all = structured.columns;
    const make = (shown: number) => ({
      text: fit(text, budget),
      structured: {
        row_count: 0,
        complete: false,
        cut: `${count(shown)} of ${plural(all.length, "column")} shown, and no rows. Ask for fewer columns.`,
        columns: all.slice(0, shown),
        rows: [],
      },
      rows: 0,
    });
    return largestThatFits(all.length, make, budget);
  }
}

function shortened(cell: string, limit: number, fullBytes: number | undefined): string {
  const { text, mark } = cutText(cell, { limit, fullBytes, keepLines: true });
  return text + mark;
}

/** A bytea as its length and its first bytes: nobody reads more of it. */
function shortenBytea(rows: Rows): Rows {
  const binary = rows.columns.flatMap(({ typeOid }, column) => typeOid === byteaOid ? [column] : []);
  if (binary.length === 0) return rows;
  const cut = new Map(rows.cut);
  const shown = rows.rows.map((row, index) =>
    row.map((cell, column) => {
      if (cell === null || !binary.includes(column)) return cell;
      const characters = cut.get(`${index}:${column}`) ?? cell.length;
      const end = 2 + 2 * byteaPrefix;
      if (characters <= end) return cell;
      cut.set(`${index}:${column}`, (characters - 2) / 2);
      return cell.slice(0, end);
    })
  );
  return { ...rows, rows: shown, cut };
}
