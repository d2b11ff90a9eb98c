/** What newer servers alone know, and could run code of a user's own that the statement does not name. */
import assert from "@std/assert";
import { CallError } from "../../src/common/errors.ts";
import { isHarmless, refusedReason } from "../../src/postgres/functions.ts";
import { queryDatabase } from "../../src/postgres/query_database.ts";
import { postgresAvailable, sharedPostgres } from "../support/postgres.ts";
import { createDatabase, type TestDatabase } from "../support/test_database.ts";
import { callTool } from "../support/tools.ts";

const WRITE =
  "language plpgsql immutable as $$ begin execute 'insert into called values (1)'; return null; end $$";

async function outcome({ database }: TestDatabase, sql: string): Promise<string> {
  try {
    const { structured } = await callTool(queryDatabase(database, { maxRows: 10, allowFunctions: [] }), {
      sql,
    });
    return JSON.stringify(structured.rows);
  } catch (error) {
    if (error instanceof CallError) return `${error.kind}: ${error.message}`;
    throw error;
  }
}

/** Whether the real server is of that version or a later one. */
async function serverIs(major: number): Promise<boolean> {
  return (await sharedPostgres()).version >= major * 10_000;
}

Deno.test({
  name: "x.f where x is the name that JSON_TABLE has without an alias, from 17 on",
  ignore: !postgresAvailable,
  async fn() {
    if (!await serverIs(17)) return;
    await using test = await createDatabase(`create table called (how int); create table pt (ev text);
      insert into pt values ('kept'); create function ev(record) returns text ${WRITE}`);
    const table = `json_table('["x"]', '$[*]' columns (b text path '$'))`;
    const named = (alias: string) =>
      `select (select "json_table".ev from ${table} ${alias}) from pt as "json_table"`;
    // It is the call that is meant, and not the column.
    assert.match(await outcome(test, named("")), /^refused: .*EXECUTE/);
    assert.equal(await outcome(test, named("as other")), '[["kept"]]');
    assert.equal(await outcome(test, `select b from ${table}`), '[["x"]]');
  },
});

Deno.test({
  name: "a virtual generated column calls nothing that would be refused, from 18 on",
  ignore: !postgresAvailable,
  async fn() {
    if (!await serverIs(18)) return;
    await using test = await createDatabase(
      `create table called (how int); create function g(int) returns int ${WRITE};
      create operator @@+@@ (leftarg = int, rightarg = int, procedure = int4pl);
      create domain checked as int check (g(value) is null);
      create table doubled (a int, twice int generated always as (a * 2) virtual); insert into doubled values (4)`,
    );
    assert.equal(await outcome(test, "select twice from doubled"), `[["8"]]`);
    // The server takes neither a function of a user's nor a type; one that is built in has to be immutable.
    for (const [type, expression] of [["int", "g(a)"], ["checked", "a"], ["int", "a::checked"]]) {
      await assert.rejects(
        test.execute(`create table t (a int, b ${type} generated always as (${expression}) virtual)`),
        /user-defined|cannot have a domain/,
      );
    }
    await assert.rejects(
      test.execute("create table t (a text, b text generated always as (pg_read_file(a)) virtual)"),
      /is not immutable/,
    );
  },
});

/** Immutable and built in, it calls a function of a user's all the same: of a partition key's operator class. */
const PARTITION = "satisfies_hash_partition('parted'::regclass, 1, 0, 5)";
const PARTED = `create table called (how int);
  create function part_hash(int, bigint) returns bigint language sql immutable as 'select 1::bigint';
  create operator class part_ops for type int using hash as operator 1 =, function 2 part_hash(int, bigint);
  create table parted (a int) partition by hash (a part_ops)`;

const stored: readonly (readonly [string, number, string])[] = [
  ["the predicate of an index", 14, `create table t (a int); create index on t (a) where ${PARTITION}`],
  ["the expression of an index", 14, `create table t (a int); create index on t ((${PARTITION}))`],
  ["a check", 14, `create table t (a int check (${PARTITION}))`],
  ["a virtual column", 18, `create table t (a int, b boolean generated always as (${PARTITION}) virtual)`],
];
for (const [name, since, table] of stored) {
  Deno.test({
    name: `what calls a user's function though it is built in is reviewed: ${name}`,
    ignore: !postgresAvailable,
    async fn() {
      if (!await serverIs(since)) return;
      await using test = await createDatabase(`${PARTED}; ${table};
        create or replace function part_hash(int, bigint) returns bigint ${WRITE}`);
      assert.match(
        await outcome(test, "select * from t where a > 3"),
        /^refused: .*satisfies_hash_partition/,
      );
    },
  });
}

Deno.test({
  name: "each volatile function that the server brings is known to act, or to only read",
  ignore: !postgresAvailable,
  async fn() {
    await using test = await createDatabase("");
    // With an argument of type internal, or as a trigger, SQL can't call it.
    const rows = await test.database.read(
      { signal: AbortSignal.timeout(30_000) },
      (transaction) =>
        transaction.query(
          `select p.proname as name, p.pronargs::text as inputs, p.oid::regprocedure::text as shown
        from pg_catalog.pg_proc p
        where p.provolatile = 'v' and p.pronamespace = 'pg_catalog'::regnamespace
          and not 'internal'::regtype = any (p.proargtypes::oid[])
          and p.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)`,
        ),
    );
    assert.ok(rows.length > 100);
    const isKnown = (name: string, inputs: number) =>
      isHarmless(name) !== (refusedReason(name, inputs) !== undefined);
    assert.deepEqual(
      rows.filter(({ name, inputs }) => !isKnown(name ?? "", Number(inputs))).map(({ shown }) => shown),
      [],
    );
  },
});
