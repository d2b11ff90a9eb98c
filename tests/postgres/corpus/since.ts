/** Functions of the corpus that older servers lack, by the server_version_num that brought them. */
const SINCE: Readonly<Record<string, number>> = {
  pg_backup_start: 150_000,
  pg_stat_force_next_flush: 150_000,
  pg_stat_have_stats: 150_000,
};

/** Whether a server of that version has all that the statement names. */
export function isKnownTo(version: number, text: string): boolean {
  return Object.entries(SINCE).every(([name, since]) => version >= since || !text.includes(name));
}
