/**
 * The reviewed lists: which functions that PostgreSQL or an extension brings are refused whatever their label
 * says, and which volatile ones only read. Everything volatile that is on neither list is refused.
 *
 * Reviewed against pg_proc of PostgreSQL 15 with the extensions of contrib, and the manuals of 14 to 18,
 * chapter 9 "Functions and Operators" and appendix F.
 */

/** Why a function is refused, and what to use instead. */
export interface Reason {
  readonly because: string;
  readonly instead?: string;
  /** It only reads, but what it reads can't be seen before: `DB_ALLOW_FUNCTIONS` may name it. Any other acts. */
  readonly reads?: true;
}

interface Family extends Reason {
  /** Names; `name*` is a prefix, `name/2` is meant with that many arguments. */
  readonly names: string;
}

const REFUSED: readonly Family[] = [
  {
    because: "it reads or lists files of the server",
    names:
      "pg_read_file pg_read_file_old pg_read_binary_file pg_ls_* pg_stat_file pg_current_logfile pg_logdir_ls " +
      "pg_hba_file_rules pg_ident_file_mappings pg_show_all_file_settings",
    instead: "The views pg_hba_file_rules, pg_ident_file_mappings and pg_file_settings show configuration",
    reads: true,
  },
  { because: "it writes files of the server", names: "pg_file_*" },
  {
    because: "it reads large objects",
    names: "lo_close lo_get lo_lseek* lo_open lo_tell* loread",
    reads: true,
  },
  {
    because: "it writes large objects",
    names:
      "lo_creat lo_create lo_export lo_from_bytea lo_import lo_put lo_truncate* lo_unlink lo_manage lowrite",
  },
  {
    because: "it acts on other sessions or on the server",
    names:
      "pg_cancel_backend pg_terminate_backend pg_reload_conf pg_rotate_logfile* pg_log_backend_memory_contexts pg_promote " +
      "pg_log_query_plan pg_get_process_memory_contexts pg_wal_replay_pause pg_wal_replay_resume",
    instead: "Tell a person what should be done with psql, and why",
  },
  {
    because: "it changes settings",
    names: "set_config setseed set_limit isn_weak/1 set_curcfg set_curdict set_curprs",
    instead: "Settings can be read with SHOW or pg_settings",
  },
  {
    because: "it takes, releases or waits for locks",
    names:
      "pg_advisory_* pg_try_advisory_* pg_isolation_test_session_is_blocked lockrow unlockrows addauth checkauth*",
    instead: "The view pg_locks shows locks",
  },
  { because: "it holds the connection and does nothing", names: "pg_sleep pg_sleep_for pg_sleep_until" },
  {
    because: "it writes to the write-ahead log",
    names:
      "pg_switch_wal pg_switch_xlog pg_create_restore_point pg_logical_emit_message pg_backup_* pg_start_backup pg_stop_backup " +
      "pg_log_standby_snapshot",
  },
  {
    because: "it changes or consumes replication",
    names:
      "pg_create_physical_replication_slot pg_create_logical_replication_slot pg_copy_physical_replication_slot " +
      "pg_copy_logical_replication_slot pg_drop_replication_slot pg_replication_slot_advance pg_logical_slot_* " +
      "pg_replication_origin_advance pg_replication_origin_create pg_replication_origin_drop pg_replication_origin_session_reset " +
      "pg_replication_origin_session_setup pg_replication_origin_xact_* pg_sync_replication_slots",
    instead: "The views pg_replication_slots and pg_stat_replication show replication",
  },
  { because: "it sends a notification", names: "pg_notify" },
  { because: "it holds a snapshot open for others", names: "pg_export_snapshot" },
  {
    because: "it resets statistics",
    names: "pg_stat_reset* pg_stat_clear_snapshot pg_stat_force_next_flush pg_stat_statements_reset",
    instead: "The statistics since they were last reset can be read as they are",
  },
  {
    because: "it writes statistics",
    names:
      "pg_restore_relation_stats pg_restore_attribute_stats pg_restore_extended_stats pg_clear_relation_stats " +
      "pg_clear_attribute_stats pg_clear_extended_stats pg_set_relation_stats pg_set_attribute_stats",
  },
  {
    // Whoever may send the string may send all that is refused here.
    because: "it runs SQL from a string, which can't be checked",
    names: "query_to_xml* ts_stat ts_rewrite/2 dblink* crosstab* connectby xpath_table pgr_* st_findextent " +
      "run_command_on_* master_run_on_worker citus_* populate_geometry_columns",
    instead: "Write that SQL as the statement itself, or as a subquery",
  },
  {
    because: "it reads tables that are named while it runs, which can't be checked",
    names: "table_to_xml* cursor_to_xml* schema_to_xml* database_to_xml*",
    instead: "Read the table itself",
    reads: true,
  },
  { because: "it reaches outside the database", names: "http http_* postgres_fdw_disconnect*" },
  { because: "it may read what its stylesheet names", names: "xslt_process", reads: true },
  {
    because: "it advances a sequence",
    names: "nextval setval",
    instead: "SELECT last_value FROM the sequence, or the view pg_sequences, reads it",
  },
  {
    because: "it assigns a transaction ID",
    names: "txid_current pg_current_xact_id",
    instead: "pg_current_xact_id_if_assigned reads it",
  },
  {
    because: "it writes",
    names: "pg_nextoid pg_import_system_collations pg_extension_config_dump " +
      "binary_upgrade_* brin_summarize_* brin_desummarize_* gin_clean_pending_list pg_stop_making_pinned_objects " +
      "heap_force_* pg_truncate_visibility_map pg_buffercache_evict* pg_buffercache_mark_dirty* pg_prewarm autoprewarm_*",
  },
  {
    because: "it reads raw pages of tables or of the log, past every right and every mask",
    names: "get_raw_page heap_page_* pg_get_wal_record* pg_get_wal_block_info tuple_data_split",
    instead: "pgstattuple and pg_visibility tell about pages",
    reads: true,
  },
  {
    because:
      "it reads a value of a type that is named while it runs, and the type's checks can't be seen before",
    names:
      "domain_in domain_recv array_in array_recv anyarray_in anyarray_recv record_in record_recv range_in range_recv " +
      "multirange_in multirange_recv anycompatiblearray_in pg_input_is_valid pg_input_error_info pg_input_error_message",
    instead: "Cast to the type: 'value'::type",
    reads: true,
  },
  {
    because: "it runs the functions of an index or a partition that is named while it runs",
    names: "bt_index_check gin_index_check satisfies_hash_partition",
    instead: "A person can run the check, or pg_amcheck",
    reads: true,
  },
  {
    because: "it keeps writers away from the table while it runs",
    names: "bt_index_parent_check gin_index_parent_check",
    instead: "A person can run the check, or pg_amcheck",
  },
  {
    because: "it belongs to the server's own machinery",
    names:
      "plpgsql_call_handler plpgsql_inline_handler plpgsql_validator fmgr_internal_validator fmgr_c_validator fmgr_sql_validator " +
      "currtid2",
  },
  {
    because: "it can show texts of other sessions that hold passwords",
    names: "pg_stat_get_activity pg_stat_get_backend_activity pg_stat_statements pg_stat_monitor_internal",
    instead: "Use the views pg_stat_activity and pg_stat_statements",
    reads: true,
  },
  {
    because: "it can show settings that hold passwords",
    names: "pg_show_all_settings",
    instead: "Use the view pg_settings, or SHOW",
    reads: true,
  },
];

