/** The guard against a real server: everything of the corpus that must be refused, and that must run. */
import assert from "@std/assert";
import { authorize, inspect } from "../../src/postgres/guard.ts";
import { ALLOWED, ALLOWED_TO_SUPERUSER } from "./corpus/allow.ts";
import { REFUSED_BY_CATALOGUE, REFUSED_BY_PARSE } from "./corpus/refuse.ts";
import {
  catalogueOf,
  connect,
  guard,
  onServer,
  reading,
  refusal,
  ROLES,
  state,
  step,
} from "./corpus/server.ts";
import { isKnownTo } from "./corpus/since.ts";

onServer("the guard refuses the corpus, and nothing changes", async (t, server) => {
  const before = await state(server);
  for (const role of ROLES) {
    const sql = connect(server, role);
    try {
      for (const text of [...REFUSED_BY_PARSE, ...REFUSED_BY_CATALOGUE]) {
        if (!isKnownTo(server.version, text)) continue;
        await step(t, `${role}: ${text}`, async () => {
          const error = await refusal(() => guard(sql, text, { path: "public, trap" }));
          if (error === undefined) throw new assert.AssertionError({ message: "was allowed" });
          assert.match(error.kind, /^(refused|invalid)$/);
          assert.doesNotMatch(error.message, /hunter2|\.$|\n/);
          // The guard itself must have refused, and not a name that is missing in the fixture.
          assert.doesNotMatch(error.message, /does not exist/);
        });
      }
    } finally {
      await sql.end();
    }
  }
  await t.step("nothing changed", async () => assert.equal(await state(server), before));
});

onServer("the guard lets the daily corpus run", async (t, server) => {
  for (const role of ROLES) {
    const sql = connect(server, role);
    try {
      for (const text of [...ALLOWED, ...(role === "postgres" ? ALLOWED_TO_SUPERUSER : [])]) {
        if (!isKnownTo(server.version, text)) continue;
        await step(t, `${role}: ${text}`, () =>
          reading(sql, async (transaction) => {
            for (const path of ["public, trap", "public"]) {
              await transaction.unsafe(`set local search_path = ${path}`);
              const passed = await authorize(inspect(text), catalogueOf(transaction), { allowFunctions: [] });
              assert.equal(passed.sql, text);
            }
            const parameters = text.includes("$1") && !text.includes("$1.") && !text.includes("$a")
              ? [null]
              : [];
            await transaction.unsafe(text, parameters);
          }));
      }
    } finally {
      await sql.end();
    }
  }
});
