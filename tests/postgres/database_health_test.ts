import assert from "@std/assert";
import { CallError } from "../../src/common/errors.ts";
import { databaseHealth } from "../../src/postgres/database_health.ts";
import type { Database, Transaction } from "../../src/postgres/database.ts";
import { connections } from "../../src/postgres/health/connections.ts";
import type { ExaminationOptions } from "../../src/postgres/health/examination.ts";
import { examine, sections } from "../../src/postgres/health/examination.ts";
import {
  type Assessment,
  type ServerFacts,
  type Verdict,
  verdictOf,
} from "../../src/postgres/health/section.ts";
import { type Thresholds, thresholds } from "../../src/postgres/health/thresholds.ts";
import { postgresAvailable } from "../support/postgres.ts";
import { type OwnServer, patient, startOwnServer } from "../support/own_server.ts";
import { startStandby } from "../support/standby.ts";
import { callTool, type Structured } from "../support/tools.ts";
import { until } from "../support/until.ts";

const ignore = !postgresAvailable;
const any = { warning: 0, critical: Infinity };

interface Answer {
  readonly text: string;
  readonly structured: Structured;
  /** The section of that name. */
  section(name: string): Structured;
}

async function health(
  database: Database,
  options: ExaminationOptions = {},
  budget = 32_768,
): Promise<Answer> {
  const { text, structured } = await callTool(
    databaseHealth(database, { ...patient, ...options }),
    {},
    budget,
  );
  assert.deepEqual(
    structured.sections.map(({ name }: Structured) => name).sort(),
    sections.map(({ name }) => name).sort(),
  );
  return {
    text,
    structured,
    section: (name) => {
      const found = structured.sections.find((item: Structured) => item.name === name);
      return { findings: [], details: [], ...found };
    },
  };
}

/** Examines until the section has the verdict: statistics arrive up to a second late. */
async function healthOnce(
  own: OwnServer,
  database: Database,
  name: string,
  wanted: Verdict,
  thresholds: Partial<Thresholds>,
): Promise<Answer> {
  let answer = await health(database, { thresholds });
  await until(`${name} is ${wanted}`, async () => {
    if (answer.section(name).verdict === wanted) return true;
    // A session reports what it counted when it does something.
    await own.execute("select");
    answer = await health(database, { thresholds });
    return false;
  });
  return answer;
}

const verdictCases: readonly (readonly [name: string, assessment: Partial<Assessment>, wanted: Verdict])[] = [
  ["nothing found", {}, "ok"],
  ["nothing found in what was seen", { unseen: "the rest" }, "unseen"],
  ["nothing to judge by", { noData: true }, "no_data"],
  ["unseen comes before no data", { noData: true, unseen: "x" }, "unseen"],
  ["a finding in what was seen", { unseen: "x", findings: [{ verdict: "warning", text: "" }] }, "warning"],
  ["a notice", { findings: [{ verdict: "notice", text: "" }] }, "notice"],
  ["a notice in what was seen", { unseen: "x", findings: [{ verdict: "notice", text: "" }] }, "unseen"],
  [
    "the worst finding",
    { findings: [{ verdict: "warning", text: "" }, { verdict: "critical", text: "" }] },
    "critical",
  ],
];
Deno.test.each(verdictCases)("the verdict follows from what was found: %s", (_, assessment, wanted) => {
  assert.equal(verdictOf({ summary: "", findings: [], ...assessment }), wanted);
});

Deno.test("connections: where no session can be counted, nothing is announced", async () => {
  const replies: Record<string, string>[][] = [[{ maximum: "100", reserved: "3" }], [], []];
  const transaction = { query: () => Promise.resolve(replies.shift() ?? []) } as unknown as Transaction;
  const { summary } = await connections.assess((work) => work(transaction), {} as ServerFacts, thresholds);
  assert.equal(summary, "0 of 97 taken (0%; max_connections 100, 3 reserved)");
});

