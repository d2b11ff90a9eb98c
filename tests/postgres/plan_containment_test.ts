/** Conditions on what is inside a value: the index that is advised, and that a real server then uses it. */
import assert from "@std/assert";
import { createLogger } from "../../src/common/log.ts";
import { Database } from "../../src/postgres/database.ts";
import { explainQuery } from "../../src/postgres/explain_query.ts";
import { postgresAvailable } from "../support/postgres.ts";
import { createDatabase } from "../support/test_database.ts";
import { callTool } from "../support/tools.ts";

const schema = `
  create table docs (id int, kind int, part int, doc jsonb, raw json, tags text[], numbers int[], other text[], words tsvector,
    during tstzrange, path jsonb,
    title text, short varchar(20), at timestamptz) with (autovacuum_enabled = false);
  insert into docs select n, n % 5, n % 5, jsonb_build_object('k' || n, n, 'a', n % 5000, 'tags', jsonb_build_array('x' || n)),
    json_build_object('a', n), array['t' || n, 'u' || n % 7], array[n, n % 3], array['o'],
    to_tsvector('simple', 'w' || n), tstzrange(timestamptz '2024-01-01' + n * interval '1 min',
    timestamptz '2024-01-01' + (n + 1) * interval '1 min'), jsonb_build_object('a', n, 's', 1),
    'title ' || n, 's' || n, now()
  from generate_series(1, 20000) n;
  create index docs_path on docs using gin (path jsonb_path_ops);
  create index docs_part on docs (part);
  create index docs_short_words on docs using gin (to_tsvector('simple', short));
  analyze docs;`;

/** A condition, and the statement that helps; null where there is none. */
interface Expected {
  readonly name: string;
  readonly where: string;
  readonly advice?: RegExp;
  readonly columns: string | null;
  readonly settings?: Readonly<Record<string, string>>;
}

const cases: readonly Expected[] = [
  {
    name: "a part of a JSON document",
    where: `doc @> '{"a": 5}'`,
    advice: /^A GIN index on doc would probably find the rows; with jsonb_path_ops it is smaller, .* alone$/,
    columns: "gin (doc)",
  },
  { name: "the same the other way round", where: `'{"a": 5}' <@ doc`, columns: "gin (doc)" },
  {
    name: "a key of a JSON document, for which jsonb_path_ops would not do",
    where: "doc ? 'k5'",
    advice: /^A GIN index on doc would probably find the rows$/,
    columns: "gin (doc)",
  },
  { name: "any of some keys", where: "doc ?| array['k5', 'k6']", columns: "gin (doc)" },
  { name: "all of some keys", where: "doc ?& array['k5', 'a']", columns: "gin (doc)" },
  { name: "a path with a value", where: "doc @? '$.a ? (@ == 5)'", columns: "gin (doc)" },
  {
    name: "a path to a key",
    where: "doc @? '$.k5'",
    advice: /^(No index|This tool knows no index that) answers/,
    columns: null,
  },
  { name: "a path that compares", where: `doc @@ '$.a == 5 && $.k5 > 3'`, columns: "gin (doc)" },
  {
    name: "a path with a range alone, by which no index finds",
    where: "doc @@ '$.k5 > 3'",
    advice: /^(No index|This tool knows no index that) answers/,
    columns: null,
  },
  { name: "a part inside a document", where: `doc -> 'tags' @> '["x5"]'`, columns: "gin ((doc -> 'tags'))" },
  {
    name: "a part of json that is converted",
    where: `raw::jsonb @> '{"a": 5}'`,
    columns: "gin ((raw::jsonb))",
  },
  { name: "an element of an array", where: "tags @> array['t5']", columns: "gin (tags)" },
  { name: "elements in common", where: "tags && array['t5', 't6']", columns: "gin (tags)" },
  { name: "an array of numbers", where: "numbers @> array[500]", columns: "gin (numbers)" },
  { name: "a word", where: "words @@ 'w5'", columns: "gin (words)" },
  {
    name: "a word of a text",
    where: "to_tsvector('simple', title) @@ to_tsquery('simple', '777')",
    advice: /^A GIN index on to_tsvector\('simple'::regconfig, title\) would probably find the rows$/,
    columns: "gin (to_tsvector('simple'::regconfig, title))",
  },
  {
    name: "a word of several texts",
    where: "to_tsvector('english', coalesce(title, '') || ' ' || short) @@ plainto_tsquery('english', '777')",
    columns:
      "gin (to_tsvector('english'::regconfig, ((COALESCE(title, ''::text) || ' '::text) || (short)::text)))",
  },
  {
    name: "a word of a JSON document",
    where: "to_tsquery('simple', 'x777') @@ to_tsvector('simple', doc)",
    columns: "gin (to_tsvector('simple'::regconfig, doc))",
  },
  {
    name: "a word of a text whose words have an index that is not used",
    where: "to_tsvector('simple', short) @@ to_tsquery('simple', 's777')",
    settings: { enable_bitmapscan: "off" },
    advice: /^There is the index docs_short_words, which the planner did not choose/,
    columns: null,
  },
  {
    name: "a word by the configuration of the session",
    where: "to_tsvector(title) @@ to_tsquery('777')",
    advice:
      /^to_tsvector\(title\) depends on the session's default_text_search_config, .*: write to_tsvector\('english', title\), or what that setting is, in the query and in a GIN index$/,
    columns: null,
  },
  {
    name: "a word that must not be there",
    where: "to_tsvector('simple', title) @@ to_tsquery('simple', '!title')",
    advice: /^This tool knows no index that answers/,
    columns: null,
  },
  {
    name: "a word that must not be there, by the session's configuration",
    where: "to_tsvector('simple', title) @@ to_tsquery('777 & !other')",
    advice: /^This tool knows no index that answers/,
    columns: null,
  },
  {
    name: "a word by the session's configuration in words of a fixed one",
    where: "to_tsvector('simple', title) @@ to_tsquery('777')",
    columns: "gin (to_tsvector('simple'::regconfig, title))",
  },
  {
    name: "a word of what depends on the session's settings",
    where: "to_tsvector('simple', title || at) @@ to_tsquery('simple', '777')",
    advice: /^This tool knows no index that answers/,
    columns: null,
  },
  { name: "a time in a range", where: "during @> timestamptz '2024-01-03'", columns: "gist (during)" },
  {
    name: "a range that overlaps",
    where: "during && '[2024-01-03, 2024-01-03 00:02)'",
    columns: "gist (during)",
  },
  {
    name: "a part, and a flag that keeps a fifth",
    where: `doc @> '{"a": 5}' and kind = 0`,
    columns: "gin (doc)",
  },
  {
    name: "each side of an OR",
    where: `doc @> '{"a": 5}' or tags @> array['t9']`,
    advice: /there is none on doc and tags$/,
    columns: "gin (doc);gin (tags)",
  },
  {
    name: "a filter behind another index",
    where: "part in (1, 2, 3, 4) and tags @> array['t7']",
    settings: { enable_seqscan: "off" },
    columns: "gin (tags)",
  },
  {
    name: "two columns of one row, which no index compares",
    where: "other @> tags",
    advice: /^(No index|This tool knows no index that) answers/,
    columns: null,
  },
  {
    name: "an index that is there, and not used",
    where: `path @> '{"a": 5}'`,
    settings: { enable_bitmapscan: "off" },
    advice: /^There is the index docs_path, which the planner did not choose/,
    columns: null,
  },
  {
    name: "one index that is there and not used, and one that is missing",
    where: `path @> '{"s": 1}' and tags @> array['t5']`,
    columns: "gin (tags)",
  },
  {
    name: "an index that is in use, and a filter that none answers",
    where: `path @> '{"s": 1}' and id % 1000 = 7`,
    settings: { enable_seqscan: "off" },
    advice: /^No index answers the filter as it is written/,
    columns: null,
  },
  {
    name: "an index that is in use, and a filter on what is in another column",
    where: `path @> '{"s": 1}' and tags @> array['t5']`,
    settings: { enable_seqscan: "off" },
    columns: "gin (tags)",
  },
  {
    name: "an index with an operator class that does not know the operator",
    where: "path ? 'b'",
    columns: "gin (path)",
  },
];

