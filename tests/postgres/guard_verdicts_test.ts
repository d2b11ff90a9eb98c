/** A verdict that is kept: whatever changes between two equal calls must be noticed by the second. */
import assert from "@std/assert";
import { authorize, inspect } from "../../src/postgres/guard.ts";
import { CallError } from "../../src/common/errors.ts";
import type { Catalogue } from "../../src/postgres/catalogue.ts";
import type { Database, Transaction } from "../../src/postgres/database.ts";
import { loadParser } from "../../src/postgres/parser.ts";
import { startOwnServer } from "../support/own_server.ts";
import { postgresAvailable } from "../support/postgres.ts";
import { createDatabase, createReader } from "../support/test_database.ts";
import { wide } from "../support/unguarded.ts";
import { until } from "../support/until.ts";

const ignore = !postgresAvailable;

interface Verdict {
  readonly refusal: string | undefined;
  /** Queries of the guard: none where the verdict was known. */
  readonly queries: number;
}

async function verdict(database: Database, sql: string): Promise<Verdict> {
  let queries = 0;
  const counted = (transaction: Transaction): Catalogue => ({
    path: transaction.path,
    state: transaction.state,
    verdicts: transaction.verdicts,
    query: (...args) => {
      queries++;
      return transaction.query(...args);
    },
  });
  try {
    await database.read(
      { signal: new AbortController().signal },
      (transaction) => authorize(inspect(sql), counted(transaction), { allowFunctions: [] }),
    );
    return { refusal: undefined, queries };
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    return { refusal: error.message, queries };
  }
}

/** Runs it as query_database does: together with the beginning of its transaction, where it has passed before. */
async function foreseen(database: Database, sql: string): Promise<string | undefined> {
  const inspected = inspect(sql);
  const options = { allowFunctions: [] };
  const foresight = { inspected, options, parameters: [], limits: wide };
  try {
    await database.read({ signal: new AbortController().signal, foresight }, async (transaction) => {
      const statement = await authorize(inspected, transaction, options);
      return await transaction.fetch(statement, [], wide);
    });
    return undefined;
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    return error.message;
  }
}

/** Accepted anew, and then known. */
async function isKept(database: Database, sql: string): Promise<void> {
  assert.equal((await verdict(database, sql)).refusal, undefined);
  assert.deepEqual(await verdict(database, sql), { refusal: undefined, queries: 0 });
}

/** `WRITES` is the body of a function that writes; `f` only reads. */
const prepare = `create table called (how text);
  create function f(int) returns int language plpgsql immutable as $$ begin return 1; end $$;
  create table t (a int, name varchar);`;
const writes =
  "language plpgsql immutable as $$ begin execute 'insert into called values (1)'; return null; end $$";

interface Change {
  readonly name: string;
  readonly setup?: string;
  readonly sql: string;
  readonly change: string;
  readonly says?: RegExp;
}

