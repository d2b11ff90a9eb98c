/** Section `vacuum`: dead rows that autovacuum did not remove, and planner statistics that grew old. */
import { count, duration, percent, plural } from "../../common/units.ts";
import { visible } from "../../common/visible.ts";
import type { Cell } from "../database.ts";
import {
  type Assessment,
  criticalFirst,
  exceeds,
  type Finding,
  millisecondsSince,
  numberOf,
  type Section,
} from "./section.ts";

const totalsSql = `
select count(*) as tables, sum(pg_stat_get_live_tuples(oid)) as live, sum(pg_stat_get_dead_tuples(oid)) as dead,
  ${
  millisecondsSince("max(greatest(pg_stat_get_last_vacuum_time(oid), pg_stat_get_last_autovacuum_time(oid)))")
} as vacuum_ms
from pg_catalog.pg_class where relkind in ('r', 'm') and relpersistence <> 't' and oid >= 16384`;

// The statistics functions behind pg_stat_all_tables, which would join every index too. Autovacuum's thresholds:
// the manual, "The Autovacuum Daemon".
const tablesSql = `
with counted as materialized (
  select c.oid, c.relname, c.relnamespace, c.reloptions, greatest(c.reltuples, 0) as tuples,
    pg_stat_get_dead_tuples(c.oid) as dead, pg_stat_get_live_tuples(c.oid) as live,
    pg_stat_get_mod_since_analyze(c.oid) as changed
  from pg_catalog.pg_class c where c.relkind in ('r', 'm') and c.relpersistence <> 't'
), judged as (
  select t.*, coalesce(o.vacuum_base, current_setting('autovacuum_vacuum_threshold')::float8)
      + coalesce(o.vacuum_scale, current_setting('autovacuum_vacuum_scale_factor')::float8) * t.tuples as vacuum_at,
    coalesce(o.analyze_base, current_setting('autovacuum_analyze_threshold')::float8)
      + coalesce(o.analyze_scale, current_setting('autovacuum_analyze_scale_factor')::float8) * t.tuples as analyze_at,
    coalesce(o.enabled, true) as enabled
  from counted t, lateral (
    select max(option_value::float8) filter (where option_name = 'autovacuum_vacuum_threshold') as vacuum_base,
      max(option_value::float8) filter (where option_name = 'autovacuum_vacuum_scale_factor') as vacuum_scale,
      max(option_value::float8) filter (where option_name = 'autovacuum_analyze_threshold') as analyze_base,
      max(option_value::float8) filter (where option_name = 'autovacuum_analyze_scale_factor') as analyze_scale,
      bool_and(option_value::bool) filter (where option_name = 'autovacuum_enabled') as enabled
    from pg_options_to_table(t.reloptions)
    where option_name in ('autovacuum_vacuum_threshold', 'autovacuum_vacuum_scale_factor',
      'autovacuum_analyze_threshold', 'autovacuum_analyze_scale_factor', 'autovacuum_enabled')
  ) o
  where t.dead >= $1::float8 or t.changed >= $2::float8
)
select format('%I.%I', n.nspname, j.relname) as name, j.dead, j.live, j.changed, j.vacuum_at, j.analyze_at, j.enabled,
  ${millisecondsSince("pg_stat_get_last_vacuum_time(j.oid)")} as vacuum_ms,
  ${millisecondsSince("pg_stat_get_last_autovacuum_time(j.oid)")} as autovacuum_ms,
  ${
  millisecondsSince(
    "greatest(pg_stat_get_last_analyze_time(j.oid), pg_stat_get_last_autoanalyze_time(j.oid))",
  )
} as analyze_ms
from judged j join pg_catalog.pg_namespace n on n.oid = j.relnamespace
where j.dead >= $1::float8 and (j.dead >= $3::float8 * j.vacuum_at or not j.enabled)
  or j.changed >= $2::float8 and j.changed >= $3::float8 * j.analyze_at
order by greatest(j.dead, j.changed) desc limit 50`;

/** A table is worth a word when it is far beyond the point at which autovacuum should have come. */
export const vacuum: Section = {
  name: "vacuum",
  async assess(ask, server, limits): Promise<Assessment> {
    if (server.inRecovery || !server.trackCounts) {
      const why = server.inRecovery
        ? "a standby does not count dead rows: ask the primary"
        : "track_counts is off, and autovacuum needs it";
      return { summary: `no data: ${why}`, findings: [], noData: true };
    }
    const { totals, rows } = await ask(async (transaction) => ({
      totals: (await transaction.query(totalsSql))[0] ?? {},
      rows: await transaction.query(tablesSql, [
        String(limits.deadRows.warning),
        String(limits.changedRows),
        String(limits.autovacuumLag),
      ]),
    }));
    const live = numberOf(totals.live) ?? 0;
    const dead = numberOf(totals.dead) ?? 0;
    const tables = plural(numberOf(totals.tables) ?? 0, "table");
    const findings = rows.map((row): Finding => {
      const deadRows = numberOf(row.dead) ?? 0;
      const lag = deadRows / (numberOf(row.vacuum_at) ?? Infinity);
      const bloated = lag >= limits.autovacuumLag || row.enabled === "f"
        ? exceeds(deadRows, limits.deadRows)
        : undefined;
      const verdict = bloated ?? "warning";
      return { verdict, ...(bloated === undefined ? stale(row) : deadRowsOf(row)) };
    });
    findings.sort(criticalFirst);
    return {
      summary: live + dead === 0
        ? `no data: no rows of ${tables} were counted`
        : `${count(dead)} dead beside ${count(live)} live rows (${
          percent(dead / (live + dead))
        }) in ${tables}, ${lastOfAll(totals.vacuum_ms)}`,
      findings,
      noData: live + dead === 0,
    };
  },
};

function deadRowsOf(row: Readonly<Record<string, Cell>>): Omit<Finding, "verdict"> {
  const dead = numberOf(row.dead) ?? 0;
  const live = numberOf(row.live) ?? 0;
  const name = row.name ?? "";
  const off = row.enabled === "f";
  return {
    text: `${visible(name)} has ${count(dead)} dead beside ${count(live)} live rows (${
      percent(dead / (dead + live))
    }), where autovacuum starts at ${count(Math.round(numberOf(row.vacuum_at) ?? NaN))}; last vacuum ${
      ago(row.vacuum_ms)
    }, autovacuum ${off ? "switched off for it" : ago(row.autovacuum_ms)}, analyze ${ago(row.analyze_ms)}`,
    statements: [
      `VACUUM (ANALYZE) ${name};`,
      ...(off ? [`ALTER TABLE ${name} RESET (autovacuum_enabled);`] : []),
    ],
    caution:
      "blocks nobody, but reads the whole table; rows that an old transaction may see stay (see transactions)",
  };
}

function stale(row: Readonly<Record<string, Cell>>): Omit<Finding, "verdict"> {
  const name = row.name ?? "";
  return {
    text: `${visible(name)} changed by ${
      plural(numberOf(row.changed) ?? 0, "row")
    } since its planner statistics were made (analyze ${ago(row.analyze_ms)})`,
    statements: [`ANALYZE ${name};`],
    caution: "blocks nobody; until then plans rest on old numbers",
  };
}

function lastOfAll(cell: Cell | undefined): string {
  return numberOf(cell) === null
    ? "none of them was ever vacuumed"
    : `last vacuum of any of them ${ago(cell)}`;
}

function ago(cell: Cell | undefined): string {
  const ms = numberOf(cell);
  return ms === null ? "never" : `${duration(Math.max(0, ms))} ago`;
}
