import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Bytes that this test's own JavaScript holds, without garbage; the process has other tests to run meanwhile. */
export function heldBytes(): number {
  setFlagsFromString("--expose-gc");
  const collect: () => void = runInNewContext("gc");
  collect();
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}
