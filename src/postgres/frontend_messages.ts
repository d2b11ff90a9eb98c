/**
 * Writes what a PostgreSQL client sends once it is logged in (protocol 3.0), statements over the extended protocol.
 * https://www.postgresql.org/docs/current/protocol-message-formats.html
 */
import { Buffer } from "node:buffer";
import type { Cell } from "./row_reader.ts";

/** Messages that are sent together. Texts must have no NUL in them. */
export class FrontendMessages {
  #bytes = Buffer.allocUnsafe(1024);
  #at = 0;
  #start = 0;

  /** Parse: the types of the parameters are left to the server. An empty name is the unnamed statement's. */
  parse(name: string, sql: string): this {
    return this.#begin("P").#text(name).#text(sql).#int16(0).#end();
  }

  /** Bind: parameters and results as text, into the unnamed portal. */
  bind(statement: string, parameters: readonly Cell[]): this {
    this.#begin("B").#text("").#text(statement).#int16(0).#int16(parameters.length);
    for (const parameter of parameters) {
      if (parameter === null) {
        this.#int32(-1);
      } else {
        this.#int32(Buffer.byteLength(parameter)).#characters(parameter);
      }
    }
    return this.#int16(0).#end();
  }

  /** Describe the unnamed portal. */
  describe(): this {
    return this.#begin("D").#characters("P").#text("").#end();
  }

  /** Flush: the server sends what it has so far, and goes on. */
  flush(): this {
    return this.#begin("H").#end();
  }

  /** Execute the unnamed portal for at most `rows`; 0 is all of them. */
  execute(rows: number): this {
    return this.#begin("E").#text("").#int32(rows).#end();
  }

  sync(): this {
    return this.#begin("S").#end();
  }

  /** Query: the simple protocol, where a text may be several statements. For our own fixed ones alone. */
  query(sql: string): this {
    return this.#begin("Q").#text(sql).#end();
  }

  /** All that was written since the last time. */
  take(): Uint8Array {
    const taken = Buffer.from(this.#bytes.subarray(0, this.#at));
    this.#at = 0;
    // One large statement must not hold its memory for as long as the connection lives.
    if (this.#bytes.length > 1 << 16) this.#bytes = Buffer.allocUnsafe(1024);
    return taken;
  }

  get empty(): boolean {
    return this.#at === 0;
  }

  #begin(type: string): this {
    this.#characters(type);
    this.#start = this.#at;
    return this.#int32(0);
  }

  #end(): this {
    this.#bytes.writeInt32BE(this.#at - this.#start, this.#start);
    return this;
  }

  #text(text: string): this {
    if (text.includes("\0")) throw new TypeError("Cannot send a text as it has a NUL in it");
    this.#characters(text);
    this.#room(1);
    this.#bytes[this.#at++] = 0;
    return this;
  }

  #characters(text: string): this {
    if (text === "") return this;
    this.#room(3 * text.length);
    this.#at += this.#bytes.write(text, this.#at);
    return this;
  }

  #int16(value: number): this {
    this.#room(2);
    this.#at = this.#bytes.writeUInt16BE(value, this.#at);
    return this;
  }

  #int32(value: number): this {
    this.#room(4);
    this.#at = this.#bytes.writeInt32BE(value, this.#at);
    return this;
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(2 * (this.#at + bytes));
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
  }
}
