/** Characters as people see them (Unicode Standard Annex 29). */

let segmenter: Intl.Segmenter | undefined;

/** The segmenter, made at its first use: its tables take ten milliseconds, which no start should wait for. */
export function graphemes(text: string): Intl.Segments {
  segmenter ??= new Intl.Segmenter("en", { granularity: "grapheme" });
  return segmenter.segment(text);
}
