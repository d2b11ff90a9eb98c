/** A series as one line of block characters. */

const blocks = "▁▂▃▄▅▆▇█";

/**
 * One character per bucket of values, at most `width`: the mean of a bucket between the least and the greatest mean, a
 * blank where a bucket has no finite value, the middle block where all are the same; empty when there is nothing to draw.
 */
export function sparkline(values: readonly (number | undefined)[], width = 24): string {
  const buckets = Math.min(width, values.length);
  const means: (number | undefined)[] = [];
  for (let bucket = 0; bucket < buckets; bucket++) {
    const from = Math.floor(bucket * values.length / buckets);
    const to = Math.floor((bucket + 1) * values.length / buckets);
    const finite = values.slice(from, to).filter((value) => value !== undefined && Number.isFinite(value));
    // Divided first: the sum of large values may leave the range of a double.
    means.push(
      finite.length === 0
        ? undefined
        : finite.reduce<number>((sum, value) => sum + (value ?? 0) / finite.length, 0),
    );
  }
  const known = means.filter((mean) => mean !== undefined);
  if (known.length === 0) return "";
  const least = Math.min(...known);
  const range = Math.max(...known) - least;
  return means.map((mean) => {
    if (mean === undefined) return " ";
    // What rounding alone makes of a constant is no shape.
    if (!(range > 1e-12 * Math.abs(least))) return blocks[3];
    const share = Number.isFinite(range) ? (mean - least) / range : 0.5;
    return blocks[Math.min(7, Math.floor(share * 8))];
  }).join("");
}
