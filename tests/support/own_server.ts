/** A server for one test, with settings of its own: sessions of clients that do what the test wants, and readers of it. */
import postgres from "postgres";
import { createLogger } from "../../src/common/log.ts";
import { Database } from "../../src/postgres/database.ts";
import type { DatabaseSettings } from "../../src/postgres/settings.ts";
import { startPostgres, type TestPostgres, type TestPostgresOptions } from "./postgres.ts";

/** One connection, over the socket, where every role is trusted. */
export interface ClientSession {
  readonly pid: number;
  /** Runs SQL, several statements too. */
  execute(sql: string): Promise<Record<string, unknown>[]>;
  close(): Promise<void>;
}

/** What a test holds; all of it ends with it. */
export interface OwnServer extends AsyncDisposable {
  readonly server: TestPostgres;
  /** SQL as the superuser, in autocommit. */
  execute(sql: string): Promise<Record<string, unknown>[]>;
  /** A session of `user`, named `application`; another port is a standby's. */
  session(user: string, application: string, database?: string, port?: number): Promise<ClientSession>;
  /** Reads as `user`. */
  reader(user?: string, overrides?: Partial<DatabaseSettings>): Database;
}

/** Starts it, with the settings that a server for earnest has, and runs `setup` in database `postgres`. */
export async function startOwnServer(
  settings: readonly string[] = [],
  setup = "",
  options: Omit<TestPostgresOptions, "settings"> = {},
): Promise<OwnServer> {
  const server = await startPostgres({
    ...options,
    settings: [
      "fsync = on",
      "full_page_writes = on",
      "max_connections = 20",
      "lock_timeout = 20s",
      ...settings,
    ],
  });
  const sessions = new Set<ClientSession>();
  const databases = new Set<Database>();
  const session = async (
    user: string,
    application: string,
    database = "postgres",
    port = server.port,
  ): Promise<ClientSession> => {
    const sql = postgres({
      host: server.socket,
      port,
      user,
      database,
      max: 1,
      idle_timeout: 0,
      onnotice: () => {},
      connection: { application_name: application },
      fetch_types: false,
    });
    const [row] = await sql.unsafe("select pg_backend_pid() as pid");
    let open = true;
    const made: ClientSession = {
      pid: Number(row?.pid),
      async execute(text) {
        const rows = await sql.unsafe(text).simple();
        return rows.map((item: Record<string, unknown>) => item);
      },
      async close() {
        if (!open) return;
        open = false;
        sessions.delete(made);
        // Whoever comes next must not meet it.
        await sql.end({ timeout: 20 });
      },
    };
    sessions.add(made);
    return made;
  };
  let admin: ClientSession | undefined;
  const own: OwnServer = {
    server,
    async execute(sql) {
      admin ??= await session(server.superuser, "test");
      return await admin.execute(sql);
    },
    session,
    reader(user = server.superuser, overrides = {}) {
      const database = new Database({
        hosts: [{ host: server.socket, port: server.port }],
        database: "postgres",
        user,
        password: () => undefined,
        sslMode: "disable",
        sslRootCert: undefined,
        targetSessionAttrs: "any",
        poolSize: 4,
        statementTimeoutMs: 30_000,
        maxRows: 200,
        allowFunctions: [],
        ...overrides,
      }, createLogger("off"));
      databases.add(database);
      return database;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...databases].map((database) => database.close()));
      await Promise.all([...sessions].map((one) => one.close().catch(() => {})));
      await server[Symbol.asyncDispose]();
    },
  };
  try {
    if (setup !== "") await own.execute(setup);
    return own;
  } catch (error) {
    await own[Symbol.asyncDispose]();
    throw error;
  }
}

/** Times for `database_health` that no machine takes. */
export const patient = { statementMs: 60_000, totalMs: 600_000 };