Deno.test({
  name: "database_health of sessions and locks",
  ignore,
  async fn(t) {
    await using own = await startOwnServer(
      ["max_prepared_transactions = 5"],
      `create role app login; create role reader login; create role monitor login; grant pg_monitor to monitor;
       create table todos (id int, done bool); insert into todos select n, false from generate_series(1, 9) n;
       grant all on todos to app;`,
    );
    // It counts connections, its own among them: how many it has must not depend on how soon it gives one back.
    const database = own.reader("postgres", { poolSize: 1 });
    const isWithout = async (role: string) =>
      (await own.execute(`select from pg_stat_activity where usename = '${role}'`)).length === 0;

    await t.step(
      "a quiet server is a screen of ok and no data, and claims nothing about the latter",
      async () => {
        const { text, structured, section } = await health(database);
        assert.equal(structured.verdict, "ok");
        assert.match(text, /^postgres on PostgreSQL \d[^\n]*: OK; no data: [^\n]*workload/);
        assert.equal(section("cache").verdict, "no_data");
        assert.match(text, /\nno data cache: only/);
        assert.doesNotMatch(text, /healthy/i);
        assert.ok(text.length < 4096);
      },
    );

    await t.step("idle in transaction: named with what it last ran, and how to end it", async () => {
      const leak = await own.session("app", "todo-api");
      await leak.execute("begin; update todos set done = true where id = 1");
      const calm = await health(database);
      assert.equal(calm.section("transactions").verdict, "ok", "an idle moment is no finding");
      const { text, section } = await health(database, { thresholds: { idleInTransaction: any } });
      const [found] = section("transactions").findings;
      assert.match(
        found.text,
        new RegExp(`^pid ${leak.pid}, app \\(todo-api\\), idle in transaction for .*update todos`),
      );
      assert.equal(found.statements[0], `SELECT pg_terminate_backend(${leak.pid});`);
      assert.match(found.statements[1], /^ALTER ROLE app SET idle_in_transaction_session_timeout/);
      assert.match(text, /1\. transactions: pid/);
      const critical = await health(database, {
        thresholds: { idleInTransaction: { warning: 0, critical: 0 } },
      });
      assert.equal(critical.structured.verdict, "critical");
      await leak.close();
    });

    await t.step("a long transaction that works is told from one that idles", async () => {
      const worker = await own.session("app", "report");
      const running = worker.execute("select pg_sleep(600)").catch(() => {});
      const { section } = await healthOnce(own, database, "transactions", "warning", { transaction: any });
      assert.match(section("transactions").findings[0].text, /report\), active for .*runs: select pg_sleep/);
      assert.deepEqual(section("transactions").findings[0].statements, [
        `SELECT pg_cancel_backend(${worker.pid});`,
      ]);
      await own.execute(`select pg_terminate_backend(${worker.pid})`);
      await running;
    });

    await t.step("a prepared transaction that nobody ends", async () => {
      await own.execute("begin; insert into todos values (10); prepare transaction 'orphan ''1'''");
      const { section } = await health(database, { thresholds: { idleInTransaction: any } });
      assert.match(section("transactions").findings[0].text, /prepared transaction orphan '1' of postgres/);
      assert.deepEqual(section("transactions").findings[0].statements, ["ROLLBACK PREPARED 'orphan ''1''';"]);
      await own.execute("rollback prepared 'orphan ''1'''");
    });

    await t.step("a chain of three: the root first, with what it does", async (chain) => {
      const root = await own.session("app", "a");
      const middle = await own.session("app", "b");
      const last = await own.session("app", "c");
      await root.execute("begin; lock table todos in share mode");
      await middle.execute("begin");
      const waits = [middle.execute("lock table todos in exclusive mode").catch(() => {})];
      const waiting = (pid: number) => async () =>
        (await own.execute(`select from pg_locks where not granted and pid = ${pid}`)).length > 0;
      await until("the middle waits", waiting(middle.pid));
      waits.push(last.execute("begin; lock table todos in row share mode").catch(() => {}));
      await until("the last waits", waiting(last.pid));
      const { section, text } = await health(database, { thresholds: { lockWait: any } });
      const { findings, details } = section("blocking");
      assert.equal(findings.length, 1, "one root, and not one finding per pair");
      assert.match(
        findings[0].text,
        new RegExp(
          `^pid ${root.pid}, app \\(a\\), idle in transaction .*it blocks 2 sessions of app \\(b\\), app \\(c\\), `,
        ),
      );
      assert.deepEqual(findings[0].statements, [`SELECT pg_terminate_backend(${root.pid});`]);
      assert.match(details[1], new RegExp(`^  pid ${middle.pid} waits .* ExclusiveLock on public\\.todos$`));
      assert.match(details[2], new RegExp(`^    pid ${last.pid} waits .* RowShareLock on public\\.todos$`));
      assert.match(text, /1\. blocking: pid/);

      await chain.step(
        "who waits and who is waited for is known by name, for a service to be found there",
        async () => {
          const { sections } = await examine(database, {
            signal: new AbortController().signal,
            progress: () => {},
            thresholds: { lockWait: any, connections: any },
          });
          const partiesIn = (name: string) =>
            sections.find((section) => section.name === name)?.findings[0]?.parties?.toSorted();
          assert.deepEqual(partiesIn("blocking"), ["a", "app", "b", "c"]);
          assert.ok(partiesIn("connections")?.includes("app"), String(partiesIn("connections")));
        },
      );
      await chain.step("short waits are no finding", async () => {
        const calm = await health(database, {
          thresholds: { lockWait: { warning: 3_600_000, critical: 3_600_000 } },
        });
        assert.equal(calm.section("blocking").verdict, "ok");
        assert.match(calm.section("blocking").summary, /2 sessions wait for a lock/);
      });
      await chain.step("a plain reader sees who blocks, and that what they do is unseen", async () => {
        const seen = await health(own.reader("reader"), {
          thresholds: { lockWait: any, idleInTransaction: any },
        });
        assert.match(
          seen.section("blocking").findings[0].text,
          /what it does is unseen; it blocks 2 sessions/,
        );
        assert.doesNotMatch(seen.text, /lock table|todo-api/);
        assert.equal(seen.section("transactions").verdict, "unseen");
        assert.match(seen.section("transactions").unseen, /GRANT pg_monitor TO "reader";/);
        assert.match(seen.section("connections").summary, /\d unseen/);
        assert.match(seen.text.split("\n")[0] ?? "", /not or not wholly seen: transactions/);
      });
      await chain.step("a member of pg_monitor sees it all", async () => {
        const seen = await health(own.reader("monitor"), { thresholds: { idleInTransaction: any } });
        assert.equal(seen.section("transactions").verdict, "warning");
        assert.equal(seen.section("transactions").unseen, undefined);
        assert.match(seen.text, /lock table todos in share mode/);
      });
      for (const one of [last, middle, root]) await own.execute(`select pg_terminate_backend(${one.pid})`);
      await Promise.all(waits);
    });

    await t.step("a reader who sees nothing bad is told UNKNOWN and not OK", async () => {
      const { structured, text } = await health(own.reader("reader"));
      assert.equal(structured.verdict, "unknown");
      assert.match(text, /: UNKNOWN: nothing bad in what was seen; not or not wholly seen: transactions/);
    });

    await t.step("the text of a session shows no password, and little of anything", async () => {
      const sessions = await Promise.all(
        ["one", "two", "three", "four"].map((name) => own.session("app", name)),
      );
      const texts = [
        "begin; do $$ begin null; end $$; set local application_name = 'x'; -- alter role app password 'hunter2'",
        "begin; select crypt('hunter2', 'salt') where false",
        `begin; select ${"'long', ".repeat(50)} 'hunter2'`,
        "begin; select 'postgres://app:hunter2@host/db', E'\\u202E'",
      ];
      await Promise.all(sessions.map((one, at) => one.execute(texts[at] ?? "").catch(() => {})));
      const { text, structured, section } = await health(database, {
        thresholds: { idleInTransaction: any },
      });
      assert.doesNotMatch(text + JSON.stringify(structured), /hunter2/);
      const found = section("transactions").findings.map((item: Structured) => item.text).join("\n");
      assert.match(found, /not shown: it mentions a password/);
      assert.match(found, /postgres:\/\/app:\*\*\*@host/);
      assert.doesNotMatch(found, /\u202e/);
      assert.ok(section("transactions").findings.every((item: Structured) => item.text.length < 250));
      await Promise.all(sessions.map((one) => one.close()));
    });

    await t.step("90 % of the connections: who holds them, doing what", async () => {
      await until("those that were ended are gone", () => isWithout("app"));
      const [{ n }] = await own.execute(
        "select count(*)::int as n from pg_stat_activity where backend_type = 'client backend'",
      ) as [{ n: number }];
      const held = await Promise.all(Array.from({ length: 16 - n }, () => own.session("app", "todo-api")));
      await Promise.all(held.slice(1).map((one) => one.execute("begin; select 1")));
      const { section, text, structured } = await health(database);
      assert.equal(structured.verdict, "critical");
      const [found] = section("connections").findings;
      assert.match(
        found.text,
        /^16 of the 17 connections .*\(94\.1%\); app \(todo-api\) holds \d+: \d+ idle in transaction/,
      );
      assert.match(found.statements[0], /^ALTER ROLE app SET idle_in_transaction_session_timeout/);
      assert.match(text, /\n1\. connections: 16 of the 17/);
      assert.match(section("connections").summary, /max_connections 20, 3 reserved/);
      await Promise.all(held.map((one) => one.close()));
    });

    await t.step("a role near its own limit", async () => {
      await until("those that were ended are gone", () => isWithout("app"));
      await own.execute("alter role app connection limit 2");
      const one = await own.session("app", "x");
      const two = await own.session("app", "y");
      const { section } = await healthOnce(own, database, "connections", "critical", {});
      assert.match(
        section("connections").findings[0].text,
        /^role app has 2 of the 2 connections of its own limit$/,
      );
      await Promise.all([one.close(), two.close(), own.execute("alter role app connection limit -1")]);
    });

    await t.step("a section that fails leaves the others whole", async () => {
      const locker = await own.session("postgres", "locker");
      await locker.execute("begin; lock table pg_catalog.pg_sequence in access exclusive mode");
      const { section, structured, text } = await health(database, { statementMs: 2_000 });
      assert.equal(section("sequences").verdict, "unknown");
      assert.match(text, /\nUNKNOWN sequences: Cannot /);
      assert.equal(section("replication").verdict, "ok");
      assert.equal(section("indexes").verdict, "ok");
      assert.equal(structured.verdict, "unknown");
      await locker.close();
    });

    await t.step("a section that the role has no right for is unseen", async () => {
      await own.execute("revoke select on pg_catalog.pg_replication_slots from public");
      const { section } = await health(own.reader("reader"));
      assert.equal(section("replication").verdict, "unseen");
      assert.match(section("replication").summary, /permission denied/);
      await own.execute("grant select on pg_catalog.pg_replication_slots to public");
    });

    await t.step("sections that there was no time for are unknown", async () => {
      const { structured } = await health(database, { totalMs: -1 });
      assert.ok(structured.sections.every(({ verdict }: Structured) => verdict === "unknown"));
      assert.equal(structured.verdict, "unknown");
    });

    await t.step("a cancelled call is an error and no report", async () => {
      const tool = databaseHealth(database);
      // The pipeline's deadline gives a reason of its own.
      for (const reason of [undefined, new CallError("unavailable", "Cannot wait longer")]) {
        const stop = new AbortController();
        const progress = () => stop.abort(reason);
        await assert.rejects(
          tool.run({}, { signal: stop.signal, budget: 32_768, progress }),
          (error: unknown) => error instanceof CallError && error.kind === (reason?.kind ?? "cancelled"),
        );
      }
    });

    await t.step("and after all that it is well", async () => {
      assert.equal((await health(database)).structured.verdict, "ok");
    });
  },
});

