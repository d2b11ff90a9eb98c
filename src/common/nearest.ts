/** "Did you mean": the names nearest to one that does not exist. */

/** Names longer than this are compared by their start; PostgreSQL's end at 63 bytes, Kubernetes' at 253. */
const LONGEST = 253;

/**
 * The candidates most like `name`, best first, at most `limit` of them; none when nothing is like it.
 *
 * Case, and `-` against `_`, do not count. Of a dotted candidate (`public.users`) the part after the last dot is
 * compared as well. In order: the same, the same but for a plural, few typing errors (a swap of neighbours is one; at
 * most a quarter of the letters), one the start of the other, one inside the other. What is only alike is left out when
 * something is the same.
 */
export function nearest(name: string, candidates: Iterable<string>, limit = 5): readonly string[] {
  const wanted = normal(name);
  const wantedLast = lastPart(wanted);
  if (wanted === "" || limit <= 0) return [];
  const found: { candidate: string; score: number }[] = [];
  for (const candidate of new Set(candidates)) {
    const full = normal(candidate);
    let best = score(wanted, full);
    const last = lastPart(full);
    // Half a step behind a match of the whole: `public.users` before `audit.users` when `public.user` is asked for.
    if (last !== full || wantedLast !== wanted) best = Math.min(best, score(wantedLast, last) + 0.5);
    if (best < Infinity) found.push({ candidate, score: best });
  }
  found.sort((a, b) =>
    a.score - b.score || a.candidate.length - b.candidate.length || (a.candidate < b.candidate ? -1 : 1)
  );
  const same = (found[0]?.score ?? 0) < 1;
  return found.filter(({ score }) => !same || score < 2).slice(0, limit).map(({ candidate }) => candidate);
}

/** The hint that they make; none where nothing is near. */
export function didYouMean(near: readonly string[], between = ", "): string | undefined {
  return near.length === 0 ? undefined : `did you mean ${near.join(between)}?`;
}

function normal(name: string): string {
  return name.slice(0, LONGEST).toLowerCase().replaceAll("-", "_").replaceAll('"', "");
}

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf(".") + 1);
}

/** 0 is the same; Infinity is nothing alike. */
function score(wanted: string, candidate: string): number {
  if (wanted === candidate) return 0;
  if (wanted === "" || candidate === "") return Infinity;
  if (wanted + "s" === candidate || candidate + "s" === wanted) return 1;
  const most = Math.max(1, Math.floor(Math.max(wanted.length, candidate.length) / 4));
  const edits = editDistance(wanted, candidate, Math.min(most, 8));
  // A name of one or two letters is one error away from every other: too little to be a hint.
  const typed = edits <= most && edits < Math.min(wanted.length, candidate.length) ? 1 + edits : Infinity;
  const shorter = Math.min(wanted.length, candidate.length);
  if (shorter < 2) return typed;
  if (candidate.startsWith(wanted) || (shorter > 2 && wanted.startsWith(candidate))) {
    return Math.min(typed, 4);
  }
  if (shorter > 2 && (candidate.includes(wanted) || wanted.includes(candidate))) return Math.min(typed, 5);
  return typed;
}

/** Optimal string alignment distance, or Infinity above `most`; looks only at a band of that width. */
function editDistance(a: string, b: string, most: number): number {
  if (Math.abs(a.length - b.length) > most) return Infinity;
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = new Array<number>(b.length + 1).fill(Infinity);
    if (row <= most) current[0] = row;
    let least = current[0] ?? Infinity;
    for (let column = Math.max(1, row - most); column <= Math.min(b.length, row + most); column++) {
      const same = a[row - 1] === b[column - 1];
      let distance = Math.min(
        (last[column - 1] ?? Infinity) + (same ? 0 : 1),
        (last[column] ?? Infinity) + 1,
        (current[column - 1] ?? Infinity) + 1,
      );
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        distance = Math.min(distance, (beforeLast[column - 2] ?? Infinity) + 1);
      }
      current[column] = distance;
      least = Math.min(least, distance);
    }
    if (least > most) return Infinity;
    beforeLast = last;
    last = current;
  }
  const distance = last[b.length] ?? Infinity;
  return distance <= most ? distance : Infinity;
}
