/** Words for a model that name tools: only those that are there, and no words where none is. */

/** Those of the names that are there, as a list; undefined where none is. */
export function named(tools: ReadonlySet<string>, names: readonly string[]): string | undefined {
  const there = names.filter((name) => tools.has(name));
  return there.length === 0 ? undefined : there.join(", ");
}

/** A text with its names put in; undefined where one of them is. */
export function mention(
  text: TemplateStringsArray,
  ...names: readonly (string | undefined)[]
): string | undefined {
  if (names.includes(undefined)) return undefined;
  return text.reduce((whole, part, index) => `${whole}${names[index - 1] ?? ""}${part}`);
}
