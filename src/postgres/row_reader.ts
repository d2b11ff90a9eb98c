/** Takes the rows of one result as their bytes arrive, and keeps no more of them than it may. */

/** A cell in PostgreSQL's own text format; null is SQL NULL. */
export type Cell = string | null;

/** What may be kept of one result. */
export interface FetchLimits {
  readonly maxRows: number;
  /** Bytes of UTF-8 that one cell may take; a longer one is cut. */
  readonly cellBytes: number;
  /** Bytes of UTF-8 that all cells together may take; the rows after that are dropped. */
  readonly answerBytes: number;
}

/** A column as RowDescription tells it: https://www.postgresql.org/docs/current/protocol-message-formats.html */
export interface ColumnDescription {
  readonly name: string;
  readonly typeOid: number;
  readonly typmod: number;
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const empty = new Uint8Array(0);

/** The bytes of `cell` up to the last whole UTF-8 character. */
export function wholeCharacters(cell: Uint8Array): Uint8Array {
  let end = cell.length;
  // A character has at most three bytes after its first one.
  for (let back = 1; back <= Math.min(4, cell.length); back++) {
    const byte = cell[cell.length - back] ?? 0;
    if ((byte & 0xc0) === 0x80) continue;
    const size = byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
    if (size > back) end = cell.length - back;
    break;
  }
  return cell.subarray(0, end);
}

/** The rows of one result, cut to its limits while they arrive. */
export class RowReader {
  columns: readonly ColumnDescription[] = [];
  readonly rows: Cell[][] = [];
  /** `${row}:${column}` of a cell that was cut -> its full length in bytes. */
  readonly cut = new Map<string, number>();
  /** Rows that were dropped as the answer was full. */
  dropped = 0;
  /** The result held more than `maxRows` rows, or is not read to its end. */
  more = false;
  /** Bytes of all cells that arrived, kept or not. */
  received = 0;
  readonly #limits: FetchLimits;
  /** Bytes of all cells that were kept, those of rows included that were dropped for them. */
  #kept = 0;
  #row: Cell[] | undefined;
  /** What is kept of the cell; a view of what came, where that was all of it. */
  #cell: Uint8Array = empty;
  #cellKept = 0;
  #cellRoom = 0;
  #cellLength = 0;
  #rowCuts: [string, number][] = [];

  constructor(limits: FetchLimits) {
    this.#limits = limits;
  }

  beginRow(): void {
    if (this.rows.length + this.dropped >= this.#limits.maxRows) {
      this.more = true;
      this.#row = undefined;
    } else if (this.#kept >= this.#limits.answerBytes) {
      this.dropped++;
      this.#row = undefined;
    } else {
      this.#row = [];
    }
  }

  /** A cell begins; `length` is -1 for NULL. Its bytes come by {@linkcode bytes}. */
  beginCell(length: number): void {
    this.received += Math.max(0, length);
    if (this.#row === undefined) return;
    if (length < 0) {
      this.#row.push(null);
      return;
    }
    this.#cellLength = length;
    this.#cellKept = 0;
    this.#cellRoom = Math.min(length, this.#limits.cellBytes);
    this.#cell = empty;
  }

  /** Bytes of the cell; those that end it must stay as they are until {@linkcode endCell}. */
  bytes(chunk: Uint8Array): void {
    if (this.#row === undefined) return;
    // Most cells come whole and are small: a copy would cost as much as all the rest.
    if (chunk.length === this.#cellLength && chunk.length === this.#cellRoom) {
      this.#cell = chunk;
      return;
    }
    if (this.#cellKept === 0) this.#cell = new Uint8Array(this.#cellRoom);
    const part = chunk.subarray(0, this.#cellRoom - this.#cellKept);
    this.#cell.set(part, this.#cellKept);
    this.#cellKept += part.length;
  }

  endCell(): void {
    if (this.#row === undefined) return;
    let cell = this.#cell;
    if (cell.length < this.#cellLength) {
      cell = wholeCharacters(cell);
      this.#rowCuts.push([`${this.rows.length}:${this.#row.length}`, this.#cellLength]);
    }
    this.#kept += cell.length;
    this.#row.push(decoder.decode(cell));
    this.#cell = empty;
  }

  endRow(): void {
    const row = this.#row;
    this.#row = undefined;
    const cuts = this.#rowCuts;
    this.#rowCuts = [];
    if (row === undefined) return;
    // The first row is kept whatever its size: it is bounded by the cells' limit, and an answer of nothing helps nobody.
    if (this.#kept > this.#limits.answerBytes && this.rows.length > 0) {
      this.dropped++;
      return;
    }
    this.rows.push(row);
    for (const [key, length] of cuts) this.cut.set(key, length);
  }
}
