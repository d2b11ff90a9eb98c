/** What to write instead of what the server refuses; said only where it can be nothing else. */
import type { ServerError } from "./database_errors.ts";
import { backticks, databases, lists, sessions } from "./other_dialects.ts";
import { functionHint } from "./other_functions.ts";
import { aliasHint, columnHint, referenceHint } from "./refused_names.ts";
import { operatorHint } from "./refused_operators.ts";

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
  const ownHint = error.fields.get("H");
  if (sqlState === "42704" && /^\s*show\s/i.test(sql)) {
    const name = /^unrecognized configuration parameter "(\w+)"$/.exec(message)?.[1] ?? "";
    return Object.hasOwn(shown, name) ? shown[name] : undefined;
  }
  if (sqlState === "42883") {
    if (/^operator does not exist: [^"]*`/.test(message)) return backticks;
    if (/^operator does not exist: .* == /.test(message)) return "equality is written =";
    const rest = [...sql].slice(position - 1).join("");
    return functionHint(message) ?? operatorHint(message, sql, rest);
  }
  if (sqlState === "42P01") {
    if (message === 'relation "dual" does not exist') return "leave FROM dual out";
    // Where the server names the entry that is meant, no other table is looked for.
    return /^invalid reference to FROM-clause entry/.test(message) ? ownHint?.replace(/\.$/, "") : undefined;
  }
  return sqlState === "42703" ? unknownColumnHint(message, ownHint, sql, position) : undefined;
}

function unknownColumnHint(
  message: string,
  ownHint: string | undefined,
  sql: string,
  position: number,
): string | undefined {
  const name = /^column "([^]+)" does not exist$/.exec(message)?.[1];
  const characters = [...sql];
  const before = characters.slice(0, Math.max(0, position - 1)).join("");
  const isPlaced = position > 0;
  const alias = name === undefined || !isPlaced ? undefined : aliasHint(name, sql, before);
  if (alias !== undefined) return alias;
  // With a hint of the server's own it is a column's name that is misspelt.
  if (ownHint !== undefined) return referenceHint(message, ownHint);
  if (name === undefined || !isPlaced) return undefined;
  if (/^[‘’“”„«]/.test(name)) return "text goes in straight single quotes";
  if (/->>?\s*$/.test(before)) {
    return `a JSON key is text: '${name.replaceAll("'", "''")}', in single quotes`;
  }
  const other = columnHint(name, before);
  if (other !== undefined) return other;
  // A name that is there twice is rather one that can't be used here, such as that of a result.
  return characters[position - 1] === '"' && sql.split(name).length === 2
    ? "in double quotes it is a column's name (describe_table has them): text goes in single quotes"
    : undefined;
}
