/** The guard's first layer, which needs neither a server nor a permission but reading its parser's WebAssembly. */
import assert from "@std/assert";
import fc from "fast-check";
import { CallError } from "../../src/common/errors.ts";
import { readQuery } from "../../src/postgres/body.ts";
import { authorize, GuardedStatement, inspect, passedBefore } from "../../src/postgres/guard.ts";
import { loadParser } from "../../src/postgres/parser.ts";
import { Verdicts } from "../../src/postgres/verdicts.ts";
import { readStatement } from "../../src/postgres/statement.ts";
import { ALLOWED, ALLOWED_TO_SUPERUSER } from "./corpus/allow.ts";
import { REFUSED_BY_CATALOGUE, REFUSED_BY_PARSE } from "./corpus/refuse.ts";

/** The parser can't be loaded where the cache must not be read: these tests are then skipped by name. */
const loaded = await loadParser().then(() => true, (error) => {
  if (
    error instanceof Deno.errors.NotCapable ||
    Deno.permissions.querySync({ name: "read" }).state !== "granted"
  ) {
    return false;
  }
  throw error;
});

function test(name: string, fn: () => void | Promise<void>): void {
  Deno.test({ name: name.slice(0, 150), ignore: !loaded, fn });
}

function refusal(sql: string, read: (sql: string) => unknown = inspect): CallError | undefined {
  try {
    read(sql);
  } catch (error) {
    if (error instanceof CallError) return error;
    throw error;
  }
  return undefined;
}

const commands: readonly (readonly [sql: string, name: string])[] = [
  ["create index on t (a)", "CREATE INDEX"],
  ["create or replace view v as select 1", "CREATE VIEW"],
  ["create table t (a int)", "CREATE TABLE"],
  ["create table t as select 1", "CREATE TABLE"],
  ["create materialized view v as select 1", "CREATE MATERIALIZED VIEW"],
  ["create sequence s", "CREATE SEQUENCE"],
  ["create type t as enum ('a')", "CREATE TYPE"],
  ["create aggregate a(int) (sfunc = f, stype = int)", "CREATE AGGREGATE"],
  ["create procedure p() language sql as 'select 1'", "CREATE PROCEDURE"],
  ["create function f() returns int language sql as 'select 1'", "CREATE FUNCTION"],
  ["create database d", "CREATE DATABASE"],
  ["alter table t add x int", "ALTER TABLE"],
  ["alter table t rename a to b", "ALTER TABLE"],
  ["alter table t rename to u", "ALTER TABLE"],
  ["alter table t rename constraint a to b", "ALTER TABLE"],
  ["alter view v set schema s", "ALTER VIEW"],
  ["alter function f() owner to x", "ALTER FUNCTION"],
  ["alter index i set (fillfactor = 9)", "ALTER INDEX"],
  ["alter system set work_mem = 1", "ALTER SYSTEM"],
  ["drop table t", "DROP TABLE"],
  ["drop foreign table t", "DROP FOREIGN TABLE"],
  ["drop materialized view v", "DROP MATERIALIZED VIEW"],
  ["drop database d", "DROP DATABASE"],
  ["truncate t", "TRUNCATE"],
  ["grant select on t to x", "GRANT"],
  ["revoke select on t from x", "REVOKE"],
  ["grant a to b", "GRANT"],
  ["revoke a from b", "REVOKE"],
  ["vacuum t", "VACUUM"],
  ["analyze t", "ANALYZE"],
  ["checkpoint", "CHECKPOINT"],
  ["refresh materialized view v", "REFRESH MATERIALIZED VIEW"],
  ["reindex table t", "REINDEX"],
];
for (const [sql, name] of commands) {
  test(`a refused command has the name that the user gave it: ${sql}`, () => {
    assert.equal(
      refusal(sql)?.message,
      `Cannot run the statement as ${name} is not on the list of what only reads`,
    );
  });
}