const changes: readonly Change[] = [
  {
    name: "a function gets another body",
    sql: "select f(1)",
    change: `create or replace function f(int) returns int ${writes}`,
  },
  {
    name: "a function becomes SECURITY DEFINER",
    sql: "select f(1)",
    change: "alter function f(int) security definer",
    says: /SECURITY DEFINER/,
  },
  {
    name: "a function gets a setting",
    sql: "select f(1)",
    change: "alter function f(int) set session_replication_role = replica",
    says: /session_replication_role/,
  },
  {
    name: "a function that a function calls gets another body",
    setup: "create function outer_f() returns int language sql as 'select f(1)'",
    sql: "select outer_f()",
    change: `create or replace function f(int) returns int ${writes}`,
  },
  {
    name: "a function that fits better than the built-in one",
    sql: "select lower(name) from t",
    change: `create function lower(varchar) returns text ${writes}`,
  },
  {
    name: "a function with an argument's name",
    sql: "select lower(x => name) from t",
    setup: "create function lower(x text, y int default 1) returns text language sql as 'select $1'",
    change: `create or replace function lower(x varchar) returns text ${writes}`,
  },
  {
    name: "a function that a column's name calls",
    sql: "select t.a, t.total from (select * from t) as t(a, total)",
    change: `create function total(t) returns int ${writes}`,
  },
  {
    name: "an operator on the path",
    sql: "select * from t where name = 'x'",
    change: `create function same(varchar, varchar) returns boolean ${writes};
      create operator = (leftarg = varchar, rightarg = varchar, procedure = same)`,
  },
  {
    name: "an operator that is not written",
    sql: "select distinct name from t order by name",
    change: `create function less(varchar, varchar) returns boolean ${writes};
      create operator < (leftarg = varchar, rightarg = varchar, procedure = less)`,
  },
  {
    name: "an implicit cast",
    setup: "create type pair as (a int, b int); create table p (x pair)",
    sql: "select x from p",
    change:
      `create function number(pair) returns int ${writes}; create cast (pair as int) with function number(pair) as implicit`,
  },
  {
    name: "a view is defined anew",
    setup: "create view v as select a from t",
    sql: "select * from v",
    change: `create function w() returns int ${writes}; create or replace view v as select w() as a`,
  },
  {
    name: "a table gives its place to a view",
    sql: "select a from t",
    change:
      `create function w() returns int ${writes}; alter table t rename to t2; create view t as select w() as a`,
  },
  {
    name: "row-level security begins",
    setup: `create function w() returns boolean ${writes}; create policy p on t using (w())`,
    sql: "select a from t",
    change: "alter table t enable row level security",
  },
  {
    name: "a policy",
    setup: "alter table t enable row level security",
    sql: "select a from t",
    change: `create function w() returns boolean ${writes}; create policy p on t using (w())`,
  },
  {
    name: "a policy is altered",
    setup: `create function w() returns boolean ${writes}; alter table t enable row level security;
      create policy p on t using (true)`,
    sql: "select a from t",
    change: "alter policy p on t using (w())",
  },
  {
    name: "an index on an expression",
    sql: "select a from t",
    change: `create index on t ((f(a))); create or replace function f(int) returns int ${writes}`,
  },
  {
    name: "extended statistics",
    sql: "select a from t",
    change:
      `create statistics s on (f(a)), a from t; create or replace function f(int) returns int ${writes}`,
  },
  {
    name: "a CHECK constraint",
    sql: "select a from t",
    change:
      `alter table t add check (f(a) = 1) not valid; create or replace function f(int) returns int ${writes}`,
  },
  {
    name: "an operator class becomes a type's default",
    setup: `create type mood as enum ('a', 'b'); create table moods (m mood);
      create function less(mood, mood) returns boolean ${writes};
      create function compare(mood, mood) returns int ${writes};
      create operator <<<< (leftarg = mood, rightarg = mood, procedure = less)`,
    sql: "select m from moods order by m",
    change:
      `create operator class c default for type mood using btree as operator 1 <<<<, function 1 compare(mood, mood)`,
  },
  {
    name: "a child with a foreign table",
    setup: "create extension if not exists postgres_fdw; create server s foreign data wrapper postgres_fdw",
    sql: "select a from t",
    change: "create foreign table remote () inherits (t) server s",
    says: /foreign table/,
  },
  {
    name: "a partition",
    setup:
      "create extension if not exists postgres_fdw; create server s foreign data wrapper postgres_fdw; create table parted (a int) partition by list (a)",
    sql: "select a from parted",
    change: "create foreign table part partition of parted for values in (1) server s",
    says: /foreign table/,
  },
  {
    name: "a domain's check",
    setup:
      `create domain d as int; create table with_domain (x d); create function w(int) returns boolean ${writes}`,
    sql: "select '1'::d, x from with_domain",
    change: "alter domain d add check (w(value)) not valid",
  },
  {
    name: "a column of another type",
    setup: `create function w(int) returns boolean language sql as 'select true';
      create domain d as int check (w(value)); create or replace function w(int) returns boolean ${writes}`,
    sql: "select null::t",
    change: "alter table t add column b d",
  },
  {
    name: "an aggregate's function",
    setup: `create function add(int, int) returns int language sql as 'select $1';
      create aggregate total(int) (sfunc = add, stype = int)`,
    sql: "select total(a) from t",
    change: `create or replace function add(int, int) returns int ${writes}`,
  },
  {
    name: "an extension gives a function up",
    setup: `create extension hstore; create function h(hstore) returns int language sql as 'select 1'`,
    sql: "select 'a=>1'::hstore ? 'a'",
    change:
      "alter extension hstore drop operator ? (hstore, text); alter extension hstore drop function exist(hstore, text)",
    says: /written in c/,
  },
  {
    name: "a schema on a function's own path",
    setup:
      `create function g() returns int language plpgsql set search_path = early, public as $$ begin return f(1); end $$`,
    sql: "select g()",
    change: `create schema early; create function early.f(int) returns int ${writes}`,
  },
  {
    name: "a function on a function's own path",
    setup: `create schema early;
      create function g() returns int language plpgsql set search_path = early, public as $$ begin return f(1); end $$`,
    sql: "select g()",
    change: `create function early.f(int) returns int ${writes}`,
  },
  {
    name: "a built-in family gets a function",
    setup: `create function compare(int, money) returns int ${writes}`,
    sql: "select a from t order by a",
    change: "alter operator family integer_ops using btree add function 1 (int, money) compare(int, money)",
  },
  {
    name: "a partition is attached to a table whose key calls a function",
    setup:
      `create table part (a int not null); create table parted (a int not null) partition by range (f(a))`,
    sql: "select a from part",
    change:
      `alter table parted attach partition part default; create or replace function f(int) returns int ${writes}`,
  },
  {
    name: "a composite type gets an attribute",
    setup: `create type pair as (a int); create function w(int) returns boolean language sql as 'select true';
      create domain d as int check (w(value)); create or replace function w(int) returns boolean ${writes}`,
    sql: "select null::pair",
    change: "alter type pair add attribute b d",
  },
  {
    name: "a column's domain that a function takes",
    setup: `create domain d as int; create function g(d) returns int language sql as 'select 1';
      create function w(int) returns boolean ${writes}`,
    sql: "select g(1)",
    change: "alter domain d add check (w(value)) not valid",
  },
  {
    name: "a schema takes the role's name, and $user on a function's own path finds it",
    setup: `create schema early; create function early.f(int) returns int ${writes};
      do $$ begin execute format('alter role %I in database %I set search_path = public', current_user, current_database()); end $$;
      create function g() returns int language plpgsql set search_path = "$user", public as $$ begin return f(1); end $$`,
    sql: "select g()",
    change: "do $$ begin execute format('alter schema early rename to %I', current_user); end $$",
  },
  {
    name: "an operator's negator, a shell until then",
    setup: `create function same(int, int) returns boolean language sql as 'select true';
      create function other(int, int) returns boolean ${writes};
      create operator === (leftarg = int, rightarg = int, procedure = same, negator = !==)`,
    sql: "select not (a === 1) from t",
    change: "create operator !== (leftarg = int, rightarg = int, procedure = other, negator = ===)",
  },
  {
    name: "an operator's negator's commutator",
    setup: `create function same(int, int) returns boolean language sql as 'select true';
      create function other(int, int) returns boolean ${writes};
      create operator === (leftarg = int, rightarg = int, procedure = same, negator = !==);
      create operator !== (leftarg = int, rightarg = int, procedure = same, negator = ===, commutator = =!=)`,
    sql: "select not (a === 1) from t",
    change: "create operator =!= (leftarg = int, rightarg = int, procedure = other, commutator = !==)",
  },
  {
    name: "an argument's default",
    setup: `create function w() returns int ${writes};
      create function g(x int default 1) returns int language sql as 'select $1'`,
    sql: "select g()",
    change: "create or replace function g(x int default w()) returns int language sql as 'select $1'",
  },
];

