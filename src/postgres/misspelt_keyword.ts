/** A keyword that is misspelt: `select * form users`. */
import { type Parser, tokensAt, withWord } from "./tokens_at.ts";
import { parses } from "./unparsed_dialects.ts";

/** Of statements that read; shorter ones are one letter away from too many names. */
const KEYWORDS = [
  "BETWEEN",
  "CASE",
  "CROSS",
  "DISTINCT",
  "ELSE",
  "EXCEPT",
  "EXISTS",
  "EXPLAIN",
  "FROM",
  "GROUP BY",
  "GROUP",
  "HAVING",
  "ILIKE",
  "INNER",
  "INTERSECT",
  "JOIN",
  "LEFT",
  "LIKE",
  "LIMIT",
  "NULL",
  "OFFSET",
  "ORDER BY",
  "ORDER",
  "OUTER",
  "RIGHT",
  "SELECT",
  "SHOW",
  "THEN",
  "UNION",
  "USING",
  "VALUES",
  "WHEN",
  "WHERE",
  "WITH",
];

const LEAST_LENGTH = 3;

/**
 * What was meant by the word at `position`, in characters, which the parser does not take, or by the one before it,
 * taken for an alias: said where one keyword alone, an error of typing away, makes the text a statement.
 */
export function keywordHint(parser: Parser, sql: string, position: number): string | undefined {
  try {
    const { tokens, at } = tokensAt(parser, sql, position);
    for (const token of [tokens[at], tokens[at - 1]]) {
      if (token === undefined || !isPlainWord(token)) continue;
      const meant = KEYWORDS.filter((keyword) => isNear(token.text, keyword))
        .filter((keyword) => parses(parser, withWord(sql, token, keyword)));
      if (meant.length === 1) return `${token.text}: did you mean ${meant[0]}?`;
    }
  } catch {
    // Not even its tokens can be read.
  }
  return undefined;
}

function isPlainWord(
  { text, keywordName }: { readonly text: string; readonly keywordName: string },
): boolean {
  return keywordName === "NO_KEYWORD" && text.length >= LEAST_LENGTH && /^[a-z]+$/i.test(text);
}

/** Whether one error of typing lies between them: a letter too many, too few, another, or two that are swapped. */
function isNear(text: string, keyword: string): boolean {
  const word = text.toUpperCase();
  const least = Math.min(word.length, keyword.length);
  let first = 0;
  while (first < least && word[first] === keyword[first]) first++;
  let last = 0;
  while (last < least - first && word.at(-1 - last) === keyword.at(-1 - last)) last++;
  const [typed, meant] = [word, keyword].map((each) => each.slice(first, each.length - last));
  if (typed === undefined || meant === undefined) return false;
  return typed.length <= 1 && meant.length <= 1 ||
    typed.length === 2 && typed === [...meant].reverse().join("");
}