/** Volatile functions that only read, by reviewing each. */
const HARMLESS = new Set(
  (
    // Time, randomness, identifiers
    "clock_timestamp timeofday timezone random random_normal array_sample array_shuffle gen_random_uuid uuidv4 uuidv7 gen_random_bytes gen_salt uuid_generate_v1 " +
    "uuid_generate_v1mc uuid_generate_v4 normal_rand pgp_sym_encrypt pgp_sym_encrypt_bytea pgp_pub_encrypt pgp_pub_encrypt_bytea " +
    "gen_ulid uuid_generate_v7 " +
    // Sizes
    "pg_relation_size pg_table_size pg_indexes_size pg_total_relation_size pg_database_size pg_tablespace_size pg_relpages " +
    "pg_partition_tree pg_partition_ancestors " +
    // Locks, activity, transactions
    "pg_lock_status pg_blocking_pids pg_safe_snapshot_blocking_pids pg_prepared_xact pg_get_multixact_members " +
    "pg_xact_commit_timestamp pg_xact_commit_timestamp_origin pg_last_committed_xact pg_xact_status txid_status " +
    "pg_notification_queue_usage pg_stat_have_stats pg_stat_get_recovery_prefetch current_query " +
    // Server, log positions, recovery, replication
    "pg_is_in_recovery pg_is_in_backup pg_is_wal_replay_paused pg_get_wal_replay_pause_state pg_last_wal_receive_lsn pg_last_wal_replay_lsn " +
    "pg_last_xact_replay_timestamp pg_current_wal_lsn pg_current_wal_insert_lsn pg_current_wal_flush_lsn pg_get_wal_resource_managers " +
    "pg_get_wal_stats pg_get_wal_stats_till_end_of_wal pg_control_checkpoint pg_control_init pg_control_recovery pg_control_system pg_jit_available " +
    "pg_show_replication_origin_status pg_replication_origin_progress pg_replication_origin_session_is_setup " +
    "pg_replication_origin_session_progress pg_get_wal_summarizer_state pg_available_wal_summaries pg_wal_summary_contents " +
    "pg_get_backend_memory_contexts pg_get_shmem_allocations pg_get_shmem_allocations_numa pg_numa_available pg_get_aios " +
    "pg_collation_actual_version pg_database_collation_actual_version amvalidate pg_get_loaded_modules pg_get_wait_events " +
    // Sequences
    "currval lastval pg_sequence_last_value pg_get_sequence_data " +
    // Row samples
    "bernoulli system system_rows system_time " +
    // Extensions that look at storage and statistics
    "pg_stat_statements_info pg_buffercache_pages pg_buffercache_summary pg_buffercache_usage_counts " +
    "pg_buffercache_numa_pages pg_freespace pg_visibility pg_visibility_map pg_visibility_map_summary pg_check_frozen pg_check_visible " +
    "pgstattuple pgstattuple_approx pgstatindex pgstatginindex pgstathashindex pgrowlocks bt_metap bt_page_stats verify_heapam " +
    "pg_old_snapshot_time_mapping postgres_fdw_get_connections hypopg hypopg_list_indexes pg_stat_kcache pg_qualstats " +
    "pg_wait_sampling_get_current pg_wait_sampling_get_profile pg_wait_sampling_get_history " +
    "ssl_cipher ssl_client_cert_present ssl_client_dn ssl_client_dn_field ssl_client_serial ssl_extension_info ssl_is_used " +
    "ssl_issuer_dn ssl_issuer_field ssl_version int_agg_state int_agg_final_array unaccent_init unaccent_lexize dsnowball_lexize " +
    // PostGIS, TimescaleDB
    "st_generatepoints postgis_full_version postgis_extensions_upgrade_check st_asmvt time_bucket_gapfill hypertable_size " +
    "hypertable_detailed_size hypertable_index_size hypertable_approximate_size chunks_detailed_size approximate_row_count show_chunks " +
    "chunk_compression_stats hypertable_compression_stats chunk_columnstore_stats hypertable_columnstore_stats " +
    "timescaledb_post_restore_check show_tablespaces"
  ).split(/\s+/),
);

/** Volatile families that only read counters of this transaction. */
const HARMLESS_PREFIXES = ["pg_stat_get_", "pg_stat_get_xact_"];

const exact = new Map<string, Family>();
const prefixes: [string, Family][] = [];
for (const family of REFUSED) {
  for (const name of family.names.split(/\s+/)) {
    if (name.endsWith("*")) prefixes.push([name.slice(0, -1), family]);
    else exact.set(name, family);
  }
}

/** Why a function of PostgreSQL or of an extension is refused whatever its label; undefined if it is not. */
export function refusedReason(name: string, count?: number): Reason | undefined {
  return exact.get(name) ?? exact.get(`${name}/${count}`) ??
    prefixes.find(([prefix]) => name.startsWith(prefix))?.[1];
}

/** Whether a volatile function of PostgreSQL or of an extension is known to only read. */
export function isHarmless(name: string): boolean {
  return HARMLESS.has(name) || HARMLESS_PREFIXES.some((prefix) => name.startsWith(prefix));
}
