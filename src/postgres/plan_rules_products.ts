/** The rule on joins without any condition between the sides: every row of one with every row of the other. */
import { plural } from "../common/units.ts";
import type { PlanNode } from "./plan.ts";
import { readCondition } from "./plan_condition.ts";
import type { Case, Rule } from "./plan_findings.ts";
import { nodeName, sourceName } from "./plan_names.ts";
import { roughly } from "./plan_rows.ts";
import { ofWhole } from "./plan_rules_scans.ts";

/** A side with fewer rows is joined with all of the other on purpose as often as not. */
const fewRows = 10;
/** Pairs that are worth a word, and that are whatever the sides. */
const manyPairs = 10_000;
const hugeProduct = 1_000_000;
/** The least share of the whole that says that it is what the statement suffers from. */
const largeShare = 0.3;

/** The sides of a product, and the rows of each. */
export interface Product {
  readonly outer: PlanNode;
  readonly inner: PlanNode;
  readonly outerRows: number;
  readonly innerRows: number;
}

/** What a nested loop multiplies, if no condition stands between its sides and they are not small. */
export function productOf(node: PlanNode): Product | undefined {
  const { outer, inner } = node;
  if (node.type !== "Nested Loop" || outer === undefined || inner === undefined) return undefined;
  if (node.text("Join Filter") !== undefined || !/^(Inner|Left)$/.test(node.text("Join Type") ?? "Inner")) {
    return undefined;
  }
  // Each process has a part of the outer side, and all of the inner one.
  const outerRows = (outer.rows ?? outer.estimatedRows) * outer.processes;
  const innerRows = inner.rows ?? inner.estimatedRows;
  const least = Math.min(outerRows, innerRows);
  const pairs = outerRows * innerRows;
  const isMany = pairs >= manyPairs && least >= fewRows || pairs >= hugeProduct && least >= 2;
  if (!isMany || refersTo(inner, outer)) return undefined;
  return { outer, inner, outerRows, innerRows };
}

const product: Rule = {
  looksAt: "joins without a condition",
  when: "always",
  examine(node, about) {
    const found = productOf(node);
    if (found === undefined) return undefined;
    const { outer, inner, outerRows, innerRows } = found;
    // What Materialize stores is computed once, and only read again.
    const again = inner.type === "Materialize" ? inner.share : inner.sharedBelow;
    const share = Math.min(1, node.share + again);
    const expected = about.plan.measured ? "" : ", as the planner expects";
    return {
      title: `${nodeName(node)} takes ${ofWhole(share, about)}: it joins every row with every other`,
      evidence: `${about.plan.measured ? roughly(outer) : ""}${plural(Math.round(outerRows), "row")} of ${
        sourceName(outer)
      } with ${plural(Math.round(innerRows), "row")} of ${
        sourceName(inner)
      }${expected}, and no condition between them`,
      advice: adviceOn(found, share, about),
      share,
    };
  },
};

/** How sure it is that a condition is missing: a plan shows that there is none, and not what was meant. */
function adviceOn({ outer, inner, outerRows, innerRows }: Product, share: number, about: Case): string {
  const values = valuesIn(outer);
  if (values.length > 0 && valuesIn(inner).some((value) => values.includes(value))) {
    return "Both sides are held to the same value: a condition between them that follows from it is not in the plan; " +
      "if the query has none, one is probably missing";
  }
  const areTables = [outer, inner].every((side) =>
    [...side.all()].some((node) => about.facts.relation(node) !== undefined)
  );
  return areTables && share >= largeShare && Math.min(outerRows, innerRows) >= fewRows
    ? "A condition that joins the two is probably missing from the query"
    : "If not every combination is wanted, a condition that joins the two is missing from the query";
}

/** What its columns are equal to, as a condition on both sides of a join follows from one on one side. */
function valuesIn(side: PlanNode): readonly string[] {
  return [...side.all()].flatMap((node) =>
    ["Filter", "Index Cond", "Recheck Cond"].flatMap((field) => {
      const condition = node.text(field);
      return condition === undefined
        ? []
        : readCondition(condition).comparisons.flatMap(({ value }) => value ?? []);
    })
  );
}

/** Whether the inner side is looked up by what the outer side gives. */
function refersTo(inner: PlanNode, outer: PlanNode): boolean {
  const all = [...inner.all()];
  if (all.some((node) => node.text("Cache Key") !== undefined)) return true;
  const aliases = [...outer.all()].flatMap((node) => node.text("Alias") ?? []);
  const names = aliases.map((alias) => alias.replaceAll('"', '""').replace(/[^\w]/g, "\\$&"));
  // What has no name, such as a set that a function gives in the SELECT list, is printed as it stands.
  const given = aliases.length > 0 ? [] : outer.list("Output").map((text) => text.replace(/[^\w]/g, "\\$&"));
  const patterns = [
    ...(names.length === 0 ? [] : [`(^|[^\\w])"?(${names.join("|")})"?\\.`]),
    ...given,
  ];
  return patterns.some((pattern) => all.some((node) => node.mentions(new RegExp(pattern))));
}

/** Joins without a condition. */
export const productRules: readonly Rule[] = [product];
