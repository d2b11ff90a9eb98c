/** Bytes that this test's own JavaScript holds, garbage included; the process has other tests to run meanwhile. */
export function heldBytes(): number {
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}
