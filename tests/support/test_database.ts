/** A database of its own on the shared real server, made by SQL and dropped at the end. */
import postgres from "postgres";
import { createLogger } from "../../src/common/log.ts";
import { Database } from "../../src/postgres/database.ts";
import type { DatabaseSettings } from "../../src/postgres/settings.ts";
import { sharedPostgres } from "./postgres.ts";

/** A database that a test file fills. */
export interface TestDatabase extends AsyncDisposable {
  readonly settings: DatabaseSettings;
  /** Reads as the superuser, unless `as` names another role. */
  readonly database: Database;
  /** Runs SQL of the test's own as the superuser; several statements are fine. */
  execute(sql: string): Promise<void>;
}

let made = 0;

/** Makes a database and runs `setup` in it. */
export async function createDatabase(
  setup: string,
  overrides: Partial<DatabaseSettings> = {},
): Promise<TestDatabase> {
  const server = await sharedPostgres();
  const name = `test_${Deno.pid}_${++made}`;
  const connection = { host: server.host, port: server.port, user: server.superuser, pass: server.password };
  const admin = postgres({ ...connection, database: "postgres", max: 1, onnotice: () => {} });
  await admin.unsafe(`create database ${name}`);
  const owner = postgres({ ...connection, database: name, max: 1, onnotice: () => {} });
  const execute = async (sql: string) => {
    await owner.unsafe(sql).simple();
  };
  await execute(setup);
  const settings: DatabaseSettings = {
    hosts: [{ host: server.host, port: server.port }],
    database: name,
    user: server.superuser,
    password: () => server.password,
    sslMode: "disable",
    sslRootCert: undefined,
    targetSessionAttrs: "any",
    poolSize: 4,
    statementTimeoutMs: 30_000,
    maxRows: 200,
    allowFunctions: [],
    ...overrides,
  };
  const database = new Database(settings, createLogger("off"));
  return {
    settings,
    database,
    execute,
    async [Symbol.asyncDispose]() {
      await database.close();
      await owner.end();
      await admin.unsafe(`drop database if exists ${name} with (force)`);
      await admin.end();
    },
  };
}

/** Reads the same database as another role, over the socket, where every role is trusted. */
export async function createReader(
  { settings }: TestDatabase,
  user: string,
): Promise<{ readonly database: Database } & AsyncDisposable> {
  const server = await sharedPostgres();
  const hosts = [{ host: server.socket, port: server.port }];
  const database = new Database({ ...settings, hosts, user, password: () => undefined }, createLogger("off"));
  return { database, [Symbol.asyncDispose]: () => database.close() };
}
