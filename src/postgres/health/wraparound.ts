/** Section `wraparound`: how near transaction and multixact IDs are to their end. */
import { count, percent, plural } from "../../common/units.ts";
import { visible } from "../../common/visible.ts";
import type { Transaction } from "../database.ts";
import { type Assessment, exceeds, type Finding, numberOf, type Section, worst } from "./section.ts";

const databasesSql = `
select datname, datname = current_database() as own, datallowconn as connectable, age(datfrozenxid) as age, mxid_age(datminmxid) as multi_age,
  current_setting('autovacuum_freeze_max_age')::float8 as freeze_age,
  current_setting('autovacuum_multixact_freeze_max_age')::float8 as multi_freeze_age
from pg_catalog.pg_database order by greatest(age(datfrozenxid), mxid_age(datminmxid)) desc`;

const tablesSql = `
select format('%I.%I', n.nspname, c.relname) as name, age(c.relfrozenxid) as age, mxid_age(c.relminmxid) as multi_age
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'm', 't') and c.relfrozenxid <> '0'
order by greatest(age(c.relfrozenxid), mxid_age(c.relminmxid)) desc limit 3`;

// What keeps freezing from going on: the manual, "Preventing Transaction ID Wraparound Failures".
const holdersSql = `
select what, age from (
  select 'the transaction of pid ' || pid as what, age(backend_xmin) as age
  from pg_catalog.pg_stat_activity where backend_xmin is not null and pid <> pg_backend_pid()
  union all select 'replication slot ' || slot_name, greatest(age(xmin), age(catalog_xmin)) from pg_catalog.pg_replication_slots
  union all select 'prepared transaction ' || gid, age(transaction) from pg_catalog.pg_prepared_xacts
) h where age is not null order by age desc limit 1`;

/** For a database such as template0. */
const UNREACHABLE = {
  statements: [],
  caution:
    "accepts no connections: autovacuum alone freezes it, once nothing holds the oldest IDs and its workers have time",
};

/** 2^31 IDs lie ahead of each; the server refuses to write 3 million before the end. */
const END = 2 ** 31 - 3_000_000;

/** All databases share the IDs: the oldest of any counts. */
export const wraparound: Section = {
  name: "wraparound",
  async assess(ask, _server, limits): Promise<Assessment> {
    const { databases, tables, holder } = await ask(async (transaction) => {
      const databases = await transaction.query(databasesSql);
      return {
        databases,
        tables: await transaction.query(tablesSql),
        holder: await readHolder(transaction),
      };
    });
    const findings: Finding[] = [];
    const freezeAge = numberOf(databases[0]?.freeze_age) ?? Infinity;
    const multiFreezeAge = numberOf(databases[0]?.multi_freeze_age) ?? Infinity;
    for (const row of databases) {
      const age = numberOf(row.age) ?? 0;
      const multi = numberOf(row.multi_age) ?? 0;
      const verdict = worst(
        exceeds(age, limits.age),
        exceeds(multi, limits.age),
        exceeds(age / freezeAge, limits.freezeAge),
        exceeds(multi / multiFreezeAge, limits.freezeAge),
      );
      if (verdict === undefined) continue;
      const [oldest] = tables;
      const name = visible(row.datname ?? "");
      const own = row.own === "t" && oldest !== undefined;
      const what = age / freezeAge >= multi / multiFreezeAge
        ? `${count(age)} transactions old, where autovacuum freezes at ${count(freezeAge)}`
        : `${count(multi)} multixacts old, where autovacuum freezes at ${count(multiFreezeAge)}`;
      findings.push({
        verdict,
        text: `database ${name} is ${what}; writes stop ${
          count(Math.max(0, END - Math.max(age, multi)))
        } later${holder === undefined ? "" : `; ${holder}`}`,
        ...(row.connectable === "f" ? UNREACHABLE : {
          statements: own ? tables.map((item) => `VACUUM (FREEZE) ${item.name};`) : [
            `-- in database ${name}: VACUUM (FREEZE);`,
          ],
          caution:
            "reads whole tables, blocks nobody; first end what holds the oldest IDs, or it freezes nothing",
        }),
      });
    }
    const age = Math.max(0, ...databases.map((row) => numberOf(row.age) ?? 0));
    const multi = Math.max(0, ...databases.map((row) => numberOf(row.multi_age) ?? 0));
    const [oldest] = databases;
    return {
      summary: `the oldest of ${plural(databases.length, "database")} (${
        visible(oldest?.datname ?? "")
      }) is ${count(age)} transactions and ${count(multi)} multixacts old, ${
        percent(Math.max(age, multi) / END)
      } of the way to wraparound`,
      findings,
      details: tables.map((row) =>
        `${visible(row.name ?? "")}: ${plural(numberOf(row.age) ?? 0, "transaction")} old`
      ),
    };
  },
};

async function readHolder(transaction: Transaction): Promise<string | undefined> {
  const [row] = await transaction.query(holdersSql);
  return row === undefined
    ? undefined
    : `the oldest rows in use are held by ${visible(row.what ?? "")}, ${
      count(numberOf(row.age) ?? 0)
    } transactions back`;
}
