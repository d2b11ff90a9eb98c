/** Code that a stored object runs, and that its text does not show as PostgreSQL prints it: it is bound by identity. */
import assert from "@std/assert";
import { authorize, inspect } from "../../src/postgres/guard.ts";
import { CallError } from "../../src/common/errors.ts";
import { createDatabase, type TestDatabase } from "../support/test_database.ts";
import { postgresAvailable } from "../support/postgres.ts";

/** What the functions below do when they run; a name, so that a refusal tells that they were found. */
const ACTS = "language plpgsql immutable as $$ begin perform pg_advisory_lock(4242); return true; end $$";
const READS = "language plpgsql immutable as $$ begin return true; end $$";

async function refusal(test: Pick<TestDatabase, "database">, sql: string): Promise<string | undefined> {
  const limits = { maxRows: 10, cellBytes: 1000, answerBytes: 10_000 };
  try {
    await test.database.read(
      { signal: new AbortController().signal },
      async (transaction) =>
        await transaction.fetch(
          await authorize(inspect(sql), transaction, { allowFunctions: [] }),
          [],
          limits,
        ),
    );
  } catch (error) {
    if (error instanceof CallError) return `${error.kind}: ${error.message}`;
    throw error;
  }
  return undefined;
}

/** An equality of a user's own on a type that has none, or in front of PostgreSQL's own. */
const equality = (body: string) =>
  `create schema s; create function s.same(int, int) returns boolean ${body};
   create operator s.= (leftarg = int, rightarg = int, procedure = s.same, commutator = operator(s.=));
   create table t (a int); create table u (a int); insert into t values (1); insert into u values (1);
   set search_path = s, pg_catalog, public;`;
const AFTER = "; set search_path = pg_catalog, public;";

const HIDDEN: readonly (readonly [name: string, setup: (body: string) => string, sql: string])[] = [
  ...([
    ["IS DISTINCT FROM", "select a is distinct from 2 as x from public.t"],
    ["NULLIF", "select nullif(a, 2) as x from public.t"],
    ["CASE x WHEN y", "select case a when 2 then 3 end as x from public.t"],
    ["JOIN … USING", "select 1 as x from public.t join public.u using (a)"],
    ["NATURAL JOIN", "select 1 as x from public.t natural join public.u"],
    ["IN", "select a in (2, 3) as x from public.t"],
  ] as const).map(([name, query]) =>
    [
      `${name} in a view`,
      (body: string) => `${equality(body)} create view public.v as ${query} ${AFTER}`,
      "select * from v",
    ] as const
  ),
  [
    "IS DISTINCT FROM in a standard body",
    (body) =>
      `${equality(body)} create function public.f(a int) returns boolean begin atomic
         select a is distinct from 2; end ${AFTER}`,
    "select f(a) from t",
  ],
  [
    "IS DISTINCT FROM in a domain's check",
    (body) =>
      `${equality(body)} create domain public.d as int check (not (value is distinct from 2)) ${AFTER}`,
    "select a::d from t",
  ],
  [
    "IS DISTINCT FROM in a default of an argument",
    (body) =>
      `${
        equality(body)
      } create function public.f(b int, c boolean default (2 is distinct from 3)) returns boolean
         language sql as 'select c' ${AFTER}`,
    "select f(a) from t",
  ],
  [
    "IS DISTINCT FROM in an index",
    (body) => `${equality(body)} create index on public.t ((a is distinct from 2)) ${AFTER}`,
    "select * from t where (a is distinct from 2)",
  ],
  [
    "a cast that has been dropped, in a view",
    (body) =>
      `create type pair as (a int); create function how(pair) returns boolean ${body};
       create cast (pair as boolean) with function how(pair) as implicit;
       create table t (p pair); insert into t values (row(1));
       create view v as select 1 as x from t where p; drop cast (pair as boolean)`,
    "select * from v",
  ],
];

/** Two schemas with a function `step`: the session's path finds the one that only reads, a function's own the other. */
const steps = (body: string, schema = "other") =>
  `create schema "${schema}"; create function step() returns boolean language sql as 'select true';
   create function "${schema}".step() returns boolean ${body};
   create function b() returns boolean language plpgsql as $$ begin return step(); end $$;`;

const PATHS: typeof HIDDEN = [
  [
    "a view",
    (body) =>
      `${steps(body)} create view v as select public.b();
       create function run() returns boolean language sql set search_path = other as 'select * from public.v'`,
    "select run()",
  ],
  [
    "a standard body",
    (body) =>
      `${steps(body)} create function inner_one() returns boolean return public.b();
       create function run() returns boolean language sql set search_path = other as 'select public.inner_one()'`,
    "select run()",
  ],
  [
    "a policy",
    (body) =>
      `${
        steps(body)
      } create table t (a int); create policy p on t using (public.b()); alter table t enable row level security;
       create function run() returns bigint language sql set search_path = other as 'select count(*) from public.t'`,
    "select run()",
  ],
  [
    "a name that PostgreSQL cuts",
    (body) =>
      `${steps(body, "o".repeat(63))}
       create function run() returns boolean language sql set search_path = ${
        "o".repeat(70)
      } as 'select step()'`,
    "select run()",
  ],
  ...(["É", "a\u00a0b", 'a"b'] as const).map((schema) =>
    [
      `a name that only looks like another: ${JSON.stringify(schema)}`,
      (body: string) =>
        `${steps(body, schema.replace('"', '""'))} set search_path = public, pg_catalog;
         select set_config('search_path', '${schema}', false);
         create function public.run() returns boolean language sql set search_path from current as 'select step()'`,
      "select run()",
    ] as const
  ),
];

