/**
 * A statement that the guard has let pass before on a connection goes to the server together with the beginning of its
 * transaction, behind the check that the verdict still holds.
 */
import type { GuardedStatement, GuardOptions, Inspected } from "./guard.ts";
import { passedBefore } from "./guard.ts";
import { type Cell, type FetchLimits, RowReader } from "./row_reader.ts";
import type { Session } from "./session.ts";
import { type Foreseen, graceMs } from "./transaction_bounds.ts";

/** Rows of a caller's statement that are asked for at first. */
const firstRows = 32;

/** A statement to come; `work` must ask the guard about it, and fetch it with the same parameters and limits. */
export interface Foresight {
  readonly inspected: Inspected;
  readonly options: GuardOptions;
  readonly parameters: readonly Cell[];
  readonly limits: FetchLimits;
}

/** A statement that was sent with the beginning of its transaction. */
export interface Begun {
  readonly inspected: { readonly sql: string };
  readonly parameters: readonly Cell[];
  readonly limits: FetchLimits;
  readonly reader: RowReader;
  /** Rows that it was asked for. */
  readonly portalRows: number;
  /** Whether there are more. */
  readonly running: Promise<boolean>;
}

/** How many rows are asked for at first. */
export function firstPortion(rows: number): number {
  return Math.min(rows, firstRows);
}

/** What is sent with the beginning of the transaction, where the session has let it pass before. */
export function foresee(
  session: Session,
  { inspected, options, parameters, limits }: Foresight,
  timeoutMs: number,
): (Foreseen & { readonly statement: { readonly options: { readonly portalRows: number } } }) | undefined {
  const kept = passedBefore(inspected, session.verdicts, options);
  if (kept === undefined || !session.direct) return undefined;
  const reader = new RowReader(limits);
  const portalRows = firstPortion(limits.maxRows + 1);
  return {
    kept,
    statement: {
      sql: inspected.sql,
      parameters,
      options: { reader, portalRows, timeoutMs: timeoutMs + graceMs },
    },
  };
}

/** Whether a statement is the one that was foreseen, to the letter. */
export function isSame(
  begun: Begun,
  { sql }: GuardedStatement,
  parameters: readonly Cell[],
  { maxRows, cellBytes, answerBytes }: FetchLimits,
): boolean {
  const { limits } = begun;
  return sql === begun.inspected.sql && parameters.length === begun.parameters.length &&
    parameters.every((value, at) => value === begun.parameters[at]) &&
    maxRows === limits.maxRows && cellBytes === limits.cellBytes && answerBytes === limits.answerBytes;
}
