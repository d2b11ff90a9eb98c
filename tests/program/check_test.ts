import assert from "@std/assert";
import { runProgramToEnd } from "../support/mcp.ts";
import { postgresAvailable, startPostgres } from "../support/postgres.ts";
import { createProgramDatabase, type ProgramDatabase, readerPassword } from "../support/program_database.ts";

Deno.test({
  name: "--check says what it found, and what to do",
  ignore: !postgresAvailable,
  async fn(t) {
    await using database = await createProgramDatabase();
    const { server, variables, superuserVariables } = database;
    const check = async (given: Readonly<Record<string, string>>) => {
      const ended = await runProgramToEnd({ args: ["--check"], plain: true, variables: given });
      for (const secret of [readerPassword, server.password]) {
        assert.ok(!(ended.stdout + ended.stderr).includes(secret));
      }
      assert.equal(ended.stderr, "");
      return ended;
    };
    await t.step("a role that can only read: exit 0, all is well", async () => {
      const { code, stdout } = await check(variables);
      assert.equal(code, 0);
      assert.match(stdout, new RegExp(`Connected to ${server.host}:${server.port}, PostgreSQL \\d+`));
      assert.match(stdout, /may read 3 of 3 tables and views/);
      assert.match(stdout, /All is well/);
      assert.doesNotMatch(stdout, /CREATE ROLE/);
    });
    await t.step("a superuser: told so, with the SQL for a role that is right", async () => {
      const { code, stdout } = await check(superuserVariables);
      assert.equal(code, 0);
      assert.match(stdout, /superuser/);
      assert.match(stdout, /CREATE ROLE mcp_reader LOGIN/);
      assert.match(stdout, /\n\nThen connect as mcp_reader: DB_USER, .* postgres keeps its rights/);
      assert.match(stdout, /GRANT SELECT ON ALL TABLES IN SCHEMA public TO mcp_reader;/);
    });
    await t.step("a role that may write to one table", async () => {
      await database.execute(`grant insert on todos to ${variables.DB_USER}`);
      const { stdout } = await check(variables);
      assert.match(stdout, /^ {2}- it may write to 1 table or view: public\.todos$/m);
      await database.execute(`revoke insert on todos from ${variables.DB_USER}`);
    });
    await t.step("a role that may not read a table", async () => {
      await database.execute(`revoke select on users from ${variables.DB_USER}`);
      const { stdout } = await check(variables);
      assert.match(stdout, /may read 2 of 3 tables and views/);
      assert.match(stdout, /GRANT SELECT/);
      await database.execute(`grant select on users to ${variables.DB_USER}`);
    });
    await t.step("a role that may not see a sequence", async () => {
      await database.execute("create sequence invoices");
      const { code, stdout } = await check(variables);
      assert.equal(code, 0);
      assert.match(
        stdout,
        /can't see 1 sequence, so that .* it is\.\nTo allow it, run as a superuser:\n\n[^]*GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO "program_1_reader";/,
      );
      assert.doesNotMatch(stdout, /All is well/);
      await database.execute("drop sequence invoices");
    });
    await t.step("names the first of what the role may write to, and how many more there are", async () => {
      const tables = ["a", "b", `"C d"`, "e", "f"];
      await database.execute(
        `create schema work; ${tables.map((name) => `create table work.${name} (x int)`).join(";")};
        create sequence work.s; grant usage on schema work to ${variables.DB_USER};
        grant create on schema work to ${variables.DB_USER}; grant all on all sequences in schema work to ${variables.DB_USER};
        grant insert on all tables in schema work to ${variables.DB_USER};
        grant trigger on todos to ${variables.DB_USER}`,
      );
      const { stdout } = await check(variables);
      assert.match(
        stdout,
        /^ {2}- it may write to 5 tables or views: work\."C d", work\.a, work\.b and 2 more$/m,
      );
      assert.match(stdout, /^ {2}- it may move 1 sequence: work\.s$/m);
      assert.match(stdout, /^ {2}- it may put triggers on, or refer to, 1 table or view: public\.todos$/m);
      assert.match(stdout, /^ {2}- it may create objects in 1 schema: work$/m);
      assert.doesNotMatch(stdout, /temporary tables$/m);
      await database.execute(`drop schema work cascade; revoke trigger on todos from ${variables.DB_USER}`);
    });
    await t.step("temporary tables are every role's until that is taken", async () => {
      const temporary = /and can create only temporary tables, as every role can\.\nAll is well\.$/m;
      assert.match((await check(variables)).stdout, temporary);
      await database.execute(`revoke temporary on database ${database.name} from public`);
      assert.match(
        (await check(variables)).stdout,
        /^The role cannot write to any table, view or sequence, and cannot create any\.\nAll is well\.$/m,
      );
      await database.execute(`grant temporary on database ${database.name} to ${variables.DB_USER}`);
      assert.match((await check(variables)).stdout, /^ {2}- it may create temporary tables$/m);
      await database.execute(`grant temporary on database ${database.name} to public`);
    });
    await t.step("what DB_ALLOW_FUNCTIONS stands for, and what is wrong with it", async () => {
      await database.execute(
        `create function owned() returns int language plpgsql security definer as 'begin return 1; end';
        create function twice(int) returns int language plpgsql as 'begin return 1; end'; create role "An owner";
        alter function twice(int) owner to "An owner"; create schema moved; create extension tablefunc schema moved`,
      );
      const entries = [
        "public.owned",
        "twice",
        "public.twice(integer)",
        "public.twice(text)",
        "nosuch.owned",
        "moved.crosstab",
        "lo_get",
      ];
      const { code, stdout } = await check({ ...variables, DB_ALLOW_FUNCTIONS: entries.join(", ") });
      assert.equal(code, 0);
      const [, lines = ""] = /^DB_ALLOW_FUNCTIONS allows, .*:\n((?: {2}- .*\n)+)/m.exec(stdout) ?? [];
      assert.deepEqual(lines.trimEnd().split("\n"), [
        "  - public.owned: public.owned(), volatile, SECURITY DEFINER",
        "  - twice: public.twice(integer), volatile, of the role An owner, who can change what it does; " +
        "write its schema, or any function that is given this name is called",
        "  - public.twice(integer): public.twice(integer), volatile, of the role An owner, who can change what it does",
        "  - public.twice(text): no function or foreign table of this database; correct it or take it out",
        "  - nosuch.owned: no function or foreign table of this database; correct it or take it out",
        "  - moved.crosstab: stays refused, as it runs SQL from a string, which can't be checked; take it out",
        "  - lo_get: pg_catalog.lo_get(oid), volatile; pg_catalog.lo_get(oid, bigint, integer), volatile; " +
        "write its schema, or any function that is given this name is called",
      ]);
      assert.doesNotMatch(stdout, /All is well/);
      const well = await check({ ...variables, DB_ALLOW_FUNCTIONS: "public.owned()" });
      assert.match(well.stdout, /^ {2}- public\.owned\(\): public[^]*All is well/m);
      await database.execute(
        `drop schema moved cascade; drop function owned(); drop function twice(int); drop role "An owner"`,
      );
    });
    const failing: readonly (readonly [string, Readonly<Record<string, string>>, RegExp])[] = [
      [
        "a wrong password",
        { DB_PASSWORD: "wrong" },
        /password of user .* is wrong, or .*\n *Correct DB_USER and DB_PASSWORD/,
      ],
      ["an unknown database", { DB_NAME: "nothing" }, /no such database[^]*DB_NAME/],
      [
        "an unknown role",
        { DB_USER: "nobody" },
        /password of user "nobody" is wrong|role "nobody" does not exist/,
      ],
      ["nothing listening", { DB_PORT: "1" }, /127\.0\.0\.1:1 as nothing accepts[^]*DB_HOST/],
      [
        "an unknown host",
        { DB_HOST: "nowhere.invalid" },
        /the host's name is unknown[^]*spelling in DB_HOST/,
      ],
      ["a server without TLS", { DB_SSLMODE: "require" }, /securely[^]*DB_SSLMODE/],
    ];
    for (const [what, changes, says] of failing) {
      await t.step(`${what}: exit 1`, async () => {
        const { code, stdout } = await check({ ...variables, ...changes });
        assert.equal(code, 1);
        assert.match(stdout, says);
      });
    }
    await t.step("a variable that is wrong: exit 2", async () => {
      const variables = { DB_PORT: "abc" };
      assert.equal((await runProgramToEnd({ args: ["--check"], plain: true, variables })).code, 2);
    });
  },
});

