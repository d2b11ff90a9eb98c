import assert from "@std/assert";
import { runProgramToEnd } from "../support/mcp.ts";
import { postgresAvailable, startPostgres } from "../support/postgres.ts";
import { createProgramDatabase, readerPassword } from "../support/program_database.ts";

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
      assert.match(stdout, /GRANT SELECT ON ALL TABLES IN SCHEMA public TO mcp_reader;/);
    });
    await t.step("a role that may write to one table", async () => {
      await database.execute(`grant insert on todos to ${variables.DB_USER}`);
      const { stdout } = await check(variables);
      assert.match(stdout, /may write to 1 table or view/);
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
        /can't see 1 sequence, .* GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO "program_1_reader";/,
      );
      assert.doesNotMatch(stdout, /All is well/);
      await database.execute("drop sequence invoices");
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
      ["an unknown host", { DB_HOST: "nowhere.invalid" }, /the host's name is unknown/],
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

Deno.test({
  name: "the SQL that --check prints makes a role that --check finds right",
  ignore: !postgresAvailable,
  async fn() {
    await using server = await startPostgres();
    await using database = await createProgramDatabase(server);
    await database.execute("create sequence invoices");
    const { stdout } = await runProgramToEnd({
      args: ["--check"],
      plain: true,
      variables: database.superuserVariables,
    });
    const sql = stdout.slice(stdout.indexOf("CREATE ROLE"), stdout.indexOf("A client starts"));
    for (const statement of sql.split(/;.*\n/).filter((text) => text.trim() !== "")) {
      await database.execute(statement);
    }
    const variables = { ...database.variables, DB_USER: "mcp_reader", DB_PASSWORD: "choose a long one" };
    const again = await runProgramToEnd({ args: ["--check"], plain: true, variables });
    assert.equal(again.code, 0);
    assert.match(again.stdout, /All is well/);
  },
});
