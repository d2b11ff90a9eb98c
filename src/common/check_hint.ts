/** Hints as `--check` says them. */
import type { CallError } from "./errors.ts";
import { ended } from "./sentence.ts";

/** What to do next, as a sentence: who runs a check is the operator, whom a hint elsewhere speaks of. */
export function checkHint({ hint }: CallError): string | undefined {
  if (hint === undefined) return undefined;
  const own = hint.replace(/\ban operator must /gi, "");
  return ended(`${own.charAt(0).toUpperCase()}${own.slice(1)}`);
}
