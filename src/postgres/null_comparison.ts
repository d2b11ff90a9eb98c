/** A comparison with NULL, which is never true: `where deleted_at = null`. */
import { isRecord } from "../common/record.ts";
import type { Transaction } from "./database.ts";
import { parseStatements } from "./parser.ts";
import { objectsIn, type TreeObject } from "./tree_walk.ts";

/** Only a text that may hold one is parsed anew. */
const possible = /(?:=|<>)\s*null\b|\bnull\s*(?:=|<>|!=)/i;

/** What to write instead, where a statement that has run compares something with NULL. */
export async function nullNote(sql: string, transaction: Transaction): Promise<string | undefined> {
  if (!possible.test(sql)) return undefined;
  const operators = [...objectsIn(parseStatements(sql))].flatMap(({ A_Expr: expression }) =>
    isRecord(expression) ? comparison(expression) ?? [] : []
  );
  if (operators.includes("<>")) return "<> NULL is never true: write IS NOT NULL.";
  if (!operators.includes("=") || await isTransformed(transaction)) return undefined;
  return "= NULL is never true: write IS NULL.";
}

/** Its operator, where one side is NULL and the other is no constant; the parser reads `!=` as `<>`. */
function comparison({ kind, name, lexpr, rexpr }: TreeObject): string | undefined {
  if (kind !== "AEXPR_OP" || isNull(lexpr) === isNull(rexpr) || isConstant(lexpr) && isConstant(rexpr)) {
    return undefined;
  }
  return ["=", "<>"].find((operator) =>
    JSON.stringify(name) === JSON.stringify([{ String: { sval: operator } }])
  );
}

function isConstant(value: unknown): boolean {
  return isRecord(value) && isRecord(value.A_Const);
}

function isNull(value: unknown): boolean {
  return isRecord(value) && isRecord(value.A_Const) && value.A_Const.isnull === true;
}

/** Whether the server reads `x = NULL` as `x IS NULL`. */
async function isTransformed(transaction: Transaction): Promise<boolean> {
  const [row] = await transaction.query(
    "select pg_catalog.current_setting('transform_null_equals') as transformed",
  );
  return row?.transformed !== "off";
}
