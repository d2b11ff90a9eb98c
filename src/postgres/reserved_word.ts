/** A reserved word where a name was meant: `select * from order`. */
import { parses } from "./unparsed_dialects.ts";

type Parser = Pick<typeof import("libpg-query"), "parseSync" | "scanSync">;

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

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * The word that the parser does not take at `position`, in characters, where it can only be a name: it is fully
 * reserved, comes directly after a word that wants a name, and the whole text is a statement once it is quoted. Of
 * `select order from` the parser only does not take what comes after.
 */
export function reservedName(parser: Parser, sql: string, position: number): string | undefined {
  const start = encoder.encode([...sql].slice(0, position).join("")).length;
  try {
    const { tokens } = parser.scanSync(sql);
    const at = tokens.findIndex((token) => token.start === start);
    for (const index of [at, at - 1]) {
      const token = tokens[index];
      const before = tokens[index - 1]?.text.toLowerCase();
      if (token?.keywordName !== "RESERVED_KEYWORD" || before === undefined) continue;
      const word = token.text.toLowerCase();
      const isName = index === at && BEFORE_A_NAME.has(before) && !GOES_ON.has(word) ||
        BEFORE_A_COLUMN.has(before) && COLUMNS.has(word) &&
          // Of `order by a, desc` it is rather the column that is missing.
          (word !== "desc" || before === "select" || tokens[index + 1]?.text.toLowerCase() === "from");
      if (isName && parses(parser, withQuotes(sql, token))) return word;
    }
  } catch {
    // Not even its tokens can be read.
  }
  return undefined;
}

/** The text with the token in double quotes. */
function withQuotes(
  sql: string,
  { start, end, text }: { readonly start: number; readonly end: number; readonly text: string },
): string {
  const bytes = encoder.encode(sql);
  return `${decoder.decode(bytes.subarray(0, start))}"${text.toLowerCase()}"${
    decoder.decode(bytes.subarray(end))
  }`;
}
