/** An alias of a SELECT list, used where PostgreSQL does not know it: WHERE, HAVING, the list itself. */
import { isRecord } from "../common/record.ts";
import { objectsIn, type TreeObject } from "./tree_walk.ts";

/** Where a SELECT is inside another, or a side of a UNION. */
const inner = new Set(["SelectStmt", "larg", "rarg"]);

/** What to write, where the column `name` at `location`, in bytes, is an alias of the same SELECT. */
export function selectAlias(tree: unknown, name: string, location: number): string | undefined {
  for (const select of selects(tree)) {
    const list = Array.isArray(select.targetList) ? select.targetList : [];
    const target = list.map((item) => isRecord(item) ? item.ResTarget : undefined)
      .find((item): item is TreeObject => isRecord(item) && item.name === name);
    if (target === undefined || !usesHere({ ...select, fromClause: undefined }, name, location)) continue;
    const where = usesHere(select.whereClause, name, location);
    // WHERE takes no aggregate, and neither WHERE nor HAVING a window function.
    const text = JSON.stringify(target.val ?? null);
    const outside = text.includes('"over":') || where && text.includes('"FuncCall"');
    return `${name} is an alias of the SELECT list, not known here: ${
      outside ? "filter outside of a subquery" : "repeat its expression, or select from a subquery"
    }`;
  }
  return undefined;
}

function selects(tree: unknown): readonly TreeObject[] {
  return [...objectsIn(tree)].flatMap((one) => [one.SelectStmt, one.larg, one.rarg].filter(isRecord));
}

/** Whether the column stands in `value`, and in no SELECT inside it. */
function usesHere(value: unknown, name: string, location: number): boolean {
  return objectsIn(value, (key) => inner.has(key)).some(({ ColumnRef: column }) =>
    isRecord(column) && (column.location ?? 0) === location &&
    JSON.stringify(column.fields) === JSON.stringify([{ String: { sval: name } }])
  );
}
