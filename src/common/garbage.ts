/** Memory that nobody needs any more. */

/** V8's own collector, which is there with `--expose-gc`. */
type Collect = (options: { readonly type: "major"; readonly flavor: "last-resort" }) => void;

/**
 * Gives memory back to the operating system: left alone, V8 keeps what a start has taken, a tenth of the whole. Takes tens of
 * milliseconds. The executables can; from source it does nothing.
 */
export function collectGarbage(): void {
  const { gc } = globalThis as { readonly gc?: Collect };
  gc?.({ type: "major", flavor: "last-resort" });
}
