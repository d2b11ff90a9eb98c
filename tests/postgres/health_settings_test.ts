/** What is advised of a setting depends on where its value comes from. */
import assert from "@std/assert";
import type { Database } from "../../src/postgres/database.ts";
import { examine } from "../../src/postgres/health/examination.ts";
import { patient, startOwnServer } from "../support/own_server.ts";
import { postgresAvailable } from "../support/postgres.ts";
import { until } from "../support/until.ts";

const whatever = { warning: 0, critical: Infinity };

/** The findings of a section by the setting or thing that they are about, with what is advised. */
async function advised(database: Database, section: string): Promise<Record<string, unknown>> {
  const { sections } = await examine(database, {
    ...patient,
    thresholds: { transactions: 0, deadlocks: whatever, temporaryFiles: whatever },
    signal: new AbortController().signal,
    progress: () => {},
  });
  const findings = sections.find(({ name }) => name === section)?.findings ?? [];
  return Object.fromEntries(findings.map(({ text, statements, caution }) => [
    text.replace(/^\d+ /, "").split(/[: ]/)[0] ?? "",
    { statements, ...(caution === undefined ? {} : { caution }) },
  ]));
}

Deno.test({
  name: "a dangerous setting is changed where it is set",
  ignore: !postgresAvailable,
  async fn(t) {
    await using own = await startOwnServer(
      ["full_page_writes = off"],
      `alter database postgres set track_counts = off; create role "An App" login; grant pg_monitor to "An App";
       alter role "An App" set track_activities = off;
       alter role "An App" in database postgres set zero_damaged_pages = on;
       alter role all set ignore_checksum_failure = on`,
      { commandLine: "-c fsync=off -c log_lock_waits=off" },
    );
    const database = own.reader("An App");
    await t.step("in the configuration, on two lines; on the command line, in the catalogue", async () => {
      assert.deepEqual(await advised(database, "settings"), {
        fsync: {
          statements: [],
          caution:
            "fsync is set on the server's command line, which ALTER SYSTEM does not override: change it there and restart",
        },
        full_page_writes: {
          statements: ["ALTER SYSTEM SET full_page_writes = on;", "SELECT pg_reload_conf();"],
        },
        zero_damaged_pages: {
          statements: ['ALTER ROLE "An App" IN DATABASE postgres SET zero_damaged_pages = off;'],
        },
        ignore_checksum_failure: {
          statements: ["ALTER ROLE ALL SET ignore_checksum_failure = off;"],
        },
        track_counts: { statements: ["ALTER DATABASE postgres SET track_counts = on;"] },
        track_activities: { statements: ['ALTER ROLE "An App" SET track_activities = on;'] },
      });
    });
    await t.step("and once that is done, only what stands on the command line is left", async () => {
      const found = await advised(database, "settings");
      for (const { statements } of Object.values(found) as { statements: string[] }[]) {
        for (const statement of statements) await own.execute(statement);
      }
      // Sessions of before keep their role's settings.
      await until(
        "the configuration is read",
        async () => Object.keys(await advised(own.reader("An App"), "settings")).join() === "fsync",
      );
    });
    await t.step("the log of locks is on the command line as well, that of files is not", async () => {
      const found = await advised(own.reader(), "workload");
      assert.deepEqual(found["deadlocks"], {
        statements: [],
        caution:
          "the server's log has the statements of each deadlock; take locks in the same order everywhere; " +
          "log_lock_waits is set on the server's command line, which ALTER SYSTEM does not override: change it there and restart",
      });
      const { statements } = found["temporary"] as { statements: string[] };
      assert.deepEqual(statements, ["ALTER SYSTEM SET log_temp_files = '10MB';", "SELECT pg_reload_conf();"]);
      for (const statement of statements) await own.execute(statement);
      await until("it is logged", async () => {
        const { temporary } = await advised(own.reader(), "workload");
        return (temporary as { statements: string[] }).statements.length === 0;
      });
    });
    await t.step("where ALTER SYSTEM is not allowed", async () => {
      if (own.server.version < 170_000) return;
      await own.execute("alter system reset full_page_writes");
      await Deno.writeTextFile(
        `${own.server.dataDirectory}/postgresql.conf`,
        "full_page_writes = off\nallow_alter_system = off\n",
        { append: true },
      );
      await own.execute("select pg_reload_conf()");
      await until(
        "the configuration is read",
        async () => "full_page_writes" in await advised(database, "settings"),
      );
      assert.deepEqual((await advised(database, "settings"))["full_page_writes"], {
        statements: [],
        caution:
          "this server does not allow ALTER SYSTEM: set full_page_writes in its configuration, and have that read again",
      });
    });
  },
});
