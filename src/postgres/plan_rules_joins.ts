/** Rules on what a plan does again and again: nested loops, subqueries for each row, join filters, CTEs. */
import { count, duration, percent, plural } from "../common/units.ts";
import { visible } from "../common/visible.ts";
import type { PlanNode } from "./plan.ts";
import type { Rule } from "./plan_findings.ts";
import { readCondition } from "./plan_condition.ts";
import { expressionOf } from "./plan_expression.ts";
import { createIndex, hasOrder, indexAdvice } from "./plan_index.ts";
import { nodeName, shorten, sourceName } from "./plan_names.ts";
import type { PlanRelation } from "./plan_relations.ts";
import { manyRows as manyScanned, roughly, rowsRead, runsExpected, selective } from "./plan_rows.ts";
import { productOf } from "./plan_rules_products.ts";
import { ofWhole, quoted } from "./plan_rules_scans.ts";

/** Runs of an inner side that are many. */
const manyRuns = 1_000;
/** The least share of the whole that they take together. */
const largeShare = 0.3;
const manyRows = 100_000;

/** A filter of NOT IN as EXPLAIN prints it until 16, and from 17 on. */
const notIn = /NOT \((SubPlan|ANY) /;

const repeated: Rule = {
  looksAt: "loops and subqueries run often",
  when: "always",
  examine(node, about) {
    const { parent } = node;
    const { measured } = about.plan;
    const runs = measured ? node.runs : runsExpected(node);
    // That a nested loop is wrong shows when its outer side has more rows than was expected.
    const isInner = measured && parent?.type === "Nested Loop" && node.role === "Inner";
    const isSubquery = node.role === "SubPlan";
    const share = node.sharedBelow;
    if (parent === undefined || !isInner && !isSubquery || runs < manyRuns || share < largeShare) {
      return undefined;
    }
    // A filter that an index should answer, and a join filter, have rules of their own that say more.
    if (node.type === "Seq Scan" && node.text("Filter") !== undefined) return undefined;
    if (parent.text("Join Filter") !== undefined || productOf(parent) !== undefined) return undefined;
    const together = duration((node.number("Actual Total Time") ?? 0) * runs);
    const title = `${nodeName(node)} runs ${measured ? "" : "about "}${
      count(Math.round(runs))
    } times and takes ${ofWhole(share, about)}`;
    if (isSubquery) {
      return {
        title,
        evidence: `once for each row of ${nodeName(parent)}, ${
          measured ? `${together} together` : "as the planner expects"
        }`,
        advice: parent.mentions(notIn)
          ? "NOT EXISTS in place of NOT IN can be planned as one join; it differs where the subquery gives NULLs, " +
            "which make NOT IN true for no row"
          : "Written as a join, or as one grouped subquery that is joined, it would probably run once for all rows",
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
  looksAt: "joins that drop most",
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
      ? indexAdvice(filter, about.facts.relation(inner), {
        alias: inner.text("Alias"),
        extensions: about.facts.extensions,
      })
      : {
        advice:
          "A condition that can be checked before the join, on one table alone, would probably leave less to compare",
      };
    return {
      title: `${nodeName(node)} takes ${ofWhole(share, about)}: it compares ${roughly(node)}${
        plural(Math.round(kept + removed), "pair")
      } of rows to keep ${roughly(node)}${count(Math.round(kept))}`,
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

/** Nodes between a join and the scan of a table that it reads whole. */
const passing = new Set(["Hash", "Sort", "Materialize", "Gather", "Gather Merge"]);

const readWhole: Rule = {
  looksAt: "tables read whole for a join",
  when: "always",
  examine(node, about) {
    const relation = about.facts.relation(node);
    const found = joinOver(node);
    if (node.type !== "Seq Scan" || node.loops === 0 || relation === undefined || found === undefined) {
      return undefined;
    }
    const { join, other } = found;
    const { read, kept: scanned, runs } = rowsRead(node, relation.rows);
    // A filter that an index should answer has a rule of its own, and so has a join that drops most pairs.
    if (relation.isSystem || read / runs < manyScanned || scanned <= read * selective) return undefined;
    if (about.plan.measured && joinFilter.examine(join, about) !== undefined) return undefined;
    const kept = join.totalRows ?? read * Math.min(1, join.estimatedRows / Math.max(1, node.estimatedRows));
    const asked = other.totalRows ?? other.estimatedRows;
    if (kept > read * selective || asked > read * selective) return undefined;
    const condition = join.text("Hash Cond") ?? join.text("Merge Cond") ?? join.text("Join Filter") ?? "";
    const columns = joinedColumns(condition, relation, node.text("Alias"));
    if (columns.length === 0) return undefined;
    const names = columns.map(({ sql }) => sql);
    if (names.some((name) => hasOrder(relation, [name]))) return undefined;
    const isKey = relation.foreignKeys.some((key) => columns.every(({ name }) => key.columns.includes(name)));
    const list = visible(names.join(", "));
    return {
      title: `${nodeName(node)} takes ${ofWhole(node.share, about)}: it reads ${roughly(node)}${
        plural(Math.round(read), "row")
      } for a join that keeps ${roughly(node)}${count(Math.round(kept))}`,
      evidence: `joined on ${shorten(condition, quoted)} with ${plural(Math.round(asked), "row")} of ${
        sourceName(other)
      }${about.plan.measured ? "" : ", as the planner expects"}${
        isKey ? `; ${list} is a foreign key without an index` : ""
      }`,
      advice: `An index on ${list} would probably let it look up only the rows that join`,
      statement: createIndex(relation, names.join(", ")),
      share: node.share,
    };
  },
};

/** The join that a scan's rows go into as they are, and its other side. */
function joinOver(scan: PlanNode): { readonly join: PlanNode; readonly other: PlanNode } | undefined {
  let side = scan;
  for (const above of scan.ancestors()) {
    if (isJoin(above)) {
      const other = side.role === "Outer" ? above.inner : above.outer;
      const fits = /^(Inner|Left|Right|Semi)$/.test(above.text("Join Type") ?? "Inner");
      return fits && other !== undefined ? { join: above, other } : undefined;
    }
    if (!passing.has(above.type)) return undefined;
    side = above;
  }
  return undefined;
}

/** Columns of a table that a join compares with the other side's. */
function joinedColumns(
  condition: string,
  relation: PlanRelation,
  alias: string | undefined,
): readonly { readonly name: string; readonly sql: string }[] {
  const found = readCondition(condition).comparisons.flatMap((each) => {
    const column = relation.columns.get(each.column);
    const sql = column === undefined ? undefined : expressionOf(each, column);
    return sql !== undefined && each.alias === alias && each.how === "equal" && each.value === undefined
      ? [{ name: each.column, sql }]
      : [];
  });
  return [...new Map(found.map((each) => [each.sql, each])).values()].slice(0, 3);
}

const cte: Rule = {
  looksAt: "CTEs used in part",
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
        roughly(source)
      }${plural(Math.round(all), "row")}, to keep ${roughly(node)}${count(Math.round(kept))}`,
      evidence: `filter ${shorten(filter, quoted)} is applied to the stored result`,
      advice: `WITH ${shorten(name, quoted)} AS NOT MATERIALIZED (…), or the condition inside the CTE, ` +
        "would probably let the planner compute only those rows",
      share,
    };
  },
};

/** Nested loops, subqueries, join filters, tables read whole and CTEs. */
export const joinRules: readonly Rule[] = [repeated, joinFilter, readWhole, cte];
