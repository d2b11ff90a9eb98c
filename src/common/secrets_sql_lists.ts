/** Secrets in the lists of SQL: `password in ('…')`, `insert into users (name, password) values ('…', '…')`. */

const NAME =
  "(?:passw(?:or)?d|passphrase|pwd|secret|token|credentials?|(?:api|access|private|signing|encryption)_?key)";

/** A name of a secret, and the list that it is compared with. */
const IN_LIST = new RegExp(`${NAME}\\w{0,32}"?\\s{0,16}(?:not\\s{1,16})?in\\s{0,16}\\(`, "gi");
const VALUES = /\)\s{0,16}(?:overriding\s{1,16}\w{1,10}\s{1,16}value\s{1,16})?values\s{0,16}\(/gi;
const SECRET_NAME = new RegExp(NAME, "i");
/** Characters of the names of an INSERT's columns that are looked at. */
const longestNames = 4000;
/** What can stand between two rows of VALUES. */
const NEXT_ROW = /\s{0,64},\s{0,64}\(/y;

/** `text` with the constants of such lists replaced by `***`, each of them where one is meant for a secret. */
export function maskSqlLists(text: string): string {
  return maskLists(maskLists(text, IN_LIST, () => true, false), VALUES, namesSecret, true);
}

function namesSecret(text: string, closing: number): boolean {
  const opening = text.lastIndexOf("(", closing);
  return opening >= 0 && closing - opening <= longestNames && SECRET_NAME.test(text.slice(opening, closing));
}

function maskLists(
  text: string,
  beginning: RegExp,
  isMeant: (text: string, at: number) => boolean,
  rows: boolean,
): string {
  let result = "";
  let copied = 0;
  beginning.lastIndex = 0;
  for (let match = beginning.exec(text); match !== null; match = beginning.exec(text)) {
    if (!isMeant(text, match.index)) continue;
    const start = beginning.lastIndex;
    const { masked, end } = maskList(text, start, rows);
    result += text.slice(copied, start) + masked;
    copied = beginning.lastIndex = end;
  }
  return result + text.slice(copied);
}

/** From inside a list to its closing parenthesis, or that of the last row. */
function maskList(
  text: string,
  start: number,
  rows: boolean,
): { readonly masked: string; readonly end: number } {
  let masked = "";
  let depth = 1;
  let at = start;
  while (at < text.length) {
    const character = text.charAt(at);
    if (character === "'") {
      const backslash = /e/i.test(text.charAt(at - 1)) && !/\w/.test(text.charAt(at - 2));
      const end = endOfString(text, at + 1, backslash);
      masked += end > at + 1 ? "'***" : "'";
      if (end < text.length) masked += "'";
      at = end + 1;
      continue;
    }
    masked += character;
    at++;
    if (character === "(") depth++;
    else if (character === ")" && --depth === 0) {
      NEXT_ROW.lastIndex = at;
      const next = rows ? NEXT_ROW.exec(text)?.[0] : undefined;
      if (next === undefined) break;
      masked += next;
      at += next.length;
      depth = 1;
    }
  }
  return { masked, end: Math.min(at, text.length) };
}

/** Where a string's closing quote is, or the end of the text where it was cut off. */
function endOfString(text: string, from: number, backslash: boolean): number {
  for (let at = from; at < text.length; at++) {
    if (backslash && text[at] === "\\") at++;
    else if (text[at] === "'") {
      if (text[at + 1] !== "'") return at;
      at++;
    }
  }
  return text.length;
}
