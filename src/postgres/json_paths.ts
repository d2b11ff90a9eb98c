/** A key of a JSON column, written as if the column were a table: `meta.plan`. */
import { isRecord } from "../common/record.ts";
import type { Transaction } from "./database.ts";
import type { ServerError } from "./database_errors.ts";
import { HINTED_LENGTH, parseStatements } from "./parser.ts";
import { jsonColumnSql } from "./relation_sql.ts";
import { objectsIn, type TreeObject } from "./tree_walk.ts";

export interface JsonPath {
  readonly column: string;
  /** As SQL: `u.meta->>'plan'`. */
  readonly written: string;
  /** Schema, where it is written, and name of the tables that may have the column. */
  readonly relations: readonly (readonly [string | null, string])[];
}

const isPlain = (name: string) => /^[a-z_][a-z0-9_]*$/.test(name);

/** What `sql` may mean by a table that FROM does not have. */
export function jsonPath(error: ServerError, sql: string): JsonPath | undefined {
  if (error.sqlState !== "42P01" || error.fields.has("H")) return undefined;
  const column = /^missing FROM-clause entry for table "(\w+)"$/.exec(error.message)?.[1];
  if (column === undefined || sql.length > HINTED_LENGTH) return undefined;
  const nodes = [...objectsIn(parseStatements(sql))];
  const names = nodes.map(columnNames).find((parts) => parts.at(-2) === column && parts.length < 4);
  if (names === undefined || !names.every(isPlain)) return undefined;
  const [prefix] = names.length === 3 ? names : [];
  const withs = new Set(nodes.flatMap(({ CommonTableExpr: node }) => isRecord(node) ? [node.ctename] : []));
  const relations = nodes.flatMap(({ RangeVar: node }) =>
    isRecord(node) ? relation(node, prefix, withs) : []
  );
  const folded = names.at(-1) ?? "";
  // The parser folds what is not quoted; a key has the case it was written in.
  const key = new RegExp(`\\b${column}"?\\s*\\.\\s*"?(${folded})\\b`, "i").exec(sql)?.[1] ?? folded;
  return { column, written: `${[prefix, column].filter(Boolean).join(".")}->>'${key}'`, relations };
}

function relation(
  { relname, schemaname, alias }: TreeObject,
  prefix: string | undefined,
  withs: ReadonlySet<unknown>,
): readonly (readonly [string | null, string])[] {
  if (typeof relname !== "string" || schemaname === undefined && withs.has(relname)) return [];
  const known = isRecord(alias) ? alias.aliasname : relname;
  if (prefix !== undefined && known !== prefix) return [];
  return [[typeof schemaname === "string" ? schemaname : null, relname]];
}

/** The parts of a column's name; none of what is no column. */
function columnNames({ ColumnRef: column }: TreeObject): readonly string[] {
  if (!isRecord(column) || !Array.isArray(column.fields)) return [];
  return column.fields.map((field) => String(field?.String?.sval ?? ""));
}

/** `meta is json: write meta->>'plan'`. `schemas`: the session's path. */
export async function saysPath(
  transaction: Transaction,
  { column, written, relations }: JsonPath,
  schemas: readonly string[],
): Promise<string | undefined> {
  const [row] = await transaction.query(jsonColumnSql, [
    column,
    JSON.stringify(relations.map(([schema, name]) => ({ schema, name }))),
    JSON.stringify(schemas),
  ]);
  return row === undefined ? undefined : `${column} is ${row.type}: write ${written}`;
}
