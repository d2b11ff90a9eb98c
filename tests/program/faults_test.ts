import assert from "@std/assert";
import { RawClient, runProgramToEnd } from "../support/mcp.ts";
import { postgresAvailable, startPostgres } from "../support/postgres.ts";
import { createProgramDatabase, endless, readerPassword } from "../support/program_database.ts";
import { until } from "../support/until.ts";

const ignore = !postgresAvailable;

Deno.test({
  name: "what the server refuses is said in words, with what to do and no secret",
  ignore,
  async fn(t) {
    await using database = await createProgramDatabase();
    const cases: readonly (readonly [string, Readonly<Record<string, string>>, RegExp])[] = [
      [
        "a wrong password",
        { DB_PASSWORD: "wr0ng-s3cret" },
        /password of user "program_1_reader" is wrong.*DB_PASSWORD/,
      ],
      ["an unknown database", { DB_NAME: "nothing" }, /database "nothing".*no such database.*DB_NAME/],
      ["an unknown role", { DB_USER: "nobody" }, /nobody/],
      ["TLS that the server does not have", { DB_SSLMODE: "verify-full" }, /securely.*DB_SSLMODE/],
    ];
    for (const [what, changes, says] of cases) {
      await t.step(what, async () => {
        await using client = await RawClient.connect({ variables: { ...database.variables, ...changes } });
        const { text, isError } = await client.query("SELECT 1");
        assert.equal(isError, true);
        assert.match(text, says);
        await client.endInput();
        const { stdout, stderr } = await client.ended;
        for (const secret of ["wr0ng-s3cret", readerPassword]) assert.ok(!(stdout + stderr).includes(secret));
      });
    }
  },
});

Deno.test({
  name: "PostgreSQL's message, position and hint reach the caller",
  ignore,
  async fn() {
    await using database = await createProgramDatabase();
    await using client = await RawClient.connect({ variables: database.variables });
    const misspelt = await client.query("SELECT id,\n  titel FROM todos");
    assert.equal(misspelt.isError, true);
    assert.match(misspelt.text, /column "titel" does not exist/);
    assert.match(misspelt.text, /line 2, column 3/);
    assert.match(misspelt.text, /todos\.title/);
  },
});

Deno.test({
  name:
    "what DB_ALLOW_FUNCTIONS names in vain is told in the log once; what acts ends the start, and its refusal says why",
  ignore,
  async fn() {
    await using database = await createProgramDatabase();
    await database.execute(
      "create function fine() returns int language plpgsql security definer as 'begin return 1; end'",
    );
    const variables = { ...database.variables, DB_ALLOW_FUNCTIONS: "public.fine, public.nosuch" };
    await using client = await RawClient.connect({ variables });
    assert.match((await client.query("SELECT fine()")).text, /1 row/);
    await client.query("SELECT fine()");
    const refused = await client.query("SELECT pg_terminate_backend(0)");
    assert.equal(
      refused.text,
      "Cannot call pg_terminate_backend as it acts on other sessions or on the server. " +
        "Tell a person what should be done with psql, and why. No setting allows it.",
    );
    await client.endInput();
    await client.ended;
    const told = client.errorLines.filter(({ message }) => String(message).includes("DB_ALLOW_FUNCTIONS"));
    assert.deepEqual(told.map(({ level, entry }) => ({ level, entry })), [{
      level: "warn",
      entry: "public.nosuch: no function or foreign table of this database; correct it or take it out",
    }]);
    const ended = await runProgramToEnd({
      variables: { ...variables, DB_ALLOW_FUNCTIONS: "public.fine, pg_sleep" },
    });
    assert.equal(ended.code, 2);
    assert.match(
      ended.stderr,
      /^postgres-mcp: DB_ALLOW_FUNCTIONS can't allow its entry 2, as it holds the connection/,
    );
  },
});

Deno.test({
  name: "a pool whose connections are all busy says so, and serves again when they are not",
  ignore,
  async fn() {
    await using database = await createProgramDatabase();
    const variables = { ...database.variables, DB_POOL_SIZE: "2", STATEMENT_TIMEOUT_MS: "3000" };
    await using client = await RawClient.connect({ variables });
    const hog = () => client.query(endless("busy"));
    const busy = [hog(), hog()];
    await until("both connections are busy", async () => await database.running("busy") === 2);
    const waiting = client.query("SELECT 1 AS waited");
    const texts = (await Promise.all(busy)).map((answer) => answer.text);
    for (const text of texts) assert.match(text, /within 3 s.*STATEMENT_TIMEOUT_MS/);
    // It waits as long as a statement may take: it got its turn, or was told that there was none.
    const { text, isError } = await waiting;
    assert.match(text, isError ? /within 3 s as all 2 are busy.*DB_POOL_SIZE/ : /^waited\n-+\n +1\n/);
    assert.equal((await client.query("SELECT 1")).isError, false);
  },
});

Deno.test({
  name:
    "a server that is killed in mid-query, is away, and comes back: each call says so, the next one works",
  ignore,
  async fn(t) {
    await using server = await startPostgres();
    await using database = await createProgramDatabase(server);
    await using client = await RawClient.connect({ variables: database.variables });
    assert.equal((await client.query("SELECT 1")).isError, false);
    await database.execute("checkpoint"); // what was made here outlives the crash
    const running = client.query(endless("killed"));
    await until("the statement runs", async () => await database.running("killed") === 1);
    await t.step("killed in mid-query", async () => {
      await server.stop("immediate");
      const { text, isError } = await running;
      assert.equal(isError, true);
      assert.match(text, /^Cannot /);
      assert.doesNotMatch(text, /defect/);
    });
    await t.step("away", async () => {
      const { text, isError } = await client.query("SELECT 1");
      assert.equal(isError, true);
      assert.match(text, /nothing accepts connections there/);
    });
    await t.step("back", async () => {
      await server.start();
      const { text, isError } = await client.query("SELECT count(*) FROM todos");
      assert.equal(isError, false, text);
      assert.match(text, /3000/);
    });
    await t.step("restarted while the program's connections are idle", async () => {
      await server.restart();
      const { text, isError } = await client.query("SELECT count(*) FROM users");
      assert.equal(isError, false, text);
    });
    await t.step("one session ended by an administrator in mid-query", async () => {
      const call = client.query(endless("terminated"));
      await until("the statement runs", async () => await database.running("terminated") === 1);
      await database.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where query like '%terminated%' and pid <> pg_backend_pid()",
      );
      assert.equal((await call).isError, true);
      assert.equal((await client.query("SELECT 1")).isError, false);
    });
  },
});
