/** A text's tokens where its parser stopped, and the text with another word in the place of one. */

/** The parser of PostgreSQL. */
export type Parser = Pick<typeof import("libpg-query"), "parseSync" | "scanSync">;

/** A token, its places in bytes. */
type Token = ReturnType<Parser["scanSync"]>["tokens"][number];

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The tokens, and which of them begins at `position`, in characters; -1 where none does. Throws where there are none. */
export function tokensAt(
  parser: Parser,
  sql: string,
  position: number,
): { readonly tokens: readonly Token[]; readonly at: number } {
  const start = encoder.encode([...sql].slice(0, position).join("")).length;
  const { tokens } = parser.scanSync(sql);
  return { tokens, at: tokens.findIndex((token) => token.start === start) };
}

/** The text with `word` in the place of the token. */
export function withWord(sql: string, { start, end }: Pick<Token, "start" | "end">, word: string): string {
  const bytes = encoder.encode(sql);
  return `${decoder.decode(bytes.subarray(0, start))}${word}${decoder.decode(bytes.subarray(end))}`;
}
