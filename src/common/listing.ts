/** Lists in a sentence. */
import { count } from "./units.ts";

/** `a`, `a and b`, `a, b and c`. */
export function listed(words: readonly string[], conjunction: "and" | "or" = "and"): string {
  const last = words.at(-1) ?? "";
  return words.length < 2 ? last : `${words.slice(0, -1).join(", ")} ${conjunction} ${last}`;
}

/** `a, b`, or `a, b and 3 more`: how many there are besides is `others`, which may be below zero. */
export function withOthers(words: readonly string[], others: number): string {
  return `${words.join(", ")}${others > 0 ? ` and ${count(others)} more` : ""}`;
}