for (const sql of REFUSED_BY_PARSE) {
  test(`refused: ${sql}`, () => {
    const error = refusal(sql);
    if (error === undefined) throw new assert.AssertionError({ message: "was allowed" });
    assert.match(error.message, /^Cannot .*[^.]$/);
    assert.ok(error.hint !== undefined);
  });
}

for (const sql of [...ALLOWED, ...ALLOWED_TO_SUPERUSER]) {
  test(`allowed: ${sql}`, () => assert.equal(inspect(sql).sql, sql));
}

test("allowed: many signs, where they are not in a row, and signs that do not print", () => {
  for (
    const sql of [
      `select '${"-".repeat(5_000)}', '${"+---".repeat(300)}' -- ${"=".repeat(5_000)}`,
      `select ${"- + ".repeat(200)} 1, '${"+".repeat(900)}'`,
      `/* ${"-".repeat(10_000)} */ select 1`,
      `select '\x01\x1f', '${"a".repeat(3_000)}'`,
      `${`/${"*".repeat(78)}/\n-- ${"/".repeat(80)}\n/* a */ -- +${"-".repeat(30)}+\n`.repeat(130)} select 1`,
    ]
  ) assert.equal(inspect(sql).sql, sql);
});

/** Bytes that a caller's statement may have. */
const limit = 32 * 1024;
for (
  const [name, sql] of [
    ["10 MB", `select '${"x".repeat(10_000_000)}'`],
    ["a byte too many", `select '${"x".repeat(limit - 8)}'`],
    ["characters of three bytes", `select '${"€".repeat(11_000)}'`],
    ["a list of 17,000 items", `select 1 where 1 in (1${",1".repeat(17_000)})`],
  ] as const
) {
  test(`too long: ${name}`, () => {
    const error = refusal(sql);
    assert.equal(error?.kind, "refused");
    assert.equal(error?.message, "Cannot run the statement as it is longer than 32 KiB");
    assert.match(error?.hint ?? "", /as parameters/);
  });
}
test("too long: what is stored may be longer, and ends somewhere, too", () => {
  const list = (items: number) => `select 1${",1".repeat(items)}`;
  assert.equal(inspect(`select '${"x".repeat(limit - 9)}'`).kind, "select");
  assert.equal(readQuery(list(60_000)).functions.length, 0);
  assert.throws(() => readQuery(list(140_000)), /Cannot read the text as it is longer than 256 KiB/);
});

