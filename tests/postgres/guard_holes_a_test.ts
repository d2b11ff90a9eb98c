/** The guard where code or secrets hide from the parse tree: plpgsql records, input functions, quoted names, statistics. */
import assert from "@std/assert";
import { callsRowtype, defaultsOf } from "../../src/postgres/declarations.ts";
import { allowedNames, isAllowed } from "../../src/postgres/allowed_functions.ts";
import { loadParser } from "../../src/postgres/parser.ts";
import { connect, guard, onServer, reading, refusal, step } from "./corpus/server.ts";

const HARM = "trap.next()";

/** Declarations and bodies of a function that returns `integer`; `%` is where the harm stands. */
const PLACES: readonly (readonly [name: string, declared: string, body?: string])[] = [
  ["a record", "r record := row(%);"],
  ["a record with =", "r record = row(%);"],
  ["a record with DEFAULT", "r record DEFAULT row(%);"],
  ["a constant record", "r constant record not null default row(%);"],
  ["a table's row", "r public.odd := row(%, 'x');"],
  ["%rowtype", "r public.odd%rowtype := row(%, 'x');"],
  ["% rowtype, spread", "r public.odd % /* x */ ROWTYPE -- y\n := row(%, 'x');"],
  ["a composite type", "r public.address := row(%::text, 'x');"],
  ["a composite of pg_catalog", "r pg_class := (select c from pg_class c where % > 0 limit 1);"],
  ["an enum", "r public.mood := case when % > 0 then 'ok' end;"],
  ["a domain", "r public.email := %::text;"],
  ["an array of composites", "r public.address[] := array[row(%::text, 'x')::public.address];"],
  ["a column's type", "r public.odd.nextval%type := %;"],
  ["a type with a modifier", "r numeric(10, 2) := %;"],
  ["with a collation", `r text collate "C" := %;`],
  ["the second", "a record; b int := 1; r record := row(%);"],
  ["behind a cursor", "c cursor (k int) for select 1 = k; r record := row(%);"],
  ["behind an alias", "a alias for found; r record := row(%);"],
  ["behind a doubled DECLARE", "a int; declare r record := row(%);"],
  ["behind begin as a name", "a int := (select o.begin from (values (1)) as o(begin)); r record := row(%);"],
  ["behind a quoted begin", `"begin" int; r record := row(%);`],
  ["behind a semicolon in a string", "a text := ';begin'; r record := row(%);"],
  ["behind a semicolon in a comment", "a text -- ; begin\n := 'x'; r record := row(%);"],
  ["a variable called default", "default record := row(%);"],
  ["a variable called cursor", "cursor record := row(%);"],
  ["a variable called no", "no record := row(%);"],
  ["a default of a record's field", "a record := row(1); r record := row(a.f1 + %);"],
  ["a nested block", "a int;", "begin <<deep>> declare r record := row(%); begin null; end; end;"],
  ["a nested block in IF", "a int;", "if true then declare r record := row(%); begin null; end; end if;"],
  [
    "a nested block in a handler",
    "a int;",
    "begin null; exception when others then declare r record := row(%); begin null; end; end;",
  ],
  ["a nested block in a loop", "a int;", "loop DECLARE r record := row(%); begin exit; end; end loop;"],
  [
    "behind declare as a name",
    "a int := (select o.declare from (values (1)) as o(declare)); r record := row(%);",
  ],
  ["a cursor's query", "c cursor for select %;"],
  ["a cursor's argument", "c cursor (k record) for select 1;", "open c(row(%));"],
  ["a cursor's argument by name", "c cursor (k bigint) for select 1;", "open c(k := %);"],
  ["a cursor's argument in FOR", "c cursor (k bigint) for select 1;", "for r in c(%) loop null; end loop;"],
  ["a refcursor's name", "c refcursor := %::text;"],
  ["FETCH", "c refcursor; r record;", "fetch relative % from c into r;"],
  ["MOVE", "c refcursor; r record;", "move relative % in c;"],
  ["a field", "r record;", "r.x := %;"],
  ["a field's subscript", "r record;", "r.x[%] := 1;"],
  ["a record", "r record;", "r := row(%);"],
  ["FOR with a record", "r record;", "for r in select % loop null; end loop;"],
  ["RETURN", "a int;", "return %;"],
  ["RAISE", "a int;", "raise division_by_zero using message = %::text;"],
];

