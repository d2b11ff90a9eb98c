/** Section `replication`: standbys and how far behind they are, slots that hold WAL, and the archive. */
import { duration, plural, size } from "../../common/units.ts";
import { visible } from "../../common/visible.ts";
import type { Cell } from "../database.ts";
import {
  type Assessment,
  criticalFirst,
  exceeds,
  type Finding,
  grantStatistics,
  millisecondsSince,
  numberOf,
  type Section,
  worst,
} from "./section.ts";
import { standby } from "./standby.ts";
import type { Thresholds } from "./thresholds.ts";

const standbysSql = `
select pid, application_name, host(client_addr) as address, state, sync_state,
  pg_wal_lsn_diff(case when pg_is_in_recovery() then pg_last_wal_receive_lsn() else pg_current_wal_lsn() end, replay_lsn) as bytes,
  round(1000 * extract(epoch from replay_lag)::numeric) as lag_ms
from pg_catalog.pg_stat_replication order by bytes desc nulls last`;

const slotsSql = `
select slot_name, slot_type, coalesce(database, '') as database, active, wal_status, restart_lsn is null as unused,
  pg_wal_lsn_diff(case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end, restart_lsn) as bytes,
  'SELECT pg_drop_replication_slot(' || quote_literal(slot_name) || ');' as sql,
  current_setting('max_slot_wal_keep_size') as keep
from pg_catalog.pg_replication_slots order by bytes desc nulls last`;

const archiveSql = `
select failed_count, last_failed_wal, ${millisecondsSince("last_archived_time")} as archived_ms,
  coalesce(last_failed_time > last_archived_time, last_failed_time is not null) as failing
from pg_catalog.pg_stat_archiver where current_setting('archive_mode') <> 'off'`;

type Row = Readonly<Record<string, Cell>>;

/** As a primary and, where it is one, as a standby. */
export const replication: Section = {
  name: "replication",
  async assess(ask, server, limits): Promise<Assessment> {
    const { standbys, slots, archive, own } = await ask(async (transaction) => ({
      standbys: await transaction.query(standbysSql),
      slots: await transaction.query(slotsSql),
      archive: (await transaction.query(archiveSql))[0],
      own: server.inRecovery ? await standby(transaction, limits) : undefined,
    }));
    // Without the right only the process is shown: a standby that is up has a state.
    const hidden = standbys.filter((row) => row.state === null).length;
    const findings = [
      ...(own?.findings ?? []),
      ...standbys.flatMap((row) => behind(row, limits)),
      ...slots.flatMap((row) => holding(row, limits)),
      ...(archive === undefined ? [] : failing(archive)),
    ].sort(criticalFirst);
    return {
      summary: [
        ...(own === undefined ? [] : [own.summary]),
        standbys.length === 0 ? "no standby is connected" : plural(standbys.length, "standby", "standbys"),
        slots.length === 0 ? "no replication slots" : plural(slots.length, "replication slot"),
        archive === undefined
          ? "no archiving"
          : archive.archived_ms === null
          ? "nothing archived yet"
          : `last archived ${duration(numberOf(archive.archived_ms) ?? NaN)} ago`,
      ].join(", "),
      findings,
      details: [...standbys.slice(0, 5).map(describeStandby), ...slots.slice(0, 5).map(describeSlot)],
      ...(hidden > 0
        ? {
          unseen: `how far ${plural(hidden, "standby is", "standbys are")} behind; the right for it: ${
            grantStatistics(server)
          }`,
        }
        : own?.unseen === undefined
        ? {}
        : { unseen: own.unseen }),
    };
  },
};

function nameOf(row: Row): string {
  const address = row.address === null || row.address === undefined ? "" : ` at ${row.address}`;
  return `standby ${visible(row.application_name ?? `with pid ${row.pid}`).slice(0, 63)}${address}`;
}

function describeStandby(row: Row): string {
  if (row.state === null) return `${nameOf(row)}: unseen`;
  const bytes = numberOf(row.bytes);
  const lag = numberOf(row.lag_ms);
  return `${nameOf(row)}: ${row.state}, ${row.sync_state}, ${
    bytes === null ? "how far behind is not reported" : `${size(Math.max(0, bytes))} behind`
  }${lag === null ? "" : `, ${duration(lag)} of replay lag`}`;
}

function behind(row: Row, limits: Thresholds): Finding[] {
  if (row.state === null) return [];
  const verdict = worst(
    exceeds(numberOf(row.bytes) ?? 0, limits.replayBytes),
    exceeds(numberOf(row.lag_ms) ?? 0, limits.replayDelay),
  );
  return verdict === undefined ? [] : [{
    verdict,
    text: describeStandby(row),
    statements: ["SELECT pg_last_wal_replay_lsn(), pg_is_wal_replay_paused(); -- on the standby"],
    caution: "a long query or a paused replay on the standby, its disk, or the network between",
  }];
}

function describeSlot(row: Row): string {
  const bytes = numberOf(row.bytes);
  const database = row.database === "" ? "" : ` of database ${visible(row.database ?? "")}`;
  return `slot ${visible(row.slot_name ?? "")} (${row.slot_type}${database}): ${
    row.active === "t" ? "active" : "inactive"
  }, ${bytes === null ? "holds no WAL" : `holds ${size(Math.max(0, bytes))} of WAL`}${
    row.wal_status === null || row.wal_status === "reserved" ? "" : `, WAL ${row.wal_status}`
  }`;
}

function holding(row: Row, limits: Thresholds): Finding[] {
  const lost = row.wal_status === "lost" || row.wal_status === "unreserved";
  const verdict = worst(exceeds(numberOf(row.bytes) ?? 0, limits.slotBytes), lost ? "warning" : undefined);
  if (verdict === undefined) return [];
  return [{
    verdict,
    text: `${describeSlot(row)}${
      lost
        ? ": what its consumer still needs is gone or about to go"
        : row.keep === "-1"
        ? " and no limit stops it from filling the disk"
        : ""
    }`,
    statements: row.active === "t" ? [] : [row.sql ?? ""],
    caution: row.active === "t"
      ? "its consumer does not keep up: look there; a limit is max_slot_wal_keep_size"
      : "only when its consumer is gone for good: otherwise start that again, it can't catch up without the slot",
  }];
}

function failing(row: Row): Finding[] {
  return row.failing !== "t" ? [] : [{
    verdict: "warning",
    text: `archiving fails: ${plural(numberOf(row.failed_count) ?? 0, "failure")}, the last for ${
      visible(row.last_failed_wal ?? "")
    }; WAL piles up in pg_wal`,
    statements: ["SELECT * FROM pg_stat_archiver;"],
    caution: "the server's log has the error of archive_command",
  }];
}
