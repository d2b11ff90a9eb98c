/** Statements that act, for the oracle of the fuzz: each must be seen by it, or is named here as one that it can't see. */

/** Run past the guard, each in a transaction of its own: the session that ran it must tell. */
export const SEEN_INSIDE: readonly string[] = [
  // Settings
  "select set_config('work_mem', '1MB', false)",
  "select set_config('work_mem', '1MB', true)",
  "select set_config('app.watched', 'x', false)",
  "select set_config('app.watched', 'x', true)",
  "select set_config('role', 'reader_role', true)",
  "select set_limit(0.9)",
  "select setseed(0.5)",
  // Locks
  "select pg_advisory_lock(42)",
  "select pg_advisory_lock(1, 2)",
  "select pg_advisory_xact_lock(42)",
  "select pg_advisory_xact_lock_shared(42)",
  "select pg_try_advisory_lock(43), 1 / 0",
  "select * from public.users for update",
  // Other sessions
  "listen another",
  "select pg_export_snapshot()",
  // The server
  "select pg_logical_emit_message(true, 'a', 'b')",
  "select pg_create_physical_replication_slot('two', true, true)",
  "select pg_current_xact_id()",
  "select pg_replication_origin_create('x')",
  // Statistics
  // Files
  "select pg_read_file('watched/file.txt')",
  "select pg_read_binary_file('watched/file.txt')",
  "select * from pg_ls_dir('watched')",
  "select (pg_read_file('watched/file.txt'))::int",
  "select lo_get(4242)",
  // Secrets
  "select rolpassword from pg_authid",
  "select query from pg_stat_activity",
  "select umoptions from pg_user_mapping",
  // Rows, by way of another session
  "select query_to_xml('select rolpassword from pg_authid', true, true, '')",
];

/** The same, where only others can tell. */
export const SEEN_OUTSIDE: readonly string[] = [
  "select pg_notify('watched', 'x')",
  "select pg_notify('another', 'x')",
  "select pg_cancel_backend((select pid from pg_stat_activity where application_name = 'sleeper'))",
  "select pg_terminate_backend((select pid from pg_stat_activity where application_name = 'sleeper'))",
  "select pg_log_backend_memory_contexts((select pid from pg_stat_activity where application_name = 'sleeper'))",
  "select dblink_connect('held', 'dbname=corpus host=' || current_setting('unix_socket_directories') || ' port=' || current_setting('port'))",
  "select pg_reload_conf()",
  "select pg_rotate_logfile()",
  "select pg_switch_wal()",
  "select pg_create_restore_point('x')",
  "select pg_logical_emit_message(false, 'a', 'b')",
  "select pg_create_physical_replication_slot('one')",
  "select pg_drop_replication_slot('one')",
  "select pg_stat_reset()",
  "select pg_stat_reset_shared('bgwriter')",
  "select pg_stat_reset_shared('wal')",
  "select pg_stat_reset_shared('archiver')",
  "select pg_stat_reset_single_table_counters('public.users'::regclass)",
  "select pg_stat_reset_slru('Notify')",
  "select pg_stat_statements_reset()",
  "select lo_export(4242, current_setting('data_directory') || '/watched/exported')",
  "copy (select 1) to program 'touch watched/copied'",
  "select * from dblink('dbname=corpus host=' || current_setting('unix_socket_directories') || ' port=' || current_setting('port'), 'insert into trap.log values (1) returning 1') as t(a int)",
];

/** What acts, and leaves nothing behind that anybody could look at: the guard must refuse it by name. */
export const UNSEEN: Readonly<Record<string, string>> = {
  "select pg_sleep(0.01)": "it only takes time",
  "select pg_stat_clear_snapshot()":
    "the session's copy of the statistics is made anew with each transaction",
  "select pg_stat_force_next_flush()": "the statistics are sent a second sooner",
  "select pg_advisory_unlock_all()": "there is no lock to give up",
  "select pg_stat_file('watched/file.txt')": "a file's size and times are like any other numbers",
  "select pg_try_advisory_lock(44), pg_advisory_unlock(44)": "the lock is gone before anybody looks",
  "select lo_open(4242, 262144)": "the large object is closed with the transaction",
  "select pg_isolation_test_session_is_blocked(1, '{}')": "it only looks",
};
