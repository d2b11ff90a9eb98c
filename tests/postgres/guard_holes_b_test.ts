/** Code of a user's own that runs though the statement does not name it: the guard must look where PostgreSQL does. */
import assert from "@std/assert";
import { authorize, inspect } from "../../src/postgres/guard.ts";
import { CallError } from "../../src/common/errors.ts";
import { createDatabase, createReader, type TestDatabase } from "../support/test_database.ts";
import { postgresAvailable } from "../support/postgres.ts";

/** Functions that only read when something is built on them; `PLANT` gives them another body. */
const PREPARE = `create table called (how text);
  create function g(int) returns int language plpgsql immutable as $$ begin return 1; end $$;
  create function pure(int) returns int language plpgsql immutable as $$ begin return 1; end $$;`;

const PLANT = `create or replace function g(int) returns int language plpgsql immutable as
  $$ begin execute 'insert into called values (''g'')'; return 1; end $$;`;

/** What `PLANT` does, for functions of other signatures. */
const WRITE =
  "language plpgsql immutable as $$ begin execute 'insert into called values (1)'; return null; end $$";

async function refusal(test: Pick<TestDatabase, "database">, sql: string): Promise<string | undefined> {
  try {
    await test.database.read(
      { signal: new AbortController().signal },
      (transaction) => authorize(inspect(sql), transaction, { allowFunctions: [] }),
    );
  } catch (error) {
    if (error instanceof CallError) return `${error.kind}: ${error.message}`;
    throw error;
  }
  return undefined;
}

interface Case {
  readonly name: string;
  /** With FUNCTION for a function of one integer; from 17 on an index is built with pg_catalog alone on the path. */
  readonly setup: string;
  readonly sql: string;
}

const BUILT: readonly Case[] = [
  {
    name: "an index expression",
    setup: "create table t (a int); create index on t ((a + FUNCTION(1)))",
    sql: "select * from t",
  },
  {
    name: "an index predicate",
    setup: "create table t (a int); create index on t (a) where a > FUNCTION(1)",
    sql: "select * from t where a > 2",
  },
  {
    name: "extended statistics",
    setup: "create table t (a int); create statistics s on (a + FUNCTION(1)) from t",
    sql: "select * from t",
  },
  {
    name: "a CHECK constraint",
    setup: "create table t (a int check (a > FUNCTION(1)))",
    sql: "select count(*) from t where a = 0",
  },
  {
    name: "a CHECK constraint of a child",
    setup: "create table t (a int); create table child (check (a > FUNCTION(1))) inherits (t)",
    sql: "select * from t where a = 0",
  },
  {
    name: "an index of a partition",
    setup:
      "create table t (a int) partition by range (a); create table p partition of t default; create index on p ((a + FUNCTION(1)))",
    sql: "select * from t",
  },
  {
    name: "a partition key",
    setup:
      "create table t (a int) partition by range ((a + FUNCTION(1))); create table p partition of t default",
    sql: "select * from t",
  },
  {
    name: "the partition key of a partition's parent",
    setup:
      "create table t (a int) partition by range ((a + FUNCTION(1))); create table p partition of t default",
    sql: "select * from p where a = 1",
  },
  {
    name: "an index of a table behind a view",
    setup: "create table t (a int); create index on t ((a + FUNCTION(1))); create view v as select a from t",
    sql: "select * from v",
  },
  {
    name: "an index of a materialized view",
    setup: "create materialized view m as select 1 as a; create index on m ((a + FUNCTION(1)))",
    sql: "select * from m",
  },
  {
    name: "an operator in an index expression",
    setup: `create function two(int, int) returns int language sql immutable as 'select FUNCTION($1)';
      create operator @@+@@ (leftarg = int, rightarg = int, procedure = two);
      create table t (a int); create index on t ((a @@+@@ 1))`,
    sql: "select * from t",
  },
];

