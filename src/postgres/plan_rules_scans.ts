/** Rules on how a plan reads tables. */
import { count, percent, plural, size } from "../common/units.ts";
import { visible } from "../common/visible.ts";
import type { Case, Finding, Rule } from "./plan_findings.ts";
import { createIndex, indexAdvice } from "./plan_index.ts";
import { firstRows, limitOver } from "./plan_first_rows.ts";
import { nodeName, relationName, shorten } from "./plan_names.ts";
import { manyRows, roughly, rowsRead, selective } from "./plan_rows.ts";

/** Or that many in all, by scans of at least `someRows`. */
const manyRowsInAll = 100_000;
const someRows = 1_000;
/** Characters of a condition that a finding quotes. */
export const quoted = 120;

/** `82% of the time`, or of the cost. */
export function ofWhole(share: number, { plan }: Case): string {
  return `${percent(share)} of the ${plan.measured ? "time" : "cost"}`;
}

const sequential: Rule = {
  looksAt: "sequential scans that keep few rows",
  when: "always",
  examine(node, about) {
    const filter = node.text("Filter");
    if (node.type !== "Seq Scan" || filter === undefined || node.loops === 0) return undefined;
    const relation = about.facts.relation(node);
    const { kept, read, runs } = rowsRead(node, relation?.rows);
    const perRun = read / runs;
    const many = perRun >= manyRows || read >= manyRowsInAll && perRun >= someRows;
    if (!many || kept > read * selective || limitOver(node, about.facts) !== undefined) return undefined;
    const again = runs > 1.5 ? ` in ${count(Math.round(runs))} runs` : "";
    const expected = about.plan.measured ? "" : ", as the planner expects";
    return {
      title: `${nodeName(node)} takes ${ofWhole(node.share, about)}: it reads ${roughly(node)}${
        plural(Math.round(read), "row")
      }${again} to keep ${roughly(node)}${count(Math.round(kept))}`,
      evidence: `filter ${shorten(filter, quoted)} drops ${percent((read - kept) / read)} of them${expected}`,
      ...indexAdvice(filter, relation, {
        alias: node.text("Alias"),
        extensions: about.facts.extensions,
      }),
      share: node.share,
    };
  },
};

const indexFilter: Rule = {
  looksAt: "filters behind an index",
  when: "measured",
  examine(node, about) {
    const filter = node.text("Filter");
    const condition = node.text("Index Cond") ?? node.text("Recheck Cond");
    if (!/^(Index (Only )?|Bitmap Heap )Scan$/.test(node.type) || filter === undefined) return undefined;
    const removed = node.total("Rows Removed by Filter");
    const kept = node.totalRows ?? 0;
    if (removed < manyRows || kept > (kept + removed) * selective) return undefined;
    const whole = condition === undefined ? filter : `${condition} AND ${filter}`;
    return {
      title: `${nodeName(node)} takes ${ofWhole(node.share, about)}: it fetches ${roughly(node)}${
        plural(Math.round(kept + removed), "row")
      } by the index to keep ${roughly(node)}${count(Math.round(kept))}`,
      evidence: `filter ${shorten(filter, quoted)} drops ${percent(removed / (kept + removed))} of them`,
      ...indexAdvice(whole, about.facts.relation(node), {
        alias: node.text("Alias"),
        inUse: true,
        extensions: about.facts.extensions,
      }),
      share: node.share,
    };
  },
};

const recheck: Rule = {
  looksAt: "rechecks",
  when: "measured",
  examine(node, about) {
    const removed = node.total("Rows Removed by Index Recheck");
    const lossy = node.number("Lossy Heap Blocks") ?? 0;
    const kept = node.totalRows ?? 0;
    if (removed < manyRows || removed < kept) return undefined;
    const title = `${nodeName(node)} takes ${ofWhole(node.share, about)}: it checks ${roughly(node)}${
      plural(Math.round(kept + removed), "row")
    } again to keep ${roughly(node)}${count(Math.round(kept))}`;
    if (lossy === 0) {
      return {
        title,
        evidence: `the index only narrows the rows down: ${roughly(node)}${
          plural(Math.round(removed), "row")
        } did not match`,
        advice: "An index that decides the condition by itself, or a narrower condition, would probably help",
        share: node.share,
      };
    }
    const exact = node.number("Exact Heap Blocks") ?? 0;
    const needed = wholeMegabytes(about.facts.workMem * ((lossy + exact) / Math.max(1, exact)) * 1.2);
    return {
      title,
      evidence: `of ${plural(lossy + exact, "block")} the bitmap remembers ${
        count(lossy)
      } only as a whole, as work_mem is ${size(about.facts.workMem)}`,
      advice: `A work_mem of about ${needed} would probably hold each row's place`,
      statement: `SET work_mem = '${needed}'`,
      share: node.share,
    };
  },
};

const heapFetches: Rule = {
  looksAt: "index-only scans that read the table",
  when: "measured",
  examine(node, about): Finding | undefined {
    if (node.type !== "Index Only Scan") return undefined;
    const fetches = node.number("Heap Fetches") ?? 0;
    const rows = (node.totalRows ?? 0) + node.total("Rows Removed by Filter");
    if (fetches < someRows || fetches < rows / 5) return undefined;
    const relation = about.facts.relation(node);
    return {
      title: `${nodeName(node)} takes ${
        ofWhole(node.share, about)
      }: it reads the table, and not the index alone`,
      evidence: `${plural(fetches, "visit", "visits")} to the table for ${roughly(node)}${
        plural(Math.round(rows), "row")
      }: its visibility map is behind`,
      advice: "VACUUM would probably make the index enough, unless a long transaction holds it back",
      ...(relation === undefined ? {} : { statement: `VACUUM (ANALYZE) ${relation.own}` }),
      share: node.share,
    };
  },
};

const sortedForFew: Rule = {
  looksAt: "sorts for the first rows",
  when: "always",
  examine(node, about): Finding | undefined {
    const found = firstRows(node, about.facts);
    const [scan] = found?.scans ?? [];
    if (found === undefined || scan === undefined || node.outer === undefined) return undefined;
    const { sort, relation, index, read, kept, wanted, decides } = found;
    const share = node.outer.sharedBelow;
    const name = relation.isPartition ? relation.sql : relationName(scan) ?? relation.sql;
    const list = index.join(", ");
    const rows = wanted === 1 ? "row" : plural(wanted, "row");
    return {
      title: `ORDER BY with LIMIT takes ${ofWhole(share, about)}: it reads ${roughly(scan)}${
        plural(Math.round(read), "row")
      } of ${visible(name)} for the first ${rows}`,
      evidence: `${roughly(scan)}${plural(Math.round(kept), "row")} sorted by ${
        shorten(sort.list("Sort Key").join(", "), quoted)
      }${about.plan.measured ? "" : ", as the planner expects"}`,
      advice: visible(
        decides
          ? `An index on ${list} would probably give the first ${rows} in order, without the rest`
          : `An index on ${list} would probably give the rows in order, so that reading ends with the ` +
            `first ${rows} that the filter keeps`,
      ),
      statement: createIndex(relation, list),
      share,
    };
  },
};

/** Bytes as PostgreSQL's settings take them, rounded up to a power of two: `64MB`. */
export function wholeMegabytes(bytes: number): string {
  const megabytes = Math.max(1, bytes / (1 << 20));
  return `${2 ** Math.ceil(Math.log2(megabytes))}MB`;
}

/** Sequential scans, sorts for few rows, filters behind an index, rechecks, heap fetches. */
export const scanRules: readonly Rule[] = [sequential, sortedForFew, indexFilter, recheck, heapFetches];