for (const { name, setup = "", sql, change, says = /EXECUTE/ } of changes) {
  Deno.test({
    name: `a verdict ends with what it stands on: ${name}`,
    ignore,
    async fn() {
      await using test = await createDatabase(`${prepare} ${setup}`, { poolSize: 1 });
      await isKept(test.database, sql);
      assert.equal(await foreseen(test.database, sql), undefined);
      await test.execute(change);
      assert.match(await foreseen(test.database, sql) ?? "was allowed", says);
      assert.match((await verdict(test.database, sql)).refusal ?? "was allowed", says);
    },
  });
}

for (
  const { name, setup, change } of [
    {
      name: "a variable's type",
      setup: `create domain d as int;
        create function g() returns int language plpgsql as $$ declare x d := 1; begin return x; end $$`,
      change: "alter domain d rename to d2; alter domain d2 add check (w(value)); create domain d as int",
    },
    {
      name: "a type that is cast to",
      setup: `create domain d as int;
        create function g() returns int language plpgsql as $$ begin return f(1)::d; end $$`,
      change: "alter domain d rename to d2; alter domain d2 add check (w(value)); create domain d as int",
    },
    {
      name: "a function that another one hides by now",
      setup: `create schema early; create function h() returns int language sql as 'select 1';
        create or replace function f(int) returns int language plpgsql as $$ begin return h(); end $$;
        create function g() returns int language plpgsql set search_path = early, public as $$ begin return f(1); end $$`,
      change: `create function early.f(int) returns int language sql as 'select 1';
        create or replace function h() returns int ${writes}`,
    },
  ]
) {
  Deno.test({
    name: `a function does not go on with what it was compiled with: ${name}`,
    ignore,
    async fn() {
      // It fails where it is called, whoever calls it.
      await using test = await createDatabase(
        `${prepare} create function w(int) returns boolean language plpgsql as $$ begin raise 'it was called'; end $$; ${setup}`,
        { poolSize: 1 },
      );
      assert.equal(await foreseen(test.database, "select g()"), undefined);
      await test.execute(change);
      assert.equal(await foreseen(test.database, "select g() as another"), undefined);
      assert.equal(await foreseen(test.database, "select g()"), undefined);
    },
  });
}

