/**
 * A database of its own, made by SQL and dropped at the end: on the shared real server, or, where there is none, in a
 * PGlite process. That one has a single session behind all connections, and no roles of a test's own.
 */
import postgres from "postgres";
import { startSampleDatabase } from "../../scripts/sample_database.ts";
import { createLogger } from "../../src/common/log.ts";
import { Database } from "../../src/postgres/database.ts";
import { loadParser } from "../../src/postgres/parser.ts";
import type { DatabaseSettings } from "../../src/postgres/settings.ts";
import { permitted } from "./permitted.ts";
import { postgresAvailable, sharedPostgres } from "./postgres.ts";

/** Whether either can be started; for `ignore`. What PGlite can't show is a step that {@linkcode postgresAvailable} gates. */
export const databaseAvailable = permitted;

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
  await loadParser();
  if (!postgresAvailable) return await createInPglite(setup, overrides);
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
  const settings = settingsOf(server, name, server.superuser, server.password, overrides);
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

async function createInPglite(setup: string, overrides: Partial<DatabaseSettings>): Promise<TestDatabase> {
  const sample = await startSampleDatabase();
  const { host, port, database: name } = sample;
  const owner = postgres({ host, port, user: "postgres", database: name, max: 1, onnotice: () => {} });
  const execute = async (sql: string) => {
    await owner.unsafe(sql).simple();
  };
  await execute("drop schema public cascade; create schema public");
  await execute(setup);
  const settings = settingsOf(sample, name, "postgres", undefined, overrides);
  const database = new Database(settings, createLogger("off"));
  return {
    settings,
    database,
    execute,
    async [Symbol.asyncDispose]() {
      await database.close();
      await owner.end();
      await sample.close();
    },
  };
}

function settingsOf(
  { host, port }: { readonly host: string; readonly port: number },
  database: string,
  user: string,
  password: string | undefined,
  overrides: Partial<DatabaseSettings>,
): DatabaseSettings {
  return {
    hosts: [{ host, port }],
    database,
    user,
    password: () => password,
    sslMode: "disable",
    sslRootCert: undefined,
    targetSessionAttrs: "any",
    poolSize: 4,
    statementTimeoutMs: 30_000,
    maxRows: 200,
    allowFunctions: [],
    ...overrides,
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
