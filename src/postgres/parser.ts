/**
 * PostgreSQL's own parser, as WebAssembly (libpg-query), behind the bounds that keep it safe.
 *
 * Reads SQL text and gives the raw parse tree. The parser recurses: a text that nests too deeply would
 * overflow its stack, so that length and depth are bounded before it sees the text.
 */
import { CallError } from "../common/errors.ts";
import { utf8Length } from "../common/utf8.ts";
import { keywordHint } from "./misspelt_keyword.ts";
import { unparsedHint } from "./other_dialects.ts";
import { reservedName } from "./reserved_word.ts";

/** Bytes of UTF-8 that a caller's statement may have: reading it holds up all other calls. */
const MAX_STATEMENT_BYTES = 32 * 1024;
/** Bytes that what a database stores may have: the body of a function, a view's definition. */
const MAX_TEXT_BYTES = 256 * 1024;

/** Characters of a statement that is read again for the sake of a hint or a note. */
export const HINTED_LENGTH = 20_000;

/**
 * Levels that a statement may nest. The parser's stack holds more than 3,000 of the most expensive ones
 * (function calls); beyond it its state could not be trusted any more.
 */
export const MAX_DEPTH = 1_000;

/** Characters of a text that is certainly less deep than `MAX_DEPTH`: a level takes at least two. */
const SHALLOW_LENGTH = 2 * MAX_DEPTH;

/**
 * Reserved words and signs after which an expression can't go on: what came before adds no depth to what
 * follows at the same level of parentheses.
 */
const ENDS_EXPRESSION = new Set([",", "and", "or", "when", "then", "else", "select", "from", "where", "on"]);
/** Of these, the ones that also end a CASE or a join without parentheses around it. */
const ENDS_OPERAND = new Set([",", "select"]);

/**
 * Characters that PostgreSQL's lexer may read a second time. It takes a run of operator characters for one operator first,
 * and gives back all but the first where that is a sign or the beginning of a comment: of a run of 50,000 plus signs, it
 * reads more than a billion characters, which takes a minute.
 * https://github.com/postgres/postgres/blob/master/src/backend/parser/scan.l (operator, xcstart)
 */
const MAX_READ_AGAIN = 1_000_000;
const OPERATOR_CHARACTERS = new Set("~!@#^&|`?+-*/%<>=");

type Library = typeof import("libpg-query");

let library: Library | undefined;
let loading: Promise<void> | undefined;

const webAssemblyName = "libpg-query.wasm";
let webAssembly: Uint8Array | undefined;

/** Reads the parser's WebAssembly: before read permission is given up. */
export function readParser(): void {
  webAssembly ??= Deno.readFileSync(new URL(webAssemblyName, import.meta.resolve("libpg-query")));
}

/** Loads the parser; must be awaited before it is used. */
export function loadParser(): Promise<void> {
  return loading ??= load();
}

/**
 * The package reads its WebAssembly as it is loaded, and takes ten times as long to load as the file to read. A client
 * that starts this program waits for the file alone: what was read is put in the place of the reading. It is compiled on
 * this thread: those that V8 would take for it keep 4 MB.
 */
async function load(): Promise<void> {
  const { default: files } = await import("node:fs");
  const { readFileSync } = files;
  const read = (path: Parameters<typeof readFileSync>[0], ...rest: unknown[]) =>
    webAssembly !== undefined && String(path).endsWith(webAssemblyName)
      ? webAssembly
      : Reflect.apply(readFileSync, files, [path, ...rest]);
  Object.assign(files, { readFileSync: read });
  const { instantiate } = WebAssembly;
  const instantiateHere = (bytes: BufferSource, imports: WebAssembly.Imports) => {
    const module = new WebAssembly.Module(bytes);
    return Promise.resolve({ module, instance: new WebAssembly.Instance(module, imports) });
  };
  Object.assign(WebAssembly, { instantiate: instantiateHere });
  try {
    const imported = await import("libpg-query");
    await imported.loadModule();
    library = imported;
  } finally {
    Object.assign(files, { readFileSync });
    Object.assign(WebAssembly, { instantiate });
    webAssembly = undefined;
  }
}

