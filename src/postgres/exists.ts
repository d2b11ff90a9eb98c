/** What EXISTS does not compute: PostgreSQL only looks whether there is a row (simplify_EXISTS_query in subselect.c). */
import { asList, type ParseNode, parseNode } from "./statement.ts";

/** The fields of a SELECT whose columns nothing depends on: no DISTINCT, no grouping, no order, no set operation. */
const PLAIN_SELECT = new Set(["targetList", "fromClause", "whereClause", "limitOption", "op"]);

/** Whether the columns of a SELECT in EXISTS are never computed. */
export function isUncomputed(select: ParseNode): boolean {
  return select.type === "SelectStmt" && select.fields["op"] === "SETOP_NONE" &&
    Object.keys(select.fields).every((name) => PLAIN_SELECT.has(name));
}

/** `*` as a column of a SELECT. */
export function isStar(target: ParseNode): boolean {
  const value = target.type === "ResTarget" ? target.fields["val"] : undefined;
  const column = value === undefined ? undefined : parseNode(value);
  if (column?.type !== "ColumnRef") return false;
  const fields = asList(column.fields["fields"]).flatMap((item) => parseNode(item) ?? []);
  return fields.length === 1 && fields[0]?.type === "A_Star";
}
