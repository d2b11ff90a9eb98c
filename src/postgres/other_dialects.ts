/** What to write instead of another database's SQL, or of a command of psql; said only where it can be nothing else. */
import type { ServerError } from "./database_errors.ts";
import { functionHint } from "./other_functions.ts";

type Parser = Pick<typeof import("libpg-query"), "scanSync">;

const lists = "list_tables lists the tables";
const describes = "describe_table describes a table";
const databases = "SELECT datname FROM pg_database lists the databases";
const sessions = "query pg_stat_activity";

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

/** Of a text that does not parse. `message`: the parser's. */
export function unparsedHint(parser: Parser, sql: string, message: string): string | undefined {
  const text = sql.trim().replace(/[\s;]+$/, "").replace(/\s+/g, " ").toLowerCase();
  const command = commands.find(([pattern]) => pattern.test(text))?.[1];
  if (command !== undefined) return command;
  if (message.startsWith("LIMIT #,# syntax is not supported")) {
    return "LIMIT a, b is written LIMIT b OFFSET a";
  }
  return hasBacktick(parser, sql) ? backticks : undefined;
}

const backticks = "names go in double quotes, not in backticks";

/** Whether one stands outside of texts, names and comments. */
function hasBacktick(parser: Parser, sql: string): boolean {
  if (!sql.includes("`")) return false;
  try {
    return parser.scanSync(sql).tokens.some(({ text }) => /^(?!--|\/\*)[-+*/<>=~!@#%^&|`?]*`/.test(text));
  } catch {
    return false;
  }
}

/** SHOW of what is no setting in PostgreSQL. */
const shown: Readonly<Record<string, string>> = {
  tables: lists,
  databases,
  schemas: "SELECT nspname FROM pg_namespace lists the schemas",
  processlist: sessions,
  variables: "SHOW ALL shows the settings",
};

/** Of a statement that the server refuses; in place of all other hints. `position`: in characters, from 1. */
export function refusedHint(error: ServerError, sql: string, position: number): string | undefined {
  const { message, sqlState } = error;
  if (sqlState === "42704" && /^\s*show\s/i.test(sql)) {
    const name = /^unrecognized configuration parameter "(\w+)"$/.exec(message)?.[1] ?? "";
    return Object.hasOwn(shown, name) ? shown[name] : undefined;
  }
  if (sqlState === "42883") {
    if (/^operator does not exist: [^"]*`/.test(message)) return backticks;
    if (/^operator does not exist: .* == /.test(message)) return "equality is written =";
    return functionHint(message);
  }
  // With a hint of the server's own it is a column's name that is misspelt.
  if (sqlState !== "42703" || error.fields.has("H") || !(position > 0)) return undefined;
  const name = /^column "([^]+)" does not exist$/.exec(message)?.[1];
  if (name === undefined) return undefined;
  const characters = [...sql];
  if (/^[‘’“”„«]/.test(name)) return "text goes in straight single quotes";
  if (/->>?\s*$/.test(characters.slice(0, position - 1).join(""))) {
    return `a JSON key is text: '${name.replaceAll("'", "''")}', in single quotes`;
  }
  // A name that is there twice is rather one that can't be used here, such as that of a result.
  return characters[position - 1] === '"' && sql.split(name).length === 2
    ? "in double quotes it is a column's name (describe_table has them): text goes in single quotes"
    : undefined;
}
