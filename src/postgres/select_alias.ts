/** An alias of a SELECT list, used where PostgreSQL does not know it: WHERE, HAVING, the list itself. */

type Node = Readonly<Record<string, unknown>>;

const isNode = (value: unknown): value is Node => typeof value === "object" && value !== null;

/** What to write, where the column `name` at `location`, in bytes, is an alias of the same SELECT. */
export function selectAlias(tree: unknown, name: string, location: number): string | undefined {
  for (const select of selects(tree)) {
    const list = Array.isArray(select.targetList) ? select.targetList : [];
    const target = list.map((item) => isNode(item) ? item.ResTarget : undefined)
      .find((item): item is Node => isNode(item) && item.name === name);
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

function* selects(value: unknown): Generator<Node> {
  if (!isNode(value)) return;
  if (isNode(value.SelectStmt)) yield value.SelectStmt;
  if (isNode(value.larg)) yield value.larg;
  if (isNode(value.rarg)) yield value.rarg;
  for (const part of Object.values(value)) yield* selects(part);
}

/** Whether the column stands in `value`, and in no SELECT inside it. */
function usesHere(value: unknown, name: string, location: number): boolean {
  if (!isNode(value)) return false;
  const column = value.ColumnRef;
  if (isNode(column) && (column.location ?? 0) === location) {
    return JSON.stringify(column.fields) === JSON.stringify([{ String: { sval: name } }]);
  }
  return Object.entries(value).some(([key, part]) =>
    !["SelectStmt", "larg", "rarg"].includes(key) && usesHere(part, name, location)
  );
}