/** As a stored text may hold it. */
const BAD: readonly [string, string, CallError["kind"], RegExp][] = [
  ["an empty text", "", "invalid", /empty/],
  ["white space", " \n\t ", "invalid", /empty/],
  ["only a comment", "-- nothing", "invalid", /none/],
  ["only semicolons", ";;", "invalid", /none/],
  ["a NUL", "select 1\0", "invalid", /NUL/],
  ["a NUL in a literal", "select '\0; drop table users'", "invalid", /NUL/],
  ["a surrogate that stands alone", "select '\ud800'", "invalid", /surrogate/],
  ["100,000 parentheses", `select ${"(".repeat(100_000)}1${")".repeat(100_000)}`, "refused", /levels/],
  ["100,000 open parentheses", `select ${"(".repeat(100_000)}`, "refused", /levels/],
  ["100,000 brackets", `select a${"[".repeat(100_000)}`, "refused", /levels/],
  ["100,000 operators", `select 1${"+1".repeat(100_000)}`, "refused", /levels/],
  ["50,000 prefix operators", `select ${"- ".repeat(50_000)}1`, "refused", /levels/],
  [
    "10,000 plus signs, which the lexer reads as often",
    `select 1 ${"+".repeat(10_000)} 1`,
    "refused",
    /signs/,
  ],
  [
    "runs of plus and minus",
    `select ${"1 +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+ ".repeat(4_000)} 1`,
    "refused",
    /signs/,
  ],
  [
    "a comment in 60,000 others",
    `select 1 ${"/*".repeat(60_000)}${"*/".repeat(60_000)}`,
    "refused",
    /comments/,
  ],
  [
    "comments that end and begin",
    `select 1 ${"/*/ */+".repeat(3_000)}${"*//".repeat(20_000)}`,
    "refused",
    /comments/,
  ],
  ["signs between comments", `select 1 ${"++++++++++/**/".repeat(9_000)}`, "refused", /signs/],
  [
    "a long text without an end",
    `select '${"x".repeat(3_000)}`,
    "invalid",
    /unterminated quoted string at or near "'x{59}…"$/,
  ],
  [
    "a long text with an operator that is too long",
    `select ${"1, ".repeat(1_000)}1 ${"<".repeat(70)} 1`,
    "invalid",
    /operator too long/,
  ],
  ["20,000 casts", `select 1${"::int".repeat(20_000)}`, "refused", /levels/],
  ["10,000 calls", `select ${"f(".repeat(10_000)}1${")".repeat(10_000)}`, "refused", /levels/],
  ["5,000 subqueries", `select ${"(select ".repeat(5_000)}1${")".repeat(5_000)}`, "refused", /levels/],
  ["5,000 CASE", `select ${"case when 1 then ".repeat(5_000)}1${" end".repeat(5_000)}`, "refused", /levels/],
  [
    "5,000 CASE in conditions",
    `select ${"case when ".repeat(5_000)}true${" then true end".repeat(5_000)}`,
    "refused",
    /levels/,
  ],
  ["5,000 set operations", `select 1${" union select 1".repeat(5_000)}`, "refused", /levels/],
  ["5,000 joins", `select 1 from a${" join a on true and true".repeat(5_000)}`, "refused", /levels/],
  ["keywords as names, so as to hide depth", `select 1${"+ x.and".repeat(20_000)}`, "refused", /levels/],
  [
    "END as a name, so as to hide depth",
    `select ${"(x.end + ".repeat(5_000)}1${")".repeat(5_000)}`,
    "refused",
    /levels/,
  ],
  ["a syntax error", "select 1 frm x y", "invalid", /syntax error at or near "x"/],
  // Tried from each of them to the end anew, these take minutes.
  [
    "a syntax error before 200,000 spaces",
    `select 1 frm${" ".repeat(200_000)}x y`,
    "invalid",
    /syntax error/,
  ],
  ["an open string", "select 'abc", "invalid", /unterminated quoted string/],
  ["an open dollar quote", "select $a$ b", "invalid", /unterminated/],
  ["an open comment", "select 1 /* b", "invalid", /unterminated/],
  ["psql's own commands", "\\! id", "invalid", /syntax error/],
];
for (const [name, sql, kind, message] of BAD) {
  test(`bad input: ${name}`, () => {
    const error = refusal(sql, readStatement);
    assert.equal(error?.kind, kind);
    assert.match(error?.message ?? "", message);
    assert.ok((error?.message.length ?? 0) < 300);
  });
}

const LARGE: readonly [string, string][] = [
  ["15,000 items in a list", `select 1 where 1 in (1${",1".repeat(14_999)})`],
  ["3,000 conditions", `select 1 where a = 1${" or a = 1".repeat(3_000)}`],
  ["500 UNION ALL", `select 1${" union all select 1".repeat(500)}`],
  ["200 nested calls", `select ${"f(".repeat(200)}1${")".repeat(200)}`],
  ["2,000 rows of VALUES", `values (1, 'a')${", (1, 'a')".repeat(2_000)}`],
  ["a literal of 30 kB", `select '${"x".repeat(30_000)}'`],
];
for (const [name, sql] of LARGE) {
  test(`large but flat: ${name}`, () => assert.equal(inspect(sql).kind, "select"));
}