Deno.test({
  name: "nothing on a path before pg_catalog is found by the check of a verdict",
  ignore,
  async fn() {
    await using test = await createDatabase(
      `${prepare} create schema early;
       create function early.w("char") returns boolean language plpgsql as $$ begin raise 'it was called'; end $$;
       create domain early."char" as pg_catalog."char" check (early.w(value));
       do $$ begin execute format('alter role %I in database %I set search_path = early, pg_catalog, public', current_user, current_database()); end $$`,
      { poolSize: 1 },
    );
    await isKept(test.database, "select f(1)");
    await test.execute("insert into called values ('x')");
    assert.equal(await foreseen(test.database, "select f(1)"), undefined);
  },
});

Deno.test({
  name: "a verdict ends with the rights that hid a schema",
  ignore,
  async fn() {
    await using test = await createDatabase(
      `${prepare} create schema hidden; create function hidden.lower(varchar) returns text ${writes};
       create role reader_${Deno.pid} login;
       grant select on t to reader_${Deno.pid};
       do $$ begin execute format('alter role reader_${Deno.pid} in database %I set search_path = hidden, public', current_database()); end $$`,
      { poolSize: 1 },
    );
    try {
      {
        await using reader = await createReader(test, `reader_${Deno.pid}`);
        const sql = "select lower(name) from t";
        await isKept(reader.database, sql);
        await test.execute(`grant usage on schema hidden to reader_${Deno.pid}`);
        assert.match((await verdict(reader.database, sql)).refusal ?? "was allowed", /EXECUTE/);
      }
    } finally {
      await test.execute(`drop owned by reader_${Deno.pid}; drop role reader_${Deno.pid}`);
    }
  },
});

