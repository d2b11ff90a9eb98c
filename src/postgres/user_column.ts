/** A column of the name user, written without quotes: `select user from posts` gives the current role. */
import { isRecord } from "../common/record.ts";
import type { Transaction } from "./database.ts";
import { quoteIdentifier } from "./identifier.ts";
import { parseStatements } from "./parser.ts";
import { objectsIn, type TreeObject } from "./tree_walk.ts";

const hasColumnSql = `select 1 as found from pg_catalog.pg_attribute
  where attrelid operator(pg_catalog.=) any (
      select pg_catalog.to_regclass(name) from pg_catalog.jsonb_array_elements_text($1::pg_catalog.jsonb) as names(name))
    and attname operator(pg_catalog.=) 'user' and not attisdropped limit 1`;

/** Where the SELECT list of a statement that has run holds it, and a table of FROM has that column. */
export async function userNote(sql: string, transaction: Transaction): Promise<string | undefined> {
  if (!/\buser\b/i.test(sql) || sql.includes('"user"')) return undefined;
  const select = [...objectsIn(parseStatements(sql))].find(({ SelectStmt }) => SelectStmt)?.SelectStmt;
  if (!isRecord(select) || select.withClause !== undefined || !givesUser(select)) return undefined;
  const tables = [...objectsIn(select.fromClause, (key) => key === "SelectStmt")]
    .flatMap(({ RangeVar: table }) => isRecord(table) ? [quoted(table)] : []);
  if (tables.length === 0) return undefined;
  const rows = await transaction.query(hasColumnSql, [JSON.stringify(tables)]);
  return rows.length === 0 ? undefined : 'user is the current role: the column is written "user".';
}

function givesUser({ targetList }: TreeObject): boolean {
  const targets: readonly unknown[] = Array.isArray(targetList) ? targetList : [];
  return targets.some((target) =>
    isRecord(target) && isRecord(target.ResTarget) && target.ResTarget.name === undefined &&
    isRecord(target.ResTarget.val) && isRecord(target.ResTarget.val.SQLValueFunction) &&
    target.ResTarget.val.SQLValueFunction.op === "SVFOP_USER"
  );
}

function quoted({ schemaname, relname }: TreeObject): string {
  return [schemaname, relname].filter((part) => typeof part === "string").map(quoteIdentifier).join(".");
}
