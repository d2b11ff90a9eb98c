/** Objects of a user's own that would stand in for what the guard's own queries call. */
import assert from "@std/assert";
import { queryDatabase } from "../../src/postgres/query_database.ts";
import { createDatabase, createReader } from "../support/test_database.ts";
import { postgresAvailable } from "../support/postgres.ts";
import { callTool } from "../support/tools.ts";

/** Each fits better than the built-in one of the name, and fails when it is called, as it may not write. */
const schema = `create table users (id int); create table called (how text);
  create function note(how text) returns text language sql as 'insert into called values (how) returning how';
  create function unnest(name[]) returns setof text language sql as $$ select note('unnest') $$;
  create function unnest(text[]) returns setof text language sql as $$ select note('unnest') $$;
  create function jsonb_agg(text) returns jsonb language sql as $$ select to_jsonb(note('jsonb_agg')) $$;
  create function array_to_json(name[]) returns json language sql as $$ select to_json(note('array_to_json')) $$;
  create function coincide(name, name) returns boolean language sql as $$ select note('name') is null $$;
  create function coincide(jsonb, jsonb) returns jsonb language sql as $$ select to_jsonb(note('jsonb')) $$;
  create operator ~* (leftarg = name, rightarg = name, procedure = coincide);
  create operator -> (leftarg = jsonb, rightarg = jsonb, procedure = coincide);
  create operator ->> (leftarg = jsonb, rightarg = jsonb, procedure = coincide);`;

Deno.test({
  name: "the guard's own queries call nothing that a user has made",
  ignore: !postgresAvailable,
  async fn() {
    await using test = await createDatabase(schema);
    const tool = queryDatabase(test.database, { maxRows: 10, allowFunctions: [] });
    for (
      const sql of [
        "select count(*) from users",
        "select * from pg_stat_activity limit 1",
        "show search_path",
      ]
    ) {
      assert.equal((await callTool(tool, { sql })).structured.row_count, 1, sql);
    }
    const path = await callTool(tool, { sql: "show search_path" });
    assert.deepEqual(path.structured.rows, [['"$user", public']]);
  },
});

Deno.test({
  name: "what a view has stored is not what the session's path finds for the name",
  ignore: !postgresAvailable,
  async fn() {
    await using test = await createDatabase(`
      create view made as select lo_create(4711) as made;
      create function lo_create(oid) returns oid language sql immutable as 'select $1';
      create function lo_create(int) returns oid language sql immutable as 'select $1::oid';`);
    await test.execute(`do $$ begin
      execute format('alter database %I set search_path = public, pg_catalog', current_database()); end $$`);
    await using fresh = await createReader(test, test.settings.user);
    const tool = queryDatabase(fresh.database, { maxRows: 10, allowFunctions: [] });
    await assert.rejects(callTool(tool, { sql: "select * from made" }), /large objects/);
    assert.equal((await callTool(tool, { sql: "select lo_create(1::oid)" })).structured.row_count, 1);
  },
});