for (const { name, setup, sql } of BUILT) {
  Deno.test({
    name: `what planning evaluates is reviewed: ${name}`,
    ignore: !postgresAvailable,
    async fn() {
      await using planted = await createDatabase(
        `${PREPARE} ${setup.replaceAll("FUNCTION", "public.g")}; ${PLANT}`,
      );
      assert.match(await refusal(planted, sql) ?? "was allowed", /^refused: .*EXECUTE/);
      await using pure = await createDatabase(`${PREPARE} ${setup.replaceAll("FUNCTION", "public.pure")}`);
      assert.equal(await refusal(pure, sql), undefined);
    },
  });
}

/** Each calls a function that writes; the second statement, where there is one, does not. */
const PLANTED: readonly (Case & { readonly allowed?: string })[] = [
  {
    name: "an argument's name chooses a function behind pg_catalog",
    setup: `create function lower(x text) returns text ${WRITE}`,
    sql: "select lower(x => 'A')",
    allowed: "select lower('A')",
  },
  {
    name: "an operator on an extension's type",
    setup: `create extension hstore; create function hp(hstore, hstore) returns hstore ${WRITE};
      create operator + (leftarg = hstore, rightarg = hstore, procedure = hp)`,
    sql: "select 'a=>1'::hstore + 'b=>1'::hstore",
  },
  {
    name: "a cast to an extension's type",
    setup: `create extension hstore; create function ch(int) returns hstore ${WRITE};
      create cast (int as hstore) with function ch(int)`,
    sql: "select 1::hstore",
    allowed: "select 1::text",
  },
  ...[
    ["coalesce", "coalesce('c'::text)"],
    ["text", "cast('c' as text)"],
    ["greatest", "greatest('c'::text)"],
    ["nullif", "nullif('c'::text, 'd')"],
    ["current_user", "current_user"],
  ].map(([alias = "", range = ""]) => ({
    name: `x.f where x is a made-up name: ${alias}`,
    setup: `create table pt (ev text); create function ev(text) returns text ${WRITE};
      create function ev(name) returns text ${WRITE}`,
    sql: `select (select "${alias}".ev from ${range}) from pt as "${alias}"`,
    allowed: `select (select "${alias}".ev from lower('c') as x) from pt as "${alias}"`,
  })),
  {
    name: "x.f where x is the name of xmltable",
    setup: `create table pt (ev text); create function ev(text) returns text ${WRITE}`,
    sql:
      `select (select "xmltable".ev from xmltable('/a' passing ('<a/>'::xml) columns b text)) from pt as "xmltable"`,
  },
  {
    name: "an aggregate's state with a check",
    setup:
      `create domain state as int; create function step(state, int) returns state language sql immutable as 'select $1';
      create aggregate total(int) (sfunc = step, stype = state);
      create function bad(int) returns boolean ${WRITE}; alter domain state add check (bad(value))`,
    sql: "select total(1)",
    allowed: "select sum(1)",
  },
  {
    name: "a default class of a composite type with an equality of another name",
    setup: `create type pair as (a int); create function same(pair, pair) returns boolean ${WRITE};
      create operator === (leftarg = pair, rightarg = pair, procedure = same);
      create function pair_hash(pair) returns int language sql immutable as 'select 1';
      create operator class pair_ops default for type pair using hash as operator 1 ===, function 1 pair_hash(pair);
      create table t (p pair)`,
    sql: "select distinct p from t",
    allowed: "select 1",
  },
  {
    name: "a default class of a user's for a built-in type",
    setup: `create function same(json, json) returns boolean ${WRITE};
      create operator === (leftarg = json, rightarg = json, procedure = same);
      create function json_hash(json) returns int language sql immutable as 'select 1';
      create operator class json_ops default for type json using hash as operator 1 ===, function 1 json_hash(json)`,
    sql: "select '{}'::json group by 1",
  },
  {
    name: "a range's own operator class",
    setup: `create function compare(int, int) returns int language sql immutable as 'select 1';
      create operator class int_range_ops for type int using btree as operator 1 <, operator 2 <=, operator 3 =,
        operator 4 >=, operator 5 >, function 1 compare(int, int);
      create type my_range as range (subtype = int, subtype_opclass = int_range_ops);
      create or replace function compare(int, int) returns int ${WRITE}`,
    sql: "select '[1,2)'::my_range",
    allowed: "select int4range(1, 2)",
  },
  ...[
    ["by hash, read", "select * from t where a = 1"],
    ["by hash, its partition read", "select * from p"],
  ].map(([name = "", sql = ""]) => ({
    name: `a partition key's operator class: ${name}`,
    setup:
      `create function part_hash(int, bigint) returns bigint language sql immutable as 'select 1::bigint';
      create operator class part_ops for type int using hash as operator 1 =, function 2 part_hash(int, bigint);
      create table t (a int) partition by hash (a part_ops);
      create table p partition of t for values with (modulus 1, remainder 0);
      create or replace function part_hash(int, bigint) returns bigint ${WRITE}`,
    sql,
    allowed: "select * from called",
  })),
  {
    name: "an operator class of a partition's index",
    setup: `create function compare(int, int) returns int language sql immutable as 'select 1';
      create operator class index_ops for type int using btree as operator 1 <, operator 2 <=, operator 3 =,
        operator 4 >=, operator 5 >, function 1 compare(int, int);
      create table t (a int) partition by range (a); create table p partition of t default;
      create index on p (a index_ops); create or replace function compare(int, int) returns int ${WRITE}`,
    sql: "select * from t",
    allowed: "select * from called",
  },
];

