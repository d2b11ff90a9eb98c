/** The oracle of the fuzz must see what it is there to see: statements that act, put straight past the guard. */
import assert from "@std/assert";
import { authorize, inspect } from "../../src/postgres/guard.ts";
import { CallError } from "../../src/common/errors.ts";
import { until } from "../support/until.ts";
import { SEEN_INSIDE, SEEN_OUTSIDE, UNSEEN } from "./corpus/hostile.ts";
import { Oracle } from "./corpus/oracle.ts";
import { catalogueOf, connect, onServer, reading, step } from "./corpus/server.ts";
import { isKnownTo, isSeenOn } from "./corpus/since.ts";

onServer("the session that runs a statement that acts tells of it", async (t, postgres) => {
  await using oracle = await Oracle.start(postgres);
  for (const text of SEEN_INSIDE) {
    if (!isKnownTo(postgres.version, text)) continue;
    await step(t, text, async () => {
      await oracle.begin();
      const { seen } = await oracle.run(text);
      assert.notDeepEqual([...seen, ...await oracle.kept()], []);
      await oracle.sql.unsafe("discard all");
    });
  }
});

onServer("what a statement does to others is seen, too", async (t, postgres) => {
  await using oracle = await Oracle.start(postgres);
  for (const text of SEEN_OUTSIDE) {
    if (!isKnownTo(postgres.version, text) || !isSeenOn(postgres.version, text)) continue;
    await step(t, text, async () => {
      await oracle.recover();
      const before = await oracle.look();
      const end = await oracle.logEnd();
      await oracle.begin();
      await oracle.run(text);
      // A signal takes its time.
      await until(text, async () => await oracle.look() !== before || (await oracle.written(end)).length > 0);
      await oracle.sql.unsafe("discard all");
    });
  }
});

onServer("the fuzz's oracle sees nothing in what only reads", async (t, postgres) => {
  await using oracle = await Oracle.start(postgres);
  const before = await oracle.look();
  const end = await oracle.logEnd();
  for (
    const text of ["select 1", "select * from users", "select random()", "select 1 / 0", "table user_todos"]
  ) {
    await t.step(text, async () => {
      await oracle.begin();
      assert.deepEqual((await oracle.run(text)).seen, []);
    });
  }
  await t.step("outside of the session", async () => {
    assert.equal(await oracle.look(), before);
    assert.deepEqual(await oracle.kept(), []);
    assert.deepEqual(await oracle.written(end), []);
  });
});

onServer("what the oracle can't see is refused by the guard", async (t, postgres) => {
  const sql = connect(postgres, "postgres");
  try {
    for (const [text, why] of Object.entries(UNSEEN)) {
      if (!isKnownTo(postgres.version, text)) continue;
      await t.step(`${text}: ${why}`, async () => {
        await assert.rejects(
          reading(
            sql,
            (transaction) => authorize(inspect(text), catalogueOf(transaction), { allowFunctions: [] }),
          ),
          (error: unknown) => error instanceof CallError && error.kind === "refused",
        );
      });
    }
  } finally {
    await sql.end();
  }
});