onServer("what a variable starts with is read, whatever its type", async (t, server) => {
  const admin = connect(server, "postgres");
  const sql = connect(server, "reader_role");
  const attempt = async (declared: string, body: string, inPlace: string) => {
    const fill = (text: string) => text.replace(/%(?!\s*(?:\/\*.*?\*\/\s*)?(?:row)?type)/gi, () => inPlace);
    await admin.unsafe(
      `create or replace function trap.place() returns int language plpgsql as $body$ declare ${
        fill(declared)
      } begin ${fill(body)} return 1; end $body$`,
    );
    return await refusal(() => guard(sql, "select trap.place()", { path: "public" }));
  };
  try {
    for (const [name, declared, body = ""] of PLACES) {
      await step(t, name, async () => {
        const error = await attempt(declared, body, HARM);
        if (name === "a variable called default") assert.equal(error?.kind, "refused");
        else assert.match(error?.message ?? "was allowed", /nextval .*through the function trap\.next/);
      });
      if (name === "a variable called default") continue;
      await step(t, `${name}, harmless`, async () => {
        assert.equal(await attempt(declared, body, "abs(1)"), undefined);
      });
    }
    await step(t, "RETURN NEXT and RETURN QUERY", async () => {
      for (const statement of ["return next row(trap.next())", "return query select row(trap.next())"]) {
        await admin.unsafe(
          `create or replace function trap.places() returns setof record language plpgsql as $body$ begin ${statement}; end $body$`,
        );
        const error = await refusal(() => guard(sql, "select trap.places()", { path: "public" }));
        assert.match(error?.message ?? "was allowed", /nextval/, statement);
      }
    });
  } finally {
    await admin.unsafe("drop function if exists trap.place()");
    await admin.unsafe("drop function if exists trap.places()");
    await admin.end();
    await sql.end();
  }
});

Deno.test({
  name: "declarations are found by PostgreSQL's own tokens",
  ignore: Deno.permissions.querySync({ name: "read" }).state !== "granted",
  async fn() {
    await loadParser();
    assert.deepEqual(defaultsOf("begin a := 1; end"), []);
    assert.deepEqual(defaultsOf("declare a record; b t%rowtype; c text = 'ä;' ; begin a := 1; end"), [
      " 'ä;' ",
    ]);
    assert.deepEqual(defaultsOf("declare c no scroll cursor for select 1 = 2; begin end"), []);
    assert.equal(callsRowtype("declare r t%rowtype := f(1); s t%rowtype; begin"), false);
    assert.equal(callsRowtype("perform a % /* x */ rowtype (1)"), true);
    assert.throws(() => defaultsOf("declare a int; begin end; ".repeat(300)), /too many DECLARE sections/);
  },
});

Deno.test("a name is allowed as PostgreSQL reads it", () => {
  const cases: readonly [string, boolean][] = [
    ["app.f", true],
    ["APP.F", true],
    [" app . f ", true],
    ["f", true],
    [`"app".f`, true],
    [`app."f"`, true],
    [`"APP".f`, false],
    [`app."F"`, false],
    [`"F"`, false],
    ["app.f(integer, character varying)", true],
    ["app.f(INTEGER,character  varying)", true],
    ["f(integer, character varying)", true],
    ["app.f(integer)", false],
    ["app.f()", false],
    [`"app.f"`, false],
    ["db.app.f", false],
    [`app."f`, false],
    ["", false],
    ["(integer)", false],
  ];
  for (const [entry, allowed] of cases) {
    assert.equal(isAllowed(allowedNames([entry]), "app", "f", "integer, character varying"), allowed, entry);
  }
  for (const [schema, name] of [["APP", "f"], ["app", "F"], ["App", "F"], ["app", "f "]] as const) {
    assert.equal(isAllowed(allowedNames(["app.f"]), schema, name), false, `${schema}.${name}`);
  }
  assert.equal(isAllowed(allowedNames(["f"]), "app", "F"), false);
  assert.equal(isAllowed(allowedNames([`"My ""App"".x".F`]), `My "App".x`, "f"), true);
  assert.equal(isAllowed(allowedNames([`app.f("T", text)`]), "app", "f", `"T", text`), true);
  assert.equal(isAllowed(allowedNames([`app.f("T", text)`]), "app", "f", `t, text`), false);
});