test("a syntax error tells where", () => {
  const error = refusal("select 'é', 1 frm x y z");
  assert.match(error?.hint ?? "", /^At character 19: /);
});

test("the parser still works after all of that", () => {
  assert.deepEqual(inspect("select a from b").references.relations.map(({ name }) => name), ["b"]);
});

test("only the guard makes a guarded statement", () => {
  // deno-lint-ignore no-explicit-any -- what a caller without types could try
  assert.throws(() => new (GuardedStatement as any)(Symbol(), "delete from users", "select"), TypeError);
});

test("only what was inspected is authorized", async () => {
  const forged = { ...inspect("select 1"), sql: "delete from users" };
  const catalogue = { query: () => Promise.resolve([]) };
  await assert.rejects(authorize(forged, catalogue, { allowFunctions: [] }), TypeError);
  assert.throws(() => passedBefore(forged, new Verdicts(), { allowFunctions: [] }), TypeError);
});

const SCOPES: readonly [string, string[]][] = [
  ["with a as (select 1) select * from a", []],
  ["with a as (select * from a) select * from a", ["a"]],
  ["with recursive a as (select * from a) select * from a", []],
  ["with a as (select * from b), b as (select 1) select * from a", ["b"]],
  ["with recursive a as (select * from b), b as (select 1) select * from a", []],
  ["with a as (select 1) select * from public.a", ["a"]],
  ["select * from (with a as (select 1) select * from a) x, a", ["a"]],
  ["with a as (select 1) select (select 1 from a), exists (select from (select * from a) x)", []],
  ["(with a as (select 1) select * from a) union select * from a", ["a"]],
  ["with a as (select 1) (select * from a) union select * from a", []],
  ["with a as (with b as (select 1) select * from b) select * from a, b", ["b"]],
];
for (const [sql, relations] of SCOPES) {
  test(`which names are relations: ${sql}`, () => {
    assert.deepEqual(inspect(sql).references.relations.map(({ name }) => name), relations);
  });
}

test("whatever is done to a statement, it is a SELECT or refused by a CallError", () => {
  const corpus = [...ALLOWED, ...REFUSED_BY_PARSE, ...REFUSED_BY_CATALOGUE];
  const piece = fc.constantFrom(
    "'",
    '"',
    "$$",
    "$a$",
    "/*",
    "*/",
    "--",
    "\n",
    ";",
    "(",
    ")",
    "\\",
    "E'",
    "U&'",
    "\0",
    "\ud800",
    "\u2028",
    "é",
    " delete from users ",
    " into x ",
    " for update ",
    " with d as (delete from users returning 1) ",
    "; commit; ",
    " union ",
    "$1",
    "{}",
    "[",
    "::",
    " end ",
    " case ",
  );
  const mutated = fc.tuple(
    fc.constantFrom(...corpus),
    fc.array(fc.tuple(fc.nat(), piece, fc.nat(6)), { maxLength: 4 }),
  )
    .map(([sql, edits]) =>
      edits.reduce((text, [at, insert, remove]) => {
        const position = at % (text.length + 1);
        return text.slice(0, position) + insert + text.slice(position + remove);
      }, sql)
    );
  fc.assert(
    fc.property(mutated, (sql) => {
      const error = refusal(sql);
      if (error !== undefined) return;
      const { kind, references } = inspect(sql);
      assert.match(kind, /^(select|explain|show)$/);
      for (const node of references.nodes) {
        assert.doesNotMatch(node, /^(Insert|Update|Delete|Merge)|IntoClause|LockingClause/);
      }
    }),
    { seed: 20260101, numRuns: 3_000, interruptAfterTimeLimit: 60_000, markInterruptAsFailure: true },
  );
});

test("random text never throws anything else", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
      refusal(text);
      refusal(`select ${text}`);
    }),
    { seed: 20260102, numRuns: 2_000, interruptAfterTimeLimit: 60_000, markInterruptAsFailure: true },
  );
});
