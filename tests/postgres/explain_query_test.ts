import assert from "@std/assert";
import { CallError } from "../../src/common/errors.ts";
import { createLogger } from "../../src/common/log.ts";
import { Database } from "../../src/postgres/database.ts";
import { explainQuery } from "../../src/postgres/explain_query.ts";
import { postgresAvailable } from "../support/postgres.ts";
import { rejection } from "../support/rejection.ts";
import { createDatabase, createReader } from "../support/test_database.ts";
import { callTool, type Structured } from "../support/tools.ts";
import { eventually } from "../support/unguarded.ts";

const schema = `
  create table users (id int primary key, name text);
  insert into users select n, 'user ' || n from generate_series(1, 1000) n;
  create table todos (id int primary key, user_id int, title text);
  insert into todos select n, n % 1000, 'todo ' || n from generate_series(1, 20000) n;
  create table parts (id int, at int) partition by range (at);
  do $$ begin for n in 0..99 loop
    execute format('create table parts_%s partition of parts for values from (%s) to (%s)', n, n * 10, n * 10 + 10);
  end loop; end $$;
  insert into parts select n, n % 1000 from generate_series(1, 20000) n;
  create sequence numbers;
  create role explain_reader login;
  grant select on todos to explain_reader;
  analyze users, todos, parts;`;

function isError(kind: CallError["kind"], message: RegExp, hint = /./) {
  return (error: unknown) => {
    if (!(error instanceof CallError)) return false;
    assert.equal(error.kind, kind, error.message);
    assert.match(error.message, message);
    assert.match(error.hint ?? "", hint);
    return true;
  };
}

/** Times and amounts of memory and pages that differ from run to run. */
function withoutTimes(text: string): string {
  return text.replace(/[<>]?[\d.]+ (ms|s)\b/g, "T").replace(
    /[\d.]+ (bytes|kB|MB) (from shared buffers|read)/g,
    "B $2",
  )
    .replace(/^ *[<>]?[\d.]+% /gm, "   N% ").replace(/[<>]?[\d.]+% of the time/g, "N% of the time");
}

