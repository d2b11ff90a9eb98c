/**
 * Secrets in a text, found by their shape and replaced by `***`: for the arguments in an audit log and for error texts.
 *
 * It is the last net, not the first: what is known to be a secret never gets into a text. In doubt it masks too much.
 * Time is linear in the text's length, whatever the text: patterns begin where the one before them ended, and what has
 * an end to look for is looked for once.
 */

import { maskSqlLists } from "./secrets_sql_lists.ts";
import { maskTokens } from "./secrets_tokens.ts";

const MASK = "***";

/** `text` with its secrets masked; `maskSecrets(maskSecrets(x)) === maskSecrets(x)`. */
export function maskSecrets(text: string): string {
  let masked = maskShapes(maskPrivateKeys(text));
  masked = maskAuthorization(masked);
  masked = maskUrls(masked);
  return maskSqlLists(maskValues(masked, PASSWORD_KEY, endOfPassword));
}

/**
 * What is a secret by its own shape: the pattern, and what is left of it. Lengths are bounded because a pattern that loops
 * over tens of megabytes runs out of stack.
 */
const SHAPES: readonly (readonly [pattern: RegExp, left: string])[] = [
  [/(SCRAM-SHA-(?:1|256|512)\$)[\w+/=:$]+/g, `$1${MASK}`],
  [/(?<![0-9A-Za-z])(md5)[0-9a-f]{32}(?![0-9A-Za-z])/gi, `$1${MASK}`],
  // A line of .pgpass, told from other lists with colons by PostgreSQL's usual ports: host:port:database:user:password.
  // An address of IPv6 may look like one, and has eight groups, or two colons together.
  [
    /(?<![\w.:*/@\\\]-])(?!(?:(?:[\da-fA-F]{1,4}:){7}|[\da-fA-F:]{0,40}::)[\da-fA-F:]{1,40}(?![\w:]))((?:\\.|[\w.*/@-]){1,255}:(?:\d?[1-9]43\d|25060|26257|\*):(?:\\.|[^:\s"'`\\]){1,64}:(?:\\.|[^:\s"'`\\]){1,64}:)(?!\*{3})[^\s"'`]{1,4096}/g,
    `$1${MASK}`,
  ],
  [/(?<![\w-])eyJ[\w-]{5,65536}\.[\w-]{1,65536}(?:\.[\w-]{0,65536}){0,3}/g, MASK],
  [/(?<![0-9A-Za-z])(AKIA|ASIA)[0-9A-Z]{16}(?![0-9A-Za-z])/g, `$1${MASK}`],
  [/(?<![0-9A-Za-z])(AIza)[\w-]{35}/g, `$1${MASK}`],
  [
    /(?<![0-9A-Za-z])(gh[opusr]_|github_pat_|glpat-|npm_|hvs\.|sk-|sk_live_|rk_live_|xox[abeoprs]-|dop_v1_)[\w-]{16,65536}/g,
    `$1${MASK}`,
  ],
];

const KEY_BEGIN = /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----/g;
const KEY_END = /[A-Z0-9 ]{0,60}-----/y;

/** Private keys in PEM (RFC 7468). Where the end is missing it was cut off, and all the rest is the key. */
function maskPrivateKeys(text: string): string {
  let result = "";
  let copied = 0;
  KEY_BEGIN.lastIndex = 0;
  for (let match = KEY_BEGIN.exec(text); match !== null; match = KEY_BEGIN.exec(text)) {
    const end = text.indexOf("-----END ", KEY_BEGIN.lastIndex);
    KEY_END.lastIndex = end + "-----END ".length;
    KEY_END.exec(text);
    result += text.slice(copied, match.index) + MASK;
    copied = KEY_BEGIN.lastIndex = end < 0
      ? text.length
      : Math.max(end + "-----END ".length, KEY_END.lastIndex);
  }
  return result + text.slice(copied);
}

function maskShapes(text: string): string {
  return maskTokens(SHAPES.reduce((masked, [pattern, left]) => masked.replace(pattern, left), text));
}

// After "Bearer" in prose; there, what follows is no token.
const PROSE =
  "(?!realm=|(?:tokens?|auth[a-z]*|scheme|errors?|is|was|or|and|in|for|headers?|credentials?|required)(?![\\w.~+/=-]))";
const AUTHORIZATION =
  /(authorization["']?[ \t]{0,8}[:=][ \t]{0,8}\\?["']?)((?:basic|bearer|digest|negotiate|token|apikey)[ \t]{1,8})?[^\s"'\\,;]+/gi;
const BEARER = new RegExp(`(\\bbearer[ \\t]{1,8})${PROSE}[\\w.~+/=-]+`, "gi");

function maskAuthorization(text: string): string {
  return text.replace(AUTHORIZATION, `$1$2${MASK}`).replace(BEARER, `$1${MASK}`);
}

/** Protocols in whose paths an `@` is common; in all others the last `@` of a URL ends the password. */
const WEB = /(?:https?|wss?|ftps?|git|ssh|s3|file)$/i;
const HOST = /^(?:[^:[\]]*|\[[0-9a-f:.]*\])(?::\d+)?$/i;
const URL_END = /[\s"'<>`]/g;
const AUTHORITY_END = /[/?#]/g;

/** Passwords in `scheme://user:password@host`, those included that are not encoded as they should be. */
function maskUrls(text: string): string {
  let result = "";
  let copied = 0;
  let end = 0;
  let lastAt = -1;
  let lastEquals = -1;
  for (let at = text.indexOf("://"); at >= 0; at = text.indexOf("://", at)) {
    const start = at + 3;
    at = start;
    if (start > end || end === 0) {
      end = indexOfMatch(text, URL_END, start);
      lastAt = start + text.slice(start, end).lastIndexOf("@");
      lastEquals = lastAt < start ? -1 : start + text.slice(start, lastAt).lastIndexOf("=");
    }
    if (lastAt < start) continue;
    const authorityEnd = Math.min(end, indexOfMatch(text, AUTHORITY_END, start, end));
    const colon = indexWithin(text, ":", start, authorityEnd);
    if (colon < 0) continue;
    const authority = text.slice(start, authorityEnd);
    const web = WEB.test(text.slice(Math.max(0, start - 9), start - 3));
    // Hosts and ports, unless what follows up to the `@` could only be the rest of a password.
    const port = authority.split(",").every((host) => HOST.test(host)) && (web || lastEquals > authorityEnd);
    const inAuthority = start + authority.lastIndexOf("@");
    const passwordEnd = inAuthority > colon && web ? inAuthority : inAuthority > colon || !port ? lastAt : -1;
    if (passwordEnd <= colon) continue;
    result += text.slice(copied, colon + 1) + MASK;
    copied = at = passwordEnd;
  }
  return result + text.slice(copied);
}

function indexOfMatch(text: string, pattern: RegExp, from: number, otherwise = text.length): number {
  pattern.lastIndex = from;
  const match = pattern.exec(text);
  return match === null ? otherwise : match.index;
}

function indexWithin(text: string, wanted: string, from: number, to: number): number {
  const index = text.slice(from, to).indexOf(wanted);
  return index < 0 ? -1 : from + index;
}

/**
 * Names of secrets, to the place where the value starts. Three forms: SQL (`PASSWORD '…'`, the keyword and a string), an
 * assignment (`password=…`, `DB_PASSWORD = …`, `?password=…`), and a key with a quoted value (`"password": "…"`).
 */
const PASSWORD_KEY =
  /(?:(?:passw(?:or)?d|passphrase|pwd|(?<![a-z])pass|secret|token|credentials?|(?:api|access|secret|private|account|shared|auth|signing|encryption)[_-]?key)(?:\[\])?(?:\\{0,7}["'])?\]?[ \t\u00a0]{0,64}(?:=[>=]?|:=|:(?=[ \t]{0,64}\\{0,7}["'`]))[ \t\u00a0]{0,64}|(?<sql>(?<!["'])\bpassword\s{0,16}(?!'s\b)(?=[eun]?&?['$])))/gi;

/** Replaces what `endOf` says is a value after each match of `key`. */
function maskValues(text: string, key: RegExp, endOf: typeof endOfPassword): string {
  let result = "";
  let copied = 0;
  key.lastIndex = 0;
  for (let match = key.exec(text); match !== null; match = key.exec(text)) {
    const start = key.lastIndex;
    const value = endOf(text, match, start);
    if (value === undefined) continue;
    result += text.slice(copied, value.start) + MASK;
    copied = key.lastIndex = Math.max(value.end, start);
  }
  return result + text.slice(copied);
}

interface Span {
  readonly start: number;
  readonly end: number;
}

function endOfPassword(text: string, match: RegExpExecArray, start: number): Span | undefined {
  return match.groups?.["sql"] === undefined ? assignedValue(text, match, start) : sqlString(text, start);
}

const SQL_STRING = /(?<escape>e)?(?:u&|n)?'|\$(?:[a-z_\x80-\uffff][\w\x80-\uffff]{0,62})?\$/iy;

/** A string constant (sql-syntax-lexical): plain, E'', U&'' or dollar-quoted; one that does not end was cut off. */
function sqlString(text: string, start: number): Span | undefined {
  SQL_STRING.lastIndex = start;
  const opening = SQL_STRING.exec(text);
  if (opening === null) return undefined;
  const inside = SQL_STRING.lastIndex;
  if (!opening[0].endsWith("'")) {
    const end = text.indexOf(opening[0], inside);
    return { start: inside, end: end < 0 ? text.length : end };
  }
  return { start: inside, end: closingQuote(text, "'", inside, opening.groups?.["escape"] !== undefined) };
}

/** Where the closing quote is; a doubled one, and after a backslash any, is part of the string. */
function closingQuote(text: string, quote: string, from: number, backslash: boolean): number {
  for (let i = from; i < text.length; i++) {
    if (backslash && text[i] === "\\") i++;
    else if (text[i] === quote) {
      if (text[i + 1] !== quote) return i;
      i++;
    }
  }
  return text.length;
}

/** A value after `=` or `:`, quoted as libpq, JSON, SQL or a shell do, or bare. */
function assignedValue(text: string, match: RegExpExecArray, start: number): Span | undefined {
  const opening = /^(?:\\{1,7}["']|''(?!')|["'`])/.exec(text.slice(start, start + 8))?.[0];
  if (opening === undefined) return bareValue(text, match, start);
  const inside = start + opening.length;
  if (opening.length === 1) return nonEmpty(inside, closingQuote(text, opening, inside, true));
  // `password=''` is empty, `password=''x''` is a quoted value inside a string of SQL.
  if (opening === "''" && /^(?:[\s,;)&'"]|$)/.test(text.slice(inside, inside + 1))) return undefined;
  const end = text.indexOf(opening, inside);
  return nonEmpty(inside, end < 0 ? text.length : end);
}

const BLANK = /\s/;
const QUERY_END = /[\s&#"'<>`]/g;

/** Up to a blank, or to a quote that nothing of the value follows; a backslash takes what follows it along. */
function endOfBare(text: string, from: number): number {
  // By hand: a pattern that loops over alternatives runs out of stack on megabytes.
  for (let i = from; i < text.length; i++) {
    const character = text.charAt(i);
    if (BLANK.test(character)) return i;
    if (character === "\\") i++;
    else if ((character === '"' || character === "'") && /^[\s,;:)\]}."']?$/.test(text.charAt(i + 1))) {
      return i;
    }
  }
  return text.length;
}

/** In the query of a URL a value ends at `&`. */
function bareValue(text: string, match: RegExpExecArray, start: number): Span | undefined {
  // A parameter of a statement is a number of a value, not the value.
  if (/^(?:\$\d|null\b|\?(?:\s|$))/i.test(text.slice(start, start + 5))) return undefined;
  const keyStart = keyName(text, match.index);
  const inQuery = keyStart > 0 && /[?&]/.test(text[keyStart - 1] ?? "");
  return nonEmpty(start, inQuery ? indexOfMatch(text, QUERY_END, start) : endOfBare(text, start));
}

/** Where the whole name starts of which a key is the end, such as `ssl` in `sslpassword`. */
function keyName(text: string, index: number): number {
  let start = index;
  while (start > 0 && index - start < 64 && /[\w.-]/.test(text[start - 1] ?? "")) start--;
  return start;
}

function nonEmpty(start: number, end: number): Span | undefined {
  return end > start ? { start, end } : undefined;
}
