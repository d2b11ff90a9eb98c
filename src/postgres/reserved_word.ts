/** A reserved word where a name was meant: `select * from order`. */

type Parser = Pick<typeof import("libpg-query"), "parseSync" | "scanSync">;

/** What a name comes directly after. After a dot every word is one. */
const BEFORE_A_NAME = new Set(["from", "join", "into", "update"]);

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
 * reserved, comes directly after a word that wants a name, and the whole text is a statement once it is quoted.
 */
export function reservedName(parser: Parser, sql: string, position: number): string | undefined {
  const start = encoder.encode([...sql].slice(0, position).join("")).length;
  try {
    const { tokens } = parser.scanSync(sql);
    const at = tokens.findIndex((token) => token.start === start);
    const token = tokens[at];
    const before = tokens[at - 1];
    if (token?.keywordName !== "RESERVED_KEYWORD" || before === undefined) return undefined;
    const word = token.text.toLowerCase();
    if (!BEFORE_A_NAME.has(before.text.toLowerCase()) || GOES_ON.has(word)) return undefined;
    const bytes = encoder.encode(sql);
    const [head, tail] = [bytes.subarray(0, token.start), bytes.subarray(token.end)];
    parser.parseSync(`${decoder.decode(head)}"${word}"${decoder.decode(tail)}`);
    return word;
  } catch {
    return undefined;
  }
}
