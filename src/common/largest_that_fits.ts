/** Chooses how many items of a list an answer can hold. */
import { visibleStrings } from "./answer.ts";
import type { Presentation } from "./tool.ts";
import { utf8Length } from "./utf8.ts";
import { visible } from "./visible.ts";

/**
 * Whether the text, and the structured content as JSON, take at most `budget` bytes of UTF-8 each, with what is hidden in
 * them spelt out as the answer will have it.
 */
export function fitsBudget({ text, structured }: Presentation<unknown>, budget: number): boolean {
  const lines = { keepLines: true };
  if (utf8Length(text) > budget || utf8Length(visible(text, lines)) > budget) return false;
  const json = JSON.stringify(structured);
  if (utf8Length(json) > budget) return false;
  const spelt = visible(json, lines) === json && !/\\[bfr]/.test(json)
    ? json
    : JSON.stringify(visibleStrings({ structured }).structured);
  return utf8Length(spelt) <= budget;
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