Deno.test({
  name: "a verdict ends with a transaction that had begun before",
  ignore,
  async fn(t) {
    await loadParser();
    await using own = await startOwnServer(["max_prepared_transactions = 5"], prepare);
    const change = `create or replace function f(int) returns int ${writes}`;
    const restore =
      "create or replace function f(int) returns int language plpgsql immutable as $$ begin return 1; end $$";
    const sql = "select f(1)";
    const database = own.reader("postgres", { poolSize: 1 });
    const other = await own.session("postgres", "other");
    const refused = async () =>
      assert.match((await verdict(database, sql)).refusal ?? "was allowed", /EXECUTE/);

    await t.step("and commits", async () => {
      await other.execute(`begin; ${change}`);
      // One that began later and is over already, so that the first is in the middle of the list.
      await own.execute("create table later (a int)");
      await isKept(database, sql);
      await other.execute("commit");
      await refused();
      await own.execute(restore);
    });
    await t.step("in a part of it", async () => {
      await other.execute(`begin; insert into called values ('x'); savepoint s; ${change}; release s`);
      await isKept(database, sql);
      await other.execute("commit");
      await refused();
      await own.execute(restore);
    });
    await t.step("that is prepared, and committed by another", async () => {
      await other.execute(`begin; ${change}; prepare transaction 'p'`);
      await isKept(database, sql);
      await own.execute("commit prepared 'p'");
      await refused();
      await own.execute(restore);
    });
    await t.step("and is rolled back: what passed passes", async () => {
      await other.execute(`begin; ${change}`);
      await isKept(database, sql);
      await other.execute("rollback");
      assert.equal((await verdict(database, sql)).refusal, undefined);
    });
    await t.step(
      "that changed nothing of it: what it stands on is compared, and not asked for anew",
      async () => {
        await isKept(database, sql);
        await own.execute("insert into called values ('y')");
        assert.deepEqual(await verdict(database, sql), { refusal: undefined, queries: 2 });
        assert.deepEqual(await verdict(database, sql), { refusal: undefined, queries: 0 });
      },
    );
    await other.close();
  },
});

Deno.test({
  name: "a verdict ends with the session's path, which changes without a transaction",
  ignore,
  async fn() {
    await loadParser();
    await using own = await startOwnServer(
      [],
      `${prepare} create schema early; create function early.f(int) returns int ${writes}`,
    );
    const database = own.reader("postgres", { poolSize: 1 });
    await isKept(database, "select f(1)");
    await own.execute("alter system set search_path = early, public");
    await own.execute("select pg_reload_conf()");
    const path = async () =>
      await database.read(
        { signal: new AbortController().signal },
        (transaction) => Promise.resolve(transaction.path.schemas),
      );
    await until("the setting is read", async () => (await path()).includes("early"));
    assert.match((await verdict(database, "select f(1)")).refusal ?? "was allowed", /EXECUTE/);
  },
});

Deno.test({
  name: "what no snapshot holds still is asked each time",
  ignore,
  async fn(t) {
    await loadParser();
    await using own = await startOwnServer([], prepare);
    const database = own.reader("postgres", { poolSize: 1 });
    await t.step("what other sessions run", async () => {
      const sql = "select query from pg_stat_activity";
      assert.equal((await verdict(database, sql)).refusal, undefined);
      const other = await own.session("postgres", "other");
      // No transaction number, and nothing that a snapshot shows.
      await other.execute("select 'the password is'; select 1 as a where 'password=secret' = ''");
      assert.match((await verdict(database, sql)).refusal ?? "was allowed", /holds secrets/);
      await other.close();
    });
    await t.step("settings", async () => {
      const sql = "select current_setting('cluster_name'), current_setting('archive_command')";
      assert.equal((await verdict(database, sql)).refusal, undefined);
      assert.ok((await verdict(database, sql)).queries > 0);
    });
  },
});

Deno.test({
  name: "a verdict is of one statement and one list of allowed functions",
  ignore,
  async fn() {
    await using test = await createDatabase(prepare, { poolSize: 1 });
    const ask = (sql: string, allowFunctions: readonly string[]) =>
      test.database.read(
        { signal: new AbortController().signal },
        (transaction) => authorize(inspect(sql), transaction, { allowFunctions }),
      );
    await ask("select pg_current_logfile()", ["pg_current_logfile"]);
    await ask("select pg_current_logfile()", ["pg_current_logfile"]);
    await assert.rejects(ask("select pg_current_logfile()", []), /files of the server/);
    await ask("select 1", []);
    assert.equal((await ask("select 1", [])).sql, "select 1");
    assert.equal((await ask("select  1", [])).sql, "select  1");
  },
});