const dropNew = `do $$ declare name regclass; begin
  for name in select indexrelid::regclass from pg_index where indexrelid not in (table before) loop
    execute 'drop index ' || name;
  end loop;
end $$;
drop table before`;

Deno.test({
  name: "what is inside a value",
  ignore: !postgresAvailable,
  async fn(context) {
    await using test = await createDatabase(schema);
    const { settings } = test;
    const explain = async (where: string, server: Readonly<Record<string, string>> = {}) => {
      const set = Object.entries({ jit: "off", ...server })
        .map(([name, value]) => `alter database ${settings.database} set ${name} = '${value}';`);
      await test.execute(`alter database ${settings.database} reset all; ${set.join(" ")}`);
      await using database = new Database(settings, createLogger("off"));
      const sql = `select count(*) from docs where ${where}`;
      return await callTool(explainQuery(database, { allowFunctions: [], fastMs: 0 }), {
        sql,
        analyze: true,
      });
    };
    for (const { name, where, advice, columns, settings } of cases) {
      await context.step(name, async () => {
        const says = advice ?? /^A (GIN|GiST) index on .* would probably find the rows/;
        let { text, structured } = await explain(where, settings);
        // Whatever the server is at when it has to wait for a processor takes long, planning included.
        for (let n = 0; n < 10 && !says.test(structured.findings[0]?.advice ?? ""); n++) {
          ({ text, structured } = await explain(where, settings));
        }
        const [found] = structured.findings;
        assert.match(found?.advice ?? "", says, text);
        const statements = columns?.split(";").map((each) =>
          `CREATE INDEX CONCURRENTLY ON public.docs USING ${each}`
        ) ?? [];
        if (columns !== null) assert.deepEqual(found?.statement?.split(/;?\n/), statements, text);
        await test.execute("create temp table before as select indexrelid from pg_index");
        for (const statement of statements) await test.execute(statement);
        const after = await explain(where);
        await test.execute(dropNew);
        if (columns === null) return;
        for (const names of columns.matchAll(/\w+ \(+(\w+)/g)) {
          assert.match(
            after.text,
            new RegExp(`Index (Only )?Scan (on|using) docs_${names[1]}_idx|docs_expr_idx`),
          );
        }
        assert.ok(!/CREATE INDEX/.test(after.text), after.text);
      });
    }
    await context.step("no index for operators of intarray, which are others of the same names", async () => {
      const advised = async () => (await explain("numbers @> array[500]")).structured.findings[0]?.statement;
      await test.execute("create extension intarray");
      assert.equal(await advised(), undefined);
      await test.execute("create schema apart; alter extension intarray set schema apart");
      assert.equal(await advised(), "CREATE INDEX CONCURRENTLY ON public.docs USING gin (numbers)");
    });
  },
});
