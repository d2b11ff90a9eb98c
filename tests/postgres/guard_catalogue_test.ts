/** The guard's second layer where the corpus does not reach: permissions by name, secrets, sessions, each layer alone. */
import assert from "@std/assert";
import { authorize, inspect } from "../../src/postgres/guard.ts";
import { until } from "../support/until.ts";
import { catalogueOf, connect, guard, onServer, reading, refusal, ROLES, step } from "./corpus/server.ts";

onServer("the server's read-only transaction refuses writes without the guard", async (t, server) => {
  const writes = [
    "insert into users (name) values ('x')",
    "delete from todos",
    "update users set name = 'x'",
    "select trap.write()",
    "select trap.plpgsql_write()",
    "select nextval('todos_id_seq')",
    "create table x (a int)",
    "select * from users for update",
    "truncate todos",
    "select txid_current(), nextval('trap.numbers')",
  ];
  for (const role of ROLES) {
    const sql = connect(server, role);
    for (const text of writes) {
      await step(
        t,
        `${role}: ${text}`,
        () =>
          assert.rejects(
            reading(sql, (transaction) => transaction.unsafe(text)),
            /read-only transaction|permission denied/,
          ),
      );
    }
    await step(t, `${role}: SET TRANSACTION READ WRITE after the snapshot`, () =>
      assert.rejects(
        reading(sql, async (transaction) => {
          await transaction.unsafe("select 1");
          await transaction.unsafe("set transaction read write");
        }),
        /before any query|read-write mode/,
      ));
    await sql.end();
  }
});

onServer("functions and foreign tables are allowed by name", async (t, server) => {
  const sql = connect(server, "postgres");
  const cases: readonly [string, string, string[], boolean][] = [
    ["a bare name", "select trap.definer()", ["definer"], true],
    ["a qualified name", "select trap.definer()", ["trap.definer"], true],
    ["with arguments", "select trap.dynamic('x')", ["trap.dynamic(text)"], true],
    ["with other arguments", "select trap.dynamic('x')", ["trap.dynamic(int)"], false],
    ["in another schema", "select trap.definer()", ["public.definer"], false],
    ["capitals", "select trap.definer()", ["TRAP.Definer"], true],
    ["another one", "select trap.definer(), trap.write()", ["trap.definer"], false],
    ["a foreign table", "select * from trap.remote", ["trap.remote"], true],
    ["a foreign table behind a view", "select * from trap.behind", ["trap.remote"], true],
    ["a foreign partition", "select * from trap.parted", ["parted_remote"], true],
    ["one of PostgreSQL's that only reads", "select pg_current_logfile()", ["pg_current_logfile"], true],
    [
      "one that reads what it is told",
      "select table_to_xml('users', true, true, '')",
      ["table_to_xml"],
      true,
    ],
    ["an operator's function", "select 1 operator(trap.===) 'x'", ["trap.equals"], true],
    ["one of PostgreSQL's that is not known", "select dsnowball_init(null)", ["dsnowball_init"], false],
    [
      "one of PostgreSQL's that is not known, with its schema",
      "select dsnowball_init(null)",
      ["pg_catalog.dsnowball_init"],
      true,
    ],
    ["part of a name", "select trap.definer()", ["trap.def", "finer", "%", "*"], false],
  ];
  for (const [name, text, allow, allowed] of cases) {
    await step(t, name, async () => {
      const error = await refusal(() => guard(sql, text, { allow }));
      assert.equal(error === undefined, allowed, error?.message);
    });
  }
  await sql.end();
});

