/** Chooses how many items of a list an answer can hold. */
import type { Presentation } from "./tool.ts";
import { utf8Length } from "./utf8.ts";

/** Whether the text, and the structured content as JSON, take at most `budget` bytes of UTF-8 each. */
export function fitsBudget({ text, structured }: Presentation<unknown>, budget: number): boolean {
  return utf8Length(text) <= budget && utf8Length(JSON.stringify(structured)) <= budget;
}

/**
 * The presentation with the most items, of `items`, whose text and whose JSON take at most `budget` bytes of UTF-8
 * each; the one without any when not even one item fits. `make` presents the first `shown` items.
 */
export function largestThatFits<Structured>(
  items: number,
  make: (shown: number) => Presentation<Structured>,
  budget: number,
): Presentation<Structured> {
  const all = make(items);
  if (fitsBudget(all, budget)) return all;
  let low = 0;
  let high = items - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (fitsBudget(make(middle), budget)) low = middle;
    else high = middle - 1;
  }
  return make(low);
}