Deno.test({
  name: "database_health of tables, indexes and sequences",
  ignore,
  async fn(t) {
    await using own = await startOwnServer(
      ["autovacuum = off"],
      `create role reader login; grant usage on schema public to reader;
       create schema "Odd ""Shop"""; create table "Odd ""Shop""".items (id int generated always as identity, x int);
       create table todos (id bigserial primary key, title text not null, at int);
       insert into todos (title, at) select 'title ' || n, n from generate_series(1, 40000) n;`,
    );
    const database = own.reader();
    /** The statistics of `todos` are reported a moment later, by a session that does something. */
    const counted = (condition: string) =>
      until(
        condition,
        async () =>
          (await own.execute(`select from pg_stat_user_tables where relname = 'todos' and ${condition}`))
            .length > 0,
      );
    /** Before 15 a database's statistics begin when its first session is counted. */
    const dated = own.server.version < 150_000;

    await t.step("autovacuum off is a finding by itself", async () => {
      const { section } = await health(database);
      assert.match(section("settings").findings[0].text, /^autovacuum is off/);
    });

    await t.step("dead rows beyond autovacuum's threshold, with when vacuum came last", async () => {
      await counted("n_live_tup = 40000");
      await own.execute("analyze todos");
      await counted("analyze_count = 1");
      await own.execute("delete from todos where id <= 30000");
      await counted("n_dead_tup = 30000");
      const { section } = await healthOnce(own, database, "vacuum", "warning", {});
      const [found] = section("vacuum").findings;
      assert.match(
        found.text,
        /^public\.todos has 30,000 dead beside 10,000 live rows \(75%\), where autovacuum starts at 8,050/,
      );
      assert.match(found.text, /last vacuum never, autovacuum never, analyze .* ago$/);
      assert.match(section("vacuum").summary, /, none of them was ever vacuumed$/);
      assert.deepEqual(found.statements, ["VACUUM (ANALYZE) public.todos;"]);
      await own.execute(String(found.statements[0]));
      await counted("vacuum_count = 1 and analyze_count = 2");
      const calm = await healthOnce(own, database, "vacuum", "ok", {});
      assert.match(calm.section("vacuum").summary, /, last vacuum of any of them .* ago$/);
    });

    await t.step("planner statistics that are older than the table", async () => {
      await own.execute("update todos set at = at + 1");
      await counted("n_mod_since_analyze = 10000");
      const { section } = await healthOnce(own, database, "vacuum", "warning", {
        changedRows: 5000,
        deadRows: { warning: 1e9, critical: 1e9 },
      });
      assert.match(
        section("vacuum").findings[0].text,
        /^public\.todos changed by 10,000 rows since its planner statistics/,
      );
      assert.deepEqual(section("vacuum").findings[0].statements, ["ANALYZE public.todos;"]);
    });

    await t.step("a failed CREATE UNIQUE INDEX CONCURRENTLY leaves an invalid index", async () => {
      await own.execute(`insert into "Odd ""Shop""".items (x) values (1), (1)`);
      await assert.rejects(own.execute(`create unique index concurrently "Bad" on "Odd ""Shop""".items (x)`));
      const { section } = await health(database);
      const [found] = section("indexes").findings;
      assert.match(found.text, /^"Odd ""Shop"""\."Bad" on .* is invalid/);
      assert.equal(found.statements[0], `DROP INDEX CONCURRENTLY "Odd ""Shop"""."Bad";`);
      assert.match(found.statements[1], /CREATE UNIQUE INDEX "Bad" ON/);
      await own.execute(String(found.statements[0]));
      assert.equal((await health(database)).section("indexes").verdict, "ok");
    });

    await t.step("duplicates, and what only looks like one", async () => {
      await own.execute(`
        create index one on todos (title, at); create index two on todos (title, at);
        create index other_order on todos (title, at desc); create index partial on todos (title, at) where at > 1;
        create index partial_2 on todos (title, at) where at > 2; create index ops on todos (title text_pattern_ops, at);
        create index expr_1 on todos (lower(title)); create index expr_2 on todos (upper(title));
        create index   expr_1_again  on todos  ( lower( title ) );
        create unique index of_key on todos (id);`);
      const { section } = await health(database);
      const texts = section("indexes").findings.map((item: Structured) => item.text.replace(/ \(.*?\)/, ""));
      assert.deepEqual(texts.sort(), [
        "public.expr_1_again duplicates public.expr_1 on public.todos",
        "public.of_key duplicates public.todos_pkey on public.todos",
        "public.two duplicates public.one on public.todos",
      ]);
      await own.execute(
        "drop index two, expr_1_again, of_key, other_order, partial, partial_2, ops, expr_2, expr_1",
      );
      assert.equal((await health(database)).section("indexes").verdict, "ok");
    });

    await t.step("an index on the columns that another one begins with", async () => {
      await own.execute(`
        create index short on todos (title); create index long on todos (title, at, id);
        create index descending on todos (title desc); create index patterns on todos (title text_pattern_ops);
        create index partly on todos (title) where at > 1; create index carries on todos (title) include (at);
        create unique index rule on todos (at, id, title); create index of_rule on todos (at);`);
      const { section } = await health(database, { thresholds: { unusedIndexBytes: 1 } });
      const found = section("indexes").findings.map((item: Structured) => item.text.replace(/ \(.*?\)/, ""));
      // `one`, on (title, at), is of the step before.
      assert.deepEqual(found.sort(), [
        "public.of_rule on public.todos has the columns that public.rule begins with, so public.rule answers the same queries",
        "public.one on public.todos has the columns that public.long begins with, so public.long answers the same queries",
        "public.short on public.todos has the columns that public.long begins with, so public.long answers the same queries",
      ]);
      assert.match(section("indexes").findings[0].caution, /^keep it where public\.\w+ is much larger/);
      assert.equal((await health(database)).section("indexes").verdict, "ok", "under 10 MB");
      await own.execute("drop index short, long, descending, patterns, partly, carries, rule, of_rule");
    });

    await t.step("an unused index: large enough, counted for long enough, and nobody's rule", async () => {
      await own.execute("create unique index unique_one on todos (id, at)");
      const large = { unusedIndexBytes: 100_000 };
      const minutesOld = await health(database, { thresholds: large });
      assert.equal(minutesOld.section("indexes").verdict, "ok");
      assert.match(
        minutesOld.section("indexes").summary,
        dated
          ? /use unknown \(statistics were reset .* ago, 7 d are needed\)/
          : /use unknown \(counted since the database was created, for .* at most; 7 d are needed\)/,
      );
      const { section } = await health(database, { thresholds: { ...large, unusedIndexAge: 0 } });
      const names = section("indexes").findings.map((item: Structured) => item.text.split(" ")[0]);
      assert.deepEqual(names, ["public.one"], "not the primary key, not the unique one");
      assert.match(
        section("indexes").findings[0].text,
        dated
          ? /takes \d+ kB and was never read, counted for /
          : /takes \d+ kB and was never read, counted since the database was created, for .* at most/,
      );
      assert.match(section("indexes").findings[0].caution, /not if .* is new, .*standbys are not counted/);
      assert.equal((await health(database)).section("indexes").verdict, "ok", "under 10 MB");
      await own.execute("select pg_stat_reset()");
      const young = await health(database, { thresholds: large });
      assert.match(
        young.section("indexes").summary,
        /use unknown \(statistics were reset .* ago, 7 d are needed\)/,
      );
      assert.equal(young.section("indexes").findings.length, 0);
      const old = { ...large, unusedIndexAge: 0 };
      assert.equal((await health(database, { thresholds: old })).section("indexes").findings.length, 1);
      await own.execute(
        "set enable_seqscan = off; set enable_bitmapscan = off; select count(*) from todos where title = 'x'",
      );
      await healthOnce(own, database, "indexes", "ok", old);
    });

    await t.step("a locked table stops neither the sizes nor the report", async () => {
      await own.execute("create index never_read on todos (at)");
      const locker = await own.session("postgres", "locker");
      await locker.execute("begin; lock table todos in access exclusive mode; reindex index never_read");
      const { section } = await health(database, {
        thresholds: { unusedIndexBytes: 0, unusedIndexAge: 0 },
      });
      assert.ok(
        section("indexes").findings.some(({ text }: Structured) =>
          /^public\.never_read on public\.todos takes \d+ kB/.test(text)
        ),
      );
      assert.equal(section("vacuum").verdict === "unknown", false);
      await locker.close();
      await own.execute("drop index never_read");
    });

    await t.step("a sequence near its end: by the column's type too", async () => {
      await own.execute(
        `create table s (a serial, b int default nextval('s_free'), c bigint generated always as identity, d smallint)`
          .replace("create table", "create sequence s_free; create table"),
      );
      await own.execute(`create sequence owned owned by s.d; select setval('owned', 31000);
        select setval('s_a_seq', 1700000000); select setval('s_free', 2147483647); select setval('s_c_seq', 2147483647);
        create sequence round maxvalue 10 cycle; select setval('round', 10);
        create sequence down increment -1 minvalue -100 maxvalue -1; select setval('down', -80)`);
      const { section } = await health(database);
      const found = section("sequences").findings.map((item: Structured) =>
        `${item.verdict}: ${item.text.replace(/ is used up to/, "").replace(/:.*;/, ";")}`
      );
      assert.deepEqual(found, [
        "critical: public.s_free 100%; the next insert fails",
        "critical: public.owned 94.6%; 1,767 values are left",
        "warning: public.down 79.8%; 20 values are left",
      ]);
      assert.equal(section("sequences").finding_count, 4);
      const [free] = section("sequences").findings;
      assert.match(free.text, /for public\.s\.b \(integer\)/);
      assert.deepEqual(free.statements, ["ALTER TABLE public.s ALTER COLUMN b TYPE bigint;"]);
      await own.execute("drop sequence down");
      const serial = (await health(database)).section("sequences").findings[2];
      assert.match(serial.text, /^public\.s_a_seq .*79\.2%.*447,483,647 values are left$/);
      assert.deepEqual(serial.statements, [
        "ALTER TABLE public.s ALTER COLUMN a TYPE bigint;",
        "ALTER SEQUENCE public.s_a_seq AS bigint;",
      ]);
      for (const statement of [...free.statements, ...serial.statements]) await own.execute(statement);
    });

    await t.step("sequences that the role may not read are unseen, never fine", async () => {
      const { section } = await health(own.reader("reader"));
      assert.equal(section("sequences").verdict, "unseen");
      assert.match(
        section("sequences").unseen,
        /\d sequences that the role may not SELECT.*GRANT SELECT ON SEQUENCE/,
      );
    });

    await t.step("a small budget is kept, and what was cut is told", async () => {
      await own.execute(
        `do $$ begin for n in 1..40 loop execute format('create index cut_%s on todos (at)', n); end loop; end $$`,
      );
      for (const budget of [2_048, 4_096, 8_192]) {
        const { text, section } = await health(database, {}, budget);
        assert.ok(section("indexes").findings.length < 39);
        assert.equal(section("indexes").finding_count, 39);
        assert.match(text, /\n\[Cut: .*3\d more findings of indexes/);
      }
    });
  },
});

Deno.test({
  name: "database_health of deadlocks, spills and cache",
  ignore,
  async fn(t) {
    await using own = await startOwnServer(
      ["deadlock_timeout = 10ms"],
      "create table t (id int primary key); insert into t values (1), (2)",
    );
    const database = own.reader();
    const few = { transactions: 1 };

    await t.step("a deadlock", async () => {
      const one = await own.session("postgres", "one");
      const two = await own.session("postgres", "two");
      await one.execute("begin; select * from t where id = 1 for update");
      await two.execute("begin; select * from t where id = 2 for update");
      const results = await Promise.allSettled([
        one.execute("select * from t where id = 2 for update; commit"),
        two.execute("select * from t where id = 1 for update; commit"),
      ]);
      assert.equal(results.filter(({ status }) => status === "rejected").length, 1);
      await Promise.all([one.close(), two.close()]);
      const { section } = await healthOnce(own, database, "workload", "critical", {
        ...few,
        deadlocks: { warning: 0.0001, critical: 0.001 },
      });
      assert.match(section("workload").findings[0].text, /^1 deadlock in \d+ transactions$/);
    });

    await t.step("temporary files", async () => {
      await own.execute(
        "set work_mem = '64kB'; select count(*) from (select n from generate_series(1, 200000) n order by n desc offset 1) x",
      );
      const spilled = await healthOnce(own, database, "workload", "warning", {
        ...few,
        deadlocks: { warning: 2, critical: 2 },
        temporaryFiles: { warning: 0.0001, critical: 2 },
      });
      assert.match(
        spilled.section("workload").findings[0].text,
        /^\d+ temporary files? of .*, written by sorts, hashes or index builds$/,
      );
    });

    await t.step("a cache that misses", async () => {
      const { section } = await healthOnce(own, database, "cache", "warning", {
        cacheReads: 1,
        cacheHit: { warning: 1, critical: 0 },
      });
      assert.match(
        section("cache").findings[0].text,
        /^only .*% of block reads were found in shared buffers \(32MB\)$/,
      );
      assert.equal(section("cache").findings[0].statements, undefined, "a value that nobody can know");
    });
  },
});

Deno.test({
  name: "database_health of wraparound and replication slots, with an open transaction that holds both back",
  ignore,
  async fn(t) {
    await using own = await startOwnServer(
      ["wal_level = logical", "autovacuum_freeze_max_age = 100000", "autovacuum_naptime = 1s", "fsync = off"],
      "create table t (x int); insert into t values (1)",
    );
    const database = own.reader();
    await t.step("the age that autovacuum can't lower, and who holds it", async () => {
      const holder = await own.session("postgres", "holder");
      await holder.execute("begin isolation level repeatable read; select * from t");
      // Each block with a handler is a subtransaction with an ID of its own.
      await own.execute(`do $$ begin for n in 1..210000 loop
        begin insert into t values (n); exception when others then null; end;
        end loop; end $$`);
      const younger = await own.session("postgres", "younger");
      await younger.execute("begin isolation level repeatable read; select * from t limit 1");
      const { section } = await health(database);
      await younger.close();
      const found = section("wraparound").findings;
      assert.equal(section("wraparound").verdict, "warning");
      const ours = found.find((item: Structured) => item.text.startsWith("database postgres "));
      assert.match(
        ours.text,
        /is 21\d,\d{3} transactions old, where autovacuum freezes at 100,000; writes stop 2,1\d\d,\d{3},\d{3} later/,
      );
      assert.match(ours.text, new RegExp(`held by the transaction of pid ${holder.pid}, 21\\d,`));
      assert.match(ours.statements[0], /^VACUUM \(FREEZE\) /);
      const closed = await health(database, { thresholds: { freezeAge: any } });
      const template = (name: string) =>
        closed.section("wraparound").findings.find(({ text }: Structured) =>
          text.startsWith(`database ${name} `)
        );
      assert.equal(template("template0")?.statements, undefined, "no session can be opened there");
      assert.match(template("template0")?.caution, /accepts no connections: autovacuum alone/);
      assert.deepEqual(template("template1")?.statements, ["-- in database template1: VACUUM (FREEZE);"]);
      await holder.close();
    });
    await t.step("a slot that nobody reads", async () => {
      await own.execute(
        "select pg_create_physical_replication_slot('left ' is null::text || '', true)".replace(
          "'left ' is null::text || ''",
          "'left_over'",
        ),
      );
      await own.execute(
        "do $$ begin for n in 1..40 loop perform pg_logical_emit_message(false, 'x', repeat('y', 1000000)); end loop; end $$",
      );
      const calm = await health(database);
      assert.equal(calm.section("replication").verdict, "ok", "40 MB are nothing");
      const { section } = await health(database, {
        thresholds: { slotBytes: { warning: 30 << 20, critical: Infinity } },
      });
      const [found] = section("replication").findings;
      assert.match(
        found.text,
        /^slot left_over \(physical\): inactive, holds \d+ MB of WAL.* no limit stops it from filling the disk$/,
      );
      assert.deepEqual(found.statements, ["SELECT pg_drop_replication_slot('left_over');"]);
    });
  },
});

Deno.test({
  name: "database_health where the server is blind or reckless",
  ignore,
  async fn() {
    await using own = await startOwnServer(
      ["fsync = off", "track_counts = off", "track_activities = off"],
      "create role app login",
    );
    const busy = await own.session("app", "x");
    await busy.execute("begin; select 1");
    const { section, structured } = await health(own.reader());
    assert.equal(structured.verdict, "critical");
    assert.deepEqual(section("settings").findings.map((item: Structured) => item.text.split(":")[0]), [
      "fsync is off",
      "track_counts is off",
      "track_activities is off",
    ]);
    for (const name of ["cache", "workload", "vacuum", "transactions"]) {
      assert.equal(section(name).verdict, "no_data", name);
    }
    assert.match(section("indexes").summary, /use unknown \(track_counts is off\)/);
    assert.match(section("cache").summary, /track_counts is off/);
  },
});

Deno.test({
  name: "database_health of a server that ails everywhere is a screen, and says what it leaves out",
  ignore,
  async fn() {
    await using own = await startOwnServer(
      ["autovacuum = off", "fsync = off", "full_page_writes = off", "wal_level = logical"],
      `create role app login; create table t (id int, at int);
       insert into t select n, n from generate_series(1, 100) n; delete from t where id > 50; grant all on t to app;
       do $$ begin for n in 1..5 loop
         execute format('create sequence s%s maxvalue 10', n); execute format('create index i%s on t (at)', n);
         execute format('create index unread%s on t ((at + %s))', n, n); perform setval(format('s%s', n), 10);
       end loop; end $$;`,
    );
    await own.execute("select pg_create_physical_replication_slot('left_over', true)");
    const database = own.reader();
    const root = await own.session("app", "root");
    await root.execute("begin; lock table t");
    const waiting = await Promise.all(
      Array.from({ length: 12 }, (_, n) => own.session("app", `waits ${n}`)),
    );
    const waits = waiting.map((one) => one.execute("begin; select from t").catch(() => {}));
    await until(
      "all of them wait",
      async () => (await own.execute("select from pg_locks where not granted")).length === waits.length,
    );
    const worst = { warning: 0, critical: 0 };
    const thresholds = {
      connections: worst,
      idleInTransaction: worst,
      transaction: worst,
      lockWait: worst,
      cacheHit: { warning: 2, critical: 2 },
      cacheReads: 0,
      transactions: 0,
      rollbacks: 0,
      deadlocks: worst,
      temporaryFiles: worst,
      deadRows: worst,
      autovacuumLag: 0,
      freezeAge: worst,
      sequence: worst,
      slotBytes: worst,
      unusedIndexBytes: 0,
      unusedIndexAge: 0,
      keyRows: 0,
    };
    const { text, structured } = await health(database, { thresholds });
    const quiet = structured.sections.filter(({ findings }: Structured) => findings === undefined);
    assert.deepEqual(quiet.map(({ name }: Structured) => name), []);
    assert.ok(text.split("\n").length <= 60, text);
    const verdicts = structured.sections.map(({ verdict }: Structured) => verdict).join(" ");
    assert.match(verdicts, /^(critical ?)+(warning ?)+(notice ?)*$/, "worst first");
    const [cut, forAPerson] = structured.notes;
    assert.ok(text.includes(`\n[${cut}]\n`), cut);
    assert.equal(forAPerson, "The SQL is for a person to judge and run; nothing was run or changed.");
    for (const { name, findings, finding_count: all = findings.length } of structured.sections) {
      const more = all - findings.length;
      if (more > 0) assert.match(cut, new RegExp(`^Cut: .*\\b${more} more findings? of ${name}`));
    }
    assert.match(text, /\[Cut: .*\d+ more findings of sequences.*query_database/);
    assert.match(text, /\[Cut: .*\d+ lines of blocking/);
    await root.close();
    await Promise.all(waits);
  },
});

Deno.test({
  name: "database_health of a server that is not there is an error",
  ignore,
  async fn() {
    await using own = await startOwnServer();
    const database = own.reader();
    await own.server.stop("fast");
    await assert.rejects(
      callTool(databaseHealth(database), {}),
      (error: unknown) => error instanceof CallError && error.kind === "unavailable",
    );
  },
});

Deno.test({
  name: "database_health of a primary and its hot standby",
  ignore,
  async fn(t) {
    await using own = await startOwnServer(
      [],
      "create role reader login; create table t (x serial); insert into t select from generate_series(1, 5); create unlogged table u (x serial)",
    );
    await using standby = await startStandby(own);
    const primary = own.reader();
    const hosts = [{ host: own.server.socket, port: standby.port }];
    const copy = own.reader("postgres", { hosts });
    const writeWal = (megabytes: number) =>
      own.execute(`do $$ begin for n in 1..${megabytes} loop
        perform pg_logical_emit_message(false, 'x', repeat('y', 1000000)); end loop; end $$`);
    const behind = { replayBytes: { warning: 15 << 20, critical: Infinity } };
    await until("the standby streams and has caught up", async () =>
      (await own.execute(
        "select from pg_stat_replication where state = 'streaming' and replay_lsn = pg_current_wal_lsn()",
      )).length > 0);

    await t.step("in step, both are ok", async () => {
      const { section } = await health(primary, { thresholds: behind });
      assert.equal(section("replication").verdict, "ok");
      assert.match(section("replication").summary, /^1 standby,/);
      assert.deepEqual(section("replication").details, [], "as in the text, what is ok takes a line");
      const seen = await health(copy, { thresholds: behind });
      assert.equal(seen.structured.standby, true);
      assert.equal(seen.section("replication").verdict, "ok");
      assert.match(
        seen.section("replication").summary,
        /^this is a standby, [\d,]+ (bytes|kB) received and not replayed/,
      );
    });

    await t.step("a standby judges neither vacuum nor the use of indexes, and says who does", async () => {
      const { section } = await health(copy);
      assert.equal(section("vacuum").verdict, "no_data");
      assert.match(section("vacuum").summary, /ask the primary/);
      assert.match(section("indexes").summary, /not judged on a standby/);
      assert.equal(section("wraparound").verdict, "ok");
      assert.equal(section("sequences").verdict, "ok");
    });

    await t.step("what a standby can't run is for its primary", async () => {
      await own.execute("create index one on t (x); create index two on t (x)");
      await until(
        "the standby has the indexes",
        async () => (await health(copy)).section("indexes").verdict === "warning",
      );
      const { section } = await health(copy, {
        thresholds: { freezeAge: any, sequence: { warning: 0, critical: Infinity } },
      });
      assert.deepEqual(section("indexes").findings[0].statements, [
        "-- on the primary: DROP INDEX CONCURRENTLY public.two;",
      ]);
      const statements = section("wraparound").findings.flatMap((found: Structured) => found.statements);
      assert.ok(statements.includes("-- on the primary, in database template1: VACUUM (FREEZE);"));
      assert.ok(statements.some((each: string) => /^-- on the primary: VACUUM \(FREEZE\) /.test(each)));
      assert.match(section("sequences").findings[0].statements[0], /^-- on the primary: ALTER /);
      await own.execute("drop index one, two");
    });

    await t.step("replay that is paused: seen on both sides", async () => {
      const session = await own.session("postgres", "pauser", "postgres", standby.port);
      await session.execute("select pg_wal_replay_pause()");
      await until(
        "it is paused",
        async () =>
          (await session.execute(
            "select from (select pg_get_wal_replay_pause_state() as state) x where state = 'paused'",
          ))
            .length > 0,
      );
      await writeWal(30);
      await until(
        "the WAL has arrived",
        async () =>
          (await own.execute("select from pg_stat_replication where flush_lsn = pg_current_wal_lsn()"))
            .length > 0,
      );
      const { section } = await health(primary, { thresholds: behind });
      assert.match(
        section("replication").findings[0].text,
        /^standby standby_1: streaming, async, (2|3)\d MB behind/,
      );
      const seen = await health(copy, { thresholds: behind });
      assert.match(
        seen.section("replication").findings[0].text,
        /^this standby's replay is paused: (2|3)\d MB received and not replayed/,
      );
      assert.deepEqual(seen.section("replication").findings[0].statements, [
        "SELECT pg_wal_replay_resume();",
      ]);
      await session.execute("select pg_wal_replay_resume()");
      await session.close();
    });

    await t.step("a plain reader does not see how far the standby is, and is told so", async () => {
      const { section } = await health(own.reader("reader"), { thresholds: behind });
      assert.equal(section("replication").verdict, "unseen");
      assert.match(section("replication").unseen, /how far 1 standby is behind/);
      const seen = await health(own.reader("reader", { hosts }), { thresholds: behind });
      assert.match(seen.section("replication").summary, /^this is a standby, \d/);
    });

    await t.step("without its primary the standby says that it receives nothing", async () => {
      await own.server.stop("immediate");
      await until(
        "the receiver is gone",
        async () => (await health(copy)).section("replication").verdict === "warning",
      );
      const { section } = await health(copy);
      assert.match(section("replication").findings[0].text, /^this standby receives no WAL/);
      await own.server.start();
    });
  },
});