onServer("one of several functions of a name is allowed by its types", async (t, server) => {
  const sql = connect(server, "postgres");
  const admin = connect(server, "postgres");
  const body = "language plpgsql as 'begin execute ''select 1''; return 1; end'";
  const made = [
    "over(text)",
    "over(integer)",
    "over(text[])",
    "over(boolean)",
    "over(integer, integer, variadic text[])",
  ];
  for (const each of made) await admin.unsafe(`create function trap.${each} returns int ${body}`);
  await admin.unsafe(`create function trap."Over"("char") returns int ${body};
    create type trap.text as (a int); create function trap.over(trap.text) returns int ${body}`).simple();
  const refused = (types: string) => new RegExp(`the function trap.over\\(${types}\\)\\)$`);
  const cases: readonly [string, string, RegExp | undefined, string?][] = [
    ["a cast", "trap.over('a'::text)", undefined],
    ["another cast", "trap.over('1'::int)", refused("integer")],
    ["a cast to an array", "trap.over('{a}'::text[])", refused("text\\[\\]")],
    ["a whole number", "trap.over(1)", refused("integer")],
    ["true", "trap.over(true)", refused("boolean")],
    ["a literal, which can be any of them", "trap.over('a')", refused("(integer|text\\[\\]|boolean)")],
    [
      "a column, which can be any of them",
      "trap.over(name) from users",
      refused("(integer|text\\[\\]|boolean)"),
    ],
    [
      "a type of that name that comes first",
      "trap.over('(1)'::text)",
      refused("trap.text"),
      "trap, pg_catalog",
    ],
    ["a type of that name that comes later", "trap.over('a'::text)", undefined, "pg_catalog, trap"],
    ["a type by its schema", "trap.over('(1)'::trap.text)", refused("trap.text")],
    ["more arguments", "trap.over(1, 1, 'a'::text)", refused("integer, integer, text\\[\\]")],
    ["inside of a function", "trap.inside()", undefined],
  ];
  try {
    await admin.unsafe(`create function trap.inside() returns int language plpgsql
      as 'declare a text := ''x''; begin return trap.over(a::text); end'`);
    for (const [name, call, message, path] of cases) {
      await step(t, name, async () => {
        const allow = ["trap.over(text)"];
        const error = await refusal(() => guard(sql, `select ${call}`, { allow, ...path && { path } }));
        if (message === undefined) assert.equal(error, undefined);
        else assert.match(error?.message ?? "was allowed", message);
      });
    }
    await step(t, "a temporary one is not hidden by one of that name elsewhere", async () => {
      const before = `create function pg_temp.over(varchar) returns int ${body}`;
      for (const text of ["pg_temp.over('a'::text)", "pg_temp.over('a'::text), trap.over('a'::text)"]) {
        const temporary = connect(server, "postgres");
        await temporary.unsafe(before);
        const error = await refusal(() => guard(temporary, `select ${text}`, { allow: ["trap.over(text)"] }));
        await temporary.end();
        assert.match(error?.message ?? "was allowed", /^Cannot run the body .*EXECUTE/, text);
      }
    });
    await step(t, "where a cast would help, the refusal says so", async () => {
      const error = await refusal(() =>
        guard(sql, "select trap.over(name) from users", { allow: ["trap.over(text)"] })
      );
      assert.match(
        error?.hint ?? "",
        /^Cast the arguments to call trap\.over\(text\), which is allowed\. .*=trap\.over\(integer\)$/,
      );
    });
    await step(t, "what a refusal tells to write allows just that", async () => {
      for (
        const call of [`trap."Over"('a'::"char")`, "trap.over(1, 1, 'b'::text)", "trap.definer()"]
      ) {
        const allow: string[] = [];
        for (let round = 0; round < 2; round++) {
          const error = await refusal(() => guard(sql, `select ${call}`, { allow }));
          const [, entry] = /can allow it: DB_ALLOW_FUNCTIONS=(.+)$/.exec(error?.hint ?? "") ?? [];
          if (round === 0) allow.push(entry ?? "nothing");
          else assert.equal(error, undefined, allow[0]);
        }
      }
    });
  } finally {
    await admin.unsafe(
      `drop function trap.inside(); drop type trap.text cascade; drop function trap."Over"; ${
        made.map((each) => `drop function trap.${each}`).join(";")
      }`,
    ).simple();
    await admin.end();
    await sql.end();
  }
});

