/** Cuts a byte stream into lines of bounded size. A line over the bound is given by its two ends only. */

/** A line without its newline. */
export type Line =
  | { readonly kind: "line"; readonly bytes: Uint8Array }
  | {
    readonly kind: "too_long";
    readonly size: number;
    readonly head: Uint8Array;
    readonly tail: Uint8Array;
  };

const endSize = 512;
const newline = 10;

/** Yields the lines of `chunks`, the last one with or without a newline; holds at most `maxBytes` and a chunk. */
export async function* readLines(chunks: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<Line> {
  let parts: Uint8Array[] = [];
  let size = 0;
  let head: Uint8Array | undefined;

  const take = (): Line => {
    const bytes = concat(parts);
    const line: Line = head === undefined
      ? { kind: "line", bytes }
      : { kind: "too_long", size, head, tail: bytes.subarray(-endSize) };
    parts = [];
    size = 0;
    head = undefined;
    return line;
  };
  const add = (part: Uint8Array) => {
    size += part.length;
    parts.push(part);
    if (size <= maxBytes) return;
    const kept = concat(parts);
    head ??= kept.slice(0, endSize);
    parts = [kept.slice(-endSize)];
  };

  for await (const chunk of chunks) {
    let rest = chunk;
    for (let end = rest.indexOf(newline); end >= 0; end = rest.indexOf(newline)) {
      add(rest.subarray(0, end));
      yield take();
      rest = rest.subarray(end + 1);
    }
    if (rest.length > 0) add(rest);
  }
  if (size > 0) yield take();
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1 && parts[0] !== undefined) return parts[0];
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
