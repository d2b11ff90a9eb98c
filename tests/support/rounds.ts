/** How often a test of faults tries: `deno task test:faults` takes its time, `deno task test` does not. */
import { permitted } from "./permitted.ts";

/** The number of rounds of this run. */
export function rounds({ short, long }: { readonly short: number; readonly long: number }): number {
  return permitted && Deno.env.get("FAULTS") === "long" ? long : short;
}