function loaded(): Library {
  if (library === undefined) throw new Error("Cannot parse before loadParser has been awaited");
  return library;
}

/** Whether a text is short enough to be a caller's statement. Throws {@linkcode CallError} `refused`. */
export function checkStatementLength(sql: string): void {
  if (utf8Length(sql) <= MAX_STATEMENT_BYTES) return;
  throw new CallError(
    "refused",
    `Cannot run the statement as it is longer than ${MAX_STATEMENT_BYTES / 1024} KiB`,
    {
      hint: "Ask for less in one statement, or pass long values and lists as parameters: = any ($1)",
    },
  );
}

/** Parses one or more statements. Throws {@linkcode CallError} `invalid` with PostgreSQL's message, or `refused` by a bound. */
export function parseStatements(sql: string): unknown {
  checkText(sql);
  try {
    return loaded().parseSync(sql);
  } catch (error) {
    throw parseError(error, sql);
  }
}

/** Parses a complete `CREATE FUNCTION … LANGUAGE plpgsql` as `pg_get_functiondef` prints it. */
export function parsePlpgsql(definition: string): unknown {
  checkText(definition);
  try {
    return loaded().parsePlPgSQLSync(definition);
  } catch (error) {
    throw new CallError("refused", `Cannot read the function's body as its parser says: ${text(error)}`);
  }
}

/** The tokens of a text in order: what PostgreSQL's own lexer makes of it. `start` and `end` are bytes of UTF-8. */
export function tokens(
  sql: string,
): readonly { readonly start: number; readonly end: number; readonly text: string }[] {
  checkLength(sql);
  try {
    // The library leaves them in its JSON as they are; where they stand in a text they change no token's place.
    return loaded().scanSync(sql.replace(/[^\P{Cc}\t\n\v\f\r\x7f-\x9f]/gu, " ")).tokens;
  } catch (error) {
    throw parseError(lexerError(sql) ?? error, sql);
  }
}

/** What the lexer stumbled over, with its place: the parser stumbles over the same, before it gives a tree. */
function lexerError(sql: string): unknown {
  try {
    loaded().parseSync(sql);
    return undefined;
  } catch (error) {
    return error;
  }
}

function checkOperatorRuns(sql: string): void {
  let readAgain = 0;
  let left = 0;
  for (let at = sql.length - 1; at >= 0; at--) {
    const sign = sql[at] ?? "";
    left = OPERATOR_CHARACTERS.has(sign) ? left + 1 : 0;
    // Two of - begin a comment, which goes on to the end of its line.
    const isMinus = sign === "-" && sql[at + 1] !== "-" && sql[at - 1] !== "-";
    if (sign === "+" || isMinus || sign === "/" && sql[at + 1] === "*") readAgain += left;
  }
  if (readAgain <= MAX_READ_AGAIN) return;
  throw new CallError(
    "refused",
    "Cannot run the statement as too many signs, or beginnings of comments, follow each other",
    {
      hint: "Pass a text that holds them as a parameter",
    },
  );
}

function checkText(sql: string): void {
  checkLength(sql);
  const depth = sql.length <= SHALLOW_LENGTH ? 0 : depthBound(sql);
  if (depth > MAX_DEPTH) {
    throw new CallError(
      "refused",
      `Cannot run the statement as it nests more than ${MAX_DEPTH} levels deep`,
      {
        hint:
          "Use fewer nested parentheses, operators in a row, joins or set operations; a list in IN (…) or an array is flat",
      },
    );
  }
}

