/** Which metrics' names answer to a pattern, and in what order. */
import { nearest } from "../common/nearest.ts";

/** Why a name is in the list, from the best reason to the least. */
const reasons = ["exact", "prefix", "word", "part", "similar"] as const;
export type Reason = typeof reasons[number];

/** A name that answers to the pattern. */
export interface RankedName {
  readonly name: string;
  readonly reason: Reason;
}

/** Names compared by similarity, when nothing else answers. */
const mostSimilar = 20;

/**
 * Names in order: the pattern itself, names that begin with it, names that have it as whole words, names that have all
 * its parts; only when there are none of these, names that are nearly it. `*` stands for any characters, blanks stand
 * between parts in any order, case does not count. An empty pattern and `*` answer to everything.
 */
export function rankNames(pattern: string, names: readonly string[]): readonly RankedName[] {
  const wanted = pattern.trim().toLowerCase();
  const parts = wanted.split(/\s+/).filter((part) => part !== "" && part !== "*");
  const matches = parts.map(partMatcher);
  const found: { name: string; rank: number }[] = [];
  for (const name of names) {
    const lower = name.toLowerCase();
    if (!matches.every(({ inside }) => inside(lower))) continue;
    const rank = parts.length === 0
      ? 3
      : lower === wanted
      ? 0
      : parts.length === 1 && matches[0]?.prefix(lower)
      ? 1
      : matches.every(({ word }) => word(lower))
      ? 2
      : 3;
    found.push({ name, rank });
  }
  if (found.length === 0) {
    const compact = wanted.replace(/[\s*]+/g, "_").replace(/^_+|_+$/g, "");
    return nearest(compact, names, mostSimilar).map((name) => ({ name, reason: "similar" }));
  }
  found.sort((a, b) =>
    a.rank - b.rank || (parts.length === 0 ? 0 : a.name.length - b.name.length) || (a.name < b.name ? -1 : 1)
  );
  return found.map(({ name, rank }) => ({ name, reason: reasons[rank] ?? "part" }));
}

interface PartMatcher {
  readonly inside: (name: string) => boolean;
  readonly prefix: (name: string) => boolean;
  readonly word: (name: string) => boolean;
}

/** Words of a name stand between `_`, `:`, `.`, `-` and `/`. */
function partMatcher(part: string): PartMatcher {
  if (!part.includes("*")) {
    const bounded = (name: string, at: number) =>
      (at === 0 || /[_:.\-/]/.test(name[at - 1] ?? "")) &&
      (at + part.length === name.length || /[_:.\-/]/.test(name[at + part.length] ?? ""));
    return {
      inside: (name) => name.includes(part),
      prefix: (name) => name.startsWith(part),
      word(name) {
        for (let at = name.indexOf(part); at >= 0; at = name.indexOf(part, at + 1)) {
          if (bounded(name, at)) return true;
        }
        return false;
      },
    };
  }
  const pieces = part.split("*");
  const anchored = { start: !part.startsWith("*"), end: !part.endsWith("*") };
  const inside = (name: string) => matchesPieces(name, pieces, anchored);
  return { inside, prefix: (name) => anchored.start && inside(name), word: () => false };
}

/** A pattern with stars, without the backtracking of a regular expression. */
function matchesPieces(
  name: string,
  pieces: readonly string[],
  anchored: { readonly start: boolean; readonly end: boolean },
): boolean {
  let at = 0;
  for (const [index, piece] of pieces.entries()) {
    if (index === 0 && anchored.start) {
      if (!name.startsWith(piece)) return false;
      at = piece.length;
    } else if (index === pieces.length - 1 && anchored.end) {
      return name.length - piece.length >= at && name.endsWith(piece);
    } else {
      const found = name.indexOf(piece, at);
      if (found < 0) return false;
      at = found + piece.length;
    }
  }
  return true;
}