for (const [name, setup, sql] of PATHS) {
  Deno.test({
    name: `what a function with a path of its own calls is looked up there: ${name}`,
    ignore: !postgresAvailable,
    async fn() {
      await using acting = await createDatabase(setup(ACTS));
      assert.match(
        await refusal(acting, sql) ?? "was allowed",
        /^refused: .*(?:pg_advisory_lock|more than one way)/,
      );
      await using reading = await createDatabase(setup(READS));
      assert.match(await refusal(reading, sql) ?? "was allowed", /^was allowed|more than one way/);
    },
  });
}

for (const [name, setup, sql] of HIDDEN) {
  Deno.test({
    name: `what a stored object is bound to is reviewed: ${name}`,
    ignore: !postgresAvailable,
    async fn() {
      await using acting = await createDatabase(setup(ACTS));
      assert.match(await refusal(acting, sql) ?? "was allowed", /^refused: .*pg_advisory_lock/);
      await using reading = await createDatabase(setup(READS));
      assert.equal(await refusal(reading, sql), undefined);
    },
  });
}

Deno.test({
  name: "what somebody has added to an extension of their own is a user's own",
  ignore: !postgresAvailable,
  async fn(t) {
    const role = `extension_owner_${Deno.pid}`;
    await using test = await createDatabase(`create role ${role} login`);
    try {
      await test.execute(`grant create on schema public to ${role}; create table called (how text);
        do $$ begin execute 'grant create on database ' || current_database() || ' to ${role}'; end $$;
        set role ${role}; create extension hstore;
        create function how() returns boolean ${ACTS};
        create function same(hstore, int) returns boolean ${ACTS};
        create operator %% (leftarg = hstore, rightarg = int, procedure = same);
        create function ok() returns boolean ${READS};
        create view shown as select how();
        create type pair as (a int); create function cast_it(pair) returns hstore ${
        ACTS.replace("true", "null")
      };
        create cast (pair as hstore) with function cast_it(pair);
        create function checked(int) returns boolean ${ACTS}; create domain d as int check (checked(value));
        create function indexed(int) returns int language sql immutable as 'select 1';
        create table t (a int); create index on t (indexed(1));
        create or replace function indexed(int) returns int language plpgsql immutable as
          $$ begin perform pg_advisory_lock(4242); return 1; end $$;
        alter extension hstore add function how(); alter extension hstore add function same(hstore, int);
        alter extension hstore add operator %% (hstore, int); alter extension hstore add view shown;
        alter extension hstore add function ok(); alter extension hstore add type pair;
        alter extension hstore add function cast_it(pair); alter extension hstore add cast (pair as hstore);
        alter extension hstore add function checked(int); alter extension hstore add domain d;
        alter extension hstore add function indexed(int)`);
      for (
        const sql of [
          "select how()",
          "select 'a=>1'::hstore %% 1",
          "select * from shown",
          "select row(1)::pair::hstore",
          "select 1::d",
          "select * from t",
        ]
      ) {
        await t.step(sql, async () => {
          assert.match(await refusal(test, sql) ?? "was allowed", /^refused: .*pg_advisory_lock/);
        });
      }
      for (const sql of ["select ok()", "select 'a=>1'::hstore -> 'a', hstore(row(1))::text"]) {
        await t.step(sql, async () => assert.equal(await refusal(test, sql), undefined));
      }
    } finally {
      await test.execute(`reset role; drop owned by ${role} cascade; drop role ${role}`);
    }
  },
});

Deno.test({
  name: "what an extension's function in SQL calls by name is looked up where it is called",
  ignore: !postgresAvailable,
  async fn(t) {
    await using test = await createDatabase(`create table called (how text); create table place (at float8);
      insert into place values (1); create schema ext; create extension cube schema ext; set search_path = public, ext;
      do $$ begin execute 'alter database ' || current_database() || ' set search_path = public, ext'; end $$;
      create extension earthdistance schema ext version '1.1'`);
    const sql = [
      "select ext.gc_to_sec(at) from place",
      "select ext.earth_distance(ext.ll_to_earth(1, 2), ext.ll_to_earth(1, 3))",
    ];
    const refused = async (each: string) =>
      assert.match(await refusal(test, each) ?? "was allowed", /^refused: .*pg_advisory_lock/);
    const allowed = async (each: string) => assert.equal(await refusal(test, each), undefined);
    await t.step("as it comes", async () => {
      for (const each of sql) await allowed(each);
    });
    await test.execute(
      `set search_path = public, pg_catalog; create function public.times(int, float8) returns float8
        language plpgsql immutable as $$ begin perform pg_advisory_lock(4242); return $1; end $$;
      create operator public.* (leftarg = int, rightarg = float8, procedure = public.times)`,
    );
    await t.step("an operator on the path that fits better", async () => {
      for (const each of sql) await refused(each);
    });
    await test.execute(`drop operator public.* (int, float8); create function public.earth() returns float8
        language plpgsql immutable as $$ begin perform pg_advisory_lock(4242); return 1; end $$`);
    await t.step("a function on the path that comes first", async () => {
      for (const each of sql) await refused(each);
    });
  },
});
