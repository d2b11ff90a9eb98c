/** What a rule is: it looks at all parts of the evidence and says at most one thing. */
import type { Evidence } from "./evidence.ts";

/** How bad a finding makes things. `coincidence`: it came at the same time, and may have nothing to do with it. */
export type Severity = "down" | "degraded" | "coincidence";

/** A call that tells more. */
export interface NextCall {
  readonly tool: string;
  readonly arguments: Readonly<Record<string, string | number | boolean>>;
}

/** Something that carries the verdict. */
export interface Finding {
  readonly rule: string;
  readonly severity: Severity;
  /** One sentence with its evidence, without a full stop. */
  readonly text: string;
  readonly next: readonly NextCall[];
}

/** One rule. */
export interface Rule {
  readonly name: string;
  /** From 0 to 100: how much of what people notice it usually explains. */
  readonly explains: number;
  /** What it looks for, for people who read this table. */
  readonly when: string;
  readonly find: (evidence: Evidence) => Omit<Finding, "rule"> | undefined;
}
