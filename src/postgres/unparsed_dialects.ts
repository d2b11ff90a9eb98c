/** Syntax of other databases and of drivers: said only where the text is a statement once it is rewritten. */

type Parser = Pick<typeof import("libpg-query"), "parseSync">;

interface Rewrite {
  readonly pattern: RegExp;
  readonly replacement: string;
  readonly hint: string | ((match: RegExpExecArray) => string);
}

const parameter = " $$1 ";
export const parameters = "values go into parameters, and are written $1, $2 … in the statement";
const converted = "(varchar|nvarchar|char|nchar|decimal|numeric)\\s*(\\([\\d\\s,]+\\)|\\(\\s*max\\s*\\))";
const units = "(year|month|week|day|hour|minute|second)s?";

const rewrites: readonly Rewrite[] = [
  {
    pattern: /(?<=\bselect\s+(?:distinct\s+)?)top\s+(\d+)(?=\s+(?!percent\b))/gi,
    replacement: "",
    hint: ([, n]) => `TOP ${n} is written LIMIT ${n} at the end`,
  },
  {
    pattern: /(?<!\b(?:any|all|some)\s*\(\s*)\[([a-z_][\w ]*)\]/gi,
    replacement: '"$1"',
    hint: "names go in double quotes, not in brackets",
  },
  { pattern: /(?<![:\w]):[a-z_]\w*/gi, replacement: parameter, hint: parameters },
  { pattern: /%(?:s\b|\(\w+\)s\b)/g, replacement: parameter, hint: parameters },
  { pattern: /(?<![\w$])\$[a-z_]\w*(?![\w$])/gi, replacement: parameter, hint: parameters },
  {
    pattern: /[$#]?\{\s*[a-z_]\w*\s*\}|\{\{\s*[a-z_]\w*\s*\}\}/gi,
    replacement: parameter,
    hint: parameters,
  },
  { pattern: /\?/g, replacement: parameter, hint: parameters },
  {
    pattern: new RegExp(`\\binterval\\s+(\\d+)\\s+${units}\\b`, "gi"),
    replacement: "interval '$1 $2'",
    hint: ([, n = "1", unit = "day"]) => `an interval is written interval '${n} ${unit.toLowerCase()}'`,
  },
  {
    pattern: new RegExp(`\\b(?:try_)?convert\\s*\\(\\s*${converted}\\s*,`, "gi"),
    replacement: "convert(",
    hint: (match) => hasStyle(match) ? timeFormat : cast(match),
  },
  {
    pattern: new RegExp(`\\bconvert\\s*\\([^()]+,\\s*${converted}\\s*\\)`, "gi"),
    replacement: "convert()",
    hint: cast,
  },
  { pattern: /\bminus\s+(?=select\b|all\b|\()/gi, replacement: "except ", hint: "MINUS is written EXCEPT" },
  { pattern: /\bwith\s*\(\s*nolock\s*\)/gi, replacement: "", hint: "leave WITH (NOLOCK) out" },
];

const timeFormat = "PostgreSQL has to_char(time, 'YYYY-MM-DD')";

/** Whether SQL Server's CONVERT has a third argument, a number: how a time is written. */
function hasStyle({ input, index, 0: { length } }: RegExpExecArray): boolean {
  return /^(?:[^(),]|\([^()]*\))+,\s*\d+\s*\)/.test(input.slice(index + length));
}

function cast([, type = "", size = ""]: RegExpExecArray): string {
  if (/max/i.test(size)) return "PostgreSQL has value::text";
  const name = type.toLowerCase().replace(/^n(?=(?:var)?char)/, "").replace("decimal", "numeric");
  return `PostgreSQL has value::${name}${size}`;
}

/** Of a text that does not parse: what the first rewriting that mends it rewrites. */
export function rewriteHint(parser: Parser, sql: string): string | undefined {
  for (const { pattern, replacement, hint } of rewrites) {
    const match = new RegExp(pattern.source, pattern.flags.replace("g", "")).exec(sql);
    if (match === null || !parses(parser, sql.replace(pattern, replacement))) continue;
    return typeof hint === "string" ? hint : hint(match);
  }
  return undefined;
}

/** Whether the text is one that the parser takes. */
export function parses(parser: Parser, sql: string): boolean {
  try {
    parser.parseSync(sql);
    return true;
  } catch {
    return false;
  }
}
