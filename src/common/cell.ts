/** One value of a row on its way into a table or a CSV: made visible, and cut when it is too long. */
import { size } from "./units.ts";
import { utf8Length, utf8Start } from "./utf8.ts";
import { visible } from "./visible.ts";

/** A value as a backend gave it; text for whatever has an exact text of its own; null is SQL NULL, or no value. */
export type CellValue = string | number | bigint | boolean | null;

/** How {@linkcode cutText} cuts. */
export interface CutOptions {
  /** Bytes of UTF-8 that the visible text may take; no limit when absent. */
  readonly limit?: number | undefined;
  /** Size in bytes of the whole, when `text` is only its start. */
  readonly fullBytes?: number | undefined;
  /** See {@linkcode visible}. */
  readonly keepLines?: boolean | undefined;
}

/** A text made visible; `mark` is `… (900 MB)`, with the size of the whole, when `text` is not all of it, else empty. */
export interface CutText {
  readonly text: string;
  readonly mark: string;
}

/** Makes `text` visible and cuts it between two characters, never inside a spelt-out one. */
export function cutText(text: string, options: CutOptions = {}): CutText {
  const limit = Math.max(0, options.limit ?? Infinity);
  let start = utf8Start(text, limit);
  let shown = visible(start, options);
  // What is spelt out grows, to at most four times its size: shorten the original until it fits.
  for (let over = utf8Length(shown) - limit; over > 0; over = utf8Length(shown) - limit) {
    const bytes = utf8Length(start);
    start = utf8Start(start, bytes - Math.max(1, Math.floor(Math.min(over / 4, bytes / 2))));
    shown = visible(start, options);
  }
  const whole = start.length === text.length && options.fullBytes === undefined;
  return { text: shown, mark: whole ? "" : `… (${size(options.fullBytes ?? utf8Length(text))})` };
}
