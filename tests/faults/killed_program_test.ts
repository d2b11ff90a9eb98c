/** SIGKILL of the program under load: what it has answered is in the audit log, and nothing stays at the backend. */
import assert from "@std/assert";
import { RawClient } from "../support/mcp.ts";
import { postgresAvailable } from "../support/postgres.ts";
import { createProgramDatabase, endless } from "../support/program_database.ts";
import { rounds } from "../support/rounds.ts";
import { until } from "../support/until.ts";

Deno.test({
  name:
    "a program that is killed: the audit file ends in whole lines and holds every answered call, no session stays",
  ignore: !postgresAvailable,
  async fn(t) {
    await using database = await createProgramDatabase();
    const folder = await Deno.makeTempDir();
    try {
      for (let round = 1; round <= rounds({ short: 2, long: 20 }); round++) {
        await t.step(`round ${round}`, async () => {
          const path = `${folder}/audit-${round}.jsonl`;
          const variables = { ...database.variables, AUDIT_LOG: path, RATE_LIMIT_PER_MINUTE: "0" };
          await using client = await RawClient.connect({ variables });
          const asked = Array.from({ length: 200 }, (_, i) => {
            const sql = i % 50 === 49 ? endless("killed") : `SELECT ${i} AS n`;
            return client.post("tools/call", { name: "query_database", arguments: { sql } });
          });
          await client.answer(asked[10 * round % 150] ?? 0);
          client.kill("SIGKILL");
          await client.ended;

          const text = await Deno.readTextFile(path);
          assert.ok(text.endsWith("\n"), "the last line is whole");
          const audited = new Set(text.trimEnd().split("\n").map((line) => JSON.parse(line).arguments.sql));
          for (const [i, id] of asked.entries()) {
            if (client.messages.some((message) => message.id === id)) {
              assert.ok(audited.has(`SELECT ${i} AS n`), `call ${i} was answered and is not in the log`);
            }
          }
          await until("no session of the program is left", async () => {
            const [row] = await database.execute(
              `select count(*)::int as left from pg_stat_activity where usename = '${database.variables.DB_USER}'`,
            );
            return row?.left === 0;
          });
        });
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
