/** The one timer of a session, on a real server that is silent for as long as a statement sleeps. */
import assert from "@std/assert";
import { openSession } from "../../src/postgres/connect.ts";
import { ConnectionError } from "../../src/postgres/database_errors.ts";
import { RowReader } from "../../src/postgres/row_reader.ts";
import { postgresAvailable, sharedPostgres } from "../support/postgres.ts";
import { settingsFor, wide } from "../support/unguarded.ts";

/** The times of the statement before, after which the timer goes off, and of one that is not answered in its time. */
const times: readonly (readonly [string, number, number])[] = [
  ["before the timer of one that has ended", 600_000, 100],
  ["after the timer of one that has ended", 50, 200],
];

for (const [when, before, own] of times) {
  Deno.test({
    name: `a server that is silent is given up when the statement's time is over, be that ${when}`,
    ignore: !postgresAvailable,
    async fn() {
      const settings = settingsFor(await sharedPostgres());
      const { signal } = new AbortController();
      const session = await openSession(settings, { signal, connectTimeoutMs: 600_000 });
      const run = (sql: string, timeoutMs: number) =>
        session.run(sql, [], { reader: new RowReader(wide), timeoutMs });
      await run("select 1", before);
      await assert.rejects(
        run("select pg_sleep(20)", own),
        (error: unknown) =>
          error instanceof ConnectionError && error.gaveUp &&
          new RegExp(`was silent for ${own} ms`).test(error.callError.message),
      );
      assert.ok(session.failure !== undefined);
      await session.close();
    },
  });
}
