/**
 * The oracle of the fuzz: runs a statement that has passed the guard, or one that was put past it, and tells all that
 * came of it. It looks inside the transaction, where settings and locks are still there to be seen, and it COMMITS:
 * what a rollback would undo shows, too.
 *
 * Two sessions stand by: one that listens, and one in the middle of a statement.
 */
import type postgres from "postgres";
import type { TestPostgres } from "../../support/postgres.ts";
import { connect, state } from "./server.ts";

/** What stands in everything that nobody may read: a file, a file's name, a large object, other sessions' statements. */
const CANARY = /canary-4f1d|63616e6172792d34663164|hunter2|md53df2a1c2f6b5a0a4fd3d5c2b7c1e9a80/;

const SETUP = `
  alter role reader_role password 'md53df2a1c2f6b5a0a4fd3d5c2b7c1e9a80';
  select lo_from_bytea(4242, 'canary-4f1d') where not exists (select from pg_largeobject_metadata where oid = 4242);
  do $$ begin
    if current_setting('server_version_num')::int >= 150000 then create extension if not exists pg_walinspect; end if;
  end $$`;

/** Settings that differ from what the session began with, and what only the transaction holds. */
const INSIDE = `select pg_stat_clear_snapshot(),
  (select string_agg(name || '=' || setting, ' ' order by name) from pg_settings
    where coalesce(setting, '') <> coalesce(reset_val, '') and name not like 'transaction\\_%') as settings,
  concat_ws(' ', session_user, current_user, current_setting('role'), current_setting('app.watched', true)) as session,
  (select string_agg(locktype || ' ' || mode, ' ') from pg_locks where pid = pg_backend_pid()
    and locktype <> 'virtualxid' and (mode <> 'AccessShareLock' or locktype = 'advisory')
    -- Whoever reads a sequence's last value opens it like that.
    and not (mode = 'RowExclusiveLock' and relation in (select oid from pg_class where relkind = 'S'))) as locks,
  pg_current_xact_id_if_assigned()::text as "transaction number",
  (select string_agg(f, ' ') from pg_ls_dir('pg_snapshots') f) as snapshots,
  (select string_agg(name, ' ') from pg_prepared_statements where from_sql) as "prepared statements",
  (select string_agg(name, ' ') from pg_cursors where name <> '') as cursors,
  (select string_agg(c, ' ') from pg_listening_channels() c) as channels,
  pg_my_temp_schema()::text as "temporary schema",
  random()::text as random`;
const SEED = "select setseed(0.421)";
/** Whatever draws from the generator that setseed sets, by its name. */
const DRAWS = /random|shuffle|array_sample/i;

/** Records of the log that a reader's own housekeeping writes, and the server's. */
const OWN_RECORDS = new Set([
  "Heap2 PRUNE",
  "Heap2 PRUNE_ON_ACCESS",
  "XLOG FPI_FOR_HINT",
  "Standby RUNNING_XACTS",
]);

/** One statement's run. */
export interface Outcome {
  /** What it changed or showed that it may not; empty for one that only reads. */
  readonly seen: readonly string[];
  /** PostgreSQL's error, where there was one. */
  readonly error: { readonly code: string; readonly message: string } | undefined;
}

/** One session that runs statements, and those beside it that must not notice. */
export class Oracle implements AsyncDisposable {
  readonly sql: postgres.Sql;
  readonly #server: TestPostgres;
  readonly #listener: postgres.Sql;
  readonly #sleeper: postgres.Sql;
  #woken: unknown;
  #sleep: Promise<unknown> = Promise.resolve();
  #inside: Record<string, string | null> = {};
  #random = "";

  private constructor(server: TestPostgres) {
    this.#server = server;
    this.sql = connect(server, "postgres", undefined, { "pg_stat_statements.track": "none" });
    this.#listener = connect(server, "postgres", undefined, { application_name: "listener" });
    this.#sleeper = connect(server, "postgres", undefined, { application_name: "sleeper" });
  }