const checkAs = async (variables: Readonly<Record<string, string>>) =>
  (await runProgramToEnd({ args: ["--check"], plain: true, variables })).stdout;

/** The SQL that `--check` prints, a statement each. */
function printedSql(stdout: string): string {
  const found = /a second line of defence.*:\n\n([^]*?;.*)\n\n(?:Then connect as [^\n]*\n)?Settings: /.exec(
    stdout,
  )?.[1];
  if (found === undefined) throw new assert.AssertionError({ message: stdout });
  return found;
}

async function run(database: ProgramDatabase, sql: string): Promise<void> {
  for (const statement of sql.replace(/--.*$/gm, "").split(";")) {
    if (statement.trim() !== "") await database.execute(statement);
  }
}

Deno.test({
  name: "the SQL that --check prints is the README's, and makes a role that --check finds right",
  ignore: !postgresAvailable,
  async fn() {
    await using server = await startPostgres();
    await using database = await createProgramDatabase(server);
    await run(
      database,
      "create role app; grant create on schema public to app; create sequence invoices; alter table todos owner to app",
    );
    await run(database, "alter table users owner to app; alter table times owner to app");
    const sql = printedSql(await checkAs(database.superuserVariables));
    const readme = await Deno.readTextFile(new URL("../../README.md", import.meta.url));
    const advised = /^ +```sql\n([^]*?)^ +```$/m.exec(readme)?.[1]?.replace(/^ {3}/gm, "").trimEnd();
    assert.equal(sql.replaceAll(` ${database.name} `, " shop "), advised);
    await run(database, sql);
    const variables = { ...database.variables, DB_USER: "mcp_reader", DB_PASSWORD: "choose a long one" };
    const again = await checkAs(variables);
    const sample = /^ +```\n( +Connected [^]*?)\n +…\n/m.exec(readme)?.[1]?.replace(/^ {3}/gm, "") ?? "";
    const [, version = ""] = /PostgreSQL ([\d.]+)/.exec(again) ?? [];
    const expected = sample.replace("localhost:5432", `${server.host}:${server.port}`)
      .replace(/PostgreSQL [\d.]+/, `PostgreSQL ${version}`)
      .replace("Database shop", `Database ${database.name}`).replace("12 of 12", "3 of 3");
    assert.match(expected, /All is well\.$/);
    assert.ok(again.replace(/ \(Debian[^)]*\)/, "").startsWith(`${expected}\n`), again);
    await run(database, "set role app; create table later (id int generated always as identity); reset role");
    assert.match(await checkAs(variables), /may read 4 of 4 tables and views[^]*All is well/);
  },
});

Deno.test({
  name: "names with line breaks, quotes and backslashes stay names in the SQL that --check prints",
  ignore: !postgresAvailable,
  async fn(t) {
    await using server = await startPostgres();
    await using database = await createProgramDatabase(server);
    const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;
    const breaking = "x\ncreate table public.broken_out (); --";
    const [schema, role] = [`${breaking} \\0041`, `Odd "r" ${breaking}\x1b[31m`].map(quoted);
    await database.execute(`create role ${role} login password 'a password'; create schema ${schema};
      create table ${schema}.t (x int); alter table ${schema}.t owner to ${role}; create table secret (x int);
      grant insert on secret to ${role}`);
    const pasted = async (sql: string) => {
      assert.doesNotMatch(sql, /^create table|\p{Cc}\[31m/mu);
      await database.execute(sql);
    };
    await t.step("a new role", async () => {
      await pasted(printedSql(await checkAs(database.superuserVariables)));
      const variables = { ...database.variables, DB_USER: "mcp_reader", DB_PASSWORD: "choose a long one" };
      assert.match(await checkAs(variables), /All is well/);
    });
    await t.step("what a role lacks", async () => {
      const variables = {
        ...database.variables,
        DB_USER: `Odd "r" ${breaking}\x1b[31m`,
        DB_PASSWORD: "a password",
      };
      const [, sql = ""] =
        /To allow it, run as a superuser:\n\n([^]*?;.*)\n\nThe role/.exec(await checkAs(variables)) ?? [];
      await pasted(sql);
      assert.doesNotMatch(await checkAs(variables), /may not read/);
    });
  },
});

Deno.test({
  name: "of a role that is there already, the SQL that --check prints takes what it has too much",
  ignore: !postgresAvailable,
  async fn(t) {
    await using server = await startPostgres();
    await using database = await createProgramDatabase(server);
    const variables = { ...database.variables, DB_USER: "mcp_reader", DB_PASSWORD: "a password" };
    await run(
      database,
      `create role writers; grant insert on users to writers; create role "Odd owners";
      create sequence counted; create table owned (x int); alter table owned owner to "Odd owners"; create role readers;
      grant select on users to readers; create role mcp_reader login password 'a password'`,
    );
    const excess: readonly (readonly [string, RegExp])[] = [
      ["alter role mcp_reader superuser", /superuser/],
      ["alter role mcp_reader createdb createrole replication bypassrls", /may create databases/],
      ["grant insert on todos to mcp_reader", /may write to 1 table/],
      ["grant update (title) on todos to mcp_reader", /may write to 1 table/],
      ["grant create on schema public to mcp_reader", /create objects in 1 schema/],
      [`grant create on database ${database.name} to mcp_reader`, /may create schemas/],
      ["grant writers to mcp_reader", /may write to 1 table/],
      ['grant "Odd owners" to mcp_reader', /owns 1 table/],
      ["grant pg_write_all_data to mcp_reader", /member of pg_write_all_data/],
      ["grant insert on todos to public", /may write to 1 table/],
      ["grant create on schema public to public", /create objects in 1 schema/],
      ["grant usage on sequence counted to mcp_reader", /may move 1 sequence: public\.counted/],
      ["grant update on sequence counted to public", /may move 1 sequence: public\.counted/],
      ["grant trigger, references on todos to mcp_reader", /put triggers on, or refer to, 1 table/],
      ["grant references (title) on todos to writers; grant writers to mcp_reader", /refer to, 1 table/],
      [
        `revoke temporary on database ${database.name} from public; grant temporary on database ${database.name} to mcp_reader`,
        /may create temporary tables/,
      ],
      ...(server.version < 170_000 ? [] : [
        [
          "grant maintain on todos to mcp_reader",
          /may vacuum, reindex or lock 1 table or view: public\.todos/,
        ],
        [
          "grant maintain on todos to writers; grant writers to mcp_reader",
          /may vacuum, reindex or lock 1 table/,
        ],
        ["grant maintain on todos to public", /may vacuum, reindex or lock 1 table/],
      ] as const),
    ];
    for (const [sql, found] of excess) {
      await t.step(sql, async () => {
        await run(database, `${sql}; grant readers, pg_monitor to mcp_reader`);
        assert.match(await checkAs(variables), found);
        const printed = printedSql(await checkAs(database.superuserVariables));
        assert.doesNotMatch(printed, /CREATE ROLE|FROM pg_monitor|readers|NOSUPERUSER NOCREATEDB/);
        await run(database, printed);
        assert.match(
          await checkAs(variables),
          /^The role cannot write to any table, view or sequence, and can.*create.*\nAll is well/m,
        );
      });
    }
    await t.step("one that owns something can't be mended: another name", async () => {
      await run(database, "create table mine (x int); alter table mine owner to mcp_reader");
      const printed = printedSql(await checkAs(variables));
      assert.match(printed, /^CREATE ROLE mcp_reader_2 LOGIN/);
      await run(database, printed);
      const next = { ...variables, DB_USER: "mcp_reader_2", DB_PASSWORD: "choose a long one" };
      assert.match(await checkAs(next), /All is well/);
    });
    await t.step("one that may not log in", async () => {
      await run(database, 'alter table mine owner to "Odd owners"');
      await run(database, "alter role mcp_reader nologin");
      const printed = printedSql(await checkAs(database.superuserVariables));
      assert.match(printed, /^ALTER ROLE mcp_reader LOGIN PASSWORD /);
      await run(database, printed);
      assert.match(await checkAs({ ...variables, DB_PASSWORD: "choose a long one" }), /All is well/);
    });
  },
});
