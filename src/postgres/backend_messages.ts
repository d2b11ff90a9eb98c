/**
 * Frames what a PostgreSQL server sends (protocol 3.0) without ever holding a whole DataRow.
 * https://www.postgresql.org/docs/current/protocol-message-formats.html
 */
import { size } from "../common/units.ts";
import { type RowReader, wholeCharacters } from "./row_reader.ts";

/** The bytes are not what a PostgreSQL server would send. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}

/** Fields of an ErrorResponse by their letter, e.g. `C` for the SQLSTATE. */
export type ErrorFields = ReadonlyMap<string, string>;

/** Where messages go. */
export interface BackendMessageSink {
  /** A whole message that is neither a row nor an error; `body` is what follows the length, valid during the call. */
  message(type: string, body: Uint8Array): void;
  error(fields: ErrorFields): void;
  /** Who reads the rows now; throws {@linkcode ProtocolError} when nobody asked for any. */
  reader(): RowReader;
}

/** PostgreSQL's own limit of a message is 1 GB less one byte. */
const maxMessage = 0x3fffffff + 4;
/** No message that has to be read whole is larger: 1,664 columns are described in 140 KB. */
const maxWhole = 1 << 20;
/** Bytes kept of one field of an error: a message may quote a value of any size. */
const maxErrorField = 4096;
const maxErrorFields = 32;

// Authentication, BackendKeyData, ParameterStatus, ReadyForQuery, CommandComplete, EmptyQueryResponse, NoData,
// ParameterDescription, PortalSuspended, RowDescription, ParseComplete, BindComplete, CloseComplete.
const whole = "RKSZCIntsT123";
// NoticeResponse and NotificationResponse: nobody listens.
const ignored = "NA";

type Part = "header" | "whole" | "ignored" | "error" | "row" | "length" | "cell";

const decoder = new TextDecoder();
const empty = new Uint8Array(0);

/** Cuts a stream of bytes into messages. Once {@linkcode push} has thrown, nothing more can be read. */
export class BackendMessages {
  readonly #sink: BackendMessageSink;
  #part: Part = "header";
  #type = "";
  /** Bytes of the message that have not come yet. */
  #remaining = 0;
  readonly #head = new Uint8Array(5);
  readonly #headView = new DataView(this.#head.buffer);
  #headHas = 0;
  #whole = empty;
  #wholeHas = 0;
  #cells = 0;
  #cellRemaining = 0;
  #rowReader: RowReader | undefined;
  #error = new Map<string, string>();
  #errorLetter = 0;
  #errorBytes: number[] = [];
  /** Bytes of the field, those included that are not kept. */
  #errorLength = 0;

  constructor(sink: BackendMessageSink) {
    this.#sink = sink;
  }