onServer(
  "a function that is allowed by name allows none that is called so in capitals",
  async (t, server) => {
    const admin = connect(server, "postgres");
    const sql = connect(server, "postgres");
    try {
      await admin.unsafe(`create schema "TRAP"`);
      await admin.unsafe(
        `create function "TRAP".definer() returns int language sql security definer as 'select 1'`,
      );
      await admin.unsafe(
        `create function trap."Definer"() returns int language sql security definer as 'select 1'`,
      );
      const cases: readonly [string, string, boolean][] = [
        ["select trap.definer()", "trap.definer", true],
        [`select "TRAP".definer()`, "trap.definer", false],
        [`select "TRAP".definer()`, "TRAP.definer", false],
        [`select "TRAP".definer()`, `"TRAP".definer`, true],
        [`select trap."Definer"()`, "trap.Definer", false],
        [`select trap."Definer"()`, `trap."Definer"`, true],
        ["select trap.definer()", `trap."Definer"`, false],
      ];
      for (const [text, entry, allowed] of cases) {
        await step(t, `${text} with ${entry}`, async () => {
          const error = await refusal(() => guard(sql, text, { allow: [entry] }));
          assert.equal(error === undefined, allowed, error?.message);
        });
      }
    } finally {
      await admin.unsafe(`drop schema if exists "TRAP" cascade`);
      await admin.unsafe(`drop function if exists trap."Definer"()`);
      await admin.end();
      await sql.end();
    }
  },
);

onServer("functions that run what they are told by oid or name", async (t, server) => {
  const admin = connect(server, "postgres");
  const sql = connect(server, "postgres");
  try {
    await admin.unsafe("create extension if not exists isn");
    await admin.unsafe("create extension if not exists amcheck");
    const refused = [
      "select domain_in('1', 'trap.checked'::regtype, -1)",
      "select array_in('{1}', 'trap.checked'::regtype, -1)",
      "select record_in('(1)', 'trap.checked_row'::regtype, -1)",
      "select range_in('[1,2)', 'public.floatrange'::regtype, -1)",
      "select multirange_in('{[1,2)}', 'public.floatmultirange'::regtype, -1)",
      "select isn_weak(true)",
      "select bt_index_check('users_pkey')",
      "select bt_index_parent_check('users_pkey')",
      "select satisfies_hash_partition('users'::regclass, 2, 0, 1)",
      "select fmgr_sql_validator(1)",
    ];
    if (server.version >= 160_000) {
      refused.push(
        "select pg_input_is_valid('1', 'trap.checked')",
        "select * from pg_input_error_info('1', 'trap.checked')",
      );
    }
    for (const text of refused) {
      await step(t, text, async () => {
        const error = await refusal(() => guard(sql, text, { path: "public" }));
        assert.match(error?.message ?? "was allowed", /^Cannot call \w+ as it /);
      });
    }
    for (
      const text of [
        "select isn_weak()",
        "select 'x@y'::public.email, '{1}'::int[], '[1,2)'::public.floatrange, 'ok'::public.mood",
        "select row('a', 'b')::public.address, '(a,b)'::public.address, '{\"(a,b)\"}'::public.address[]",
      ]
    ) {
      await step(t, text, async () => assert.equal(await refusal(() => guard(sql, text)), undefined));
    }
  } finally {
    await admin.unsafe("drop extension if exists isn");
    await admin.unsafe("drop extension if exists amcheck");
    await admin.end();
    await sql.end();
  }
});

onServer("settings are only read by a name that is seen", async (t, server) => {
  const admin = connect(server, "postgres");
  const sql = connect(server, "reader_role");
  try {
    await admin.unsafe(
      `create operator trap.@@@ (rightarg = text, function = current_setting);
       create operator trap.@@@ (leftarg = text, rightarg = boolean, function = current_setting);
       create aggregate trap.last_setting(boolean) (sfunc = current_setting, stype = text, initcond = 'x');
       create view trap.setting as select operator(trap.@@@) ('work' || '_mem')`,
    );
    const refused = [
      "select operator(trap.@@@) 'app.hidden'",
      "select 'app.hidden' operator(trap.@@@) true",
      "select trap.last_setting(true)",
      "select * from trap.setting",
      "select current_setting('work_mem'::varchar::text)",
      "select current_setting('work_mem'::name)",
      "select current_setting(('work' || '_mem')::text)",
      "select current_setting($1::text)",
      "select current_setting('app.db_password'::text, true)",
    ];
    for (const text of refused) {
      await step(t, text, async () => {
        const error = await refusal(() => guard(sql, text));
        assert.match(error?.message ?? "was allowed", /computed name|by its name it holds a secret/);
      });
    }
    for (
      const text of [
        "select current_setting('work_mem'::text)",
        "select current_setting(cast('Work_Mem' as pg_catalog.text), true)",
      ]
    ) {
      await step(t, text, async () => assert.equal(await refusal(() => guard(sql, text)), undefined));
    }
  } finally {
    await admin.unsafe(
      `drop view trap.setting; drop aggregate trap.last_setting(boolean); drop operator trap.@@@ (none, text);
       drop operator trap.@@@ (text, boolean)`,
    );
    await admin.end();
    await sql.end();
  }
});

