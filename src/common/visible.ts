/**
 * Untrusted text made safe to look at: what a reader can't see, or what changes how the rest is seen, is spelt out.
 *
 * Spelt out are control characters, everything Unicode calls default-ignorable (zero-width and bidirectional
 * controls, fillers, variation selectors, tags), line and paragraph separators, noncharacters, interlinear
 * annotations and lone surrogates. Left alone where they do their proper work are: joiners inside an emoji or between
 * letters of the scripts that need them, the emoji variation selectors after an emoji, Mongolian variation selectors
 * after a Mongolian letter. Everything else, private use included, passes unchanged.
 *
 * A backslash of the text is not doubled, so `visible(visible(x)) === visible(x)` and JSON, patterns and Windows paths
 * read as they were written. The price: the letters `\n` and a line break look the same. It is text for reading, not a
 * code to be undone.
 */

const HIDDEN =
  /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}\u{fff9}-\u{fffb}]/gu;

/** Most texts: nothing in them is hidden. */
const PLAIN = /^[\x20-\x7e]*$/;
const PLAIN_LINES = /^[\n\x20-\x7e]*$/;

/** What {@linkcode visible} leaves as it is. */
export interface VisibleOptions {
  /** Keeps line breaks (LF, CRLF) and tabs: for texts of several lines, such as a view's definition or a log. */
  readonly keepLines?: boolean | undefined;
}

/** `text` with hidden characters as `\n`, `\t`, `\r`, `\x1b` or `\u{202e}`; see the module for which these are. */
export function visible(text: string, options: VisibleOptions = {}): string {
  const lines = options.keepLines === true;
  if ((lines ? PLAIN_LINES : PLAIN).test(text)) return text;
  return text.replace(HIDDEN, (character: string, offset: number) => {
    switch (character) {
      case "\n":
        return lines ? character : "\\n";
      case "\t":
        return lines ? character : "\\t";
      case "\r":
        return lines && text[offset + 1] === "\n" ? character : "\\r";
    }
    return atWork(text, offset, character) ? character : escape(character);
  });
}

function escape(character: string): string {
  const hex = (character.codePointAt(0) ?? 0).toString(16);
  return hex.length <= 2 ? `\\x${hex.padStart(2, "0")}` : `\\u{${hex}}`;
}

const PICTOGRAPH = /^\p{Extended_Pictographic}$/u;
const SKIN_TONE = /^\p{Emoji_Modifier}$/u;
const MONGOLIAN = /^\p{Script=Mongolian}$/u;

/** Letters and marks of the scripts whose spelling uses U+200C and U+200D. */
const JOINING = new RegExp(
  `^(?=[\\p{L}\\p{M}])[${
    [
      "Arabic Syriac Mongolian Nko Adlam Devanagari Bengali Gurmukhi Gujarati Oriya Tamil Telugu Kannada Malayalam",
      "Sinhala Khmer Myanmar Tibetan Balinese Javanese",
    ].join(" ").split(" ").map((script) => `\\p{Script_Extensions=${script}}`).join("")
  }]$`,
  "u",
);

/** Whether an ignorable character does its proper work where it stands; looks at its neighbours only. */
function atWork(text: string, offset: number, character: string): boolean {
  const code = character.codePointAt(0) ?? 0;
  if (code === 0x200c || code === 0x200d) {
    const next = after(text, offset + 1);
    const previous = before(text, offset);
    if (JOINING.test(previous) && JOINING.test(next)) return true;
    return code === 0x200d && PICTOGRAPH.test(next) && endsEmoji(text, offset, previous);
  }
  if (code === 0xfe0e || code === 0xfe0f) {
    const previous = before(text, offset);
    return PICTOGRAPH.test(previous) || (/^[0-9#*]$/.test(previous) && text[offset + 1] === "\u20e3");
  }
  if ((code >= 0x180b && code <= 0x180d) || code === 0x180f) return MONGOLIAN.test(before(text, offset));
  return false;
}

/** Whether an emoji, with its variation selector or skin tone, ends right before `offset`. */
function endsEmoji(text: string, offset: number, previous: string): boolean {
  if (PICTOGRAPH.test(previous)) return true;
  if (previous !== "\ufe0f" && !SKIN_TONE.test(previous)) return false;
  return PICTOGRAPH.test(before(text, offset - previous.length));
}

function before(text: string, offset: number): string {
  const low = (text.charCodeAt(offset - 1) & 0xfc00) === 0xdc00;
  const high = (text.charCodeAt(offset - 2) & 0xfc00) === 0xd800;
  return text.slice(Math.max(0, offset - (low && high ? 2 : 1)), offset);
}

function after(text: string, offset: number): string {
  const code = text.codePointAt(offset);
  return code === undefined ? "" : String.fromCodePoint(code);
}