  /** Throws {@linkcode ProtocolError}. */
  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      switch (this.#part) {
        case "header":
          at = this.#gather(chunk, at, 5);
          if (this.#headHas === 5) this.#beginMessage();
          break;
        case "whole": {
          const part = chunk.subarray(at, at + this.#remaining);
          // Most come in one piece, which needs no copy.
          if (this.#wholeHas === 0 && part.length === this.#remaining) {
            at += part.length;
            this.#endWhole(part);
            break;
          }
          if (this.#wholeHas === 0) this.#whole = new Uint8Array(this.#remaining);
          this.#whole.set(part, this.#wholeHas);
          this.#wholeHas += part.length;
          at += part.length;
          this.#remaining -= part.length;
          if (this.#remaining === 0) this.#endWhole(this.#whole);
          break;
        }
        case "ignored": {
          const length = Math.min(this.#remaining, chunk.length - at);
          at += length;
          this.#remaining -= length;
          if (this.#remaining === 0) this.#next();
          break;
        }
        case "error": {
          const part = chunk.subarray(at, at + this.#remaining);
          at += part.length;
          this.#remaining -= part.length;
          this.#errorPart(part);
          if (this.#remaining === 0) this.#endError();
          break;
        }
        case "row":
          at = this.#gather(chunk, at, 2);
          if (this.#headHas === 2) {
            this.#cells = this.#headView.getUint16(0);
            this.#remaining -= 2;
            this.#rowReader?.beginRow();
            this.#nextCell();
          }
          break;
        case "length":
          at = this.#gather(chunk, at, 4);
          if (this.#headHas === 4) this.#beginCell(this.#headView.getInt32(0));
          break;
        case "cell": {
          const part = chunk.subarray(at, at + this.#cellRemaining);
          this.#rowReader?.bytes(part);
          at += part.length;
          this.#cellRemaining -= part.length;
          if (this.#cellRemaining === 0) this.#endCell();
          break;
        }
      }
    }
  }

  #gather(chunk: Uint8Array, at: number, wanted: number): number {
    // Byte by byte: a view of so few, of which there is one a cell, costs more than they do.
    while (this.#headHas < wanted && at < chunk.length) this.#head[this.#headHas++] = chunk[at++] ?? 0;
    return at;
  }

  #next(part: Part = "header"): void {
    this.#part = part;
    this.#headHas = 0;
  }

  #beginMessage(): void {
    const type = String.fromCharCode(this.#headView.getUint8(0));
    const length = this.#headView.getUint32(1);
    if (length < 4 || length > maxMessage) throw new ProtocolError(`a message of ${length} bytes`);
    this.#type = type;
    this.#remaining = length - 4;
    if (type === "D") {
      if (this.#remaining < 2) throw new ProtocolError("a row that is too short");
      this.#rowReader = this.#sink.reader();
      this.#next("row");
    } else if (whole.includes(type)) {
      if (this.#remaining > maxWhole) {
        throw new ProtocolError(`a message ${JSON.stringify(type)} of ${length} bytes`);
      }
      this.#wholeHas = 0;
      if (this.#remaining === 0) this.#endWhole(empty);
      else this.#next("whole");
    } else if (type === "E") {
      this.#error = new Map();
      this.#errorLetter = 0;
      this.#errorBytes = [];
      if (this.#remaining === 0) this.#endError();
      else this.#next("error");
    } else if (ignored.includes(type)) {
      this.#next(this.#remaining === 0 ? "header" : "ignored");
    } else {
      throw new ProtocolError("a message of an unknown kind");
    }
  }

  #endWhole(body: Uint8Array): void {
    this.#whole = empty;
    this.#next();
    this.#sink.message(this.#type, body);
  }

  #errorPart(part: Uint8Array): void {
    let at = 0;
    while (at < part.length) {
      if (this.#errorLetter === 0) {
        this.#errorLetter = part[at++] ?? 0;
        continue;
      }
      const end = part.indexOf(0, at);
      const bytes = part.subarray(at, end === -1 ? part.length : end);
      this.#errorBytes.push(...bytes.subarray(0, maxErrorField - this.#errorBytes.length));
      this.#errorLength += bytes.length;
      if (end === -1) return;
      at = end + 1;
      if (this.#error.size < maxErrorFields) {
        this.#error.set(String.fromCharCode(this.#errorLetter), this.#errorText());
      }
      this.#errorLetter = 0;
      this.#errorBytes = [];
      this.#errorLength = 0;
    }
  }

  #errorText(): string {
    const kept = Uint8Array.from(this.#errorBytes);
    if (this.#errorLength <= maxErrorField) return decoder.decode(kept);
    return `${decoder.decode(wholeCharacters(kept))}… (${size(this.#errorLength)})`;
  }

  #endError(): void {
    this.#next();
    this.#sink.error(this.#error);
  }

  #nextCell(): void {
    if (this.#cells > 0) {
      if (this.#remaining < 4) throw new ProtocolError("a row that is too short");
      this.#cells--;
      this.#next("length");
      return;
    }
    if (this.#remaining !== 0) throw new ProtocolError("a row that is too long");
    this.#rowReader?.endRow();
    this.#rowReader = undefined;
    this.#next();
  }

  #beginCell(length: number): void {
    this.#remaining -= 4;
    if (length < -1 || length > this.#remaining) throw new ProtocolError(`a cell of ${length} bytes`);
    this.#rowReader?.beginCell(length);
    if (length > 0) {
      this.#remaining -= length;
      this.#cellRemaining = length;
      this.#next("cell");
      return;
    }
    if (length === 0) this.#rowReader?.endCell();
    this.#nextCell();
  }

  #endCell(): void {
    this.#rowReader?.endCell();
    this.#nextCell();
  }
}