onServer(
  "the long values of the database's own catalogues are not read past their columns",
  async (t, server) => {
    const sql = connect(server, "postgres");
    try {
      const own = await sql.unsafe("select relname from pg_class where relkind = 't' and oid < 16384");
      assert.ok(own.some(({ relname }) => relname === "pg_toast_1418"));
      for (const { relname } of own) {
        await step(t, relname, async () => {
          const error = await refusal(() => guard(sql, `select chunk_data from pg_toast.${relname}`));
          assert.match(error?.message ?? "was allowed", /long values of the database's own catalogues/);
        });
      }
      await step(t, "in the path", async () => {
        const error = await refusal(() => guard(sql, "select * from pg_toast_1418", { path: "pg_toast" }));
        assert.match(error?.message ?? "was allowed", /long values/);
      });
      const [user] = await sql.unsafe(
        "select reltoastrelid::regclass::text as name from pg_class where oid = 'public.users'::regclass",
      );
      await step(t, "a user's table's", async () =>
        assert.equal(
          await refusal(() => guard(sql, `select count(*) from ${user?.["name"]}`)),
          undefined,
        ));
    } finally {
      await sql.end();
    }
  },
);

onServer("texts of other sessions with secrets in them", async (t, server) => {
  const other = connect(server, "postgres");
  const sql = connect(server, "postgres");
  const text = "select query from pg_stat_activity";
  const cases: readonly [string, boolean][] = [
    ["select crypt('hunter2', 'aa')", true],
    ["select crypt  ('hunter2', 'aa')", true],
    [`select "crypt"('hunter2', 'aa')`, true],
    ["select pgp_sym_encrypt('data', 'hunter2')", true],
    ["select hmac('data', 'hunter2', 'sha256')", true],
    ["select crypt($$hunter2$$, 'aa')", true],
    ["do $do$ begin execute 'alter role reader_role password/**/''hunter2'''; end $do$", true],
    ["alter role reader_role password/**/'hunter2'", true],
    ["alter role reader_role password /* a /* b */ */ 'hunter2'", true],
    ["alter role reader_role password -- a\n 'hunter2'", true],
    ["alter role reader_role password null", false],
    ["select 1 where 'Authorization: Bearer hunter2hunter2' <> ''", true],
    ["select 1 where 'bearer hunter2hunter2' <> ''", true],
    ["select 1 where 'AKIAHUNTER2HUNTER2XX' <> ''", true],
    ["select 1 where 'ghp_hunter2hunter2hunter2' <> ''", true],
    ["select 1 where '-----BEGIN RSA PRIVATE KEY-----' <> ''", true],
    ["select md5('x'), digest('x', 'sha256'), encode('x'::bytea, 'hex')", false],
    [
      "select password_changed_at, token_count from (values (1, 2)) as v(password_changed_at, token_count)",
      false,
    ],
    ["set role owner_role", false],
    ["reset role", false],
    ["set session authorization postgres", false],
    ["select gen_salt('bf'), 'a bearer of news'", false],
  ];
  try {
    for (const [statement, secret] of cases) {
      await step(t, statement, async () => {
        await other.unsafe(statement);
        const error = await refusal(() => guard(sql, text));
        assert.equal(error !== undefined, secret, error?.message ?? "was allowed");
        assert.doesNotMatch(`${error?.message} ${error?.hint}`, /hunter2/);
      });
    }
  } finally {
    await other.unsafe("alter role reader_role password null");
    await other.end();
    await sql.end();
  }
});

onServer("statistics of one table can be read while those of secrets are there", async (t, server) => {
  const sql = connect(server, "postgres");
  try {
    await sql.unsafe("analyze pg_authid");
    const [there] = await sql.unsafe(
      "select count(*)::int as n from pg_stats where tablename = 'pg_authid' and attname = 'rolpassword' and histogram_bounds is not null",
    );
    // Without two passwords there are none: as many as it takes.
    if (there?.["n"] === 0) {
      for (let i = 0; i < 3; i++) await sql.unsafe(`create role statistic_${i} password 'hunter2 ${i}'`);
      await sql.unsafe("analyze pg_authid");
    }
    const allowed = [
      "select * from pg_stats where tablename = 'orders'",
      "select s.histogram_bounds from pg_catalog.pg_stats as s where s.schemaname = 'public' and (s.tablename = 'users' and true)",
      "select * from pg_stats where tablename in ('users', 'todos')",
      "select * from pg_stats where tablename = 'users'::text order by attname limit 3",
      "select x.attname from (select * from pg_stats where tablename = 'users') x, users",
      "select attname, null_frac from pg_stats",
      "select s.* from pg_stats s join pg_class c on c.relname = s.tablename where s.tablename = 'users'",
      "select s.* from pg_class c, pg_stats s where c.relname = s.tablename and s.tablename in ('users', 'todos')",
      "select c.relname, (select max(s.attname::text) from pg_stats s where s.tablename = 'users') from pg_class c",
    ];
    for (const text of allowed) {
      await step(t, text, async () => {
        const error = await refusal(() => guard(sql, text));
        assert.equal(error, undefined, error?.message);
      });
    }
    const refused = [
      "select * from pg_stats",
      "select * from pg_stats where tablename = 'pg_authid'",
      "select * from pg_stats where tablename in ('users', 'pg_authid')",
      "select * from pg_stats where tablename = 'users' or true",
      "select * from pg_stats where not tablename = 'users'",
      "select * from pg_stats where tablename <> 'users'",
      "select * from pg_stats where tablename not in ('users')",
      "select * from pg_stats where tablename = $1",
      "select * from pg_stats where tablename = lower('PG_AUTHID')",
      "select * from pg_stats where tablename operator(public.=) 'users'",
      "select * from pg_stats where schemaname = 'users'",
      "select * from pg_stats as s(a, tablename, b) where tablename = 'users'",
      "select * from pg_stats, users where tablename = 'users'",
      "select * from pg_stats join users on true where tablename = 'users'",
      "select (select max(histogram_bounds::text) from pg_stats) from users where 'tablename' = 'users'",
      "select * from pg_stats where tablename = 'users' union all select * from pg_stats",
      "select * from pg_stats where other.tablename = 'users'",
      "select s.* from pg_stats s join pg_class c on c.relname = s.tablename where c.relname = 'users'",
      "select s.* from pg_stats s join pg_class c on s.tablename = 'users'",
      "select s.* from pg_stats s left join users u on true where s.tablename = 'users'",
      "select a.* from users u left join pg_stats a on true, pg_stats b where b.tablename = 'users'",
      "select a.* from pg_stats a, pg_stats b where b.tablename = 'users'",
      "select s.* from (pg_stats s join users u on true) as j, users s where s.tablename = 'users'",
      "select j.* from (pg_stats s join users u on true) as j where j.tablename = 'users'",
      "select stavalues1 from pg_statistic where starelid = 'users'::regclass",
    ];
    for (const text of refused) {
      await step(t, text, async () => {
        const error = await refusal(() => guard(sql, text));
        assert.match(error?.message ?? "was allowed", /secrets of the database/);
        assert.match(error?.hint ?? "", /from pg_stats where tablename = 'name'/);
      });
    }
    await step(t, "an equality of a user's own is none that can be counted on", async () => {
      await sql.unsafe(`create schema equal; create function equal.always(name, name) returns boolean
        language sql immutable as 'select true';
        create operator equal.= (leftarg = name, rightarg = name, procedure = equal.always)`);
      const text = "select * from pg_stats where tablename = 'users'";
      const path = "equal, pg_catalog, public";
      try {
        const error = await refusal(() => guard(sql, text, { path }));
        assert.match(error?.message ?? "was allowed", /secrets of the database/);
      } finally {
        await sql.unsafe("drop schema equal cascade");
      }
      assert.equal(await refusal(() => guard(sql, text, { path: "pg_catalog, public" })), undefined);
    });
    await step(t, "no condition sees a row before that on the table's name, in a join either", async () => {
      const text = `select s.attname from pg_stats s join users u on s.histogram_bounds::text::int = u.id
        where s.tablename in ('users', 'todos')`;
      assert.equal(await refusal(() => guard(sql, text)), undefined);
      await assert.rejects(
        reading(sql, (transaction) => transaction.unsafe(text)),
        (error: unknown) => error instanceof Error && !/SCRAM/.test(error.message),
      );
    });
  } finally {
    for (let i = 0; i < 3; i++) await sql.unsafe(`drop role if exists statistic_${i}`);
    await sql.end();
  }
});
