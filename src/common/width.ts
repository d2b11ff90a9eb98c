/** How many columns a text takes in a monospaced font, as terminals count them (Unicode Standard Annex 11). */
import { graphemes } from "./graphemes.ts";

const ASCII = /^[\x20-\x7e]*$/;
// Annex 11's "wide" and "fullwidth", near enough: the property itself is not among those that patterns know.
const WIDE = new RegExp(
  "[\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Hangul}\\p{Script=Bopomofo}\\p{Script=Yi}" +
    "\\p{Script=Tangut}\\p{Emoji_Presentation}\\ufe0f\\u3000-\\u303e\\u30fc\\uff01-\\uff60\\uffe0-\\uffe6]",
  "u",
);
const HALFWIDTH = /[\uff61-\uffdc]/u;
const NO_WIDTH = /^[\p{Mn}\p{Me}\p{Cf}]+$/u;

/** Columns that one line of text takes: 2 for a CJK character or an emoji, 0 for a mark on its own, else 1. */
export function displayWidth(text: string): number {
  if (ASCII.test(text)) return text.length;
  let width = 0;
  for (const { segment } of graphemes(text)) {
    if (NO_WIDTH.test(segment)) continue;
    width += WIDE.test(segment) && !HALFWIDTH.test(segment) ? 2 : 1;
  }
  return width;
}
