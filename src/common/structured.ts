/** What the structured form of an answer is made with: many clients give a model that form and not the text. */
import { significant } from "./units.ts";

/** Those of the fields that hold something: without null, undefined and empty lists. */
export function filled<Fields extends object>(
  fields: Fields,
): { [Name in keyof Fields]?: NonNullable<Fields[Name]> } {
  const isFilled = (value: unknown) =>
    value !== null && value !== undefined && !(Array.isArray(value) && value.length === 0);
  // What is left out is what the type allows to be absent.
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => isFilled(value))) as {
    [Name in keyof Fields]?: NonNullable<Fields[Name]>;
  };
}

/**
 * A copy in which every number is {@linkcode significant}: for answers whose numbers are computed here. Fields named
 * `given` stay as somebody gave them.
 */
export function rounded<Value extends object>(value: Value, given: readonly string[] = []): Value {
  const walk = (item: unknown): unknown => {
    if (typeof item === "number") return significant(item);
    if (Array.isArray(item)) return item.map(walk);
    if (item === null || typeof item !== "object") return item;
    return Object.fromEntries(
      Object.entries(item).map(([key, inner]) => [key, given.includes(key) ? inner : walk(inner)]),
    );
  };
  // The shape stays as it is.
  return walk(value) as Value;
}

/** A notice that stands in brackets below a text, as a note of the structured form: `Cut: …`. */
export function bracketless(notice: string): string {
  return notice.replace(/^\[(.*)\]$/s, "$1");
}
