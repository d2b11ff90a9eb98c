/** Sizes of text as it travels: bytes of UTF-8, and cuts that leave every character whole. */
import { Buffer } from "node:buffer";
import { graphemes } from "./graphemes.ts";

/** Bytes that `text` takes in UTF-8; a lone surrogate counts as U+FFFD, which is what is sent for it. */
export function utf8Length(text: string): number {
  return Buffer.byteLength(text);
}

/** The longest start of `text` that takes at most `bytes` bytes of UTF-8 and ends between two characters as people see them. */
export function utf8Start(text: string, bytes: number): string {
  // A UTF-16 unit takes three bytes at most.
  if (text.length * 3 <= bytes || utf8Length(text) <= bytes) return text;
  let used = 0;
  let i = 0;
  while (i < text.length) {
    const unit = text.charCodeAt(i);
    const pair = unit >= 0x800 && isPair(text, i);
    used += unit < 0x80 ? 1 : unit < 0x800 ? 2 : pair ? 4 : 3;
    if (used > bytes) return text.slice(0, graphemeStart(text, i));
    i += pair ? 2 : 1;
  }
  return text;
}

function isPair(text: string, i: number): boolean {
  return (text.charCodeAt(i) & 0xfc00) === 0xd800 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00;
}

/** Where the grapheme that holds `index` starts; `index` itself when that is more than a few characters back. */
function graphemeStart(text: string, index: number): number {
  let from = Math.max(0, index - 64);
  if (from > 0 && isPair(text, from - 1)) from++;
  const segment = graphemes(text.slice(from, index + 16)).containing(index - from);
  return segment === undefined || (segment.index === 0 && from > 0) ? index : from + segment.index;
}
