/** When a section of database_health warns: one table, each row with its reason. */

/** From which value on a section warns, and from which it is critical. */
export interface Levels {
  readonly warning: number;
  readonly critical: number;
}

const MB = 1 << 20;
const GB = 1 << 30;
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** The thresholds; sections are those of the manual, https://www.postgresql.org/docs/current/. */
export const thresholds = {
  /**
   * Share of the connections that ordinary roles may open. At 100 % every new session is refused ("too many clients",
   * runtime-config-connection, max_connections); a burst or a second instance of an application takes the last tenth.
   */
  connections: { warning: 0.8, critical: 0.9 },
  /**
   * Milliseconds idle inside a transaction. Nobody thinks for a minute in the middle of one: the application leaked it,
   * with its locks, and vacuum can't remove what it could still see (runtime-config-client,
   * idle_in_transaction_session_timeout). Prepared transactions count the same (sql-prepare-transaction, "Caution").
   */
  idleInTransaction: { warning: MINUTE, critical: 30 * MINUTE },
  /** Milliseconds of a transaction that works. Backups and reports take a while; vacuum waits for them all the same. */
  transaction: { warning: 30 * MINUTE, critical: 6 * HOUR },
  /** Milliseconds that a session waits for a lock. deadlock_timeout, a second, is what a healthy wait stays under. */
  lockWait: { warning: 5 * SECOND, critical: MINUTE },
  /** Share of blocks found in shared buffers, below which it is worth a look (monitoring-stats, pg_stat_database). */
  cacheHit: { warning: 0.9, critical: 0 },
  /** Block reads before the hit ratio says anything: 80 MB at 8 kB. */
  cacheReads: 10_000,
  /** Transactions before their shares say anything. */
  transactions: 1_000,
  /** Share of transactions rolled back from which on it is told: errors of the application, its habit, or our own reads. */
  rollbacks: 0.1,
  /** Deadlocks per transaction: one in ten thousand is a pattern and no accident (explicit-locking, "Deadlocks"). */
  deadlocks: { warning: 0.0001, critical: 0.01 },
  /** Temporary files per transaction: memory is too small for what runs daily (runtime-config-resource, work_mem). */
  temporaryFiles: { warning: 0.01, critical: Infinity },
  /** Dead rows of one table before they matter … */
  deadRows: { warning: 10_000, critical: 1_000_000 },
  /** … and how many times autovacuum's own threshold they are: at 1 it starts, at 2 it does not keep up (routine-vacuuming). */
  autovacuumLag: 2,
  /** Rows changed since the last ANALYZE before stale statistics matter; then the same factor of autoanalyze's threshold. */
  changedRows: 10_000,
  /**
   * Age of transaction IDs over autovacuum_freeze_max_age. At 1 autovacuum begins to freeze, whatever its settings; half as
   * much again means that it can't finish (routine-vacuuming, "Preventing Transaction ID Wraparound Failures").
   */
  freezeAge: { warning: 1.5, critical: Infinity },
  /** Age in transactions or multixacts: the server stops writing at 2^31 less 3 million, and vacuums in panic at 1.6e9. */
  age: { warning: 750e6, critical: 1.2e9 },
  /** Bytes of an index that nobody reads, before dropping it is worth the change. */
  unusedIndexBytes: 10 * MB,
  /** Milliseconds that statistics must have counted for "never used" to mean something: a weekly job is in. */
  unusedIndexAge: 7 * DAY,
  /** Rows of a table, by the statistics, before a scan of it for each deleted row of another matters, or that it has no key. */
  keyRows: 10_000,
  /** Share of a sequence that is used up; at 1 every insert fails (datatype, "Numeric Types": integer ends at 2,147,483,647). */
  sequence: { warning: 0.75, critical: 0.9 },
  /** Milliseconds that a standby is behind. */
  replayDelay: { warning: 30 * SECOND, critical: 10 * MINUTE },
  /** Bytes of WAL that a standby has still to replay. */
  replayBytes: { warning: 256 * MB, critical: 4 * GB },
  /** Bytes of WAL that a slot holds; without max_slot_wal_keep_size it fills the disk (runtime-config-replication). */
  slotBytes: { warning: GB, critical: 10 * GB },
} as const satisfies Record<string, Levels | number>;

/** The table's shape; tests put other values in. */
export type Thresholds = {
  readonly [Name in keyof typeof thresholds]: (typeof thresholds)[Name] extends number ? number : Levels;
};