onServer("what acts is refused whatever is allowed by name, and the refusal says so", async (t, server) => {
  const sql = connect(server, "postgres");
  const admin = connect(server, "postgres");
  await admin.unsafe(
    "create extension if not exists dblink; create function trap.pg_sleep() returns int " +
      "language plpgsql as 'begin execute ''select 1''; return 1; end'",
  ).simple();
  const cases: readonly [string, string][] = [
    ["pg_sleep", "select pg_sleep(0)"],
    ["pg_terminate_backend", "select pg_terminate_backend(0)"],
    ["pg_cancel_backend", "select pg_cancel_backend(0)"],
    ["set_config", "select set_config('role', 'postgres', true)"],
    ["setseed", "select setseed(0.5)"],
    ["pg_advisory_lock", "select pg_advisory_lock(4711)"],
    ["pg_try_advisory_xact_lock", "select pg_try_advisory_xact_lock(4711)"],
    ["nextval", "select nextval('trap.counter')"],
    ["lo_create", "select lo_create(0)"],
    ["lo_export", "select lo_export(1, '/tmp/x')"],
    ["pg_notify", "select pg_notify('a', 'b')"],
    ["pg_switch_wal", "select pg_switch_wal()"],
    ["pg_stat_reset", "select pg_stat_reset()"],
    ["query_to_xml", "select query_to_xml('select pg_sleep(0)', true, true, '')"],
    ["ts_rewrite", "select ts_rewrite('a'::tsquery, 'select pg_sleep(0)')"],
    ["dblink", "select * from dblink('dbname=postgres', 'drop table users') as (a text)"],
  ];
  try {
    for (const [name, text] of cases) {
      await step(t, name, async () => {
        const allow = [name, `pg_catalog.${name}`, `public.${name}`, `PUBLIC."${name}"`];
        const error = await refusal(() => guard(sql, text, { allow }));
        assert.match(error?.message ?? "was allowed", new RegExp(`^Cannot call ${name} as it `));
        assert.match(error?.hint ?? "", /(^|\. )No setting allows it$/);
      });
    }
    await step(t, "a function of a user's own may have such a name", async () => {
      assert.equal(
        await refusal(() => guard(sql, "select trap.pg_sleep()", { allow: ["trap.pg_sleep"] })),
        undefined,
      );
      assert.ok(await refusal(() => guard(sql, "select trap.pg_sleep()")));
    });
  } finally {
    await admin.unsafe("drop function trap.pg_sleep()");
    await admin.end();
    await sql.end();
  }
});

onServer("an operator that hides a built-in one is refused wherever it could be meant", async (t, server) => {
  const sql = connect(server, "reader_role");
  await step(t, "in the path", async () => {
    const error = await refusal(() => guard(sql, "select 1 where 1 = 2", { path: "public, shadow" }));
    assert.match(error?.message ?? "", /nextval .*through the function trap\.equals/);
  });
  await step(
    t,
    "not in the path",
    () => guard(sql, "select 1 where 1 = 2", { path: "public" }).then(() => {}),
  );
  await sql.end();
});

onServer("names are looked up where PostgreSQL would", async (t, server) => {
  const sql = connect(server, "reader_role");
  const cases: readonly [string, string, string, RegExp | undefined][] = [
    [
      "a function's own search path",
      "select lower_path()",
      "public",
      /nextval .*through the function trap\.next/,
    ],
    [
      "a qualified function hides no built-in one",
      "select trap.pg_sleep(1), pg_sleep(1)",
      "public",
      /Cannot call pg_sleep/,
    ],
    ["a function behind pg_catalog hides none of it", "select pg_sleep(1)", "trap", /Cannot call pg_sleep/],
    ["a function before pg_catalog hides it", "select pg_sleep(1)", "trap, pg_catalog", undefined],
    [
      "a qualified name in another path",
      "select pg_catalog.pg_sleep(1)",
      "trap, pg_catalog",
      /Cannot call pg_sleep/,
    ],
    ["a function that is not in the path", "select write()", "public", undefined],
    ["a function that is in the path", "select write()", "trap", /through the function trap\.write/],
    ["a view that is in the path", "select * from calls", "trap", /through the function trap\.write/],
    ["a view that is hidden", "select * from users", "public, trap", undefined],
  ];
  for (const [name, text, path, message] of cases) {
    await step(t, name, async () => {
      const error = await refusal(() => guard(sql, text, { path }));
      if (message === undefined) assert.equal(error, undefined);
      else assert.match(error?.message ?? "was allowed", message);
    });
  }
  await sql.end();
});

