/** What a check comes to, from best to worst. */
const results = ["well", "wanting", "down"] as const;

/** Says a line of what a check found. What is `verbatim` is to be pasted, and stands at the left whatever it is part of. */
export type Say = (line: string, verbatim?: boolean) => void;

/** `wanting`: it works, and something should be done all the same; `down`: it does not work. */
export type CheckResult = typeof results[number];

/** That of several together. */
export function worst(all: readonly CheckResult[]): CheckResult {
  return results.findLast((result) => all.includes(result)) ?? "well";
}