  static async start(server: TestPostgres): Promise<Oracle> {
    const oracle = new Oracle(server);
    const { sql } = oracle;
    await sql.unsafe(SETUP);
    const folder = `${server.dataDirectory}/watched`;
    await Deno.mkdir(folder, { recursive: true });
    await Deno.writeTextFile(`${folder}/file.txt`, "canary-4f1d");
    await Deno.writeTextFile(`${folder}/canary-4f1d`, "");
    const { uid, gid } = await Deno.stat(server.dataDirectory);
    if (uid !== null && gid !== null) await Deno.chown(folder, uid, gid);
    await oracle.#listener.unsafe("listen watched");
    oracle.#fallAsleep();
    await oracle.begin();
    const [inside] = await sql.unsafe(INSIDE);
    oracle.#inside = { ...inside };
    oracle.#random = String(inside?.["random"]);
    await sql.unsafe("commit");
    return oracle;
  }

  #fallAsleep(): void {
    this.#woken = undefined;
    this.#sleep = this.#sleeper.unsafe("select pg_sleep(86400) /* password 'canary-4f1d' */").then(
      () => this.#woken = "it ended",
      (error) => this.#woken = error,
    );
  }

  /** Begins as the program does. */
  async begin(): Promise<void> {
    await this.sql.unsafe(
      `begin isolation level repeatable read read only; set local statement_timeout = 300; ${SEED}; savepoint here`,
    );
  }

  /** Runs the statement in the transaction that {@linkcode begin} began, looks, and commits. */
  async run(text: string, parameters: readonly null[] = []): Promise<Outcome> {
    const seen: string[] = [];
    let error: Outcome["error"];
    try {
      const rows = await this.sql.unsafe(text, [...parameters]);
      if (CANARY.test(JSON.stringify(rows))) seen.push("a canary in the rows");
    } catch (failure) {
      if (!(failure instanceof Error) || failure.name !== "PostgresError") throw failure;
      error = { code: "code" in failure ? String(failure.code) : "", message: failure.message };
      const detail = "detail" in failure ? failure.detail : "";
      if (CANARY.test(`${error.message} ${detail}`)) seen.push("a canary in the error");
      try {
        await this.sql.unsafe("rollback to savepoint here");
      } catch (lost) {
        // The session did not survive it: the client has made another one.
        seen.push(`the session is another one: ${error.code} ${error.message}; ${lost}`);
        return { seen, error };
      }
    }
    try {
      seen.push(...await this.#look(text));
    } catch (failure) {
      // As another role, for one, the session can't look any more.
      seen.push(`the session can't look: ${failure}`);
      await this.sql.unsafe("rollback");
      return { seen, error };
    }
    await this.sql.unsafe("commit");
    return { seen, error };
  }

  /** What the session has kept of all that it ran. */
  async kept(): Promise<string[]> {
    const [after] = await this.sql.unsafe(INSIDE);
    const seen = ["session", "locks", "channels", "cursors", "prepared statements", "temporary schema"]
      .flatMap((name) => after?.[name] === this.#inside[name] ? [] : [`${name} after it: ${after?.[name]}`]);
    // Those of the transaction alone.
    const settings = (text: unknown) => String(text).replace(/ ?statement_timeout=\S+/, "");
    return settings(after?.["settings"]) === settings(this.#inside["settings"])
      ? seen
      : [...seen, `settings after it: ${after?.["settings"]}`];
  }

  async #look(text: string): Promise<string[]> {
    const [inside] = await this.sql.unsafe(INSIDE);
    return Object.entries(this.#inside).flatMap(([name, before]) => {
      if (name === "random") {
        return inside?.[name] === this.#random || DRAWS.test(text) ? [] : ["random's seed"];
      }
      let now = inside?.[name];
      // It opens what it is told to as if it were a sequence, and fails; the lock is the transaction's.
      if (name === "locks" && /currval|sequence/i.test(text) && now === "relation RowExclusiveLock") {
        now = null;
      }
      return now === before || name === "pg_stat_clear_snapshot" ? [] : [`${name}: ${before} is ${now}`];
    });
  }

  /** Everything outside of the session that a statement could have changed, as a text to compare. */
  async look(): Promise<string> {
    const sql = this.#listener;
    if (this.#woken !== undefined) return `the sleeping session was woken: ${this.#woken}`;
    const rows: unknown[] = [await state(this.#server)];
    const resets =
      await sql`select attrelid::regclass::text as name from pg_attribute a join pg_class c on c.oid = attrelid
      where attname = 'stats_reset' and relkind = 'v' order by 1`;
    for (const { name } of resets) {
      rows.push(
        name,
        await sql.unsafe(`select array_agg(stats_reset::text order by stats_reset) as at from ${name}`),
      );
    }
    rows.push(
      await sql`select pg_conf_load_time()::text, pg_snapshot_xmax(pg_current_snapshot())::text`,
      await sql`select pid::text, application_name from pg_stat_activity where backend_type = 'client backend' order by 1`,
      await sql`select count(*) from pg_stat_statements where query like 'create extension%'`,
      await sql`select gid from pg_prepared_xacts`,
      await sql`select oid::text from pg_largeobject_metadata order by 1`,
      await sql`select roname from pg_replication_origin`,
      await sql`select pg_notification_queue_usage()`,
      await this.#files(),
    );
    return JSON.stringify(rows);
  }

  /** Names in the folders that statements could write to, and what a rotation or a new configuration replaces. */
  async #files(): Promise<unknown> {
    const folder = this.#server.dataDirectory;
    const names: string[] = [];
    for (
      const each of ["pg_replslot", "pg_snapshots", "pg_twophase", "pg_tblspc", "watched", "base/pgsql_tmp"]
    ) {
      try {
        for await (const { name } of Deno.readDir(`${folder}/${each}`)) names.push(`${each}/${name}`);
      } catch { /* not yet there */ }
    }
    const versions = [];
    for (const each of ["current_logfiles", "postgresql.conf", "postgresql.auto.conf", "pg_hba.conf"]) {
      const { ino, mtime } = await Deno.stat(`${folder}/${each}`);
      versions.push([each, ino, mtime?.getTime()]);
    }
    let dumped = 0;
    for await (const { name } of Deno.readDir(`${folder}/log`)) {
      const log = await Deno.readTextFile(`${folder}/log/${name}`);
      dumped += log.split("logging memory contexts").length - 1;
    }
    return [names.sort(), versions, dumped];
  }

  /** Where the log ends now; what was written since is read by {@linkcode written}. */
  async logEnd(): Promise<string> {
    const [row] = await this.#listener`select pg_current_wal_insert_lsn()::text as lsn`;
    return String(row?.["lsn"]);
  }

  /** Kinds of records that were written to the log since, which no reader writes. None before 15, which can't tell. */
  async written(since: string): Promise<string[]> {
    if (this.#server.version < 150_000 || await this.logEnd() === since) return [];
    // A record that nobody waits for stays in memory until then.
    await this.#listener`checkpoint`;
    const records = this.#server.version < 160_000
      ? "pg_get_wal_records_info_till_end_of_wal($1::pg_lsn)"
      : "pg_get_wal_records_info($1::pg_lsn, 'FFFFFFFF/FFFFFFFF')";
    const rows = await this.#listener.unsafe(
      `select resource_manager || ' ' || record_type as kind, count(*)::int as count from ${records} group by 1`,
      [since],
    );
    return rows.map(({ kind, count }) => [String(kind), Number(count)] as const)
      .filter(([kind, count]) =>
        !OWN_RECORDS.has(kind) && !(/^XLOG CHECKPOINT_(ONLINE|REDO)$/.test(kind) && count === 1)
      )
      .map(([kind]) => kind);
  }

  /** Puts the sessions beside right again after they were disturbed. */
  async recover(): Promise<void> {
    await this.#listener.unsafe("listen watched");
    if (this.#woken !== undefined) this.#fallAsleep();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const admin = connect(this.#server, "postgres");
    await admin`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'sleeper'`;
    await this.#sleep;
    await Promise.all(
      [admin, this.sql, this.#listener, this.#sleeper].map((each) => each.end({ timeout: 1 })),
    );
  }
}

/** Where two looks begin to differ, and how. */
export function difference(before: string, after: string): string {
  let at = 0;
  while (before[at] === after[at]) at++;
  const around = (text: string) => text.slice(Math.max(0, at - 100), at + 100);
  return `"${around(before)}" to "${around(after)}"`;
}
