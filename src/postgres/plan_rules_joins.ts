/** Rules on what a plan does again and again: nested loops, subqueries for each row, join filters, CTEs. */
import { count, duration, percent, plural } from "../common/units.ts";
import type { PlanNode } from "./plan.ts";
import type { Rule } from "./plan_findings.ts";
import { indexAdvice } from "./plan_index.ts";
import { nodeName, shorten } from "./plan_names.ts";
import { productOf } from "./plan_rules_products.ts";
import { ofWhole, quoted } from "./plan_rules_scans.ts";

/** Runs of an inner side that are many. */
const manyRuns = 1_000;
/** The least share of the whole that they take together. */
const largeShare = 0.3;
const manyRows = 100_000;

const repeated: Rule = {
  looksAt: "nested loops and subqueries that run many times",
  when: "measured",
  examine(node, about) {
    const { parent, runs } = node;
    const isInner = parent?.type === "Nested Loop" && node.role === "Inner";
    const isSubquery = node.role === "SubPlan";
    const share = node.sharedBelow;
    if (parent === undefined || !isInner && !isSubquery || runs < manyRuns || share < largeShare) {
      return undefined;
    }
    // A filter that an index should answer, and a join filter, have rules of their own that say more.
    if (node.type === "Seq Scan" && node.text("Filter") !== undefined) return undefined;
    if (parent.text("Join Filter") !== undefined || productOf(parent) !== undefined) return undefined;
    const together = duration((node.number("Actual Total Time") ?? 0) * runs);
    const title = `${nodeName(node)} runs ${count(Math.round(runs))} times and takes ${
      ofWhole(share, about)
    }`;
    if (isSubquery) {
      return {
        title,
        evidence: `once for each row of ${nodeName(parent)}, ${together} together`,
        advice:
          "Written as a join, or as one grouped subquery that is joined, it would probably run once for all rows",
        share,
      };
    }
    const expected = parent.outer?.estimatedRows ?? 0;
    const surprised = runs >= 10 * Math.max(1, expected);
    return {
      title,
      evidence: `${together} together, once for each row of ${
        parent.outer === undefined ? "the outer side" : nodeName(parent.outer)
      }${surprised ? `; the planner expected ${plural(expected, "run")}` : ""}`,
      advice: surprised
        ? "With a better estimate of the outer side the planner would probably choose a hash or merge join"
        : "It is the right way for few rows; a condition that leaves fewer on the outer side would probably help most",
      share,
    };
  },
};

const joinFilter: Rule = {
  looksAt: "joins that drop most of what they compare",
  when: "measured",
  examine(node, about) {
    const filter = node.text("Join Filter") ?? (isJoin(node) ? node.text("Filter") : undefined);
    const removed = node.total("Rows Removed by Join Filter") +
      (isJoin(node) ? node.total("Rows Removed by Filter") : 0);
    const kept = node.totalRows ?? 0;
    if (filter === undefined || removed < manyRows || removed < 10 * kept) return undefined;
    const inner = node.inner?.scanBelow;
    // The comparison itself, and the inner side that is read again for it.
    const share = Math.min(1, node.share + (node.inner?.sharedBelow ?? 0));
    const advice = node.type === "Nested Loop" && inner !== undefined
      ? indexAdvice(filter, about.facts.relation(inner), { alias: inner.text("Alias") })
      : {
        advice:
          "A condition that can be checked before the join, on one table alone, would probably leave less to compare",
      };
    return {
      title: `${nodeName(node)} takes ${ofWhole(share, about)}: it compares ${
        plural(Math.round(kept + removed), "pair")
      } of rows to keep ${count(Math.round(kept))}`,
      evidence: `${node.text("Join Filter") === undefined ? "filter" : "join filter"} ${
        shorten(filter, quoted)
      } drops ${percent(removed / (kept + removed))} of them`,
      ...advice,
      share,
    };
  },
};

function isJoin(node: PlanNode): boolean {
  return node.type === "Nested Loop" || / Join$/.test(node.type);
}

const cte: Rule = {
  looksAt: "CTEs that are computed whole for few of their rows",
  when: "always",
  examine(node, about) {
    const name = node.text("CTE Name");
    const filter = node.text("Filter");
    if (node.type !== "CTE Scan" || name === undefined || filter === undefined) return undefined;
    const source = about.plan.nodes.find((each) => each.text("Subplan Name") === `CTE ${name}`);
    const readers = about.plan.nodes.filter((each) => each.text("CTE Name") === name);
    if (source === undefined || readers.length !== 1) return undefined;
    const all = source.totalRows ?? source.estimatedRows;
    const kept = node.totalRows ?? node.estimatedRows;
    if (all < 10_000 || kept > all / 10) return undefined;
    const share = Math.min(1, source.sharedBelow + node.share);
    return {
      title: `CTE ${shorten(name, quoted)} takes ${ofWhole(share, about)}: it is computed whole, ${
        plural(Math.round(all), "row")
      }, to keep ${count(Math.round(kept))}`,
      evidence: `filter ${shorten(filter, quoted)} is applied to the stored result`,
      advice: `WITH ${shorten(name, quoted)} AS NOT MATERIALIZED (…), or the condition inside the CTE, ` +
        "would probably let the planner compute only those rows",
      share,
    };
  },
};

const offset: Rule = {
  looksAt: "rows computed for OFFSET alone",
  when: "measured",
  examine(node, about) {
    const given = node.totalRows ?? 0;
    const computed = node.outer?.totalRows ?? 0;
    if (node.type !== "Limit" || computed < 10_000 || computed < 10 * given) return undefined;
    const share = node.sharedBelow;
    return {
      title: `OFFSET takes ${ofWhole(share, about)}: ${
        plural(computed - given, "row")
      } computed and thrown away`,
      evidence: `${plural(computed, "row")} came to Limit, which gave ${count(given)}`,
      advice:
        "Going on from the last row's key (WHERE key > … ORDER BY key LIMIT …) would probably skip them",
      share: share * (computed - given) / computed,
    };
  },
};

/** Nested loops, subqueries, join filters, CTEs and OFFSET. */
export const joinRules: readonly Rule[] = [repeated, joinFilter, cte, offset];