for (const { name, setup, sql, allowed } of PLANTED) {
  Deno.test({
    name: `what runs without its name is reviewed: ${name}`,
    ignore: !postgresAvailable,
    async fn() {
      await using test = await createDatabase(`create table called (how text); ${setup}`);
      assert.match(await refusal(test, sql) ?? "was allowed", /^refused: .*EXECUTE/);
      if (allowed !== undefined) assert.equal(await refusal(test, allowed), undefined);
    },
  });
}

Deno.test({
  name: "a schema in a function's own path counts only if the role may use it",
  ignore: !postgresAvailable,
  async fn() {
    const role = `path_reader_${Deno.pid}`;
    await using test = await createDatabase(`create role ${role} login; create table called (how text);
      create schema closed; create schema open;
      create function closed.step() returns int language sql as 'select 1';
      create function open.step() returns int ${WRITE}; grant usage on schema open to ${role};
      create function run() returns int language plpgsql set search_path = closed, open as $$ begin return step(); end $$;`);
    try {
      await using reader = await createReader(test, role);
      assert.match(await refusal(reader, "select run()") ?? "was allowed", /^refused: .*EXECUTE/);
      await test.execute(`grant usage on schema closed to ${role}`);
      assert.equal(await refusal(reader, "select run()"), undefined);
    } finally {
      await test.execute(`drop owned by ${role}; drop role ${role}`);
    }
  },
});

Deno.test({
  name: "many partitions, each with a check of its own, are read with one look",
  ignore: !postgresAvailable,
  async fn() {
    const partitions = (count: number) =>
      `do $$ begin for i in 1..${count} loop execute format(
        'create table p%1$s partition of t (check (a <> %1$s + pure(1))) for values from (%1$s) to (%1$s + 1)', i);
      end loop; end $$`;
    const table = "create table t (a int) partition by range (a)";
    await using test = await createDatabase(`${PREPARE} ${table}; ${partitions(300)}`);
    assert.equal(await refusal(test, "select * from t"), undefined);
    await using more = await createDatabase(`${PREPARE} ${table}; ${partitions(501)}`);
    assert.match(await refusal(more, "select * from t") ?? "was allowed", /more than 500 expressions/);
    assert.equal(await refusal(more, "select * from p7"), undefined);
  },
});
