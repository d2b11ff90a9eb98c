/** What to write instead of another database's SQL, or of a command of psql; said only where it can be nothing else. */
import { rewriteHint } from "./unparsed_dialects.ts";

type Parser = Pick<typeof import("libpg-query"), "parseSync" | "scanSync">;

export const lists = "list_tables lists the tables";
const describes = "describe_table describes a table";
export const databases = "SELECT datname FROM pg_database lists the databases";
export const sessions = "query pg_stat_activity";

/** Whole texts that PostgreSQL can't parse, and what does it here. */
const commands: readonly (readonly [RegExp, string])[] = [
  [/^```/, "send the statement alone, without a code fence"],
  [/^\\d[tvme]*\+?$/, lists],
  [/^\\d[tvme]+\+? /, lists],
  [/^\\d\+? /, describes],
  [/^\\/, "a command of psql is no SQL"],
  [/^show (?:full )?tables\b/, lists],
  [/^show databases\b/, databases],
  [/^show (?:full )?(?:columns|fields|index|indexes|indices|keys) (?:from|in) /, describes],
  [/^show create (?:table|view) /, describes],
  [/^show (?:full )?processlist$/, sessions],
  [/^(?:describe|desc) (?:select|with|table)\b/, "explain_query explains a query"],
  [/^(?:describe|desc) \S+$/, describes],
  [/^explain (?!select|with|values|table|analyze|verbose)[\w."]+$/, describes],
  [/^pragma table_info/, describes],
  [/^use \S+$/, "this server reads one database; another schema's table is written schema.table"],
];

/** Of a text that does not parse. `message`: the parser's; `shallow`: whether it can be parsed with any word changed. */
export function unparsedHint(
  parser: Parser,
  sql: string,
  message: string,
  shallow: boolean,
): string | undefined {
  const text = sql.trim().replace(/(?<![\s;])[\s;]+$/, "").replace(/\s+/g, " ").toLowerCase();
  const command = commands.find(([pattern]) => pattern.test(text))?.[1];
  if (command !== undefined) return command;
  if (message.startsWith("LIMIT #,# syntax is not supported")) {
    return "LIMIT a, b is written LIMIT b OFFSET a";
  }
  if (hasBacktick(parser, sql)) return backticks;
  return shallow ? rewriteHint(parser, sql) : undefined;
}

export const backticks = "names go in double quotes, not in backticks";

/** Whether one stands outside of texts, names and comments. */
function hasBacktick(parser: Parser, sql: string): boolean {
  if (!sql.includes("`")) return false;
  try {
    return parser.scanSync(sql).tokens.some(({ text }) => /^(?!--|\/\*)[-+*/<>=~!@#%^&|`?]*`/.test(text));
  } catch {
    return false;
  }
}
