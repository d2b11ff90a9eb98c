/** Statements that make a real server show each thing that a plan can be found to suffer from. */

/** Tables for the cases. */
export const schema = `
  create table users (id int primary key, name varchar(40), mail text) with (autovacuum_enabled = false);
  insert into users select n, 'User ' || n, 'u' || n || '@example.org' from generate_series(1, 20000) n;
  create table mails (mail text) with (autovacuum_enabled = false);
  insert into mails select 'u' || n || '@example.org' from generate_series(1, 20000) n;
  create index mails_mail on mails (mail);
  create table todos (
    id int primary key, user_id int not null, title text not null, done boolean not null, kind int not null,
    city int not null, country int not null, at timestamptz not null
  ) with (autovacuum_enabled = false);
  insert into todos select n, n % 20000, 'todo ' || n || repeat('x', 50), n % 2 = 0, n % 10, n % 100, n % 100,
    timestamptz '2024-01-01' + n * interval '1 minute' from generate_series(1, 100000) n;
  create index todos_kind on todos (kind);
  create table notes (id int primary key, words tsvector, flag int) with (autovacuum_enabled = false);
  insert into notes select n, 'x:2B'::tsvector, n % 1000 from generate_series(1, 100000) n;
  create index notes_words on notes using gin (words) with (fastupdate = off);
  create index notes_flag on notes (flag) where id > 1000000;
  create table papers (paper jsonb) with (autovacuum_enabled = false);
  insert into papers select jsonb_build_object('id', n, 'it''s', 'v' || n, 'at', timestamptz '2024-01-01',
    'deep', jsonb_build_array(jsonb_build_object('n', n % 5000))) from generate_series(1, 20000) n;
  create index papers_id on papers ((paper ->> 'id'));
  create table visits (id int primary key, user_id int references users) with (autovacuum_enabled = false);
  insert into visits select n, 1 + n % 20000 from generate_series(1, 50000) n;
  create table skewed (n int) with (autovacuum_enabled = false);
  alter table skewed alter n set statistics 0;
  insert into skewed select n from generate_series(1, 50000) n;
  insert into skewed select n % 5 from generate_series(1, 50000) n;
  create table fresh (n int, m int) with (autovacuum_enabled = false);
  insert into fresh select 1, n from generate_series(1, 50000) n;
  create table pairs (id int, a int, b int, c int, d int) with (autovacuum_enabled = false);
  insert into pairs select n, n % 3, n % 3, n % 3, n % 3 from generate_series(1, 20000) n;
  create schema "Mixed Case";
  create table "Mixed Case"."Odd" ("User" int, parted int) partition by list (parted);
  create table "Mixed Case".odd_1 partition of "Mixed Case"."Odd" for values in (1);
  create table "Mixed Case".odd_2 partition of "Mixed Case"."Odd" for values in (2);
  create table "Mixed Case".odd_3 partition of "Mixed Case"."Odd" for values in (3);
  insert into "Mixed Case"."Odd" select n % 15000, 1 + n % 3 from generate_series(1, 90000) n;
  create function many() returns setof int language plpgsql stable rows 10 as
    $$ begin return query select generate_series(1, 20000); end $$;
  create table small (n int) with (autovacuum_enabled = false);
  insert into small select n from generate_series(1, 5000) n;
  create table changed (n int) with (autovacuum_enabled = false);
  insert into changed select n from generate_series(1, 1000) n;`;

/** Fails until the server has counted that so many rows of `changed` were. */
export function counted(rows: number): string {
  return `do $$ begin
    if (select n_mod_since_analyze from pg_stat_user_tables where relname = 'changed') is distinct from ${rows} then
      raise 'not counted yet';
    end if;
  end $$`;
}

/** A statement of its own, for the statistics to be older. */
export const analyzed =
  `analyze users, mails, visits, todos, notes, papers, skewed, pairs, small, changed, "Mixed Case"."Odd";
  insert into changed select 1 from generate_series(1, 50000);`;