onServer("secrets that come and go", async (t, server) => {
  const admin = connect(server, "postgres");
  const sql = connect(server, "postgres");
  const secret = async (name: string, text: string, secretThere: boolean) => {
    await step(t, `${name}: ${text}`, async () => {
      const error = await refusal(() => guard(sql, text));
      assert.equal(error !== undefined, secretThere, error?.message ?? "was allowed");
      assert.doesNotMatch(`${error?.message} ${error?.hint}`, /hunter2/);
    });
  };
  const activity = [
    "select query from pg_stat_activity",
    "select * from pg_stat_activity",
    "select a from pg_stat_activity a",
  ];
  for (const text of activity) await secret("nothing there", text, false);
  await secret(
    "its own text",
    "select pid, query, 'password=hunter2' from pg_stat_activity where query like '%password ''x%'",
    false,
  );
  const other = connect(server, "postgres");
  for (
    const text of [
      "select 'alter role x password ''hunter2'''",
      "select 'host=a password=hunter2 user=b'",
      "select 'postgres://a:hunter2@b/c'",
      "select 1 as password where 'password' = 'hunter2'",
      "create role secretive password 'hunter2'",
      `select 'secret' as "client_secret" -- token: 'hunter2'`,
    ]
  ) {
    await other.unsafe(text);
    await secret(`after ${text}`, activity[0] ?? "", true);
  }
  for (const text of activity) await secret("another session", text, true);
  await secret("other columns", "select pid, state, usename, wait_event from pg_stat_activity", false);
  await secret("pg_stat_statements", "select query from pg_stat_statements", true);
  await secret("pg_stat_statements", "select calls, mean_exec_time from pg_stat_statements", false);
  await other.unsafe("select 1 where 'token' = $1", ["x"]);
  await secret("after an ordinary query", activity[0] ?? "", false);
  await other.end();
  await step(t, "the refusal says who shows the statements masked", async () => {
    const error = await refusal(() => guard(sql, "select query from pg_stat_statements"));
    assert.match(error?.hint ?? "", /^top_queries shows the statements, masked/);
  });

  const settings = [
    "select setting from pg_settings",
    "show all",
    "select * from pg_settings",
  ];
  for (const text of [...settings, "show primary_conninfo"]) await secret("no secret set", text, false);
  await admin.unsafe("alter system set primary_conninfo = 'host=x password=hunter2'");
  await admin.unsafe("select pg_reload_conf()");
  await until("the setting is read", async () => {
    const [row] = await admin.unsafe("select setting from pg_settings where name = 'primary_conninfo'");
    return row?.["setting"] !== "";
  });
  for (
    const text of [
      ...settings,
      "show primary_conninfo",
      "select current_setting('primary_conninfo')",
      "select current_setting('Primary_ConnInfo')",
    ]
  ) {
    await secret("a secret set", text, true);
  }
  for (
    const text of [
      "show work_mem",
      "select current_setting('work_mem')",
      "select name, unit from pg_settings",
    ]
  ) await secret("a secret set", text, false);
  await admin.unsafe("alter system reset primary_conninfo");

  const roles = [
    "select rolconfig from pg_roles",
    "select * from pg_roles",
    "select setconfig from pg_db_role_setting",
    "select useconfig from pg_user",
  ];
  for (const text of roles) await secret("no secret set", text, false);
  await admin.unsafe("alter role reader_role set app.api_key = 'hunter2'");
  for (const text of roles) await secret("a secret set", text, true);
  await secret("a secret set", "select rolname, rolsuper from pg_roles", false);
  await admin.unsafe("alter role reader_role reset app.api_key");

  await secret("no secret set", "select srvoptions from pg_foreign_server", false);
  await admin.unsafe("create foreign data wrapper odd");
  await admin.unsafe("create server odd foreign data wrapper odd options (url 'https://a:hunter2@b')");
  await secret("a secret set", "select srvoptions from pg_foreign_server", true);
  await secret("a secret set", "select srvname from pg_foreign_server", false);
  await admin.unsafe("drop server odd");

  await secret("not analyzed", "select * from pg_stats", false);
  await admin.unsafe("analyze pg_authid");
  await secret("analyzed", "select histogram_bounds from pg_stats", true);
  await secret("analyzed", "select stavalues1 from pg_statistic", true);
  await secret("analyzed", "select tablename, attname, null_frac, n_distinct from pg_stats", false);
  await admin.end();
  await sql.end();
});