Deno.test({
  name: "explain_query",
  ignore: !postgresAvailable,
  async fn(context) {
    await using test = await createDatabase(schema);
    await test.execute(`alter database ${test.settings.database} set jit = off`);
    await test.execute(`alter database ${test.settings.database} set max_parallel_workers_per_gather = 0`);
    // How fast the machine is decides nothing here.
    const tool = explainQuery(test.database, { allowFunctions: [], fastMs: 0 });
    const explain = (sql: string, more: Record<string, unknown> = {}, budget?: number) =>
      callTool(tool, { sql, ...more }, budget);
    const state = async () =>
      await test.database.read(
        { signal: new AbortController().signal },
        (transaction) =>
          transaction.query(`select (select count(*) || ':' || sum(id) from users) as users,
          (select count(*) || ':' || sum(id) from todos) as todos,
          (select last_value || ':' || is_called from numbers) as numbers,
          (select count(*) from pg_class) as relations, (select count(*) from pg_statistic) as statistics`),
      );

    await context.step("says where the time goes, why, and what to do", async () => {
      const sql =
        "select u.name, count(*) from users u join todos t on t.user_id = u.id where t.user_id = 7 group by 1 order by 1";
      const expected = `Ran in T, after T of planning: 1 row. Expected: 1 row, cost 387.08.
Pages: B from shared buffers.
Costliest by itself: Seq Scan on todos t, N% of the time (T).
Settings that are not the default: jit = off, max_parallel_workers_per_gather = 0.

1. Seq Scan on todos t takes N% of the time: it reads 20,000 rows to keep 20.
   Evidence: filter (t.user_id = 7) drops 99.9% of them.
   An index on user_id would probably let it read only the rows that it keeps.
   A person could run: CREATE INDEX CONCURRENTLY ON public.todos (user_id)

Plan (each node's own part of the time):
   N%  GroupAggregate: 1 row (1 expected), T
            by u.name
   N%    Sort: 20 rows (20 expected), T
              by u.name
              quicksort, 25 kB of memory
   N%      Nested Loop: 20 rows (20 expected), T
   N%        Index Scan using users_pkey on users u: 1 row (1 expected), T
                  index condition (u.id = 7)
                  B from shared buffers
   N%        Seq Scan on todos t: 20 rows (20 expected), T
                  filter (t.user_id = 7)
                  19,980 rows dropped by the filter; B from shared buffers`;
      let { text, structured } = await explain(sql, { analyze: true });
      // Whatever the server is at when it has to wait for a processor takes long, planning included.
      for (let n = 0; n < 100 && withoutTimes(text) !== expected; n++) {
        ({ text, structured } = await explain(sql, { analyze: true }));
      }
      assert.equal(withoutTimes(text), expected);
      assert.equal(structured.measured, true);
      assert.equal(structured.rows, 1);
      assert.equal(structured.costliest, "Seq Scan on todos t");
      assert.deepEqual(structured.nodes.map((node: { depth: number }) => node.depth), [0, 1, 2, 3, 3]);
      assert.ok(structured.execution_ms > 0 && structured.nodes[4].self_ms > 0);
    });

    await context.step("without analyze it gives estimates, and says that they are", async () => {
      const { text, structured } = await explain("select * from users where id = 7");
      assert.equal(
        text.replace(/Looked for: .*/, "Looked for: …"),
        `Not run. The planner expects 1 row at cost 8.29 (in its own unit). These are estimates, not measurements: analyze runs it.
Settings that are not the default: jit = off, max_parallel_workers_per_gather = 0.

Nothing stands out in the estimates. Looked for: …

Plan (each node's own part of the cost):
  100%  Index Scan using users_pkey on users: 1 row expected, cost 8.29
            index condition (users.id = 7)`,
      );
      assert.match(text, /Looked for: sequential scans that keep few rows, .*sorts above work_mem\.\n/);
      assert.ok((/Looked for: .*/.exec(text)?.[0].length ?? 0) < 400);
      assert.ok(!text.includes("spill to disk"), "what only a measurement shows was not looked for");
      assert.deepEqual(structured, {
        measured: false,
        planning_ms: structured.planning_ms,
        expected_rows: 1,
        cost: 8.29,
        costliest: "Index Scan using users_pkey on users",
        notes: [
          /^Nothing stands out .*$/m.exec(text)?.[0],
          "These are estimates, not measurements: analyze runs it.",
          "Settings that are not the default: jit = off, max_parallel_workers_per_gather = 0.",
        ],
        findings: [],
        nodes_left_out: 0,
        nodes: [{
          depth: 0,
          name: "Index Scan using users_pkey on users",
          share: 1,
          expected_rows: 1,
          cost: 8.29,
          details: ["index condition (users.id = 7)"],
        }],
      });
      assert.deepEqual(Object.keys(structured).slice(-3), ["findings", "nodes_left_out", "nodes"]);
    });

    await context.step("says so when there is little to gain", async () => {
      const options = { allowFunctions: [] };
      const little = /^Nothing stands out: in less than a millisecond there is little to gain\.$/m;
      const scan = { sql: "select * from todos where user_id = 7", analyze: true };
      const { text, structured } = await callTool(
        explainQuery(test.database, { ...options, fastMs: Infinity }),
        scan,
      );
      assert.match(text, little);
      assert.deepEqual(structured.findings, []);
      const plain = explainQuery(test.database, options);
      await eventually(async () => little.test((await callTool(plain, { ...scan, sql: "select 1" })).text));
      const estimated = await explain(scan.sql);
      assert.equal(estimated.structured.findings.length, 1);
    });

    await context.step("says what was never executed", async () => {
      const { text, structured } = await explain(
        "select * from todos where exists (select from users where id < 0) or false",
        { analyze: true },
      );
      assert.match(text, /^Never executed: 1 node of 3\.$/m);
      assert.match(text, /^ {5}- {4}Seq Scan on todos: never executed \(20,000 rows expected\)$/m);
      assert.deepEqual(structured.nodes.map((node: Structured) => node.loops), [undefined, undefined, 0]);
    });

    await context.step("plans for the values that are bound", async () => {
      const { text } = await explain("select * from todos where id = $1 and title <> $2", {
        parameters: [7, "$3"],
        analyze: true,
      });
      assert.match(text, /index condition \(todos\.id = 7\)/);
      await assert.rejects(
        explain("select * from todos where id = $1"),
        isError("invalid", /has 1 parameter and 0 values came with it$/, /one it usually runs with/),
      );
      await assert.rejects(
        explain("select 1", { parameters: [1] }),
        isError("invalid", /has 0 parameters and 1 value /),
      );
      const paged = await explain("select * from todos order by id limit 5 offset $1", {
        parameters: [15000],
      });
      assert.match(paged.text, /OFFSET has about 15,000 rows computed and thrown away/);
      // What looks like a parameter inside a text or a comment is none.
      await explain("select '$1' /* $2 */ -- $3");
    });

    await context.step("values that don't fit are the server's to refuse", async () => {
      await assert.rejects(
        explain("select * from todos where id = $1", { parameters: ["x"] }),
        isError("invalid", /invalid input syntax for type integer/, /^$/),
      );
    });

    await context.step("points into the caller's text", async () => {
      await assert.rejects(
        explain("select 1,\n  nothing from users"),
        isError("invalid", /column "nothing" does not exist .* at line 2, column 3: nothing from users/),
      );
      await assert.rejects(explain("select * from nothing"), isError("not_found", /at line 1, column 15/));
      await assert.rejects(
        explain("select from from"),
        isError("invalid", /Cannot parse/, /At character 13/),
      );
    });

    const before = await state();
    const refused: readonly (readonly [string, CallError["kind"], RegExp])[] = [
      ["delete from todos", "refused", /DELETE writes/],
      ["update todos set title = ''", "refused", /UPDATE writes/],
      ["insert into todos values (0)", "refused", /INSERT writes/],
      ["select * into copied from todos", "refused", /SELECT INTO/],
      ["create table copied as select * from todos", "refused", /./],
      ["select * from todos for update", "refused", /lock rows/],
      ["select 1; delete from todos", "refused", /2 statements/],
      ["select 1; commit; delete from todos", "refused", /3 statements/],
      ["with gone as (delete from todos returning *) select * from gone", "refused", /DELETE writes/],
      ["select nextval('numbers')", "refused", /nextval/],
      ["select pg_terminate_backend(pg_backend_pid())", "refused", /pg_terminate_backend/],
      ["explain select 1", "invalid", /Cannot explain an EXPLAIN/],
      ["explain analyze delete from todos", "refused", /DELETE writes/],
      ["explain (analyze) delete from todos", "refused", /DELETE writes/],
      ["analyze todos", "refused", /./],
      ["analyze delete from todos", "invalid", /Cannot parse/],
      ["(analyze) delete from todos", "invalid", /Cannot parse/],
      ["(analyze, verbose) select 1", "invalid", /Cannot parse/],
      ["execute something", "refused", /./],
      ["show work_mem", "invalid", /Cannot explain SHOW/],
      ["", "invalid", /empty/],
      ["-- nothing", "invalid", /there is none/],
    ];
    for (const [sql, kind, message] of refused) {
      for (const analyze of [false, true]) {
        await context.step(`does not ${analyze ? "run" : "plan"} ${JSON.stringify(sql)}`, async () => {
          await assert.rejects(explain(sql, { analyze }), isError(kind, message, /./));
        });
      }
    }

    await context.step("and after all that nothing has changed", async () => {
      assert.deepEqual(await state(), before);
    });

    await context.step("runs what every statement may call, and sets", async () => {
      for (
        const sql of ["select random(), clock_timestamp()", "values (1), (2)", "table users", "(select 1);"]
      ) {
        const { structured } = await explain(sql, { analyze: true });
        assert.equal(structured.measured, true);
      }
      const { structured } = await explain("select * from users union all select id, title from todos");
      assert.equal(structured.nodes[0].name, "Append");
    });

    await context.step("needs the rights that the statement needs", async () => {
      await using reader = await createReader(test, "explain_reader");
      const own = explainQuery(reader.database, { allowFunctions: [] });
      await assert.rejects(
        callTool(own, { sql: "select * from users", analyze: true }),
        isError("refused", /permission denied for table users/, /needs SELECT/),
      );
      const { text } = await callTool(own, { sql: "select * from todos where user_id = 7" });
      assert.match(text, /CREATE INDEX CONCURRENTLY ON public\.todos \(user_id\)/);
    });

    await context.step("a statement that takes too long is stopped, with advice that fits", async () => {
      await using database = new Database({ ...test.settings, statementTimeoutMs: 200 }, createLogger("off"));
      const slow = explainQuery(database, { allowFunctions: [] });
      const sql = "select count(*) from generate_series(1, 200000000)";
      // What is read of the catalogue has no more time than that: a server that was held up is asked again.
      await eventually(async () => {
        const { kind, message, hint } = await rejection(callTool(slow, { sql, analyze: true }));
        assert.equal(kind, "unavailable");
        assert.match(message, /within 200 ms/);
        return /^call it again without analyze/.test(hint ?? "");
      });
      await eventually(() =>
        callTool(slow, { sql }).then(({ structured }) => structured.measured === false, () => false)
      );
    });

    await context.step("a cancelled call ends at the server too", async () => {
      const controller = new AbortController();
      const running = tool.run(
        tool.input.parse({
          sql: "select count(*) from generate_series(1, 200000000) cancelled",
          analyze: true,
        }),
        { signal: controller.signal, budget: 4096, progress: () => {} },
      );
      running.catch(() => {});
      const active = async () => {
        const [row] = await test.database.read(
          { signal: new AbortController().signal },
          (transaction) =>
            transaction.query(`select count(*) from pg_stat_activity
            where state = 'active' and query like 'EXPLAIN%cancelled'`),
        );
        return row?.count;
      };
      await eventually(async () => await active() === "1");
      controller.abort();
      await assert.rejects(running, isError("cancelled", /cancelled/, /^/));
      await eventually(async () => await active() === "0");
    });

    await context.step("of a plan of a hundred nodes those that matter, and fewer in 2 kB", async () => {
      const sql = "select * from parts where id = 7 order by at";
      const whole = await explain(sql, { analyze: true });
      assert.equal(whole.structured.nodes.length, 25);
      assert.equal(whole.structured.nodes_left_out, 77);
      assert.match(
        whole.text,
        /\[Cut: 77 cheaper nodes of 102 left out\. Explain a part of the query .*, or run EXPLAIN with query_database\.\]$/,
      );
      const { text, structured } = await explain(sql, { analyze: true }, 2048);
      assert.equal(structured.nodes.length + structured.nodes_left_out, 102);
      assert.ok(structured.nodes.length >= 4, text);
      assert.deepEqual(
        structured.nodes.slice(0, 2).map((node: { name: string }) => node.name),
        ["Sort", "Append"],
      );
      const cut = new RegExp(
        `Cut: ${structured.nodes_left_out} cheaper nodes of 102 left out\\. Explain a part`,
      );
      assert.match(text, cut);
      assert.match(structured.notes.join("\n"), cut);
      assert.match(text, /^Ran in /);
    });

    await context.step("says that workers ran, which query_database does not get", async () => {
      const settings = { parallel_setup_cost: 0, parallel_tuple_cost: 0, min_parallel_table_scan_size: 0 };
      const name = test.settings.database;
      await test.execute(
        Object.entries({ ...settings, max_parallel_workers_per_gather: 2 })
          .map(([setting, value]) => `alter database ${name} set ${setting} = ${value};`).join(" "),
      );
      await using database = new Database(test.settings, createLogger("off"));
      const parallel = explainQuery(database, { allowFunctions: [] });
      const sql = "select count(*) from todos";
      const said = /^Ran with [12] parallel workers?: query_database .* starts none, /m;
      let nodes: readonly Structured[] = [];
      await eventually(async () => {
        const { text, structured } = await callTool(parallel, { sql, analyze: true });
        nodes = structured.nodes;
        return said.test(text) && / Parallel Seq Scan on todos: .* in each of [23] processes /.test(text);
      });
      const [gather, scan] = ["Gather", "Parallel Seq Scan on todos"].map((name) =>
        nodes.find((node) => node.name === name)
      );
      assert.deepEqual([gather?.loops, gather?.processes], [undefined, undefined]);
      assert.ok([2, 3].includes(scan?.processes) && scan?.loops === scan?.processes, JSON.stringify(scan));
      assert.doesNotMatch((await callTool(parallel, { sql })).text, said);
      assert.doesNotMatch((await explain(sql, { analyze: true })).text, said);
    });

    await context.step("names what is near a table that is not there, as query_database does", async () => {
      for (const analyze of [false, true]) {
        await assert.rejects(
          explain("select *\nfrom usres", { analyze }),
          isError(
            "not_found",
            /"usres" does not exist.*at line 2, column 6/,
            /^did you mean public\.users\?$/,
          ),
        );
      }
      await assert.rejects(explain("select * from zzzzzzz"), isError("not_found", /zzzzzzz/, /list_tables/));
    });

    await context.step("of a partitioned table, an index can't be built beside writes", async () => {
      await test.execute(`create table halves (id int, half int) partition by list (half);
        create table first_half partition of halves for values in (0);
        create table second_half partition of halves for values in (1);
        insert into halves select n, n % 2 from generate_series(1, 20000) n;
        analyze halves`);
      const { text, structured } = await explain("select * from halves where id = 7");
      const statement = "CREATE INDEX ON public.halves (id)";
      assert.equal(structured.findings[0]?.statement, statement);
      assert.ok(text.includes(`${statement} -- writes wait until it is built\n`), text);
      assert.equal(structured.findings[0]?.caution, "writes wait until it is built");
    });

    await context.step("a long condition is shortened, and hidden characters are shown", async () => {
      const { text } = await explain(
        `select * from users where name <> '${"x".repeat(500)}' and name <> '\u202e'`,
      );
      assert.match(text, /x{100,}…/);
      const hidden = await explain("select * from users where name <> 'a\u202eb'");
      assert.match(hidden.text, /a\\u\{202e\}b/);
    });

    await context.step("a plan that is too large is refused with what to do", async () => {
      await assert.rejects(
        explain("select * from parts where id::text <> $1", { parameters: ["x".repeat(60_000)] }),
        isError(
          "refused",
          /^Cannot show the plan as it has \d+ (kB|MB), and 4096 kB is the most$/,
          /fewer partitions/,
        ),
      );
    });

    await context.step(
      "its own look-ups don't show, and names are not taken from the search path",
      async () => {
        await test.execute(`create schema trap; create function trap.quote_ident(name) returns text
        language plpgsql as $$ begin raise 'trapped'; end $$;
        alter database ${test.settings.database} set search_path = trap, public, pg_catalog`);
        await using database = new Database(test.settings, createLogger("off"));
        const { text } = await callTool(explainQuery(database, { allowFunctions: [] }), {
          sql: "select * from todos where user_id = 7",
        });
        assert.match(text, /search_path = trap, public, pg_catalog/);
        assert.match(text, /public\.todos \(user_id\)/);
      },
    );
  },
});
