/** The order of two texts, by their code units, for `sort`. */
export function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
