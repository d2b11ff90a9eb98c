/** A reserved word where a name was meant: `select * from order`. */
import { type Parser, tokensAt, withWord } from "./tokens_at.ts";
import { parses } from "./unparsed_dialects.ts";

/** What a name comes directly after. After a dot every word is one. */
const BEFORE_A_NAME = new Set(["from", "join", "into", "update"]);

/** What a column comes directly after. */
const BEFORE_A_COLUMN = new Set(["select", ",", "(", "where", "and", "or", "not", "by", "on"]);

/** Reserved words that are columns of many a table. */
const COLUMNS = new Set([
  "check",
  "column",
  "default",
  "desc",
  "end",
  "foreign",
  "grant",
  "group",
  "limit",
  "offset",
  "order",
  "primary",
  "references",
  "table",
  "to",
  "unique",
  "window",
]);

/** Words with which the statement rather goes on, its name forgotten: `select a from where b`. */
const GOES_ON = new Set([
  "except",
  "from",
  "having",
  "intersect",
  "on",
  "select",
  "union",
  "using",
  "where",
  "with",
]);

/**
 * The word that the parser does not take at `position`, in characters, where it can only be a name: it is fully
 * reserved, comes directly after a word that wants a name, and the whole text is a statement once it is quoted. Of
 * `select order from` the parser only does not take what comes after.
 */
export function reservedName(parser: Parser, sql: string, position: number): string | undefined {
  try {
    const { tokens, at } = tokensAt(parser, sql, position);
    for (const index of [at, at - 1]) {
      const token = tokens[index];
      const before = tokens[index - 1]?.text.toLowerCase();
      if (token?.keywordName !== "RESERVED_KEYWORD" || before === undefined) continue;
      const word = token.text.toLowerCase();
      const isName = index === at && BEFORE_A_NAME.has(before) && !GOES_ON.has(word) ||
        BEFORE_A_COLUMN.has(before) && COLUMNS.has(word) &&
          // Of `order by a, desc` it is rather the column that is missing.
          (word !== "desc" || before === "select" || tokens[index + 1]?.text.toLowerCase() === "from");
      if (isName && parses(parser, withWord(sql, token, `"${word}"`))) return word;
    }
  } catch {
    // Not even its tokens can be read.
  }
  return undefined;
}
