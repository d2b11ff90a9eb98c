/**
 * Plain-text tables, for a language model to read with few tokens and for a person to read with pleasure.
 *
 * The look is psql's without its margins: a header, a rule, ` | ` between columns. A run of blanks or dashes is a token
 * or two, whatever its length, so alignment is cheap where cells are short; a column is therefore padded to its widest
 * cell of at most 32 columns, and a longer cell pushes only its own row aside. Columns of numbers stand to the right.
 *
 * Tables of our own words, as opposed to SQL's values, have no rule, and name the columns that hold nothing below; only
 * what would read as two cells is in quotes.
 *
 * A row is one line. NULL is bare; a text that could be taken for something else is in single quotes, doubled inside as
 * in SQL: the empty string, the text NULL, what starts with a quote, has a `|`, has blanks at an end or ends like a cut.
 */
import { type CellValue, type CutText, cutText } from "./cell.ts";
import { displayWidth } from "./width.ts";

/** A column of a table; PostgreSQL's columns fit. */
export interface TableColumn {
  readonly name: string;
  /** Without it, a column whose every value is a number stands to the right. */
  readonly align?: "left" | "right" | undefined;
}

/** How {@linkcode table} renders. */
export interface TableOptions {
  /** What stands for null: `NULL` unless given; `-` suits tables that do not come from SQL. */
  readonly nullText?: string | undefined;
  /** `false` for words of our own or of a catalogue, which nobody takes for a value: no quotes but around a lone `|`, no rule. */
  readonly quotes?: boolean | undefined;
  /** Bytes that a cell may take; no limit when absent. */
  readonly cellBytes?: number | undefined;
  /** Cells that are only the start of a value: `${row}:${column}` to the bytes of the whole. */
  readonly cut?: ReadonlyMap<string, number> | undefined;
}

/** Columns wider than this are not padded to their widest cell. */
const PADDED = 32;
const NUMBER = /^(?:[-+]?(?:\d[\d,]*)(?:\.\d+)?(?:e[-+]?\d+)?%?|NaN|[-+]?Infinity)$/i;
const CUT = /… \(\d+ (?:bytes|[kMGTP]B)\)$/;

/** A table as text, without a line break at its end; `(no rows)` in place of rows when there are none. */
export function table(
  columns: readonly TableColumn[],
  rows: readonly (readonly CellValue[])[],
  options: TableOptions = {},
): string {
  const texts = rows.map((row, index) => tableFields(columns, row, index, options).texts);
  if (options.quotes !== false) return layOut(columns, texts, options.nullText);
  const nullText = options.nullText ?? "NULL";
  const isEmpty = columns.map((_, column) =>
    rows.length > 0 && rows.every((row) => (row[column] ?? null) === null)
  );
  const filled = <Value>(values: readonly Value[]) => values.filter((_, column) => isEmpty[column] !== true);
  const { header, body } = laidOut(filled(columns), texts.map(filled).map(withoutBars), nullText);
  const empty = columns.filter((_, column) => isEmpty[column])
    .map(({ name }) => cutText(name).text)
    .map((name) => /^'|,/.test(name) ? inQuotes(name) : name);
  return [header, ...body, ...(empty.length === 0 ? [] : [`Empty: ${empty.join(", ")}`])].join("\n");
}

/** In the last column a bar is none between two cells, and an SQL query stays as it is. */
function withoutBars(fields: readonly string[]): readonly string[] {
  return fields.map((field, index) =>
    index < fields.length - 1 && /(?:^|\s)\|(?:\s|$)/.test(field) ? inQuotes(field) : field
  );
}

/** A row of fields ready to be laid out, and how many of them were cut. */
export interface Fields {
  readonly texts: readonly string[];
  readonly cut: number;
}

/** The fields of row number `index`; a row too short for its columns is filled up with null. */
export function tableFields(
  columns: readonly TableColumn[],
  row: readonly CellValue[],
  index: number,
  options: TableOptions = {},
): Fields {
  const nullText = options.nullText ?? "NULL";
  let cut = 0;
  const texts = columns.map((_, column) => {
    const value = row[column] ?? null;
    if (value === null) return nullText;
    if (typeof value !== "string") return String(value);
    const cell = cutText(value, {
      limit: options.cellBytes,
      fullBytes: options.cut?.get(`${index}:${column}`),
    });
    if (cell.mark !== "") cut++;
    return options.quotes === false ? cell.text + cell.mark : quoted(cell, nullText);
  });
  return { texts, cut };
}

function quoted({ text, mark }: CutText, nullText: string): string {
  const mistakable = (text === "" && mark === "") || text === nullText || text.includes("|") ||
    text.startsWith("'") || /^\s|\s$/.test(text) || CUT.test(text);
  return mistakable ? inQuotes(text) + mark : text + mark;
}

function inQuotes(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** Lays out fields, which are on one line each, under their columns' names. */
export function layOut(
  columns: readonly TableColumn[],
  rows: readonly (readonly string[])[],
  nullText = "NULL",
): string {
  if (columns.length === 0) return "(no columns)";
  const { header, rule, body } = laidOut(columns, rows, nullText);
  return [header, rule, ...body].join("\n");
}

/** The lines of a table. */
function laidOut(
  columns: readonly TableColumn[],
  rows: readonly (readonly string[])[],
  nullText: string,
): { readonly header: string; readonly rule: string; readonly body: readonly string[] } {
  const header = columns.map(({ name }) => quoted(cutText(name), ""));
  const widths = header.map((name) => Math.min(displayWidth(name), PADDED));
  const numbers = columns.map((_, column) =>
    rows.some((row) => row[column] !== nullText) &&
    rows.every((row) => row[column] === nullText || NUMBER.test(row[column]?.slice(0, 512) ?? ""))
  );
  const measured = rows.map((row) =>
    row.map((field, column) => {
      // Beyond that many characters nothing is padded, and measuring would cost more than it gives.
      const width = field.length > 16 * PADDED ? Infinity : displayWidth(field);
      if (width <= PADDED) widths[column] = Math.max(widths[column] ?? 0, width);
      return width;
    })
  );
  const right = columns.map(({ align }, column) =>
    align === undefined ? numbers[column] === true : align === "right"
  );
  const line = (fields: readonly string[], fieldWidths: readonly number[]) =>
    fields.map((field, column) => {
      const padding = " ".repeat(Math.max(0, (widths[column] ?? 0) - (fieldWidths[column] ?? 0)));
      if (right[column]) return padding + field;
      return column === fields.length - 1 ? field : field + padding;
    }).join(" | ");
  const rule = widths.map((width) => "-".repeat(width)).join("-+-");
  const body = rows.map((row, index) => line(row, measured[index] ?? []));
  return {
    header: line(header, header.map(displayWidth)),
    rule,
    body: body.length === 0 ? ["(no rows)"] : body,
  };
}
