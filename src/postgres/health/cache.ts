/** Section `cache`: how often a block was found in shared buffers. */
import { count, percent } from "../../common/units.ts";
import { type Assessment, numberOf, type Section } from "./section.ts";
import { countedSince } from "./statistics_age.ts";

const cacheSql = `
select blks_hit, blks_read, current_setting('shared_buffers') as shared_buffers
from pg_catalog.pg_stat_database where datname = current_database()`;

/** Reads that missed may still have come from the operating system's cache, which PostgreSQL can't tell. */
export const cache: Section = {
  name: "cache",
  async assess(ask, server, limits): Promise<Assessment> {
    const [row = {}] = await ask((transaction) => transaction.query(cacheSql));
    const hit = numberOf(row.blks_hit) ?? 0;
    const reads = hit + (numberOf(row.blks_read) ?? 0);
    if (!server.trackCounts) return { summary: "no data: track_counts is off", findings: [], noData: true };
    if (reads < limits.cacheReads) {
      return {
        summary: `no data: only ${count(reads)} block reads, ${countedSince(server)}`,
        findings: [],
        noData: true,
      };
    }
    const ratio = hit / reads;
    const summary = `${percent(ratio)} of ${
      count(reads)
    } block reads were found in shared buffers (${row.shared_buffers}), ${countedSince(server)}`;
    return {
      summary,
      findings: ratio >= limits.cacheHit.warning ? [] : [{
        verdict: ratio < limits.cacheHit.critical ? "critical" : "warning",
        text: `only ${percent(ratio)} of block reads were found in shared buffers (${row.shared_buffers})`,
        caution:
          "look first for large sequential scans with top_queries, as a missing index is the commoner cause; shared_buffers is usually about a quarter of the memory, and a change needs a restart",
      }],
    };
  },
};
