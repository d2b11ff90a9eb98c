/**
 * Comma-separated values (RFC 4180), as `COPY … (FORMAT csv, HEADER)` writes them: NULL is an empty field, the empty
 * string is `""`.
 *
 * Lines end in LF: every reader takes it, and CR is a byte a line for nothing. Hidden characters are made visible, line
 * breaks and tabs inside quotes are kept. A field that starts with `=` or `@` is data and stays as it is: who opens the
 * text in a spreadsheet has to say that it is text.
 */
import { type CellValue, cutText } from "./cell.ts";
import type { Fields, TableColumn, TableOptions } from "./table.ts";

/** The fields of row number `index`, quoted where they have to be. */
export function csvFields(
  columns: readonly TableColumn[],
  row: readonly CellValue[],
  index: number,
  options: Omit<TableOptions, "nullText">,
): Fields {
  let cut = 0;
  const texts = columns.map((_, column) => {
    const value = row[column] ?? null;
    if (value === null) return "";
    if (typeof value !== "string") return String(value);
    const fullBytes = options.cut?.get(`${index}:${column}`);
    const cell = cutText(value, { limit: options.cellBytes, fullBytes, keepLines: true });
    if (cell.mark !== "") cut++;
    return quoted(cell.text + cell.mark);
  });
  return { texts, cut };
}

/** A header and a line per row of fields, quoted already; without a line break at the end. */
export function csvLines(columns: readonly TableColumn[], rows: readonly (readonly string[])[]): string {
  const header = columns.map(({ name }) => quoted(cutText(name, { keepLines: true }).text));
  return [header, ...rows].map((fields) => fields.join(",")).join("\n");
}

function quoted(text: string): string {
  // A lone \. ends a COPY of older servers; psql quotes it as well.
  return text === "" || text === "\\." || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
