/** What a parse tree says by a literal: text, and the table that a query of statistics is restricted to. */
import { isRecord } from "../common/record.ts";
import { asList, type ParseNode, parseNode } from "./statement.ts";

/** The text of `'…'` and `'…'::text`; undefined for all else. */
export function literalText(value: unknown): string | undefined {
  const node = value === undefined ? undefined : parseNode(value);
  if (node?.type === "TypeCast") {
    const type = node.fields["typeName"];
    const names = isRecord(type) ? strings(type["names"]) : [];
    const plain = isRecord(type) && type["arrayBounds"] === undefined && type["pct_type"] !== true;
    return plain && ["text", "pg_catalog.text"].includes(names.join("."))
      ? literalText(node.fields["arg"])
      : undefined;
  }
  const text = node?.type === "A_Const" ? node.fields["sval"] : undefined;
  if (!isRecord(text)) return undefined;
  return typeof text["sval"] === "string" ? text["sval"] : "";
}

/**
 * The tables that a SELECT of `pg_stats`, alone or in inner joins, is restricted to: `tablename = 'name'` or
 * `tablename in ('name', …)`, joined to the rest of its WHERE by AND; undefined if it may read the statistics of others.
 * The view is a security barrier: no other condition sees a row before that one has let it pass.
 */
export function tablesOfStatistics(select: ParseNode): readonly string[] | undefined {
  const from = asList(select.fields["fromClause"] ?? []).flatMap((item) => joined(parseNode(item)));
  const [statistics, ...more] = from.filter((item) =>
    item.type === "RangeVar" && item.fields["relname"] === "pg_stats"
  );
  if (statistics === undefined || more.length > 0) return undefined;
  const alias = statistics.fields["alias"];
  if (isRecord(alias) && alias["colnames"] !== undefined) return undefined;
  const name = isRecord(alias) ? alias["aliasname"] : "pg_stats";
  const where = select.fields["whereClause"];
  return conjuncts(where).map((each) => comparedTables(each, name, from.length === 1))
    .find((each) => each !== undefined);
}

/** What stands in FROM, and in its inner joins; of other joins, and of those with a name of their own, nothing. */
function joined(node: ParseNode | undefined): ParseNode[] {
  if (node === undefined) return [];
  if (node.type !== "JoinExpr") return [node];
  const { jointype, alias, larg, rarg } = node.fields;
  // A placeholder, so that what is not read counts as another relation.
  if (jointype !== "JOIN_INNER" || alias !== undefined) return [node];
  return [larg, rarg].flatMap((side) => joined(parseNode(side)));
}

function conjuncts(where: unknown): ParseNode[] {
  const node = where === undefined ? undefined : parseNode(where);
  if (node === undefined) return [];
  if (node.type !== "BoolExpr" || node.fields["boolop"] !== "AND_EXPR") return [node];
  return asList(node.fields["args"]).flatMap(conjuncts);
}

function comparedTables(node: ParseNode, alias: unknown, alone: boolean): readonly string[] | undefined {
  if (node.type !== "A_Expr" || !["AEXPR_OP", "AEXPR_IN"].includes(String(node.fields["kind"]))) {
    return undefined;
  }
  if (strings(node.fields["name"]).join() !== "=") return undefined;
  const column = parseNode(node.fields["lexpr"] ?? {});
  if (column?.type !== "ColumnRef") return undefined;
  const fields = strings(column.fields["fields"]);
  if (fields.at(-1) !== "tablename" || fields.length > 2) return undefined;
  if (fields.length === 2 ? fields[0] !== alias : !alone) return undefined;
  const right = parseNode(node.fields["rexpr"] ?? {});
  const values = right?.type === "List" ? asList(right.fields["items"]) : [node.fields["rexpr"]];
  const tables = values.map(literalText);
  return tables.every((table) => table !== undefined) ? tables : undefined;
}

function strings(value: unknown): string[] {
  return asList(value ?? []).flatMap((item) => parseNode(item) ?? []).map((part) =>
    String(part.fields["sval"])
  );
}
