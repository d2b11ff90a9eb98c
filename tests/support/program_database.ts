/** A database for the program under test: a few tables, and a role that can only read them. */
import postgres from "postgres";
import { sharedPostgres, type TestPostgres } from "./postgres.ts";

/** The reader's password: every character that has a meaning in a URL. */
export const readerPassword = "p@ss:w/o?r#d%41 ü&=+'\"\\";

/** A database and how a program reaches it. */
export interface ProgramDatabase extends AsyncDisposable {
  readonly server: TestPostgres;
  readonly name: string;
  /** `DB_*` for the reader, over TCP with its password. */
  readonly variables: Readonly<Record<string, string>>;
  /** The same for the superuser. */
  readonly superuserVariables: Readonly<Record<string, string>>;
  /** Runs SQL of the test's own as the superuser; the rows of one statement. */
  readonly execute: (sql: string) => Promise<readonly Record<string, unknown>[]>;
  /** How many statements with this mark the reader's sessions are running. */
  readonly running: (mark: string) => Promise<number>;
}

const setup = `
create table todos (id integer primary key, title text not null, completed boolean not null default false);
insert into todos select i, 'todo ' || i, i % 3 = 0 from generate_series(1, 3000) i;
create table users (id integer primary key, name text not null);
insert into users select i, 'user ' || i from generate_series(1, 50) i;
create table times (at timestamptz not null, plain timestamp not null);
insert into times values ('2024-02-03 04:05:06.789+00', '2024-02-03 04:05:06.789');
analyze`;

/** A statement that takes as long as it is let; `mark` is seen in pg_stat_activity. */
export function endless(mark: string): string {
  return `SELECT count(*) AS ${mark} FROM generate_series(1, 2000000000) a, generate_series(1, 1000) b`;
}

let made = 0;

/** Makes the database on the server that the tests of this file share, or on the one given. */
export async function createProgramDatabase(given?: TestPostgres): Promise<ProgramDatabase> {
  const server = given ?? await sharedPostgres();
  const name = `program_${++made}`;
  const connection = {
    host: server.socket,
    port: server.port,
    user: server.superuser,
    max: 1,
    onnotice: () => {},
  };
  const admin = postgres({ ...connection, database: "postgres" });
  await admin.unsafe(`create database ${name}`);
  const owner = postgres({ ...connection, database: name });
  const role = `${name}_reader`;
  await owner.unsafe(`${setup};
create role ${role} login password '${readerPassword.replaceAll("'", "''")}';
revoke create on schema public from public;
grant select on all tables in schema public to ${role}`).simple();
  const common = { DB_HOST: server.host, DB_PORT: String(server.port), DB_NAME: name };
  return {
    server,
    name,
    variables: { ...common, DB_USER: role, DB_PASSWORD: readerPassword },
    superuserVariables: { ...common, DB_USER: server.superuser, DB_PASSWORD: server.password },
    execute: async (sql) => [...await owner.unsafe<Record<string, unknown>[]>(sql)],
    running: async (mark) => {
      const [row] = await admin.unsafe<{ count: number }[]>(
        "select count(*)::int as count from pg_stat_activity where state = 'active' and query like $1 and pid <> pg_backend_pid()",
        [`%${mark}%`],
      );
      return row?.count ?? -1;
    },
    async [Symbol.asyncDispose]() {
      await owner.end();
      await admin.unsafe(`drop database if exists ${name} with (force)`);
      await admin.unsafe(`drop role ${role}`);
      await admin.end();
    },
  };
}
