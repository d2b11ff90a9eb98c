/** Functions of the corpus that older servers lack, by the server_version_num that brought them. */
const SINCE: Readonly<Record<string, number>> = {
  pg_backup_start: 150_000,
  pg_stat_force_next_flush: 150_000,
  pg_stat_have_stats: 150_000,
};

/** Since when pg_walinspect tells what is in the log, and with it what was written there outside of a transaction. */
const logIsReadable = 150_000;
const WRITES_LOG = /pg_switch_wal|pg_create_restore_point|pg_logical_emit_message\(false/;

/** Whether the oracle can see on a server of that version what the statement does to others. */
export function isSeenOn(version: number, text: string): boolean {
  return version >= logIsReadable || !WRITES_LOG.test(text);
}

/** Whether a server of that version has all that the statement names. */
export function isKnownTo(version: number, text: string): boolean {
  return Object.entries(SINCE).every(([name, since]) => version >= since || !text.includes(name));
}