/** A statement, and what stands out in its plan: one finding that matches all that is given. */
export interface Expected {
  readonly name: string;
  readonly sql: string;
  /** True by default. */
  readonly analyze?: boolean;
  /** Beside no parallel workers and no compilation. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly title?: RegExp;
  readonly evidence?: RegExp;
  readonly advice?: RegExp;
  /** Null: there must be none. */
  readonly statement?: string | null;
  /** What must not be found. */
  readonly absent?: RegExp;
}

const onlyNestedLoop = {
  enable_hashjoin: "off",
  enable_mergejoin: "off",
  enable_memoize: "off",
  enable_material: "off",
};

/** One or more for each rule. */
export const cases: readonly Expected[] = [
  {
    name: "a missing index: the column that tells rows apart, and not the flag",
    sql: "select * from todos where user_id = 5 and not done",
    title: /^Seq Scan on todos takes [\d.>]+% of the time: it reads 100,000 rows to keep 5$/,
    evidence: /^filter \(\(NOT todos\.done\) AND \(todos\.user_id = 5\)\) drops >99\.9% of them$/,
    advice: /^An index on user_id would probably let it read only the rows that it keeps$/,
    statement: "CREATE INDEX CONCURRENTLY ON public.todos (user_id)",
  },
  {
    name: "a missing index by the estimates alone",
    sql: "select * from todos where user_id = 5",
    analyze: false,
    title: /100% of the cost: it reads about 100,000 rows to keep about 5$/,
    evidence: /as the planner expects$/,
    statement: "CREATE INDEX CONCURRENTLY ON public.todos (user_id)",
  },
  {
    name: "a missing index on a value and then a range",
    sql: "select * from todos where at > '2024-03-01' and city = 7",
    advice: /^One index on city, at together/,
    statement: "CREATE INDEX CONCURRENTLY ON public.todos (city, at)",
  },
  {
    name: "a missing index on an expression",
    sql: "select * from users where lower(name) = 'user 7'",
    statement: "CREATE INDEX CONCURRENTLY ON public.users (lower(name))",
  },
  {
    name: "a missing index for a beginning",
    sql: "select * from todos where title like 'todo 1234%'",
    statement: "CREATE INDEX CONCURRENTLY ON public.todos (title text_pattern_ops)",
  },
  {
    name: "a missing index for a part",
    sql: "select * from todos where title like '%1234x%'",
    advice: /needs the extension pg_trgm/,
    statement:
      "CREATE EXTENSION IF NOT EXISTS pg_trgm;\nCREATE INDEX CONCURRENTLY ON public.todos USING gin (title gin_trgm_ops)",
  },
  {
    name: "a missing index for a part, though the column has one in order",
    sql: "select * from mails where mail like '%u1234@%'",
    advice: /^A trigram index on mail would probably find the rows; it needs the extension pg_trgm/,
    statement:
      "CREATE EXTENSION IF NOT EXISTS pg_trgm;\nCREATE INDEX CONCURRENTLY ON public.mails USING gin (mail gin_trgm_ops)",
    absent: /ANALYZE/,
  },
  {
    name: "a column that is converted before it is compared",
    sql: "select * from todos where user_id::text = '7'",
    advice:
      /^The condition converts user_id from integer to text, .* compare it with a value of type integer$/,
    statement: null,
  },
  {
    name: "a function that nobody knows to be immutable",
    sql: "select * from todos where date(at) = '2031-01-01'",
    advice: /^The condition is on date\(at\): compare at itself .*, if date is immutable$/,
    statement: null,
  },
  {
    name: "OR, which no single index answers",
    sql: "select * from todos where user_id = 7 or title = 'x'",
    advice: /^Each side of the OR needs an index of its own.*: there is none on user_id and title$/,
    statement:
      "CREATE INDEX CONCURRENTLY ON public.todos (user_id);\nCREATE INDEX CONCURRENTLY ON public.todos (title)",
  },
  {
    name: "OR, of which one side has its index",
    sql: "select * from todos where id = 7 or user_id = 8 and done or user_id = 9",
    advice: /: there is none on user_id$/,
    statement: "CREATE INDEX CONCURRENTLY ON public.todos (user_id)",
  },
  {
    name: "OR with a side that no index answers",
    sql: "select * from todos where user_id = 7 or title <> 'x' and user_id % 7 = 9",
    advice:
      /^This tool knows no index that answers the condition as it is written.*each side of an OR needs an index of its own/,
    statement: null,
  },
  {
    name: "a missing index on a value in JSON",
    sql: "select * from papers where paper->>'it''s' = 'v7'",
    advice: /^An index on \(paper ->> 'it''s'\) would probably/,
    statement: "CREATE INDEX CONCURRENTLY ON public.papers ((paper ->> 'it''s'))",
  },
  {
    name: "a missing index on a number deep in JSON",
    sql: "select * from papers where (paper->'deep'->0->>'n')::int = 7",
    statement: "CREATE INDEX CONCURRENTLY ON public.papers (((((paper -> 'deep') -> 0) ->> 'n')::integer))",
  },
  {
    name: "a time in JSON, which no index holds",
    sql: "select * from papers where (paper->>'at')::timestamptz = '2031-01-01'",
    advice:
      /^The condition converts a value in paper to timestamptz, which depends on the session's settings/,
    statement: null,
  },
  {
    name: "an index on a value in JSON that is there and not used",
    sql: "select * from papers where paper->>'id' = '7'",
    settings: { enable_indexscan: "off", enable_bitmapscan: "off" },
    advice: /^There is the index papers_id, which the planner did not choose/,
  },
  {
    name: "a partial index that the query does not imply",
    sql: "select * from notes where flag = 7",
    advice:
      /^The partial index notes_flag serves only queries that imply its condition\. An index on flag would probably/,
    statement: "CREATE INDEX CONCURRENTLY ON public.notes (flag)",
  },
  {
    name: "an index that is there and not used",
    sql: "select * from todos where kind = 7 and at < '2024-01-02'",
    settings: { enable_indexscan: "off", enable_bitmapscan: "off" },
    advice: /^There is the index todos_kind, which the planner did not choose/,
    statement: "ANALYZE public.todos",
  },
  {
    name: "partitions, together, by their parent's name",
    sql: `select * from "Mixed Case"."Odd" where "User" = 7`,
    evidence: /; and 2 more like it$/,
    statement: 'CREATE INDEX ON "Mixed Case"."Odd" ("User")',
  },
  {
    name: "a scan in each run of a subquery",
    sql: "select u.id, (select count(*) from todos t where t.user_id = u.id) from users u where u.id < 20",
    title: /^Seq Scan on todos t .*: it reads about 1,900,000 rows in 19 runs to keep about 95$/,
    statement: "CREATE INDEX CONCURRENTLY ON public.todos (user_id)",
  },
  {
    name: "a scan in each run of a subquery, by the estimates alone",
    sql: "select u.id, (select count(*) from todos t where t.user_id = u.id) from users u",
    analyze: false,
    title:
      /^Seq Scan on todos t takes >99\.9% of the cost: it reads about 2,000,000,000 rows in 20,000 runs to keep about /,
    statement: "CREATE INDEX CONCURRENTLY ON public.todos (user_id)",
  },
  {
    name: "NOT IN with a subquery that is read again for each row, by the estimates alone",
    sql: "select * from users where id not in (select user_id from visits)",
    analyze: false,
    settings: { work_mem: "64kB" },
    title: /^SubPlan 1: Materialize runs about \d+,000 times and takes 9\d.*% of the cost$/,
    advice: /^NOT EXISTS in place of NOT IN/,
  },
  {
    name: "a day of a time, which a value would not be",
    sql: "select count(*) from todos where at::date = '2024-01-02'",
    advice: /from the day's beginning to before the next day's$/,
    statement: null,
  },
  {
    name: "days after one, which the times from its beginning would not be",
    sql: "select count(*) from todos where at::date > '2024-03-09'",
    advice: /compare the time itself, where > a day is >= the next day, and <= a day is < the next day$/,
    statement: null,
  },
  {
    name: "several days of a time",
    sql: "select count(*) from todos where at::date in ('2024-01-02', '2024-01-04')",
    advice: /from each day's beginning to before the next day's$/,
    statement: null,
  },
  {
    name: "parallel processes, their rows together, by the estimates alone",
    sql: "select count(*) from todos where user_id = 3",
    analyze: false,
    settings: {
      max_parallel_workers_per_gather: "2",
      parallel_setup_cost: "0",
      min_parallel_table_scan_size: "0",
    },
    title: /: it reads about 100,000 rows to keep about 5$/,
  },
  {
    name: "the first rows in an order that the index there is can't be read in",
    sql: "select * from todos order by kind desc nulls last limit 5",
    statement: "CREATE INDEX CONCURRENTLY ON public.todos (kind DESC NULLS LAST)",
  },
  {
    name: "no index for the first rows in an order that is another's backwards",
    sql: "select * from todos order by kind desc limit 5",
    settings: { enable_indexscan: "off", enable_bitmapscan: "off" },
    absent: /^ORDER BY/,
  },
  {
    name: "parallel processes, their rows together",
    sql: "select count(*) from todos where user_id = 3",
    settings: {
      max_parallel_workers_per_gather: "2",
      parallel_setup_cost: "0",
      min_parallel_table_scan_size: "0",
    },
    title: /^Parallel Seq Scan on todos .*: it reads about (99,99|100,00)\d rows to keep about \d$/,
    statement: "CREATE INDEX CONCURRENTLY ON public.todos (user_id)",
  },
  {
    name: "no missing index where the table is small",
    sql: "select count(*) from small where md5(repeat(n::text, 200)) = 'x'",
    absent: /Seq Scan/,
  },
  {
    name: "no missing index where most rows are kept",
    sql: "select count(*) from todos where user_id < 15000",
    absent: /Seq Scan/,
  },
  {
    name: "an index that finds rows which a filter then drops",
    sql: "select * from todos where kind in (7, 8) and user_id = 17",
    settings: { enable_seqscan: "off" },
    title: /^Bitmap Heap Scan on todos .*: it fetches 20,000 rows by the index to keep 5$/,
    evidence: /^filter \(todos\.user_id = 17\) drops >99\.9% of them$/,
    statement: "CREATE INDEX CONCURRENTLY ON public.todos (user_id, kind)",
  },
  {
    name: "a filter behind an index that no index answers",
    sql: "select * from todos where kind in (7, 8) and title like '%9997x%'",
    settings: { enable_seqscan: "off" },
    advice: /^No index answers the filter as it is written/,
    statement: null,
  },
  {
    name: "a bitmap that work_mem does not hold",
    sql: "select count(*) from todos where kind = 7",
    settings: {
      work_mem: "64kB",
      enable_seqscan: "off",
      enable_indexscan: "off",
      enable_indexonlyscan: "off",
    },
    title: /^Bitmap Heap Scan on todos .*: it checks [\d,]+ rows again to keep 10,000$/,
    evidence: /^of [\d,]+ blocks the bitmap remembers [\d,]+ only as a whole, as work_mem is 64 kB$/,
    statement: "SET work_mem = '1MB'",
  },
  {
    name: "an index that can't decide by itself",
    sql: "select count(*) from notes where words @@ 'x:A'",
    settings: { enable_seqscan: "off" },
    title: /it checks 100,000 rows again to keep 0$/,
    evidence: /^the index only narrows the rows down/,
    statement: null,
  },
  {
    name: "an index-only scan that reads the table",
    sql: "select count(id) from notes where id between 10 and 20000",
    settings: { enable_seqscan: "off", enable_bitmapscan: "off" },
    title: /^Index Only Scan using notes_pkey on notes .*: it reads the table, and not the index alone$/,
    evidence: /^19,991 visits to the table for 19,991 rows/,
    statement: "VACUUM (ANALYZE) public.notes",
  },
  {
    name: "a subquery that runs for each row",
    sql: `select u.id, (select count(*) from todos t where t.id between u.id and u.id + 20)
      from users u where u.id < 3000`,
    title: /^SubPlan 1: Aggregate runs 2,999 times and takes [\d.]+% of the time$/,
    evidence: /^once for each row of Index .*Scan using users_pkey on users u/,
    advice: /^Written as a join/,
  },
  {
    name: "an inner side that runs for each row",
    sql: "select count(*) from users u join todos t on t.id = u.id",
    settings: onlyNestedLoop,
    title: /^Index Only Scan using todos_pkey on todos t runs 20,000 times/,
    advice: /^It is the right way for few rows/,
  },
  {
    name: "an inner side that runs far more often than expected",
    sql: `select count(t.title) from pairs p join todos t on t.id = p.id
      where p.a = 1 and p.b = 1 and p.c = 1 and p.d = 1`,
    settings: onlyNestedLoop,
    title: /^Index Scan using todos_pkey on todos t runs 6,667 times/,
    evidence: /; the planner expected [\d,]+ runs$/,
    advice: /^With a better estimate of the outer side/,
  },
  {
    name: "a join that compares all with all",
    sql: "select count(*) from users a join users b on a.mail = b.mail where a.id < 50",
    settings: onlyNestedLoop,
    title: /^Nested Loop .*: it compares 980,000 pairs of rows to keep 49$/,
    evidence: /^join filter \(a\.mail = b\.mail\) drops >99\.9% of them$/,
    statement: "CREATE INDEX CONCURRENTLY ON public.users (mail)",
  },
  {
    name: "a join filter that no index answers",
    sql: `select count(*) from todos a join todos b on a.city = b.city and a.id + b.id = 17
      where a.id < 1000`,
    settings: { enable_mergejoin: "off", enable_nestloop: "off" },
    title: /^Hash Join .*: it compares 999,000 pairs of rows to keep 0$/,
    advice: /^A condition that can be checked before the join/,
    statement: null,
  },
  {
    name: "a join without a condition",
    sql: "select count(*) from users a, (select * from users limit 100) b",
    title: /it joins every row with every other$/,
    evidence: /^20,000 rows of users a with 100 rows of users, and no condition between them$/,
  },
  {
    name: "a join without a condition, before it is run",
    sql: "select count(*) from users a, todos b",
    analyze: false,
    evidence:
      /^100,000 rows of todos b with 20,000 rows of users a, as the planner expects, and no condition/,
  },
  {
    name: "a join without a condition that is no giant, and what the statement suffers from",
    sql: "select * from small a, small b where a.n <= 3000 and b.n <= 250",
    title: /it joins every row with every other$/,
    evidence: /^3,000 rows of small a with 250 rows of small b, and no condition between them$/,
    advice: /^A condition that joins the two is probably missing/,
  },
  {
    name: "a join without a condition that is a small part of the cost: no more than a question",
    sql: "select * from todos a, small b where a.city = 7 and b.n <= 20",
    analyze: false,
    title: /it joins every row with every other$/,
    advice: /^If not every combination is wanted, a condition that joins the two is missing/,
  },
  {
    name: "a join without a condition with a calendar, which is often meant",
    sql: "select count(*) from users a, generate_series(1, 100) day",
    advice: /^If not every combination is wanted/,
  },
  {
    name: "a join whose condition the planner put on both sides",
    sql: "select count(*) from todos a join todos b on a.city = b.city where a.city = 7",
    advice: /^Both sides are held to the same value/,
  },
  {
    name: "no product where the inner side is asked for each row",
    sql:
      "select * from users u, lateral (select * from todos t where t.id > u.id limit 20) x where u.id <= 2000",
    absent: /every row with every other/,
  },
  {
    name: "no product where what the inner side is asked for has no name",
    sql: `select * from (select generate_series(1, 2000) g) s,
      lateral (select u.id from users u where u.id between s.g and s.g + 20 offset 0) x`,
    absent: /every row with every other/,
  },
  {
    name: "no product of a handful of rows",
    sql: "select count(*) from users u, (values (1), (2), (3)) v",
    absent: /every row with every other/,
  },
  {
    name: "a foreign key without an index that a join reads whole",
    sql: "select * from users u join visits v on v.user_id = u.id where u.name = 'User 7'",
    title: /^Seq Scan on visits v takes .*: it reads 50,000 rows for a join that keeps [23]$/,
    evidence:
      /^joined on \(v\.user_id = u\.id\) with 1 row of users u; user_id is a foreign key without an index$/,
    advice: /^An index on user_id would probably let it look up only the rows that join$/,
    statement: "CREATE INDEX CONCURRENTLY ON public.visits (user_id)",
  },
  {
    name: "a table that a join reads whole, by the estimates alone and without a foreign key",
    sql: "select * from users u join todos t on t.user_id = u.id where u.name = 'User 7'",
    analyze: false,
    title: /^Seq Scan on todos t .*: it reads about 100,000 rows for a join that keeps about 5$/,
    evidence: /with 1 row of users u, as the planner expects$/,
    statement: "CREATE INDEX CONCURRENTLY ON public.todos (user_id)",
  },
  {
    name: "no index for a join that has one",
    sql: "select * from visits v join users u on u.id = v.user_id where v.id = 7",
    settings: { enable_indexscan: "off", enable_bitmapscan: "off" },
    absent: /for a join/,
  },
  {
    name: "no index for a join that keeps most rows",
    sql: "select * from users u join visits v on v.user_id = u.id",
    absent: /for a join/,
  },
  {
    name: "a CTE that is computed whole",
    sql: "with c as materialized (select * from todos) select * from c where id = 5",
    settings: { work_mem: "64MB" },
    title: /^CTE c .*: it is computed whole, 100,000 rows, to keep 1$/,
    advice: /AS NOT MATERIALIZED/,
  },
  {
    name: "rows computed for OFFSET",
    sql: "select * from todos order by id limit 5 offset 50000",
    title: /^OFFSET .*: 50,000 rows computed and thrown away$/,
    evidence: /^50,005 rows came to Limit, which gave 5$/,
  },
  {
    name: "rows computed for OFFSET, by the estimates alone",
    sql: "select * from todos order by id limit 5 offset 50000",
    analyze: false,
    title: /^OFFSET has about 50,000 rows computed and thrown away$/,
    evidence: /^OFFSET 50000 before 5 rows, as the planner expects$/,
    advice:
      /^Continuing after the last row .*ORDER BY ending in a unique column, .*< where the order descends$/,
  },
  {
    name: "no OFFSET that is computed, by the estimates alone",
    sql: "select * from todos order by title offset 99000 + 0 fetch first 20 rows only",
    analyze: false,
    absent: /^OFFSET/,
  },
  {
    name: "rows sorted for OFFSET, by the estimates alone",
    sql: "select * from todos order by title offset 500000::bigint fetch first 20 rows only",
    analyze: false,
    title: /^OFFSET has about 100,000 rows computed and thrown away$/,
    advice: /< where the order descends, with an index in that order$/,
  },
  {
    name: "rows sorted for OFFSET",
    sql: "select * from todos order by title limit 5 offset 50000",
    title: /^OFFSET .*: 50,000 rows computed and thrown away$/,
    advice: /< where the order descends, with an index in that order$/,
  },
  {
    name: "no OFFSET that is not the statement's own, by the estimates alone",
    sql: "select * from (select * from todos order by id limit 5 offset 50000) x",
    analyze: false,
    absent: /^OFFSET/,
  },
  {
    name: "no OFFSET of few rows, by the estimates alone",
    sql: "select * from todos order by id limit 50000 offset 20000",
    analyze: false,
    absent: /^OFFSET/,
  },
  {
    name: "the first rows behind an OFFSET, by the estimates alone",
    sql: "select * from todos order by title limit 10 offset 5000",
    analyze: false,
    title: /^ORDER BY with LIMIT .* for the first 5,010 rows$/,
  },
  {
    name: "the first rows of a table that is sorted whole",
    sql: "select * from todos order by at desc nulls last, title limit 10",
    title: /^ORDER BY with LIMIT takes .*: it reads 100,000 rows of todos for the first 10 rows$/,
    evidence: /^100,000 rows sorted by todos\.at DESC NULLS LAST, todos\.title$/,
    advice:
      /^An index on at DESC NULLS LAST, title would probably give the first 10 rows in order, without the rest$/,
    statement: "CREATE INDEX CONCURRENTLY ON public.todos (at DESC NULLS LAST, title)",
  },
  {
    name: "the first rows by the estimates alone, of parallel workers that hold no more than those",
    sql: "select * from todos order by title limit 10 offset 5",
    analyze: false,
    settings: {
      max_parallel_workers_per_gather: "2",
      parallel_setup_cost: "0",
      min_parallel_table_scan_size: "0",
    },
    title: /^ORDER BY with LIMIT takes 100% of the cost: it reads about 100,000 rows of todos /,
    statement: "CREATE INDEX CONCURRENTLY ON public.todos (title)",
    absent: /spill/,
  },
  {
    name: "the first rows of those with one value: one index for both",
    sql: 'select * from todos where city = 7 and kind <> 3 order by lower(title) collate "C" desc limit 1',
    title: /^ORDER BY with LIMIT .* for the first row$/,
    statement: 'CREATE INDEX CONCURRENTLY ON public.todos (city, lower(title) COLLATE "C" DESC)',
    absent: /^Seq Scan/,
  },
  {
    name: "the first rows of those that a filter keeps",
    sql: "select * from todos where kind <> 3 order by at limit 10",
    advice: /^An index on at would .*, so that reading ends with the first 10 rows that the filter keeps$/,
    statement: "CREATE INDEX CONCURRENTLY ON public.todos (at)",
  },
  {
    name: "the first rows of partitions",
    sql: `select * from "Mixed Case"."Odd" order by "User" desc limit 3`,
    title: /^ORDER BY with LIMIT .*: it reads 90,000 rows of "Mixed Case"\."Odd" for the first 3 rows$/,
    statement: 'CREATE INDEX ON "Mixed Case"."Odd" ("User" DESC)',
  },
  {
    name: "no index for the first rows where one begins with that column",
    sql: "select * from todos order by kind, title limit 10",
    settings: { enable_indexscan: "off", enable_incremental_sort: "off" },
    absent: /ORDER BY/,
  },
  {
    name: "no index for the first rows of a small table",
    sql: "select * from small order by n limit 10",
    analyze: false,
    absent: /ORDER BY/,
  },
  {
    name: "no index for the first rows where most of them are wanted",
    sql: "select * from todos order by at limit 60000",
    absent: /ORDER BY/,
  },
  {
    name: "no index for an order that none is known to give",
    sql: "select * from todos order by user_id % 7 limit 10",
    absent: /ORDER BY/,
  },
  {
    name: "an estimate of columns that depend on each other",
    sql: "select count(*) from todos where city < 6 and country < 6",
    title: /^The planner expects [\d,]+ rows of Seq Scan on todos, and 6,000 come$/,
    advice: /^The planner takes city and country for independent/,
    statement: "CREATE STATISTICS todos_city_country_stats ON city, country FROM public.todos",
  },
  {
    name: "NOT IN, of which the planner takes half whatever the statistics",
    sql: "select * from users where id not in (select user_id from todos)",
    title: /^The planner expects 10,000 rows of Seq Scan on users, and 1 comes$/,
    advice: /^The planner takes half of the rows .*: NOT EXISTS can be one/,
    statement: null,
    absent: /ANALYZE/,
  },
  {
    name: "an estimate of an expression",
    sql: "select count(*) from todos where length(title) = 60",
    title: /^The planner expects 500 rows of Seq Scan on todos, and 90,000 come$/,
    evidence: /^180 times more: filter \(length\(todos\.title\) = 60\)$/,
    statement: "CREATE STATISTICS todos_length_title_stats ON (length(title)) FROM public.todos",
  },
  {
    name: "an estimate of an expression, which statistics of its column do not help",
    sql: "select count(*) from todos where id + 1 = abs(id) + 1",
    title: /^The planner expects [\d,]+ rows of Seq Scan on todos, and/,
    advice:
      /^The planner guesses what the condition finds, as it is on an expression of id: statistics on that/,
    statement: null,
  },
  {
    name: "no estimate that is wrong where a LIMIT stops groups in their order",
    sql: "select user_id, count(*) from todos group by user_id order by user_id limit 1",
    settings: { enable_hashagg: "off", enable_sort: "off" },
    absent: /^The planner expects/,
  },
  {
    name: "an estimate of a column that is not even",
    sql: "select count(*) from skewed where n = 3",
    title: /^The planner expects [\d,]+ rows of Seq Scan on skewed, and 10,001 come$/,
    statement: "ALTER TABLE public.skewed ALTER COLUMN n SET STATISTICS 1000",
  },
  {
    name: "an estimate of a table that was never analyzed",
    sql: "select count(*) from fresh where n = 1",
    advice: /^The table was never analyzed/,
    statement: "ANALYZE public.fresh",
  },
  {
    name: "an estimate of a table that has changed",
    sql: "select count(*) from changed where n = 1",
    advice: /^50,000 rows changed since the last ANALYZE/,
    statement: "ANALYZE public.changed",
  },
  {
    name: "an estimate of a function's rows",
    sql: "select count(*) from many()",
    title: /^The planner expects 10 rows of Function Scan on many, and 20,000 come$/,
    advice: /ALTER FUNCTION … ROWS …/,
  },
  {
    name: "an estimate where it begins, and not again above",
    sql:
      "select count(*) from (select n + 1 as m from skewed where n = 3 offset 0) x join todos t on t.id = x.m",
    settings: { enable_nestloop: "off", enable_mergejoin: "off" },
    title: /of Seq Scan on skewed, and 10,001 come$/,
    absent: /of (Hash Join|Subquery Scan)/,
  },
  {
    name: "no wrong estimate of what LIMIT stopped",
    sql: "select * from todos where md5(repeat(title, 50)) < '8' limit 1500",
    absent: /The planner expects/,
  },
  {
    name: "a sort that spills",
    sql: "select * from todos order by title",
    title: /^Sort .*: it spills 10 MB to disk$/,
    evidence: /^an external sort of 100,000 rows; work_mem is 4096 kB$/,
    statement: "SET work_mem = '32MB'",
  },
  {
    name: "a sort that would spill",
    sql: "select * from todos order by title",
    analyze: false,
    title: /^Sort takes [\d.]+% of the cost: it would probably spill to disk$/,
    statement: "SET work_mem = '16MB'",
  },
  {
    name: "a hash that spills",
    sql: "select count(*) from todos a join todos b on a.title = b.title",
    settings: { enable_mergejoin: "off", enable_nestloop: "off", work_mem: "1MB" },
    title: /^Hash .*: it spills \d+ (kB|MB) to disk$/,
    evidence: /^a hash table of 100,000 rows in \d+ batches; work_mem is 1024 kB$/,
    statement: "SET work_mem = '16MB'",
  },
  {
    name: "groups that spill",
    sql: "select title, count(*) from todos group by title",
    settings: { enable_sort: "off", work_mem: "1MB" },
    title: /^HashAggregate .*: it spills \d+ [kM]B to disk$/,
    evidence: /^100,000 groups in \d+ batches/,
  },
  {
    name: "a stored result that spills",
    sql: "with c as materialized (select * from todos) select count(*), (select max(id) from c) from c",
    settings: { work_mem: "1MB" },
    title: /^CTE Scan on c .*: it spills 10 MB to disk$/,
    evidence: /^a stored result in temporary files/,
  },
  {
    name: "workers that were not there",
    sql: "select count(*) from todos where title <> 'x'",
    settings: {
      max_parallel_workers: "0",
      max_parallel_workers_per_gather: "2",
      parallel_setup_cost: "0",
      min_parallel_table_scan_size: "0",
    },
    title: /^Gather was planned for 2 workers and got 0$/,
    evidence: /by 1 process instead of 3$/,
  },
];