onServer("a session that reads another text, or may write, is refused", async (t, server) => {
  const sql = connect(server, "postgres");
  for (
    const before of ["set local standard_conforming_strings = off", "set local client_encoding = 'LATIN1'"]
  ) {
    await step(t, before, async () => {
      const error = await refusal(() => guard(sql, "select 1", { before }));
      assert.match(
        error?.message ?? "",
        /^Cannot run the statement as the session has (standard_conforming_strings|client_encoding) = /,
      );
    });
  }
  await step(t, "a transaction that may write", async () => {
    const error = await refusal(() =>
      sql.begin((transaction) =>
        authorize(inspect("select 1"), catalogueOf(transaction), { allowFunctions: [] })
      )
    );
    assert.match(error?.message ?? "", /transaction_read_only = off/);
  });
  await step(t, "SQL/JSON on a server that reads it as calls", async () => {
    const error = await refusal(() => guard(sql, "select json_scalar(1)"));
    if (server.version < 170_000) assert.match(error?.message ?? "", /17 on/);
    else assert.equal(error, undefined);
  });
  await sql.end();
});

onServer("every place of a plpgsql body is read", async (t, server) => {
  const sql = connect(server, "postgres");
  const body =
    `declare a int := trap.f1(); r record; c cursor (k int) for select trap.f2(k); n int[]; x constant int default trap.f3();
begin
  a := trap.f4(); n[trap.f5()] := trap.f6(); select trap.f7() into a; perform trap.f8();
  if trap.f9() > 0 then a := trap.f10(); elsif trap.f11() > 0 then a := trap.f12(); else a := trap.f13(); end if;
  case trap.f14() when trap.f15() then a := trap.f16(); else a := trap.f17(); end case;
  case when trap.f18() > 0 then a := trap.f19(); end case;
  loop exit when trap.f20() > 0; a := trap.f21(); end loop;
  while trap.f22() > 0 loop continue when trap.f23() > 0; a := trap.f24(); end loop;
  for i in trap.f25() .. trap.f26() by trap.f27() loop a := trap.f28(); end loop;
  for r in select trap.f29() loop a := trap.f30(); end loop;
  for r in c(trap.f31()) loop a := trap.f32(); end loop;
  foreach a in array array[trap.f33()] loop a := trap.f34(); end loop;
  open c(trap.f35()); close c;
  raise notice '%', trap.f36() using hint = trap.f37()::text;
  assert trap.f38() > 0, trap.f39()::text;
  begin a := trap.f40(); exception when others then a := trap.f41(); end;
  <<deep>> begin begin if true then loop perform trap.f42(); exit; end loop; end if; end; end;
  return query select trap.f43();
  return query select trap.f44();
  return;
end`;
  const admin = connect(server, "postgres");
  const count = 44;
  try {
    for (let i = 1; i <= count; i++) {
      await admin.unsafe(
        `create function trap.f${i}(k int default 1) returns int language sql as 'select 1'`,
      );
    }
    await admin.unsafe(
      `create function trap.everywhere() returns setof int language plpgsql as $body$ ${body} $body$`,
    );
    await step(
      t,
      "with harmless functions",
      () => guard(sql, "select * from trap.everywhere()").then(() => {}),
    );
    for (let i = 1; i <= count; i++) {
      await step(t, `f${i}`, async () => {
        await admin.unsafe(
          `create or replace function trap.f${i}(k int default 1) returns int language sql as 'select nextval(''trap.numbers'')::int'`,
        );
        const error = await refusal(() => guard(sql, "select * from trap.everywhere()"));
        await admin.unsafe(
          `create or replace function trap.f${i}(k int default 1) returns int language sql as 'select 1'`,
        );
        assert.match(error?.message ?? "was allowed", new RegExp(`nextval .*trap\\.f${i}\\(`));
      });
    }
  } finally {
    await admin.unsafe("drop function if exists trap.everywhere()");
    for (let i = 1; i <= count; i++) await admin.unsafe(`drop function if exists trap.f${i}(int)`);
    await admin.end();
    await sql.end();
  }
});
