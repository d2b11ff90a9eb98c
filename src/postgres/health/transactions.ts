/** Section `transactions`: the longest ones, those that idle, and prepared ones that nobody ends. */
import { duration, plural } from "../../common/units.ts";
import { visible } from "../../common/visible.ts";
import {
  type Assessment,
  exceeds,
  type Finding,
  grantStatistics,
  millisecondsSince,
  numberOf,
  type Section,
} from "./section.ts";
import { clientSession, describeSession, holder, sessionColumns } from "./sessions.ts";

const openSql = `
select ${sessionColumns}
from pg_catalog.pg_stat_activity a
where ${clientSession} and a.xact_start is not null and a.pid <> pg_backend_pid()
order by a.xact_start limit 1000`;

const hiddenSql = `
select count(*) as sessions from pg_catalog.pg_stat_activity a
where ${clientSession} and a.query is not distinct from '<insufficient privilege>'`;

const preparedSql = `
select gid, owner, database, ${
  millisecondsSince("prepared")
} as ms, 'ROLLBACK PREPARED ' || quote_literal(gid) || ';' as sql
from pg_catalog.pg_prepared_xacts order by prepared limit 5`;

/** What keeps a transaction open keeps its locks, and keeps vacuum from removing rows. */
export const transactions: Section = {
  name: "transactions",
  async assess(ask, server, limits): Promise<Assessment> {
    const { open, hidden, prepared } = await ask(async (transaction) => ({
      open: await transaction.query(openSql),
      hidden: numberOf((await transaction.query(hiddenSql))[0]?.sessions) ?? 0,
      prepared: await transaction.query(preparedSql),
    }));
    const found: (Finding & { readonly ms: number })[] = [];
    let idle = 0;
    for (const row of open) {
      const idles = (row.state ?? "").startsWith("idle in transaction");
      if (idles) idle++;
      const ms = (idles ? numberOf(row.state_ms) : numberOf(row.transaction_ms)) ?? 0;
      const verdict = exceeds(ms, idles ? limits.idleInTransaction : limits.transaction);
      if (verdict === undefined) continue;
      const where = row.datname === server.database
        ? ""
        : ` in database ${visible(row.datname ?? "unknown")}`;
      found.push({
        ms,
        verdict,
        text: `${describeSession(row)}${where}; its transaction has been open for ${
          duration(numberOf(row.transaction_ms) ?? NaN)
        }`,
        statements: idles
          ? [
            `SELECT pg_terminate_backend(${row.pid});`,
            `ALTER ROLE ${row.role_sql} SET idle_in_transaction_session_timeout = '5min';`,
          ]
          : [`SELECT pg_cancel_backend(${row.pid});`],
        caution: idles
          ? "the first line ends the session and rolls its work back: ask its owner first"
          : "cancels the statement: ask its owner first, it may be a backup or a migration",
      });
    }
    for (const row of prepared) {
      const ms = numberOf(row.ms) ?? 0;
      const verdict = exceeds(ms, limits.idleInTransaction);
      if (verdict === undefined) continue;
      found.push({
        ms,
        verdict,
        text: `prepared transaction ${visible(row.gid ?? "").slice(0, 60)} of ${
          holder(row.owner, null)
        } in database ${visible(row.database ?? "")} has been open for ${duration(ms)}`,
        statements: row.sql === null || row.sql === undefined ? [] : [row.sql],
        caution: "its transaction manager must know of it: ask first; COMMIT PREPARED if it decided so",
      });
    }
    found.sort((a, b) => Number(b.verdict === "critical") - Number(a.verdict === "critical") || b.ms - a.ms);
    const longest = Math.max(0, ...open.map((row) => numberOf(row.transaction_ms) ?? 0));
    const parts = [
      open.length === 0
        ? "none open"
        : `${plural(open.length, "open transaction")}, the longest for ${duration(longest)}`,
      ...(open.length === 0 ? [] : [`${idle} idle in transaction`]),
      ...(prepared.length === 0 ? [] : [plural(prepared.length, "prepared transaction")]),
    ];
    const seen = hidden === 0 ? parts.join(", ") : `${parts.join(", ")} among the sessions that are seen`;
    return {
      summary: server.trackActivities ? seen : `${seen}; track_activities is off, so states are missing`,
      findings: found.map(({ ms: _, ...finding }) => finding),
      ...(hidden > 0
        ? {
          unseen: `the transactions of ${plural(hidden, "session")} of other roles; the right for it: ${
            grantStatistics(server)
          }`,
        }
        : {}),
      noData: !server.trackActivities,
    };
  },
};
