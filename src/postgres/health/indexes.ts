/** Section `indexes`: invalid, duplicate and unused ones. */
import { duration, size } from "../../common/units.ts";
import { visible } from "../../common/visible.ts";
import type { Cell } from "../database.ts";
import { duplicateSql, invalidSql, prefixSql, unusedSql } from "./indexes_sql.ts";
import { type Assessment, type Finding, numberOf, type Section, type ServerFacts } from "./section.ts";
import { countedSince } from "./statistics_age.ts";
import type { Thresholds } from "./thresholds.ts";

type Row = Readonly<Record<string, Cell>>;

/** Of each kind the largest are shown. */
export const indexes: Section = {
  name: "indexes",
  async assess(ask, server, limits): Promise<Assessment> {
    const judgeUse = whyUseIsUnknown(server, limits);
    const { invalid, duplicate, prefix, unused } = await ask(async (transaction) => ({
      invalid: await transaction.query(invalidSql),
      duplicate: await transaction.query(duplicateSql),
      prefix: await transaction.query(prefixSql, [String(limits.unusedIndexBytes)]),
      unused: judgeUse === undefined
        ? await transaction.query(unusedSql, [String(limits.unusedIndexBytes)])
        : [],
    }));
    const others = new Set([...duplicate, ...unused].map(({ name }) => name));
    const begun = prefix.filter(({ name }) => !others.has(name));
    const bytes = unused.reduce((sum, row) => sum + (numberOf(row.bytes) ?? 0), 0);
    return {
      summary: [
        `${invalid.length} invalid, ${duplicate.length} duplicate`,
        judgeUse ??
          `${unused.length} unused of at least ${size(limits.unusedIndexBytes)}${
            unused.length === 0 ? "" : ` (${size(bytes)} together)`
          }, ${countedSince(server)}`,
      ].join(", "),
      findings: [
        ...invalid.map(invalidIndex),
        ...duplicate.map(duplicateIndex),
        ...unused.map((row) => unusedIndex(row, server)),
        ...begun.map(prefixIndex),
      ],
    };
  },
};

/** Why nothing can be said about use, or undefined. */
function whyUseIsUnknown(server: ServerFacts, limits: Thresholds): string | undefined {
  if (!server.trackCounts) return "use unknown (track_counts is off)";
  if (server.inRecovery) {
    return "use not judged on a standby, which counts only its own reads: ask the primary";
  }
  const age = server.statisticsAge ?? server.serverStatisticsAge;
  if (age !== null && age >= limits.unusedIndexAge) return undefined;
  const needed = `${duration(limits.unusedIndexAge)} are needed`;
  if (age === null) return `use unknown (since when it is counted is not reported, ${needed})`;
  return server.statisticsAge === null
    ? `use unknown (${countedSince(server)}; ${needed})`
    : `use unknown (statistics were reset ${duration(age)} ago, ${needed})`;
}

function invalidIndex(row: Row): Finding {
  const name = row.name ?? "";
  const building = row.building === "t";
  return {
    verdict: "warning",
    text: `${visible(name)} on ${visible(row.table ?? "")} (${
      size(numberOf(row.bytes) ?? 0)
    }) is invalid: no query uses it, writes still pay for it${
      building ? "; it may still be under construction, as another session is working on its table" : ""
    }`,
    statements: row.kind === "I"
      ? []
      : [`DROP INDEX CONCURRENTLY ${name};`, `-- then again: ${row.definition};`],
    caution: row.kind === "I"
      ? "a partitioned index stays invalid until an index of every partition is attached to it"
      : "a CREATE INDEX CONCURRENTLY failed, for a UNIQUE one on duplicate rows: remove those first",
  };
}

function duplicateIndex(row: Row): Finding {
  const name = row.name ?? "";
  const constraint = row.constraint_name ?? null;
  return {
    verdict: "warning",
    text: `${visible(name)} (${size(numberOf(row.bytes) ?? 0)}) duplicates ${visible(row.kept ?? "")} on ${
      visible(row.table ?? "")
    }`,
    statements: [
      constraint === null
        ? `DROP INDEX CONCURRENTLY ${name};`
        : `ALTER TABLE ${row.table} DROP CONSTRAINT ${constraint};`,
    ],
    caution: `keeps ${visible(row.kept ?? "")}`,
  };
}

function prefixIndex(row: Row): Finding {
  const name = row.name ?? "";
  const kept = visible(row.kept ?? "");
  return {
    verdict: "warning",
    text: `${visible(name)} on ${visible(row.table ?? "")} (${
      size(numberOf(row.bytes) ?? 0)
    }) has the columns that ${kept} begins with, so ${kept} answers the same queries`,
    statements: [`DROP INDEX CONCURRENTLY ${name};`],
    caution:
      `keep it where ${kept} is much larger, as it is read faster; compare the times of the queries that use it first`,
  };
}

function unusedIndex(row: Row, server: ServerFacts): Finding {
  const name = row.name ?? "";
  return {
    verdict: "warning",
    text: `${visible(name)} on ${visible(row.table ?? "")} takes ${
      size(numberOf(row.bytes) ?? 0)
    } and was never read, ${countedSince(server)}`,
    statements: [`DROP INDEX CONCURRENTLY ${name};`],
    caution: `${
      server.statisticsAge === null
        ? "not if the database or the index is new, as PostgreSQL does not record when they were created; "
        : "not if the index is new, as PostgreSQL does not record when it was created; "
    }reads on standbys are not counted here: look there too, and think of the job that runs once a year`,
  };
}
