/** The rule on rows that are computed for OFFSET alone. */
import { count, plural } from "../common/units.ts";
import type { PlanNode } from "./plan.ts";
import type { Case, Finding, Rule } from "./plan_findings.ts";
import { skippedBy } from "./plan_offset.ts";
import { roughly } from "./plan_rows.ts";
import { ofWhole } from "./plan_rules_scans.ts";

/** Rows that are worth a word, where the Limit gives a tenth of them or less. */
const manyRows = 10_000;

const offset: Rule = {
  looksAt: "OFFSET",
  when: "always",
  examine(node, about) {
    const { outer } = node;
    if (node.type !== "Limit" || outer === undefined) return undefined;
    return about.plan.measured ? measured(node, outer, about) : expected(node, outer, about);
  },
};

function measured(node: PlanNode, outer: PlanNode, about: Case): Finding | undefined {
  const given = node.totalRows ?? 0;
  const computed = outer.totalRows ?? 0;
  if (!isMuch(computed, given)) return undefined;
  const share = node.sharedBelow;
  return {
    title: `OFFSET takes ${ofWhole(share, about)}: ${roughly(outer)}${
      plural(Math.round(computed - given), "row")
    } computed and thrown away`,
    evidence: `${roughly(outer)}${plural(Math.round(computed), "row")} came to Limit, which gave ${
      roughly(node)
    }${count(Math.round(given))}`,
    advice: adviceOn(outer),
    share: share * (computed - given) / computed,
  };
}

/** The Limit's own cost says nothing: what is sorted for it, or for the first rows alone, costs about the same. */
function expected(node: PlanNode, outer: PlanNode, { facts }: Case): Finding | undefined {
  const offset = skippedBy(node, facts);
  const given = node.estimatedRows;
  const skipped = Math.min(offset ?? 0, outer.estimatedRows);
  if (offset === undefined || !isMuch(skipped + given, given)) return undefined;
  return {
    title: `OFFSET has about ${plural(skipped, "row")} computed and thrown away`,
    evidence: `OFFSET ${offset} before ${plural(given, "row")}, as the planner expects`,
    advice: adviceOn(outer),
    share: node.sharedBelow * skipped / (skipped + given),
  };
}

function isMuch(computed: number, given: number): boolean {
  return computed >= manyRows && computed >= 10 * given;
}

function adviceOn(outer: PlanNode): string {
  const isSorted = [outer, ...outer.children].some(({ type }) => type === "Sort");
  return "Continuing after the last row returned would probably skip them: ORDER BY ending in a unique column, WHERE " +
    `(…) > (the last row's), < where the order descends${isSorted ? ", with an index in that order" : ""}`;
}

/** OFFSET. */
export const offsetRules: readonly Rule[] = [offset];
