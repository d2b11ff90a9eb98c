/**
 * The defaults of variables in a plpgsql body, from its tokens: the parser's tree leaves out those of records,
 * and takes every type that it does not know (domains, enums, rows) for a record.
 *
 * Grammar: `decl_statement` in pl_gram.y.
 */
import { CallError } from "../common/errors.ts";
import { tokens } from "./parser.ts";

type Token = ReturnType<typeof tokens>[number];

/** A body with more of them is not understood: the word is looked for everywhere. */
const MAX_SECTIONS = 200;

const DEFAULT = new Set([":=", "=", "default"]);

/**
 * The expressions that variables start with, in the order of the sections. Where `declare` is only a column's
 * name, what follows it is given too, as if it were a section: too much is read, never too little.
 *
 * Throws {@linkcode CallError} `refused` where the body has too many sections.
 */
export function defaultsOf(body: string): string[] {
  const all = withoutComments(body);
  const starts = all.flatMap((token, index) => word(token) === "declare" ? [index + 1] : []);
  if (starts.length > MAX_SECTIONS) {
    throw new CallError("refused", "Cannot run the body as it has too many DECLARE sections");
  }
  const source = new TextEncoder().encode(body);
  const found = new Set<string>();
  const seen = new Set<number>();
  for (const start of starts) {
    let first = start;
    // A section ends with a BEGIN where a declaration could begin; in an expression it is a name.
    while (first < all.length && word(all[first]) !== "begin" && !seen.has(first)) {
      seen.add(first);
      let end = first;
      while (end < all.length && all[end]?.text !== ";") end++;
      const key = defaultKey(all.slice(first, end));
      if (key !== undefined) {
        found.add(new TextDecoder().decode(source.subarray(key.end, all[end]?.start ?? source.length)));
      }
      first = end + 1;
    }
  }
  return [...found];
}

/** Whether `%rowtype` is followed by what only an expression goes on with: there it is an operator and a name. */
export function callsRowtype(body: string): boolean {
  return withoutComments(body).some((token, index, all) => {
    const after = all[index + 2]?.text;
    return token.text === "%" && word(all[index + 1]) === "rowtype" && (after === "(" || after === ".");
  });
}

/** What divides a declaration from its default; a cursor has none, and its query is in the parser's tree. */
function defaultKey(declaration: readonly Token[]): Token | undefined {
  const start = declaration.slice(1, 4).map(word);
  const cursor = start[0] === "cursor" || start[0] === "scroll" && start[1] === "cursor" ||
    start[0] === "no" && start[1] === "scroll" && start[2] === "cursor";
  if (cursor) return undefined;
  let nesting = 0;
  return declaration.find((token, index) => {
    if (token.text === "(" || token.text === "[") nesting++;
    if (token.text === ")" || token.text === "]") nesting--;
    return index > 0 && nesting === 0 && DEFAULT.has(word(token));
  });
}

function withoutComments(body: string): Token[] {
  return tokens(body).filter(({ text }) => !text.startsWith("--") && !text.startsWith("/*"));
}

function word(token: Token | undefined): string {
  return token?.text.toLowerCase() ?? "";
}
