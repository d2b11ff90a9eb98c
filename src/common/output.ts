/**
 * Answers that keep to their budget, in bytes of UTF-8. What was cut says so, how much there was, and how to ask for
 * less.
 */
import type { CellValue } from "./cell.ts";
import { csvFields, csvLines } from "./csv.ts";
import { type Fields, layOut, type TableColumn, tableFields } from "./table.ts";
import { count, plural, size } from "./units.ts";
import { utf8Length, utf8Start } from "./utf8.ts";

/** How much there was in all: exactly so many, or more than were looked at. */
export type Total = number | { readonly moreThan: number };

/** How {@linkcode fitRows} renders and cuts. */
export interface FitRowsOptions {
  /** Bytes of UTF-8 that the whole text may take; meant for 1 KiB and more, kept below that too. */
  readonly budget: number;
  /** `table` unless given. */
  readonly format?: "table" | "csv" | undefined;
  /** How much there was; the number of `rows` unless given. */
  readonly total?: Total | undefined;
  /** How to ask for less, one sentence with its full stop, whatever was cut or by what was; only said when something was. */
  readonly less: string | ((cut: Shown) => string);
  /** Cells that are only the start of a value: `${row}:${column}` to the bytes of the whole. */
  readonly cut?: ReadonlyMap<string, number> | undefined;
  /** `false`: cells of a table stand as they are, as in {@linkcode TableOptions}. */
  readonly quotes?: boolean | undefined;
}

/** What is left of rows that were cut. */
export interface Shown {
  /** How many of the given rows are shown. */
  readonly shown: number;
  /** How many cells of those are cut. */
  readonly cutCells: number;
}

/** Rows as text within a budget. */
export interface FittedRows extends Shown {
  /** Rows, the first ones, and notice. */
  readonly text: string;
  /** Bytes that a cell may take. */
  readonly cellBytes: number;
  /** The last line of `text` when anything was cut, else undefined. */
  readonly notice: string | undefined;
}

/**
 * Renders as many leading rows as fit.
 *
 * Where all would fit if long cells were cut, to no less than a sixteenth of the budget, they are cut, and all rows are
 * shown; otherwise cells are cut to that, and rows left out. At least one row is shown however short its cells must
 * be, unless the header alone is too long: then the text ends where the budget does.
 */
export function fitRows(
  columns: readonly TableColumn[],
  rows: readonly (readonly CellValue[])[],
  options: FitRowsOptions,
): FittedRows {
  const { budget } = options;
  for (const part of [1, 2, 4, 8, 16]) {
    const fitted = fitAtLimit(columns, rows, options, Math.floor(budget / part));
    if (fitted !== undefined && (fitted.shown === rows.length || part === 16)) return fitted;
  }
  for (let limit = Math.floor(budget / 32); limit >= 8; limit = Math.floor(limit / 2)) {
    const fitted = fitAtLimit(columns, rows, options, limit);
    if (fitted !== undefined) return fitted;
  }
  return fitHeader(columns, rows, options);
}

/** As many rows as fit with cells of at most `cellBytes`; undefined when not one does. */
function fitAtLimit(
  columns: readonly TableColumn[],
  rows: readonly (readonly CellValue[])[],
  options: FitRowsOptions,
  cellBytes: number,
): FittedRows | undefined {
  const render = options.format === "csv" ? csvFields : tableFields;
  const prepared: Fields[] = [];
  let bytes = 0;
  for (const row of rows) {
    const fields = render(columns, row, prepared.length, { ...options, cellBytes });
    for (const text of fields.texts) bytes += utf8Length(text) + 1;
    if (bytes > options.budget + 1) break;
    prepared.push(fields);
  }
  const attempt = (shown: number) => ({
    ...assemble(columns, prepared.slice(0, shown), rows.length, options),
    cellBytes,
  });
  const fits = (fitted: FittedRows) => utf8Length(fitted.text) <= options.budget;
  const all = attempt(prepared.length);
  if (prepared.length === rows.length && fits(all)) return all;
  // Each row makes the text longer, but for oddities of alignment; whatever is returned has been seen to fit.
  let low = 0;
  let high = prepared.length;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (fits(attempt(middle))) low = middle;
    else high = middle - 1;
  }
  return low === 0 ? undefined : attempt(low);
}

function assemble(
  columns: readonly TableColumn[],
  fields: readonly Fields[],
  given: number,
  options: FitRowsOptions,
): Omit<FittedRows, "cellBytes"> {
  const texts = fields.map((row) => row.texts);
  const body = options.format === "csv" ? csvLines(columns, texts) : layOut(columns, texts);
  const cutCells = fields.reduce((sum, row) => sum + row.cut, 0);
  const notice = noticeOf(fields.length, cutCells, given, options);
  const text = [body, ...(notice === undefined ? [] : ["", notice])].join("\n");
  return { text, shown: fields.length, cutCells, notice };
}

function noticeOf(
  shown: number,
  cutCells: number,
  given: number,
  options: FitRowsOptions,
): string | undefined {
  const total = options.total ?? given;
  const all = typeof total === "number" && total <= shown;
  if (all && cutCells === 0) return undefined;
  const parts: string[] = [];
  if (!all) {
    const whole = typeof total === "number"
      ? plural(total, "row")
      : `more than ${plural(total.moreThan, "row")}`;
    parts.push(shown === 0 ? `none of ${whole} shown` : `the first ${count(shown)} of ${whole} shown`);
  }
  if (cutCells > 0) parts.push(`${plural(cutCells, "long cell")} shortened`);
  // However long the caller's advice, rows come first.
  const advice = typeof options.less === "string" ? options.less : options.less({ shown, cutCells });
  const less = utf8Start(advice, Math.floor(options.budget / 4));
  return `[Cut: ${parts.join(", ")}. ${less}]`;
}

/** Not one row fits: as much of the header as does, and the notice. */
function fitHeader(
  columns: readonly TableColumn[],
  rows: readonly (readonly CellValue[])[],
  options: FitRowsOptions,
): FittedRows {
  const notice = noticeOf(0, 0, rows.length, options) ?? "[Cut: the header is too long.]";
  const header = options.format === "csv" ? csvLines(columns, []) : layOut(columns, []);
  const text = fit(header, Math.max(0, options.budget - utf8Length(notice) - 2));
  return {
    text: utf8Start(`${text}\n\n${notice}`, options.budget),
    shown: 0,
    cutCells: 0,
    cellBytes: 0,
    notice,
  };
}

/**
 * The last resort: `text` itself when it takes at most `budget` bytes of UTF-8, else its leading lines and a line that
 * says how much is missing. Where that would lose more than half, a long line is cut, between two characters.
 */
export function fit(text: string, budget: number, less = ""): string {
  const bytes = utf8Length(text);
  if (bytes <= budget) return text;
  const advice = less === "" ? "" : ` ${utf8Start(less, Math.floor(budget / 4))}`;
  // The notice with the whole size twice is at least as long as the one with the size that is kept.
  const reserve = utf8Length(notice(99_999, bytes, advice)) + utf8Length(size(bytes));
  const room = budget - reserve - 1;
  if (room < 0) return utf8Start("[Cut]", budget);
  const start = utf8Start(text, room);
  // A line of which only the line break is missing is whole.
  const end = text[start.length] === "\n" ? start.length : start.lastIndexOf("\n");
  const kept = end > start.length / 2 ? start.slice(0, end) : start;
  return `${kept}\n${notice(utf8Length(kept), bytes, advice)}`;
}

function notice(kept: number, bytes: number, advice: string): string {
  return `[Cut: the first ${size(kept)} of ${size(bytes)} shown.${advice}]`;
}
