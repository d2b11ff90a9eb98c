/** LIKE: the index that is advised, and that a real server makes and uses it. */
import assert from "@std/assert";
import { createLogger } from "../../src/common/log.ts";
import { Database } from "../../src/postgres/database.ts";
import { explainQuery } from "../../src/postgres/explain_query.ts";
import { indexAdvice } from "../../src/postgres/plan_index.ts";
import { postgresAvailable } from "../support/postgres.ts";
import { createDatabase } from "../support/test_database.ts";
import { callTool } from "../support/tools.ts";

const schema = `
  create table names (name text, code char(9), short varchar(20), raw json) with (autovacuum_enabled = false);
  insert into names select 'name ' || n, 'c' || n, 's' || n, '{}' from generate_series(1, 20000) n;
  analyze names;
  create schema apart;`;

const inside = "CREATE INDEX CONCURRENTLY ON public.names USING gin";
const install = "CREATE EXTENSION IF NOT EXISTS pg_trgm";

Deno.test({
  name: "an index for a pattern",
  ignore: !postgresAvailable,
  async fn(context) {
    await using test = await createDatabase(schema);
    const explain = async (where: string) => {
      await using database = new Database(test.settings, createLogger("off"));
      const sql = `select count(*) from names where ${where}`;
      const { text, structured } = await callTool(explainQuery(database, { allowFunctions: [] }), { sql });
      const [found] = structured.findings;
      return { text, advice: String(found?.advice), statements: found?.statement?.split(/;?\n/) ?? [] };
    };
    /** The statements that are advised, and whether the plan uses the index once they have run. */
    const follow = async (where: string) => {
      const { statements } = await explain(where);
      for (const statement of statements) await test.execute(statement);
      const { text } = await explain(where);
      await test.execute("drop index if exists names_name_idx, names_code_idx, names_short_idx");
      return { statements, isUsed: /Index (Only )?Scan (on|using) names_/.test(text) };
    };
    const part = "name like '%1234%'";

    await context.step("a part, where pg_trgm has to be installed first", async () => {
      const { advice } = await explain(part);
      assert.match(advice, /; it needs the extension pg_trgm, and patterns of three characters or more$/);
      assert.deepEqual(await follow(part), {
        statements: [install, `${inside} (name gin_trgm_ops)`],
        isUsed: true,
      });
    });
    await context.step("a part, where it is installed", async () => {
      const { advice } = await explain(part);
      assert.match(advice, /would probably find the rows, for patterns of three characters or more$/);
      assert.deepEqual(await follow(part), { statements: [`${inside} (name gin_trgm_ops)`], isUsed: true });
    });
    await context.step("a part, where it is installed off the search path", async () => {
      await test.execute("alter extension pg_trgm set schema apart");
      assert.deepEqual(await follow(part), {
        statements: [`${inside} (name apart.gin_trgm_ops)`],
        isUsed: true,
      });
    });
    await context.step("a part of a text of fixed length, which has no such operator class", async () => {
      const { advice, statements } = await explain("code like '%1234%'");
      assert.match(advice, /^(No index|This tool knows no index that) answers/);
      assert.deepEqual(statements, []);
    });
    for (const [column, operatorClass] of [["code", "bpchar"], ["short", "varchar"], ["name", "text"]]) {
      await context.step(`a beginning of ${operatorClass}`, async () => {
        assert.deepEqual(await follow(`${column} like 'c123%'`), {
          statements: [`CREATE INDEX CONCURRENTLY ON public.names (${column} ${operatorClass}_pattern_ops)`],
          isUsed: true,
        });
      });
    }
    for (const pattern of ["^c12", "^c12[0-9]*$", "^c1234?"]) {
      await context.step(`a beginning by the regular expression ${pattern}`, async () => {
        assert.deepEqual(await follow(`name ~ '${pattern}'`), {
          statements: ["CREATE INDEX CONCURRENTLY ON public.names (name text_pattern_ops)"],
          isUsed: true,
        });
      });
    }
    for (const pattern of ["e 1234", "^name.*1234$"]) {
      await context.step(`a part by the regular expression ${pattern}`, async () => {
        const { statements, isUsed } = await follow(`name ~* '${pattern}'`);
        assert.deepEqual(statements, [`${inside} (name apart.gin_trgm_ops)`]);
        assert.ok(isUsed);
      });
    }
    for (const pattern of ["^c|^d", "^c", "[1-9]0{4}$", "^(c1|d2)"]) {
      await context.step(`nothing is known for the regular expression ${pattern}`, async () => {
        const { advice, statements } = await explain(`name ~ '${pattern}'`);
        assert.match(advice, /^(No index|This tool knows no index that) answers/);
        assert.deepEqual(statements, []);
      });
    }
    await context.step("a beginning, where the index is there and not used", async () => {
      await test.execute("create index names_by_name on names (name text_pattern_ops)");
      for (const kind of ["indexscan", "indexonlyscan", "bitmapscan"]) {
        await test.execute(`alter database ${test.settings.database} set enable_${kind} = off`);
      }
      const { advice, statements } = await explain("name like 'c123%'");
      assert.match(advice, /^There is the index names_by_name, which the planner did not choose/);
      assert.deepEqual(statements, ["ANALYZE public.names"]);
    });
    await context.step("a column of a type that no index orders is not said to be converted", async () => {
      const { advice } = await explain("raw is null");
      assert.match(advice, /^(No index|This tool knows no index that) answers/);
    });
    await context.step("a part, on a server that can't install it", () => {
      const relation = {
        sql: "public.names",
        own: "public.names",
        isPartition: false,
        isSystem: false,
        rows: 20_000,
        columns: new Map([["name", { sql: "name", type: "text", distinct: undefined }]]),
        indexes: [],
        foreignKeys: [],
        changed: 0,
        analyzed: true,
      };
      const extensions = { intarray: false, trigrams: undefined };
      const found = indexAdvice("(names.name ~~ '%x%'::text)", relation, { alias: "names", extensions });
      assert.deepEqual(found, {
        advice:
          "Only a trigram index on name would find the rows, and this server does not have the extension pg_trgm",
      });
    });
  },
});