function checkLength(sql: string): void {
  if (sql.trim() === "") {
    throw new CallError("invalid", "Cannot run the statement as it is empty", {
      hint: "Send one SELECT, EXPLAIN or SHOW",
    });
  }
  if (utf8Length(sql) > MAX_TEXT_BYTES) {
    throw new CallError("refused", `Cannot read the text as it is longer than ${MAX_TEXT_BYTES / 1024} KiB`);
  }
  if (sql.includes("\0")) {
    throw new CallError("invalid", "Cannot run the statement as it holds a NUL character", {
      hint: "PostgreSQL's text can't hold it: remove it",
    });
  }
  if (!sql.isWellFormed()) {
    throw new CallError(
      "invalid",
      "Cannot run the statement as it is not valid Unicode: a surrogate stands alone",
      {
        hint: "Send valid UTF-8",
      },
    );
  }
  checkOperatorRuns(sql);
}

/** An open parenthesis, with what may still nest inside it without another one. */
interface Level {
  /** Tokens since the expression began: operators, casts, prefixes. */
  run: number;
  /** CASE and JOIN since the operand began. */
  operands: number;
  /** UNION, INTERSECT and EXCEPT. */
  sets: number;
}

/** An upper bound of the depth of the parse tree, from the flat list of tokens. */
function depthBound(sql: string): number {
  let level: Level = { run: 0, operands: 0, sets: 0 };
  const outer: Level[] = [];
  let open = 0;
  let deepest = 0;
  let previous = "";
  const depth = () => level.run + level.operands + level.sets;
  for (const { text } of tokens(sql)) {
    if (/^(?:--|\/\*)/.test(text)) continue;
    const word = text.toLowerCase();
    // After these even a reserved word is a name.
    const keyword = previous !== "." && previous !== "as" && previous !== "name";
    previous = word;
    level.run++;
    if (word === "(" || word === "[") {
      open += depth();
      outer.push(level);
      level = { run: 0, operands: 0, sets: 0 };
    } else if ((word === ")" || word === "]") && outer.length > 0) {
      level = outer.pop() ?? level;
      open -= depth();
    } else if (keyword) {
      if (ENDS_EXPRESSION.has(word)) level.run = 0;
      if (ENDS_OPERAND.has(word)) level.operands = 0;
      if (word === "case" || word === "join") level.operands++;
      if (word === "union" || word === "intersect" || word === "except") level.sets++;
    }
    deepest = Math.max(deepest, open + depth());
  }
  return deepest;
}

function parseError(error: unknown, sql: string): CallError {
  if (!loaded().hasSqlDetails(error)) {
    return new CallError("refused", "Cannot run the statement as PostgreSQL's parser could not read it", {
      hint: "Simplify the statement",
      cause: error,
    });
  }
  const position = Math.min(error.sqlDetails?.cursorPosition ?? 0, sql.length);
  const other = sql.length <= HINTED_LENGTH ? parseHint(sql, position, error.message) : undefined;
  return new CallError(
    "invalid",
    `Cannot parse the statement as PostgreSQL says: ${shortened(error.message)}`,
    {
      hint: `At character ${position + 1}: ${excerpt(sql, position)}${
        other === undefined ? "" : `; ${other}`
      }`,
      cause: error,
    },
  );
}

/** What may have been meant by a text that the parser does not take at `position`. */
function parseHint(sql: string, position: number, message: string): string | undefined {
  const word = reservedName(loaded(), sql, position);
  if (word !== undefined) return `${word} is a reserved word: as a name it is written "${word}"`;
  const shallow = sql.length <= SHALLOW_LENGTH;
  return unparsedHint(loaded(), sql, message, shallow) ??
    (shallow ? keywordHint(loaded(), sql, position) : undefined);
}

/** An unterminated string or comment is quoted to the text's end. */
function shortened(message: string): string {
  return message.replace(/(?<= at or near "[^]{60})[^]+(?="$)/, "…").toWellFormed();
}

function excerpt(sql: string, position: number): string {
  const around = sql.slice(Math.max(0, position - 30), position + 30).replace(/\s+/g, " ").toWellFormed();
  const end = position + 30 < sql.length ? `${around}…` : around.replace(/[;\s]+$/, "");
  return `${position > 30 ? "…" : ""}${end}`;
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
