/** The raw parse tree, walked without recursion: in linear time however deep it is. */
import { isRecord } from "../common/record.ts";

/** An object of the tree: a node's wrapper, as `{ColumnRef: …}`, or its fields. */
export type TreeObject = Readonly<Record<string, unknown>>;

/** All objects at and below `value`, each before those inside it; none inside one that `isClosed` for the walk. */
export function* objectsIn(
  value: unknown,
  isClosed: (key: string) => boolean = () => false,
): Generator<TreeObject> {
  const open: unknown[] = [value];
  while (open.length > 0) {
    const next = open.pop();
    if (typeof next !== "object" || next === null) continue;
    if (isRecord(next)) yield next;
    // The first of them is the next.
    for (const [key, part] of Object.entries(next).reverse()) {
      if (!isClosed(key)) open.push(part);
    }
  }
}
