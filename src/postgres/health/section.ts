/** What a section of database_health is: what it asks, what it found, and the verdict that follows. */
import type { CellValue } from "../../common/cell.ts";
import type { Transaction } from "../database.ts";
import { quoteIdentifier } from "../identifier.ts";
import type { Levels, Thresholds } from "./thresholds.ts";

/** From the worst on. `unseen`: the role can't see it; `unknown`: asking failed; `no_data`: nothing to judge by yet; `notice`:
 * something to know, which makes nothing worse. */
export const verdicts = ["critical", "warning", "unseen", "unknown", "no_data", "notice", "ok"] as const;
/** See {@linkcode verdicts}. */
export type Verdict = (typeof verdicts)[number];

/** Something to act on; a notice to think of. */
export interface Finding {
  readonly verdict: "critical" | "warning" | "notice";
  /** The evidence: one sentence without a full stop. */
  readonly text: string;
  /** Roles and applications that it is about, by name: holders, those that wait and those that they wait for. */
  readonly parties?: readonly string[] | undefined;
  /** It concerns nobody but its parties. */
  readonly isTheirsAlone?: boolean | undefined;
  /** SQL that a person could run. Never run here. */
  readonly statements?: readonly string[] | undefined;
  /** What to know before running it. */
  readonly caution?: string | undefined;
}

/** What a section found. The verdict follows from it, see {@linkcode verdictOf}. */
export interface Assessment {
  /** One line: the numbers. */
  readonly summary: string;
  /** Worst first. */
  readonly findings: readonly Finding[];
  /** Who and what, for a section that is not ok. */
  readonly details?: readonly string[] | undefined;
  /** What the role can't see, and the right that is missing. With nothing found the verdict is `unseen`. */
  readonly unseen?: string | undefined;
  /** There is nothing to judge by. */
  readonly noData?: boolean | undefined;
}

/** What is known about the server before a section asks. */
export interface ServerFacts {
  /** e.g. `15.18` */
  readonly version: string;
  readonly database: string;
  readonly role: string;
  readonly inRecovery: boolean;
  readonly trackCounts: boolean;
  readonly trackActivities: boolean;
  /** Milliseconds since this database's statistics were reset; null when they never were. */
  readonly statisticsAge: number | null;
  /** Milliseconds since the server's own began, which no database's can be older than; null where it is not told. */
  readonly serverStatisticsAge: number | null;
}

/** A section: a row of the report. */
export interface Section {
  readonly name: string;
  /** `ask` runs `work` in a read-only transaction of its own, with `pg_catalog` first in the search path. */
  assess(ask: Ask, server: ServerFacts, thresholds: Thresholds): Promise<Assessment>;
}

/** Runs catalogue queries in a transaction of their own. Throws {@linkcode CallError}. */
export type Ask = <T>(work: (transaction: Transaction) => Promise<T>) => Promise<T>;

/** The worst that was found; without a finding never `ok` when something was not seen or there was nothing to see. */
export function verdictOf({ findings, unseen, noData }: Assessment): Verdict {
  if (findings.some(({ verdict }) => verdict === "critical")) return "critical";
  if (findings.some(({ verdict }) => verdict === "warning")) return "warning";
  if (unseen !== undefined) return "unseen";
  if (noData === true) return "no_data";
  return findings.length > 0 ? "notice" : "ok";
}

/** The verdict on a value that is the worse the larger it is; undefined below the levels. */
export function exceeds(value: number, levels: Levels): Finding["verdict"] | undefined {
  if (value >= levels.critical) return "critical";
  return value >= levels.warning ? "warning" : undefined;
}

/** The critical ones first. */
export function criticalFirst(a: Finding, b: Finding): number {
  return Number(b.verdict === "critical") - Number(a.verdict === "critical");
}

/** The worse of several verdicts. */
export function worst(...found: readonly (Finding["verdict"] | undefined)[]): Finding["verdict"] | undefined {
  if (found.includes("critical")) return "critical";
  return found.includes("warning") ? "warning" : undefined;
}

/** A number of a row; null for SQL NULL, or for what is not a number. */
export function numberOf(cell: CellValue | undefined): number | null {
  if (cell === null || cell === undefined || cell === "") return null;
  const value = Number(cell);
  return Number.isNaN(value) ? null : value;
}

/** SQL for milliseconds since a timestamp. */
export function millisecondsSince(timestamp: string): string {
  return `round(1000 * extract(epoch from clock_timestamp() - ${timestamp})::numeric)`;
}

/** The right that lets a role see other roles' sessions. */
export function grantStatistics(server: ServerFacts): string {
  return `GRANT pg_monitor TO ${quoteIdentifier(server.role)};`;
}
