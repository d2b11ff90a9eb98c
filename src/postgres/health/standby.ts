/** How far the server itself is behind, when it is a standby: a part of section `replication`. */
import { duration, size } from "../../common/units.ts";
import type { Transaction } from "../database.ts";
import { exceeds, type Finding, millisecondsSince, numberOf, worst } from "./section.ts";
import type { Thresholds } from "./thresholds.ts";

// A receiver is a row, of which a role without pg_read_all_stats sees the pid alone.
const standbySql = `
select pg_is_wal_replay_paused() as paused, pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) as bytes,
  ${millisecondsSince("pg_last_xact_replay_timestamp()")} as replayed_ms,
  (select count(*) from pg_catalog.pg_stat_wal_receiver where pid is not null) as receivers`;

/** What a standby says of itself. */
export interface Standby {
  readonly summary: string;
  readonly findings: readonly Finding[];
  readonly unseen: string | undefined;
}

/** Asks a server in recovery. */
export async function standby(transaction: Transaction, limits: Thresholds): Promise<Standby> {
  const [row = {}] = await transaction.query(standbySql);
  const bytes = numberOf(row.bytes);
  const replayedMs = numberOf(row.replayed_ms);
  const streams = (numberOf(row.receivers) ?? 0) > 0;
  const paused = row.paused === "t";
  // With everything replayed, and the primary connected, the last commit is old because nothing was committed since.
  const idle = streams && bytes !== null && bytes <= 0;
  const delay = idle ? 0 : replayedMs;
  const findings: Finding[] = [];
  const late = worst(
    exceeds(bytes ?? 0, limits.replayBytes),
    delay === null ? undefined : exceeds(delay, limits.replayDelay),
  );
  const numbers = `${
    bytes === null ? "what is received is not known" : `${size(Math.max(0, bytes))} received and not replayed`
  }, ${
    replayedMs === null
      ? "no commit replayed yet"
      : `the last commit replayed is ${duration(Math.max(0, replayedMs))} old`
  }`;
  if (paused) {
    findings.push({
      verdict: late ?? "warning",
      text: `this standby's replay is paused: ${numbers}`,
      statements: ["SELECT pg_wal_replay_resume();"],
      caution: "somebody paused it: ask first",
    });
  } else if (late !== undefined) {
    findings.push({
      verdict: late,
      text: `this standby is behind: ${numbers}`,
      statements: [
        "SELECT pid, state, query FROM pg_stat_activity WHERE backend_type = 'client backend' ORDER BY xact_start;",
      ],
      caution: "replay waits for queries that conflict with it, up to max_standby_streaming_delay",
    });
  }
  if (!streams) {
    findings.push({
      verdict: late === "critical" ? "critical" : "warning",
      text:
        "this standby receives no WAL: nothing connects it with its primary now, unless it reads from an archive",
      statements: ["SELECT status, latest_end_time FROM pg_stat_wal_receiver;"],
      caution: "the standby's log says why",
    });
  }
  return {
    summary: `this is a standby, ${streams ? numbers : `no WAL receiver, ${numbers}`}`,
    findings,
    unseen: bytes === null && replayedMs === null ? "how far this standby is behind" : undefined,
  };
}
