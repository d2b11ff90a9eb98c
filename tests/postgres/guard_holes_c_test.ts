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
